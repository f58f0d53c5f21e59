/** A histogram of durations, and the clock they are taken with. */
import { createHistogram, performance } from 'node:perf_hooks';

/** Durations above one minute are a failed run, not a figure. */
const HIGHEST_NANOSECONDS = 60e9;

/**
 * @typedef {object} Latency - nanoseconds
 * @property {number} samples
 * @property {number} min
 * @property {number} mean
 * @property {number} p50
 * @property {number} p90
 * @property {number} p99
 * @property {number} p999
 * @property {number} max
 */

/** Milliseconds since the process began, with nanoseconds behind the point: `performance.now` costs 50 ns and makes no object. */
export const now = performance.now.bind(performance);

/** An HDR histogram: any percentile to three significant digits. */
export class LatencyHistogram {
  #histogram = createHistogram({ lowest: 1, highest: HIGHEST_NANOSECONDS, figures: 3 });

  /** @param {number} milliseconds */
  record(milliseconds) {
    this.#histogram.record(Math.max(1, Math.round(milliseconds * 1e6)));
  }

  /** @returns {boolean} */
  get isEmpty() {
    return this.#histogram.count === 0;
  }

  /** @returns {Latency} */
  read() {
    const histogram = this.#histogram;
    return {
      samples: histogram.count,
      min: histogram.min,
      mean: histogram.mean,
      p50: histogram.percentile(50),
      p90: histogram.percentile(90),
      p99: histogram.percentile(99),
      p999: histogram.percentile(99.9),
      max: histogram.max,
    };
  }
}
