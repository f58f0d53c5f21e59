/**
 * Cuts a stream of samples, which arrives in blocks of any length, into hops and overlapping windows.
 */
import { HOP_SAMPLES, WINDOW_SAMPLES } from './bands.js';

/** Regroups blocks into hops of 32 samples; the last one may be shorter. Stops after `limit` samples. */
export async function* hops(
  blocks: AsyncIterable<Float64Array> | Iterable<Float64Array>,
  limit = Infinity,
): AsyncGenerator<Float64Array> {
  let hop = new Float64Array(HOP_SAMPLES);
  let filled = 0;
  let left = limit;
  for await (const block of blocks) {
    for (let at = 0; at < block.length && left > 0;) {
      const piece = block.subarray(at, at + Math.min(HOP_SAMPLES - filled, left));
      hop.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      left -= piece.length;
      if (filled === HOP_SAMPLES) {
        yield hop;
        hop = new Float64Array(HOP_SAMPLES);
        filled = 0;
      }
    }
    if (left <= 0) break;
  }
  if (filled > 0) yield hop.subarray(0, filled);
}

/** Holds the latest 256 samples. */
export class SlidingWindow {
  readonly #samples = new Float64Array(WINDOW_SAMPLES);
  #seen = 0;

  /** Takes the next hop and returns the window it completes, or null (too few samples yet, or a short last hop). */
  push(hop: Float64Array): Float64Array | null {
    if (hop.length !== HOP_SAMPLES) return null;
    this.#samples.copyWithin(0, HOP_SAMPLES);
    this.#samples.set(hop, WINDOW_SAMPLES - HOP_SAMPLES);
    this.#seen += HOP_SAMPLES;
    return this.#seen >= WINDOW_SAMPLES ? this.#samples : null;
  }
}
