/**
 * The payload of the demo's `features` messages, and the check that the receiver makes.
 *
 * EIPC authenticates and orders what it carries. The demo does not take that on trust: every vector has its own number
 * and checksum, so that lost, reordered and damaged vectors are counted, not assumed away.
 *
 * A vector is nine float32 values: number, delta, theta, alpha, beta, alpha ratio (−1 for none), the samples per second,
 * and the CRC-32 of the 28 bytes before it, split in two halves because a float32 holds integers only up to 2^24 exactly.
 */
import { crc32 } from 'node:zlib';
import type { BandPowers } from './bands.js';

const FIELDS = 9;
const CHECKED_BYTES = 7 * Float32Array.BYTES_PER_ELEMENT;
/** Numbers wrap here: the largest run of integers that float32 holds exactly. */
export const NUMBER_LIMIT = 2 ** 24;

export type Verdict = 'intact' | 'corrupt' | 'out-of-order';

/** Packs one window's band powers. */
export function packFeatures(number: number, bands: BandPowers, rateHz: number): Float32Array {
  const { delta, theta, alpha, beta, alphaRatio } = bands;
  const vector = Float32Array.of(number % NUMBER_LIMIT, delta, theta, alpha, beta, alphaRatio ?? -1, rateHz, 0, 0);
  const checksum = checksumOf(vector);
  vector[7] = checksum >>> 16;
  vector[8] = checksum & 0xffff;
  return vector;
}

/** Checks a stream of vectors. */
export class FeatureChecker {
  #expected = 0;

  /** Judges the next vector that arrived. After a gap, counting goes on from the number that came. */
  check(payload: unknown): Verdict {
    if (!(payload instanceof Float32Array) || payload.length !== FIELDS) return 'corrupt';
    const checksum = (payload[7] ?? 0) * 2 ** 16 + (payload[8] ?? 0);
    if (checksum !== checksumOf(payload)) return 'corrupt';
    const number = payload[0] ?? 0;
    const isNext = number === this.#expected;
    this.#expected = (number + 1) % NUMBER_LIMIT;
    return isNext ? 'intact' : 'out-of-order';
  }
}

function checksumOf(vector: Float32Array): number {
  return crc32(new Uint8Array(vector.buffer, vector.byteOffset, CHECKED_BYTES));
}
