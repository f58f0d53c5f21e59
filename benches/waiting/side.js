/**
 * A side of benches/waiting.js. Told `{ listen, key, wait }` it sends every message back; told `{ connect, key, wait }` it asks: `{ ask: {
 * seconds, pause } }` measures round trips, one after the other or with a pause (milliseconds) in between, `{ flood: seconds }` sends as fast as
 * is taken. `{ timer: seconds }` measures how late a timer of a millisecond is. Every answer says how much processor time the order took.
 */
import { setTimeout } from 'node:timers/promises';
import { connect, Key, listen } from '../../dist/index.js';
import { serve } from '../harness/children.js';
import { LatencyHistogram, now } from '../harness/latency.js';

const PERIOD = 1;

/** @type {import('../../dist/index.js').ClientEndpoint} */
let endpoint;
/** @type {AsyncIterator<import('../../dist/index.js').Message>} */
let echoes;

serve(async (order) => {
  const before = process.cpuUsage();
  const begun = now();
  const result = await obey(order);
  const { user, system } = process.cpuUsage(before);
  return { result, cores: (user + system) / 1_000 / (now() - begun) };
});

async function obey({ listen: address, connect: to, key, wait, ask, flood, timer, rest }) {
  if (address !== undefined) return answer(address, key, wait);
  if (to !== undefined) {
    endpoint = await connect(to, { serviceId: 'bench', key: Key.fromBytes(Buffer.from(key, 'hex')), wait });
    echoes = endpoint[Symbol.asyncIterator]();
    return undefined;
  }
  if (ask !== undefined) return roundTrips(ask);
  if (flood !== undefined) return pour(flood);
  if (timer !== undefined) return lateness(timer);
  return setTimeout(rest * 1_000);
}

async function answer(address, hex, wait) {
  const services = { bench: { key: Key.fromBytes(Buffer.from(hex, 'hex')), capabilities: [] } };
  const server = await listen(address, { services, wait });
  server.router.handle('intent', ({ bytes }, peer) => void peer.endpoint.send({ type: 'intent', payload: bytes }));
  server.router.handle('features', () => undefined);
}

async function roundTrips({ seconds, pause }) {
  const histogram = new LatencyHistogram();
  const payload = Buffer.alloc(64);
  const end = now() + seconds * 1_000;
  for (let n = 0; now() < end; n += 1) {
    payload.writeUInt32BE(n);
    const sent = now();
    void endpoint.send({ type: 'intent', payload });
    const { value } = await echoes.next();
    histogram.record(now() - sent);
    if (!payload.equals(value.bytes)) throw new Error(`the echo of message ${n} differs`);
    if (pause > 0) await setTimeout(pause);
  }
  return histogram.read();
}

async function pour(seconds) {
  const message = { type: 'features', payload: Buffer.alloc(64) };
  const end = now() + seconds * 1_000;
  let sent = 0;
  while (now() < end) {
    for (let n = 0; n < 64; n += 1) if (!endpoint.trySend(message)) await endpoint.ready(2);
    sent += 64;
  }
  return sent / seconds;
}

/** The time between two calls of a timer, less what it should be. */
function lateness(seconds) {
  const histogram = new LatencyHistogram();
  const end = now() + seconds * 1_000;
  let last = now();
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const at = now();
      histogram.record(Math.max(0, at - last - PERIOD));
      last = at;
      if (at < end) return;
      clearInterval(timer);
      resolve(histogram.read());
    }, PERIOD);
  });
}
