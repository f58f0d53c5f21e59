/** The floor in Node without a library: a length prefix on a Unix socket, nobody authenticated, nothing signed. */
import { startNetAnswerer, startNetDriver } from './net-frames.js';

/** @type {import('./net-frames.js').Sealing} */
const PLAIN = {
  overhead: 0,
  seal: (block, at, payload) => block.set(payload, at),
  open: (body) => body,
  description: 'length prefix, no security',
};

/** @type {import('../harness/contestants.js').Peer['startAnswerer']} */
export function startAnswerer(context) {
  return startNetAnswerer(context, PLAIN);
}

/** @type {import('../harness/contestants.js').Peer['startDriver']} */
export function startDriver(context) {
  return startNetDriver(context, PLAIN);
}
