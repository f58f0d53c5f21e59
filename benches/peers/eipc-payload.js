/**
 * What a user of EIPC would send: bytes, an array of floats or an object; made of the bytes that the measures stamp, and turned back into
 * bytes that they check.
 *
 * @typedef {object} Format
 * @property {(bytes: Uint8Array) => unknown} encode - the payload to send
 * @property {(payload: any) => Uint8Array} decode - of a payload that came; valid until the next call
 * @property {boolean} isView - whether an encoded payload changes with the bytes it was made of
 */
import { counterOf, isLast, makePayload, stamp } from '../harness/payload.js';

/** Bytes of the object's JSON that are not its text. */
const FIELDS = '{"counter":4294967295,"isLast":false,"text":""}'.length;
/** What the checks of a payload refuse. */
const WRONG = new Uint8Array(0);

/** @type {Format} */
const BYTES = { encode: (bytes) => bytes, decode: (payload) => payload, isView: true };

/** @type {Format} */
const FLOAT32 = {
  encode: (bytes) =>
    new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / Float32Array.BYTES_PER_ELEMENT),
  decode: (payload) => new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength),
  isView: true,
};

/**
 * An object of about `size` bytes of JSON that carries the counter.
 *
 * @param {number} size
 * @returns {Format}
 */
function jsonOf(size) {
  const text = 'x'.repeat(Math.max(0, size - FIELDS));
  const decoded = makePayload(size);
  return {
    encode: (bytes) => ({ counter: counterOf(bytes), isLast: isLast(bytes), text }),
    decode(payload) {
      if (payload.text !== text) return WRONG;
      stamp(decoded, payload.counter, payload.isLast);
      return decoded;
    },
    isView: false,
  };
}

/**
 * @param {string} name - `bytes`, `float32` or `json`
 * @param {number} size - of the bytes
 * @returns {Format}
 */
export function formatOf(name, size) {
  return { bytes: BYTES, float32: FLOAT32, json: jsonOf(size) }[name];
}
