/**
 * How sure a ratio of two medians is: percentile bootstrap. The rounds of either run are drawn again with replacement, independently of the
 * other run, as often as there are; the ratio of their medians is taken; of many such ratios the middle 95 % are the interval.
 */
import { median } from './summary.js';

const SAMPLES = 10_000;
const CONFIDENCE = 0.95;
/** The same two files give the same interval. */
const SEED = 0x5eed;

/**
 * @param {readonly number[]} before - one value of each round
 * @param {readonly number[]} after
 * @returns {{ ratio: number, low: number, high: number }} after ÷ before
 */
export function ratioOfMedians(before, after) {
  const random = mulberry32(SEED);
  const draw = (values) => median(values.map(() => values[Math.floor(random() * values.length)]));
  const ratios = Float64Array.from({ length: SAMPLES }, () => draw(after) / draw(before)).sort();
  const at = (share) => ratios[Math.min(SAMPLES - 1, Math.floor(share * SAMPLES))];
  const tail = (1 - CONFIDENCE) / 2;
  return { ratio: median(after) / median(before), low: at(tail), high: at(1 - tail) };
}

/**
 * Tommy Ettinger's mulberry32, in the public domain: Node has no random numbers with a seed.
 *
 * @param {number} seed
 * @returns {() => number} from 0, below 1
 */
function mulberry32(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
