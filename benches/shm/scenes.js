/** What has to be measured for the targets. */
import { CONTESTANTS } from '../harness/contestants.js';

/** Bytes of a large payload. */
export const LARGE = 65_536;
/** Bytes of one that is nearly as large as a message can be (1 047 460). */
export const HUGE = 1_000_000;
/** Bytes of a small one. */
export const SMALL = 64;

/** @type {readonly import('../harness/schedule.js').Scene[]} */
export const SCENES = [
  {
    size: SMALL,
    placements: ['two', 'one'],
    measures: ['round-trip', 'request', 'one-way', 'one-way-batch'],
    contestants: CONTESTANTS,
  },
  {
    size: LARGE,
    placements: ['two'],
    measures: ['one-way'],
    contestants: CONTESTANTS.filter(({ id }) => !['eipc-unix', 'eipc-json', 'grpc-unary'].includes(id)),
  },
  {
    size: HUGE,
    placements: ['two'],
    measures: ['one-way'],
    contestants: only(
      'eipc-shm',
      'eipc-aes-256-gcm',
      'eipc-chacha20-poly1305',
      'net-raw',
      'net-hmac',
      'zeromq',
      'grpc-bidi',
    ),
  },
  {
    size: SMALL,
    placements: ['two'],
    measures: ['connect', 'parked', 'memory', 'peer-down'],
    contestants: CONTESTANTS,
  },
];

/** Each contestant and each measure at least once. @type {readonly import('../harness/schedule.js').Scene[]} */
export const SHORT_SCENES = [
  { size: SMALL, placements: ['two'], measures: ['round-trip'], contestants: CONTESTANTS },
  {
    size: SMALL,
    placements: ['two'],
    measures: ['request', 'one-way-batch', 'connect', 'parked', 'memory', 'peer-down'],
    contestants: only('eipc-shm', 'eipc-json', 'rust-shm', 'floor-hmac'),
  },
  {
    size: LARGE,
    placements: ['two'],
    measures: ['one-way'],
    contestants: only('eipc-aes-256-gcm', 'zeromq', 'grpc-bidi', 'floor'),
  },
];

/** @param {readonly string[]} ids */
function only(...ids) {
  return CONTESTANTS.filter(({ id }) => ids.includes(id));
}
