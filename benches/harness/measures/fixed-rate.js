/**
 * Messages at a fixed rate, each timed from when it should have been sent: a stall delays those behind it, and here they count (ping-pong
 * omits them: it does not send while it waits).
 *
 * Between an echo and the next due time the driver spins, because timers of an event loop are late by up to a millisecond, more than all
 * that is measured; it is idle only while an echo is under way, when the contestant's own waiting decides. The answering process is left
 * alone between messages. Should an echo be late, a timer sends what falls due.
 */
import { LatencyHistogram, now } from '../latency.js';
import { isEqual, makePayload, stamp } from '../payload.js';
import { withResolvers } from '../resolvers.js';
import { echo } from './round-trip.js';

const LATE_CHECK_MILLISECONDS = 1;

/** @type {import('./index.js').Measure} */
export const fixedRate = {
  title: 'Round trip at a fixed rate',
  kind: 'latency',
  explanation: 'From the *intended* time of sending to the callback with the echo, so that stalls are not omitted.',
  hasSize: true,
  answer: echo,
  drive({ size, seconds, warmUpSeconds, rate }, fail) {
    const histogram = new LatencyHistogram();
    const interval = 1000 / rate;
    const warmUp = Math.ceil(warmUpSeconds * rate);
    const total = warmUp + Math.ceil(seconds * rate);
    const outgoing = makePayload(size);
    const expected = makePayload(size);
    const finished = withResolvers();
    /** @type {import('./index.js').Line} */
    let line;
    let start = 0;
    let sent = 0;
    let received = 0;

    function sendDue() {
      while (sent < total && now() >= start + sent * interval) {
        stamp(outgoing, sent, false);
        sent += 1;
        line.send(outgoing);
      }
    }

    return {
      receive(payload) {
        const receivedAt = now();
        stamp(expected, received, false);
        if (!isEqual(payload, expected)) return fail(`the echo of message ${received} differs from what was sent`);
        if (received >= warmUp) histogram.record(receivedAt - (start + received * interval));
        received += 1;
        if (received === total) return finished.resolve();
        if (received < sent) return undefined;
        while (now() < start + sent * interval);
        return sendDue();
      },
      async run(connected) {
        line = connected;
        start = now() + interval;
        const late = setInterval(sendDue, LATE_CHECK_MILLISECONDS);
        await finished.promise;
        clearInterval(late);
        return histogram.read();
      },
    };
  },
};
