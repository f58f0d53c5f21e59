/**
 * One-way throughput. The sink counts and checks every message and confirms the total once it has the last; the time is that from the first
 * send to this confirmation, so what waits in buffers is not counted as done.
 */
import { now } from '../latency.js';
import { counterOf, isLast, makePayload, stamp } from '../payload.js';
import { withResolvers } from '../resolvers.js';

/** The clock costs as much as a fast send: it is read once for so many messages. */
const CLOCK_EVERY = 64;

/** @type {import('./index.js').Measure} */
export const oneWay = {
  title: 'One-way throughput',
  kind: 'throughput',
  explanation: 'Messages handed over one by one, as fast as back-pressure allows, until the sink confirmed the last.',
  hasSize: true,
  answer,
  drive,
};

/** @type {import('./index.js').Measure} */
export const oneWayBatch = {
  title: 'One-way throughput in batches',
  kind: 'throughput',
  explanation: 'The same, with the application handing over many at once.',
  hasSize: true,
  answer,
  drive,
};

/** @type {import('./index.js').Measure['answer']} */
function answer({ size }, fail) {
  const confirmation = makePayload(size);
  let expected = 0;
  return {
    receive(payload) {
      if (payload.length !== size || counterOf(payload) !== expected) {
        return fail(`message ${expected} was due, ${payload.length} bytes with counter ${counterOf(payload)} came`);
      }
      expected += 1;
      if (!isLast(payload)) return undefined;
      stamp(confirmation, expected, true);
      expected = 0;
      return confirmation;
    },
  };
}

/** @type {import('./index.js').Measure['drive']} */
function drive({ size, seconds, warmUpSeconds }, fail) {
  let confirmed = withResolvers();

  async function burst(line, duration) {
    confirmed = withResolvers();
    const startedAt = now();
    const source = makeSource(size, startedAt + duration * 1000);
    await line.pump(source);
    const total = await confirmed.promise;
    const elapsed = (now() - startedAt) / 1000;
    if (total !== source.sent()) fail(`${source.sent()} messages were sent, the sink confirmed ${total}`);
    return { messages: total, seconds: elapsed, perSecond: total / elapsed, bytesPerSecond: (total * size) / elapsed };
  }

  return {
    receive(payload) {
      confirmed.resolve(counterOf(payload));
      return undefined;
    },
    async run(line) {
      await burst(line, warmUpSeconds);
      return burst(line, seconds);
    },
  };
}

/**
 * @param {number} size
 * @param {number} end - when to send the last message
 * @returns {import('./index.js').Source & { sent: () => number }}
 */
function makeSource(size, end) {
  let counter = 0;
  return {
    payload: () => makePayload(size),
    stamp(payload) {
      const over = counter % CLOCK_EVERY === 0 && now() >= end;
      stamp(payload, counter, over);
      counter += 1;
      return !over;
    },
    sent: () => counter,
  };
}
