/**
 * Who takes part. A later contestant is an entry here and a module in `peers/`, or a program; the order is that of the tables.
 *
 * @typedef {object} Contestant
 * @property {string} id - for `--only`; a prefix up to a hyphen selects several
 * @property {string} label - for the tables
 * @property {{ peer: string } | NativeProgram} runsAs - a module in `peers/` on both sides, or a program
 * @property {'none' | 'HMAC-SHA256' | 'AES-256-GCM' | 'ChaCha20-Poly1305'} security - of each message
 * @property {readonly string[]} measures
 * @property {readonly ('two' | 'one')[]} placements - where it makes sense
 * @property {Readonly<Record<string, string>>} idioms - how its messages are sent, by measure
 * @property {Readonly<Record<string, string>>} options - for its peer
 *
 * @typedef {object} NativeProgram - runs both processes of a point itself (native.js)
 * @property {string} program - where its build leaves it, in the repository
 * @property {readonly string[]} words - the first of its arguments
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
const ALL_MEASURES = [...EIPC_MEASURES, 'connect', 'parked', 'memory', 'peer-down'];
const EIPC_IDIOMS = { 'one-way': 'trySend, send when full', 'one-way-batch': 'sendBatch of 64' };
const NET_MEASURES = ['round-trip', 'fixed-rate', 'one-way', 'one-way-batch'];
const NET_IDIOMS = { 'one-way': 'a write each, corked until drain', 'one-way-batch': 'blocks of 64 KiB' };
const NATIVE_MEASURES = ['round-trip', 'one-way', 'one-way-batch'];
const BOTH = ['two', 'one'];

/** @type {readonly Contestant[]} */
export const CONTESTANTS = [
  eipc('eipc-shm', 'shared memory', { measures: ALL_MEASURES }),
  eipc('eipc-unix', 'Unix socket', {
    measures: ALL_MEASURES,
    options: { transport: 'unix' },
  }),
  eipc('eipc-aes-256-gcm', 'shared memory, AES-256-GCM', {
    security: 'AES-256-GCM',
    options: { suite: 'aes-256-gcm' },
  }),
  eipc('eipc-chacha20-poly1305', 'shared memory, ChaCha20-Poly1305', {
    security: 'ChaCha20-Poly1305',
    options: { suite: 'chacha20-poly1305' },
  }),
  eipc('eipc-json', 'shared memory, JSON object', { options: { payload: 'json' } }),
  eipc('eipc-float32', 'shared memory, Float32Array', { options: { payload: 'float32' } }),
  {
    ...eipc('eipc-vectors', 'shared memory, vectors', { measures: ['one-way-batch'] }),
    runsAs: { peer: 'eipc-vectors' },
    idioms: { 'one-way-batch': 'sendVectors, 512 a block' },
  },
  {
    id: 'net-raw',
    label: 'node:net, Unix socket',
    runsAs: { peer: 'net-raw' },
    security: 'none',
    measures: NET_MEASURES,
    placements: BOTH,
    idioms: NET_IDIOMS,
    options: {},
  },
  {
    id: 'net-hmac',
    label: 'node:net + node:crypto',
    runsAs: { peer: 'net-hmac' },
    security: 'HMAC-SHA256',
    measures: NET_MEASURES,
    placements: BOTH,
    idioms: NET_IDIOMS,
    options: {},
  },
  {
    id: 'zeromq',
    label: 'zeromq.js, ipc',
    runsAs: { peer: 'zeromq' },
    security: 'none',
    measures: ['round-trip', 'fixed-rate', 'one-way'],
    placements: BOTH,
    idioms: { 'round-trip': 'PAIR', 'fixed-rate': 'PAIR', 'one-way': 'PUSH/PULL, await send' },
    options: {},
  },
  {
    id: 'grpc-unary',
    label: 'grpc-js, unary calls',
    runsAs: { peer: 'grpc' },
    security: 'none',
    measures: ['round-trip', 'request', 'fixed-rate', 'one-way'],
    placements: BOTH,
    idioms: { 'one-way': '64 calls at once' },
    options: { call: 'unary' },
  },
  {
    id: 'grpc-bidi',
    label: 'grpc-js, bidirectional stream',
    runsAs: { peer: 'grpc' },
    security: 'none',
    measures: ['round-trip', 'fixed-rate', 'one-way'],
    placements: BOTH,
    idioms: { 'one-way': 'write, drain when full' },
    options: { call: 'bidi' },
  },
  {
    id: 'rust-shm',
    label: 'EIPC, Rust to Rust, spinning',
    runsAs: { program: 'target/release/rust-shm', words: ['hmac-sha256'] },
    security: 'HMAC-SHA256',
    measures: NATIVE_MEASURES,
    placements: ['two'],
    idioms: { 'one-way-batch': 'published by 64' },
    options: {},
  },
  floor('floor', 'C, shared memory, spinning', { word: 'none', security: 'none' }),
  floor('floor-hmac', 'C, shared memory, spinning + HMAC', { word: 'hmac-sha256', security: 'HMAC-SHA256' }),
];

function eipc(id, label, { security = 'HMAC-SHA256', measures = EIPC_MEASURES, options = {} }) {
  return {
    id,
    label: `EIPC, ${label}`,
    runsAs: { peer: 'eipc' },
    security,
    measures,
    placements: BOTH,
    idioms: EIPC_IDIOMS,
    options: { transport: 'shm', wait: 'adaptive', payload: 'bytes', ...options },
  };
}

/** Two processes that spin have nothing to look for on one core. */
function floor(id, label, { word, security }) {
  return {
    id,
    label,
    runsAs: { program: 'target/bench/floor', words: [word] },
    security,
    measures: NATIVE_MEASURES,
    placements: ['two'],
    idioms: { 'one-way-batch': 'published by 16' },
    options: {},
  };
}

/** Those whose figures the others are divided by. */
export const BASELINES = ['net-raw', 'zeromq'];

/**
 * @param {Contestant} contestant
 * @returns {Promise<Peer>}
 */
export function peerOf(contestant) {
  return import(`../peers/${contestant.runsAs.peer}.js`);
}
