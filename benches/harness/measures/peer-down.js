/** How soon a process learns that the other one was killed; one death a point. */
import { LatencyHistogram, now } from '../latency.js';
import { makePayload } from '../payload.js';

/** @type {import('./index.js').Measure} */
export const peerDown = {
  title: 'Death of the peer',
  kind: 'latency',
  explanation:
    'From SIGKILL of the answering process, which is idle, to the end of the connection in the driving one; one sample a round.',
  hasSize: false,
  killsAnswerer: true,
  answer() {
    return { receive: () => undefined, respond: () => ({ pid: process.pid }) };
  },
  drive({ size }, fail) {
    return {
      receive: () => undefined,
      async run(line) {
        const histogram = new LatencyHistogram();
        const { pid } = await line.request(makePayload(size));
        const killedAt = now();
        process.kill(pid, 'SIGKILL');
        const { code } = await line.closed;
        histogram.record(now() - killedAt);
        if (code !== 'EIPC_PEER_DOWN' && code !== 'EIPC_TRUNCATED') fail(`the connection ended with ${code}`);
        return histogram.read();
      },
    };
  },
};
