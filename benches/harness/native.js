/**
 * A contestant that is a program of its own: it starts both processes of a point, pins them, measures, and prints one line of JSON,
 * `{ "description": …, "result": … }` in the shape of the measures.
 *
 * `PROGRAM [its words…] MEASURE BYTES SECONDS WARM-UP ANSWERING-CORE DRIVING-CORE`; a core is -1 where nothing is pinned. It ends with code 69
 * and a reason on stderr where it cannot run, with 1 and a reason when a message was wrong or missing.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { Unavailable } from './side-process.js';

const ROOT = new URL('../../', import.meta.url);
/** EX_UNAVAILABLE of sysexits.h. */
const UNAVAILABLE = 69;

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * Runs a point.
 *
 * @param {import('./schedule.js').Point} point
 * @param {import('./measures/index.js').Settings} settings
 * @param {number} timeout - milliseconds
 * @returns {Promise<{ result: any, description: string }>}
 * @throws Unavailable where the program is not built or cannot run, Error when a message was wrong or missing
 */
export async function runNative({ contestant, measure, placement }, { size, seconds, warmUpSeconds }, timeout) {
  const { program, words } = contestant.runsAs;
  const path = fileURLToPath(new URL(program, ROOT));
  if (!existsSync(path)) throw new Unavailable(`${program} is not built (make build-benches)`);
  const numbers = [size, seconds, warmUpSeconds, ...placement.cores.map((core) => core ?? -1)];
  const child = spawn(path, [...words, measure, ...numbers.map(String)], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => (said[name] += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), timeout);
  try {
    const [code, signal] = await once(child, 'close');
    if (code === UNAVAILABLE) throw new Unavailable(said.stderr.trim());
    if (code !== 0) throw new Error(said.stderr.trim() || `the program ended early (${signal ?? `code ${code}`})`);
    return JSON.parse(said.stdout);
  } finally {
    clearTimeout(timer);
    running.delete(child);
  }
}
