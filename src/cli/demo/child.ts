/**
 * The entry point of the demo's child processes; which one it is, the job on stdin says. Started by `eipc demo` only.
 *
 * It reports on stdout, and ends when its work is done or stdin ends. Signals of the terminal (Ctrl-C, hang-up) reach the
 * whole process group; the child leaves them to the parent, which ends the ENI session first and the EAI after it.
 */
import { errorText } from '../exit.js';
import { runDecoy } from './attack/decoy.js';
import { runEai } from './eai.js';
import { runEni } from './eni.js';
import { readJob } from './job.js';
import { InputError } from './recording.js';
import { encodeReport, type FailureCause, type Report } from './reports.js';

async function main(): Promise<void> {
  process.on('SIGINT', leaveToParent);
  process.on('SIGHUP', leaveToParent);
  // With the parent gone there is nobody to report to; stdin ends as well and closes the session.
  process.stdout.on('error', () => undefined);
  let hasBegun = false;
  const report = (entry: Report) => {
    if (entry.kind === 'listening' || entry.kind === 'connected' || entry.kind === 'started') hasBegun = true;
    process.stdout.write(encodeReport(entry));
  };
  try {
    const { job, key, decoyKey, stop } = await readJob(process.stdin);
    if (job.role === 'eai') await runEai({ job, key, decoyKey, report, stop });
    else if (job.role === 'eni') await runEni({ job, key, report, stop });
    else await runDecoy({ job, key, report, stop });
  } catch (error) {
    const later: FailureCause = hasBegun ? 'run' : 'start';
    report({ kind: 'failed', cause: error instanceof InputError ? 'input' : later, message: errorText(error) });
    process.exitCode = 1;
  } finally {
    process.stdin.destroy(); // an open stdin would keep the process alive
  }
}

function leaveToParent(): void {
  // The parent handles it.
}

void main();
