/**
 * Percentiles of many values in bounded memory: Node's HdrHistogram, which counts integers, behind a unit of its own.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

export class Distribution {
  readonly #histogram: RecordableHistogram;
  readonly #stepsPerUnit: number;
  readonly #highest: number;
  #count = 0;
  #sum = 0;

  /**
   * @param options.resolution the smallest difference that counts, in the values' unit
   * @param options.highest the largest value; larger ones are counted as this one
   */
  constructor(options: { resolution: number; highest: number }) {
    this.#stepsPerUnit = 1 / options.resolution;
    this.#highest = Math.round(options.highest * this.#stepsPerUnit);
    this.#histogram = createHistogram({ lowest: 1, highest: Math.max(2, this.#highest), figures: 3 });
  }

  get count(): number {
    return this.#count;
  }

  record(value: number): void {
    this.#count++;
    this.#sum += value;
    // The histogram starts at 1; for resolutions chosen well below what matters, 0 and one step are the same.
    this.#histogram.record(Math.min(this.#highest, Math.max(1, Math.round(value * this.#stepsPerUnit))));
  }

  /** Returns null when nothing was recorded. */
  mean(): number | null {
    return this.#count === 0 ? null : this.#sum / this.#count;
  }

  /** Returns the value that `percent` of all values do not exceed (3 significant figures), or null. */
  percentile(percent: number): number | null {
    return this.#count === 0 ? null : this.#histogram.percentile(percent) / this.#stepsPerUnit;
  }

  /** Returns the largest value (3 significant figures), or null. */
  max(): number | null {
    return this.#count === 0 ? null : this.#histogram.max / this.#stepsPerUnit;
  }
}
