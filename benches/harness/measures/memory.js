/**
 * What a connection costs the answering process that nobody uses: its resident memory, before and after many were made. JavaScript's share of
 * it is included.
 */
import { makePayload } from '../payload.js';

/** Fewer than a server allows by default. */
const CONNECTIONS = 32;

/** @type {import('./index.js').Measure} */
export const memory = {
  title: 'Memory of an idle connection',
  kind: 'memory',
  explanation:
    'Resident memory of the answering process for each of 32 more connections, the share of JavaScript included.',
  hasSize: false,
  answer() {
    return { receive: () => undefined, respond: () => ({ resident: process.memoryUsage.rss() }) };
  },
  drive({ size }) {
    return {
      receive: () => undefined,
      async run(line) {
        const payload = makePayload(size);
        const ask = async () => (await line.request(payload)).resident;
        // The first ones pay for what is compiled and loaded then.
        const opened = [await line.connect()];
        await ask();
        const before = await ask();
        for (let made = 0; made < CONNECTIONS; made += 1) opened.push(await line.connect());
        const bytes = (await ask()) - before;
        for (const connection of opened) await connection.close();
        return { connections: CONNECTIONS, bytesEach: Math.max(0, bytes / CONNECTIONS) };
      },
    };
  },
};
