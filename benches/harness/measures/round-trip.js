/** Ping-pong: one message under way at a time, every echo compared with what was sent. */
import { LatencyHistogram, now } from '../latency.js';
import { isEqual, makePayload, stamp } from '../payload.js';
import { withResolvers } from '../resolvers.js';

/** @type {import('./index.js').Measure} */
export const roundTrip = {
  title: 'Round trip',
  kind: 'latency',
  explanation: 'Ping-pong, one message under way; from the call that sends to the callback with the echo.',
  hasSize: true,
  answer: echo,
  drive({ size, seconds, warmUpSeconds }, fail) {
    const histogram = new LatencyHistogram();
    const ping = makePayload(size);
    const finished = withResolvers();
    let counter = 0;
    let measuredFrom = 0;
    let end = 0;
    let sentAt = 0;

    return {
      receive(payload) {
        const receivedAt = now();
        if (!isEqual(payload, ping)) return fail(`the echo of message ${counter} differs from what was sent`);
        if (sentAt >= measuredFrom) histogram.record(receivedAt - sentAt);
        if (receivedAt >= end && !histogram.isEmpty) return finished.resolve();
        counter += 1;
        stamp(ping, counter, false);
        sentAt = now();
        return ping;
      },
      async run(line) {
        measuredFrom = now() + warmUpSeconds * 1000;
        end = measuredFrom + seconds * 1000;
        sentAt = now();
        line.send(ping);
        await finished.promise;
        return histogram.read();
      },
    };
  },
};

/** The answering side of every echo: the driver does the checking. */
export function echo() {
  return { receive: (/** @type {Uint8Array} */ payload) => payload };
}
