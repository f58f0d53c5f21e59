/** Request and acknowledgement: bytes there, a JSON object back, the correlation done by the contestant. */
import { LatencyHistogram, now } from '../latency.js';
import { counterOf, makePayload, stamp } from '../payload.js';

/** @type {import('./index.js').Measure} */
export const request = {
  title: 'Request with JSON acknowledgement',
  kind: 'latency',
  explanation:
    'One request under way; from the call to the resolved promise, `{ status, counter }` decoded and compared.',
  hasSize: true,
  answer: answerCounters,
  drive({ size, seconds, warmUpSeconds }, fail) {
    return {
      receive: () => undefined,
      async run(line) {
        const histogram = new LatencyHistogram();
        const payload = makePayload(size);
        const measuredFrom = now() + warmUpSeconds * 1000;
        const end = measuredFrom + seconds * 1000;
        for (let counter = 0; ; counter += 1) {
          stamp(payload, counter, false);
          const sentAt = now();
          const reply = await line.request(payload);
          const receivedAt = now();
          if (reply?.status !== 'ok' || reply.counter !== counter)
            fail(`request ${counter} was answered ${JSON.stringify(reply)}`);
          if (sentAt >= measuredFrom) histogram.record(receivedAt - sentAt);
          if (receivedAt >= end && !histogram.isEmpty) return histogram.read();
        }
      },
    };
  },
};

/** The answering side of every request. */
export function answerCounters() {
  return {
    receive: () => undefined,
    respond: (/** @type {Uint8Array} */ payload) => ({ status: 'ok', counter: counterOf(payload) }),
  };
}
