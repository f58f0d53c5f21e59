/**
 * Measures EIPC beside what people use for local IPC in Node, two processes for every point.
 *
 * `node run.js --help` lists the arguments; README.md says how to read the result. Ends with code 1 when a point failed or nothing could be
 * measured, 2 for wrong arguments. No figure ever decides the exit code.
 */
import { orUsage, parseOptions, USAGE } from './harness/options.js';
import { writeReport } from './harness/report.js';
import { exitCodeOf, measure, write } from './harness/session.js';

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130)); // what is left over goes in the exit handlers

const options = orUsage(parseOptions, USAGE);
const { size, placements, measures, contestants } = options;
const run = await measure([{ size, placements, measures, contestants }], options, options.areRequired);
const report = writeReport(run);
process.stdout.write(report);
if (options.markdownFile !== null) write(options.markdownFile, report);
if (options.jsonFile !== null) write(options.jsonFile, `${JSON.stringify(run, null, 2)}\n`);
process.exitCode = exitCodeOf(run);
