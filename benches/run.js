/**
 * Measures EIPC beside what people use for local IPC in Node, two processes for every point.
 *
 * `node run.js --help` lists the arguments; README.md says how to read the result. Ends with code 1 when a point failed or nothing could be
 * measured, 2 for wrong arguments. No figure ever decides the exit code.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { readConditions } from './harness/conditions.js';
import { parseOptions, USAGE } from './harness/options.js';
import { makePlacement } from './harness/placement.js';
import { runPoint } from './harness/point.js';
import { writeReport } from './harness/report.js';
import { makeSchedule } from './harness/schedule.js';
import { Unavailable } from './harness/side-process.js';
import { summarise } from './harness/summary.js';

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130)); // what is left over goes in the exit handlers

const options = readOptions();
process.exitCode = await run(options);

/**
 * @param {import('./harness/options.js').Options} options
 * @returns {Promise<number>} the exit code
 */
async function run({ settings, areRequired, ...chosen }) {
  const conditions = readConditions({ settings, ...chosen });
  const placements = chosen.placements.map(makePlacement);
  const usable = placements.filter(({ refusal }) => refusal === null);
  const skipped = placements.flatMap(({ name, refusal }) =>
    refusal === null ? [] : [{ what: `placement ${name}`, reason: refusal }],
  );
  const failed = [];
  const outcomes = [];
  const unavailable = new Set();

  const schedule = makeSchedule(chosen, usable);
  for (const [index, point] of schedule.entries()) {
    const { round, placement, measure, contestant } = point;
    if (unavailable.has(contestant.id)) continue;
    const what = `${contestant.id}, ${measure}, ${placement.name === 'one' ? 'one core' : 'two cores'}, round ${round + 1}`;
    try {
      const { result, description } = await runPoint(point, settings);
      outcomes.push({ round, placement: placement.name, measure, contestant: contestant.id, description, result });
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

  const rows = summarise(outcomes);
  const report = writeReport({ conditions, placements: usable, measures: chosen.measures, rows, skipped, failed });
  process.stdout.write(report);
  if (chosen.markdownFile !== null) write(chosen.markdownFile, report);
  if (chosen.jsonFile !== null)
    write(
      chosen.jsonFile,
      `${JSON.stringify({ conditions, settings, placements, rows, outcomes, skipped, failed }, null, 2)}\n`,
    );
  return failed.length > 0 || outcomes.length === 0 ? 1 : 0;
}

function readOptions() {
  try {
    const parsed = parseOptions(process.argv.slice(2));
    if (parsed !== null) return parsed;
    process.stdout.write(`${USAGE}\n`);
    return process.exit(0);
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${USAGE}\n`);
    return process.exit(2);
  }
}

/** @param {string} text */
function progress(text) {
  process.stderr.write(`${text}\n`);
}

function write(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
