/**
 * The program of both processes: told which contestant, which measure and which side to take, it does that and reports.
 *
 * It ends with its parent: the control channel closing is the order to close and leave.
 */
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { peerOf } from './contestants.js';
import { MEASURES } from './measures/index.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** @type {() => Promise<void>} */
let close = () => Promise.resolve();

process.on('disconnect', () => {
  close().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
// Rejections that nobody awaits end up here too.
process.on('uncaughtException', failWith);
process.once('message', (order) => void start(order));

/**
 * @param {{ side: 'answer' | 'drive', contestant: any, measure: string, settings: any, folder: string, key: string, address?: string }} order
 */
async function start(order) {
  const { contestant } = order;
  let peer;
  try {
    peer = await peerOf(contestant);
    await peer.load?.();
  } catch (error) {
    process.send({ kind: 'unavailable', reason: firstLine(error) });
    return;
  }
  try {
    await (order.side === 'answer' ? answer(peer, order) : drive(peer, order));
  } catch (error) {
    failWith(error);
  }
}

async function answer(peer, order) {
  const side = MEASURES[order.measure].answer(order.settings, fail);
  const answerer = await peer.startAnswerer({ ...contextOf(order), ...side });
  close = answerer.close;
  // The parent removes the folder too, unless it was killed.
  process.on('exit', () => rmSync(order.folder, { recursive: true, force: true }));
  process.send({ kind: 'ready', address: answerer.address });
}

async function drive(peer, order) {
  const side = MEASURES[order.measure].drive(order.settings, fail);
  const line = await peer.startDriver({ ...contextOf(order), address: order.address, receive: side.receive });
  close = line.close;
  const result = await side.run(line);
  process.send({ kind: 'result', result, description: line.description ?? '' });
}

function contextOf({ contestant, measure, settings, folder, key }) {
  return { contestant, measure, size: settings.size, folder, key: Buffer.from(key, 'hex'), fail };
}

/** The report gets the first line; whoever looks for the cause finds the rest on stderr. */
function failWith(error) {
  process.stderr.write(`${error?.stack ?? error}\n`);
  fail(firstLine(error));
}

/** @param {string} reason */
function fail(reason) {
  if (!process.connected) process.exit(1);
  process.send({ kind: 'failed', reason }, () => process.exit(1));
}

/** The reason for a report, without the folders of this machine. */
function firstLine(error) {
  const [line] = String(error?.message ?? error).split('\n');
  return line.replace(/ imported from .*/, '').replaceAll(ROOT, '');
}
