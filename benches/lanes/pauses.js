/**
 * What the machine does to a program that never rests, without any message: looked at now and then, how long ago should it have had its turn?
 * With every core busy this is what nobody's round trip can be better than.
 */
import { LatencyHistogram, now } from '../harness/latency.js';

/** @param {{ seconds: number, pause: number }} options - `pause`: milliseconds between two looks */
export function watchPauses({ seconds, pause }) {
  const histogram = new LatencyHistogram();
  const end = now() + seconds * 1_000;
  let due = now() + pause;
  for (let at = now(); at < end; at = now()) {
    if (at < due) continue;
    histogram.record(at - due);
    due = at + pause;
  }
  return histogram.read();
}
