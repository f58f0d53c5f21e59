/**
 * Who takes part. A later contestant is an entry here and a module in `peers/`; the order is that of the tables.
 *
 * @typedef {object} Contestant
 * @property {string} id - for `--only`; a prefix up to a hyphen selects several
 * @property {string} label - for the tables
 * @property {string} peer - the module in `peers/`
 * @property {'none' | 'HMAC-SHA256'} security - of each message
 * @property {readonly string[]} measures
 * @property {Readonly<Record<string, string>>} idioms - how its messages are sent, by measure
 * @property {Readonly<Record<string, string>>} options - for its peer
 *
 * @typedef {object} AnswererContext
 * @property {Contestant} contestant
 * @property {string} measure
 * @property {number} size - bytes of payload
 * @property {string} folder - for sockets; removed afterwards
 * @property {Buffer} key - 32 random bytes, the same on both sides
 * @property {import('./measures/index.js').Fail} fail
 * @property {import('./measures/index.js').Receive} receive
 * @property {(payload: Uint8Array) => unknown} [respond] - for requests: makes the reply
 *
 * @typedef {Omit<AnswererContext, 'respond'> & { address: string }} DriverContext
 *
 * @typedef {object} Peer - what a module in `peers/` exports
 * @property {() => Promise<void>} [load] - throws when the contestant is not installed or built
 * @property {(context: AnswererContext) => Promise<{ address: string, close: () => Promise<void> }>} startAnswerer
 * @property {(context: DriverContext) => Promise<import('./measures/index.js').Line>} startDriver
 */

const EIPC_MEASURES = ['round-trip', 'request', 'fixed-rate', 'one-way', 'one-way-batch'];
const EIPC_IDIOMS = { 'one-way': 'trySend, send when full', 'one-way-batch': 'sendBatch of 64' };
const NET_MEASURES = ['round-trip', 'fixed-rate', 'one-way', 'one-way-batch'];
const NET_IDIOMS = { 'one-way': 'a write each, corked until drain', 'one-way-batch': 'blocks of 64 KiB' };

/** @type {readonly Contestant[]} */
export const CONTESTANTS = [
  {
    id: 'eipc-shm',
    label: 'EIPC, shared memory',
    peer: 'eipc',
    security: 'HMAC-SHA256',
    measures: EIPC_MEASURES,
    idioms: EIPC_IDIOMS,
    options: { transport: 'shm', wait: 'adaptive' },
  },
  {
    id: 'eipc-unix',
    label: 'EIPC, Unix socket',
    peer: 'eipc',
    security: 'HMAC-SHA256',
    measures: EIPC_MEASURES,
    idioms: EIPC_IDIOMS,
    options: { transport: 'unix', wait: 'adaptive' },
  },
  {
    id: 'net-raw',
    label: 'node:net, Unix socket',
    peer: 'net-raw',
    security: 'none',
    measures: NET_MEASURES,
    idioms: NET_IDIOMS,
    options: {},
  },
  {
    id: 'net-hmac',
    label: 'node:net + node:crypto',
    peer: 'net-hmac',
    security: 'HMAC-SHA256',
    measures: NET_MEASURES,
    idioms: NET_IDIOMS,
    options: {},
  },
  {
    id: 'zeromq',
    label: 'zeromq.js, ipc',
    peer: 'zeromq',
    security: 'none',
    measures: ['round-trip', 'fixed-rate', 'one-way'],
    idioms: { 'round-trip': 'PAIR', 'fixed-rate': 'PAIR', 'one-way': 'PUSH/PULL, await send' },
    options: {},
  },
];

/** Those whose figures the others are divided by. */
export const BASELINES = ['net-raw', 'zeromq'];

/**
 * @param {Contestant} contestant
 * @returns {Promise<Peer>}
 */
export function peerOf(contestant) {
  return import(`../peers/${contestant.peer}.js`);
}
