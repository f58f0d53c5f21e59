/**
 * Shared memory at its limit: measures everything that has a target, beside the machine's own limit and what people use, and ends with the
 * table of targets.
 *
 * `node shm.js --help` lists the arguments; README.md says how to read the result. Ends with code 1 when a point failed or nothing could be
 * measured, 2 for wrong arguments. No figure ever decides the exit code: the table says which targets are not met.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { orUsage, parseRunOptions } from './harness/options.js';
import { writeReport } from './harness/report.js';
import { exitCodeOf, measure, progress, write } from './harness/session.js';
import { SCENES, SHORT_SCENES } from './shm/scenes.js';
import { EXPLANATION, judge, writeTable } from './shm/table.js';
import { TARGETS } from './shm/targets.js';

const USAGE = `usage: node shm.js [options]

  --seconds N      measured time of a point (default 1)
  --rounds N       rounds, each in another order (default 5)
  --json FILE      where every figure of every round is kept (default results/shm-DATE.json)
  --markdown FILE  write what is printed
  --short          only check that everything works: 1 round of 0.1 s, not every row; its figures mean nothing
  --help`;
const DEFAULTS = { seconds: 1, rounds: 5 };
/** Of ../lanes.js, whose windows are many: seconds of each. */
const LANE_SECONDS = 0.5;
/** The same where only whether it works is asked. */
const LANE_GLIMPSE = 0.05;

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130)); // what is left over goes in the exit handlers

const options = orUsage((words) => parseRunOptions(words, DEFAULTS), USAGE);
const run = await measure(options.isShort ? SHORT_SCENES : SCENES, options, false);
const lanes = await measureLanes(options.rounds, options.isShort ? LANE_GLIMPSE : LANE_SECONDS);
const targets = judge(TARGETS, run.outcomes, lanes);
const report = `${writeReport(run)}\n### Targets\n\n${EXPLANATION}\n\n${writeTable(targets)}\n`;
process.stdout.write(report);
if (options.markdownFile !== null) write(options.markdownFile, report);
const jsonFile = options.jsonFile ?? defaultFile();
write(jsonFile, `${JSON.stringify({ ...run, lanes, targets }, null, 2)}\n`);
progress(`every figure is in ${jsonFile}`);
process.exitCode = exitCodeOf(run);

/**
 * P0 beside P3, by the program that measures it.
 *
 * @param {number} rounds
 * @param {number} seconds
 */
async function measureLanes(rounds, seconds) {
  progress('P0 beside P3 (lanes.js)');
  const program = fileURLToPath(new URL('lanes.js', import.meta.url));
  const words = ['--seconds', seconds, '--rounds', rounds, '--transports', 'shm', '--json'];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [program, ...words.map(String)]);
    return JSON.parse(stdout).latency;
  } catch (error) {
    run.failed.push({ what: 'lanes.js', reason: String(error.message).split('\n')[0] });
    return [];
  }
}

/** A file for each run: they are there to be compared. */
function defaultFile() {
  const date = new Date().toISOString().slice(0, 16).replace(':', '-');
  return fileURLToPath(new URL(`results/shm-${options.isShort ? 'short' : date}.json`, import.meta.url));
}
