/**
 * What two processes cost that are connected and have nothing to say: their CPU time after the window in which they still poll.
 *
 * The answering process tells its own with its replies, so a request before and one after are part of what is measured.
 */
import { setTimeout } from 'node:timers/promises';

import { now } from '../latency.js';
import { makePayload } from '../payload.js';

/** Milliseconds until nobody polls any more: many times what is needed. */
const SETTLE = 200;
/** Seconds: shorter than this, the two requests count too much. */
const LEAST = 3;

/** @type {import('./index.js').Measure} */
export const parked = {
  title: 'Parked',
  kind: 'idle',
  explanation: 'CPU time of both processes together while nothing is sent; 1 is a whole core.',
  hasSize: false,
  answer() {
    return { receive: () => undefined, respond: () => ({ used: usedMilliseconds() }) };
  },
  drive({ size, seconds }) {
    return {
      receive: () => undefined,
      async run(line) {
        const payload = makePayload(size);
        const ask = async () => (await line.request(payload)).used + usedMilliseconds();
        await ask();
        await setTimeout(SETTLE);
        const startedAt = now();
        const before = await ask();
        await setTimeout(Math.max(LEAST, seconds) * 1000);
        const used = (await ask()) - before;
        const elapsed = now() - startedAt;
        return { seconds: elapsed / 1000, cores: used / elapsed };
      },
    };
  },
};

function usedMilliseconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
