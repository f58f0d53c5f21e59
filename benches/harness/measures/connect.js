/**
 * A new connection now and then: handshake, and with shared memory the segment; each proves itself with a request.
 *
 * One key may begin 64 handshakes a second, so there is a pause between them, in which both sides fall asleep as those do who connect once.
 */
import { setTimeout } from 'node:timers/promises';

import { LatencyHistogram, now } from '../latency.js';
import { makePayload, stamp } from '../payload.js';
import { answerCounters } from './request.js';

/** Milliseconds. */
const PAUSE = 20;

/** @type {import('./index.js').Measure} */
export const connect = {
  title: 'Connect',
  kind: 'latency',
  explanation:
    'From the call to the resolved promise: socket, handshake with X25519, segment. Then a request and its reply, which are not timed.',
  hasSize: false,
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
          const startedAt = now();
          const opened = await line.connect();
          const openedAt = now();
          const reply = await opened.request(payload);
          await opened.close();
          if (reply?.counter !== counter) fail(`connection ${counter} answered ${JSON.stringify(reply)}`);
          if (startedAt >= measuredFrom) histogram.record(openedAt - startedAt);
          if (openedAt >= end && !histogram.isEmpty) return histogram.read();
          await setTimeout(PAUSE);
        }
      },
    };
  },
};
