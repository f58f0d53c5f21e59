/**
 * Payloads that prove themselves: a counter at both ends, a fixed pattern between.
 *
 * Layout: `[counter:4 LE][flags:1][pattern …][counter:4 LE]`. A message that was lost, doubled, swapped or torn shows in the counters. Bytes are
 * read and written one by one, because the messages of the contestants are Buffers here and Uint8Arrays there.
 */

/** The smallest payload with room for both counters and the flags. */
export const MIN_PAYLOAD = 16;

const LAST = 1;
const SMALL = 256;

/**
 * Makes a payload with its pattern, to be stamped before each use.
 *
 * @param {number} size - bytes, at least `MIN_PAYLOAD`
 * @returns {Buffer}
 */
export function makePayload(size) {
  const payload = Buffer.allocUnsafeSlow(size);
  for (let index = 0; index < size; index += 1) payload[index] = (index * 31 + 7) & 0xff;
  stamp(payload, 0, false);
  return payload;
}

/**
 * Writes the counter at both ends.
 *
 * @param {Uint8Array} payload
 * @param {number} counter - 0 to 2^32 - 1
 * @param {boolean} isLast - whether the receiver should confirm the total now
 */
export function stamp(payload, counter, isLast) {
  payload[4] = isLast ? LAST : 0;
  writeCounter(payload, 0, counter);
  writeCounter(payload, payload.length - 4, counter);
}

/**
 * @param {Uint8Array} payload
 * @returns {number} its counter, -1 when the payload is too short or its two counters differ
 */
export function counterOf(payload) {
  if (payload.length < MIN_PAYLOAD) return -1;
  const counter = readCounter(payload, 0);
  return counter === readCounter(payload, payload.length - 4) ? counter : -1;
}

/**
 * @param {Uint8Array} payload
 * @returns {boolean}
 */
export function isLast(payload) {
  return payload[4] === LAST;
}

/**
 * Compares every byte. A loop beats the native call for small payloads.
 *
 * @param {Uint8Array} one
 * @param {Uint8Array} other
 * @returns {boolean}
 */
export function isEqual(one, other) {
  if (one.length !== other.length) return false;
  if (one.length > SMALL) return Buffer.compare(one, other) === 0;
  for (let index = 0; index < one.length; index += 1) {
    if (one[index] !== other[index]) return false;
  }
  return true;
}

/**
 * @param {Uint8Array} payload
 * @param {number} at
 * @returns {number}
 */
function readCounter(payload, at) {
  return (payload[at] | (payload[at + 1] << 8) | (payload[at + 2] << 16) | (payload[at + 3] << 24)) >>> 0;
}

/**
 * @param {Uint8Array} payload
 * @param {number} at
 * @param {number} counter
 */
function writeCounter(payload, at, counter) {
  payload[at] = counter;
  payload[at + 1] = counter >>> 8;
  payload[at + 2] = counter >>> 16;
  payload[at + 3] = counter >>> 24;
}
