/** One run: conditions and placements, all points of a schedule, and what became of them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { readConditions } from './conditions.js';
import { makePlacement } from './placement.js';
import { runPoint } from './point.js';
import { makeSchedule } from './schedule.js';
import { Unavailable } from './side-process.js';
import { summarise } from './summary.js';

/**
 * @typedef {object} Run - what a run found; as JSON it is what `--json` writes
 * @property {Record<string, string>} conditions
 * @property {Pick<import('./measures/index.js').Settings, 'seconds' | 'warmUpSeconds' | 'rate'>} settings
 * @property {readonly import('./placement.js').Placement[]} placements - those that could be had
 * @property {readonly import('./summary.js').Row[]} rows
 * @property {readonly import('./summary.js').Outcome[]} outcomes
 * @property {readonly { what: string, reason: string }[]} skipped
 * @property {readonly { what: string, reason: string }[]} failed
 */

/**
 * Measures all scenes. Progress goes to stderr.
 *
 * @param {readonly import('./schedule.js').Scene[]} scenes
 * @param {Pick<import('./options.js').RunOptions, 'settings' | 'rounds' | 'isShort'>} options
 * @param {boolean} areRequired - whether a contestant that cannot be loaded is a failure, not a skipped row
 * @returns {Promise<Run>}
 */
export async function measure(scenes, { settings, rounds, isShort }, areRequired) {
  const sizes = [...new Set(scenes.map(({ size }) => size))];
  const conditions = readConditions({ settings, rounds, isShort, sizes });
  const names = [...new Set(scenes.flatMap((scene) => scene.placements))];
  const wanted = names.map(makePlacement);
  const placements = wanted.filter(({ refusal }) => refusal === null);
  const skipped = wanted.flatMap(({ name, refusal }) =>
    refusal === null ? [] : [{ what: `placement ${name}`, reason: refusal }],
  );
  const failed = [];
  const outcomes = [];
  const unavailable = new Set();

  const schedule = makeSchedule(rounds, scenes, placements);
  for (const [index, point] of schedule.entries()) {
    const { round, size, placement, measure: name, contestant } = point;
    if (unavailable.has(contestant.id)) continue;
    const what = `${contestant.id}, ${name}, ${size} bytes, ${placement.name === 'one' ? 'one core' : 'two cores'}, round ${round + 1}`;
    try {
      const { result, description } = await runPoint(point, settings);
      outcomes.push({
        round,
        size,
        placement: placement.name,
        measure: name,
        contestant: contestant.id,
        description,
        result,
      });
      progress(`${index + 1}/${schedule.length} ${what}`);
    } catch (error) {
      if (error instanceof Unavailable) {
        unavailable.add(contestant.id);
        (areRequired ? failed : skipped).push({ what: contestant.id, reason: error.message });
      } else {
        failed.push({ what, reason: error.message });
      }
      progress(`${index + 1}/${schedule.length} ${what}: ${error.message}`);
    }
  }
  return { conditions, settings, placements, rows: summarise(outcomes), outcomes, skipped, failed };
}

/**
 * The exit code: no figure ever decides it.
 *
 * @param {Run} run
 */
export function exitCodeOf({ failed, outcomes }) {
  return failed.length > 0 || outcomes.length === 0 ? 1 : 0;
}

/** @param {string} text */
export function progress(text) {
  process.stderr.write(`${text}\n`);
}

/**
 * @param {string} file
 * @param {string} text
 */
export function write(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
