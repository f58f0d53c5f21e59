/** One point: one contestant, one measure, one placement, one round. Two fresh processes, so nothing is left over from the point before. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { MEASURES } from './measures/index.js';
import { runNative } from './native.js';
import { SideProcess } from './side-process.js';

const START_TIMEOUT = 20_000;
const GRACE = 2_000;

/** Folders for sockets; those of a run that is interrupted go when this process exits. */
const folders = new Set();
process.on('exit', () => {
  for (const folder of folders) removeFolder(folder);
});

/**
 * Runs it.
 *
 * @param {import('./schedule.js').Point} point
 * @param {Omit<import('./measures/index.js').Settings, 'size'>} times
 * @returns {Promise<{ result: any, description: string }>}
 * @throws Unavailable when the contestant cannot be loaded, Error when a message was wrong or missing or a process failed
 */
export async function runPoint(point, times) {
  const { contestant, measure, placement, size } = point;
  const settings = { ...times, size };
  const timeout = START_TIMEOUT + (settings.seconds + settings.warmUpSeconds) * 3_000;
  if ('program' in contestant.runsAs) return runNative(point, settings, timeout);
  const folder = mkdtempSync(join(tmpdir(), 'eipc-bench-'));
  folders.add(folder);
  const sides = [];
  try {
    const order = { contestant, measure, settings, folder, key: randomBytes(32).toString('hex') };

    const answerer = new SideProcess('answering process', placement.answererPrefix);
    sides.push(answerer);
    answerer.tell({ ...order, side: 'answer' });
    const { address } = await answerer.hear('ready', START_TIMEOUT);

    const driver = new SideProcess('driving process', placement.driverPrefix);
    sides.push(driver);
    driver.tell({ ...order, side: 'drive', address });
    const result = driver.hear('result', timeout);
    return await (MEASURES[measure].killsAnswerer ? result : Promise.race([result, answerer.failed()]));
  } finally {
    // The driver first: a contestant may take a peer that goes away under it for a failure.
    for (const side of sides.reverse()) await side.end(GRACE);
    removeFolder(folder);
  }
}

/** @param {string} folder */
function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}
