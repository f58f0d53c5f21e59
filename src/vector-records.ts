/** Vectors as records: the way out of `sendVectors`, which writes one message and copies its envelope for the others. */
import { inspect } from 'node:util';

import { integer } from './check.js';
import type { Priority } from './message.js';
import type { RecordShape, RecordWriter } from './outgoing.js';

/** More values than a frame holds. */
const MAX_VECTOR = 262_144;

/**
 * Checks an array that holds vectors, or has room for them.
 *
 * @param length - values of a vector
 * @throws TypeError or RangeError
 */
export function checkVectors(block: Float32Array, length: number): void {
  if (!(block instanceof Float32Array)) throw new TypeError(`vectors lie in a Float32Array, not in ${inspect(block)}`);
  integer('length', length, 1, MAX_VECTOR);
  if (block.length < length)
    throw new RangeError(`an array of ${block.length} values has no room for a vector of ${length}`);
}

/**
 * Writes vectors of a block as records behind those that are there, `length` values each, from value `from` on, until there are `enough`
 * bytes. All but the first are copies of it with other values. Returns where in the block the next vector is.
 */
export function appendVectors(
  writer: RecordWriter,
  block: Float32Array,
  length: number,
  from: number,
  enough: number,
  priority: Priority,
  shape: RecordShape,
): number {
  const start = writer.length;
  writer.append({ type: 'features', priority, payload: block.subarray(from, from + length) }, shape);
  const next = from + length;
  const size = writer.length - start;
  // Every part of such a record is a whole number of words long. A JSON meta is not, and names its time.
  if (!shape.binaryMeta || (start | size) % 4 !== 0) return next;
  const count = Math.min((block.length - next) / length, Math.ceil(Math.max(0, enough - writer.length) / size));
  writer.reserve(count * size);
  const { buffer } = writer;
  const words = new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length >> 2);
  const values = new Uint32Array(block.buffer, block.byteOffset, block.length);
  const first = start / 4;
  const envelope = (size - shape.tailLength) / 4 - length;
  let to = writer.length / 4;
  for (let value = next, left = count; left > 0; left -= 1) {
    for (let index = 0; index < envelope; index += 1) words[to + index] = words[first + index] ?? 0;
    to += envelope;
    for (let index = 0; index < length; index += 1) words[to + index] = values[value + index] ?? 0;
    to += size / 4 - envelope;
    value += length;
  }
  writer.length += count * size;
  return next + count * length;
}
