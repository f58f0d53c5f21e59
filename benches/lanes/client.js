/**
 * A process with clients of benches/lanes.js. Told `{ address, keys }` (hex by service id) it connects one for each; then
 * `{ flood: { priority, bytes, services } }` has those send bulk as fast as it is taken, until `{ flood: null }`, which is answered with how many
 * sends there were and how many found their lane full; `{ probe: { seconds, pause } }` measures the round trips of P0 messages on the first;
 * `{ pauses }` is for pauses.js.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { connect, Key } from '../../dist/index.js';
import { serve } from '../harness/children.js';
import { LatencyHistogram, now } from '../harness/latency.js';
import { watchPauses } from './pauses.js';

/** @type {Map<string, import('../../dist/index.js').ClientEndpoint>} */
const endpoints = new Map();
/** @type {(message: import('../../dist/index.js').Message) => void} */
let onEcho = () => {};
let isFlooding = false;
let sends = 0;
let full = 0;

serve(async ({ address, keys, isStalled, flood, pauses, probe }) => {
  if (address !== undefined) {
    for (const [serviceId, hex] of Object.entries(keys)) {
      const endpoint = await connect(address, { serviceId, key: Key.fromBytes(Buffer.from(hex, 'hex')) });
      endpoints.set(serviceId, endpoint);
      if (!isStalled) void read(endpoint);
    }
    return {};
  }
  if (flood !== undefined) {
    isFlooding = flood !== null;
    if (!isFlooding) return { sends, full };
    [sends, full] = [0, 0];
    for (const service of flood.services) void pour(endpoints.get(service), flood);
    return {};
  }
  if (pauses !== undefined) return watchPauses(pauses);
  return probe.pause === null ? pingPong(probe) : paced(probe);
});

async function read(endpoint) {
  for await (const message of endpoint) onEcho(message);
}

/** Keeps the lane full. After each message the rest of the program has its turn: how long it keeps that waiting is not the lanes' doing. */
async function pour(endpoint, { priority, bytes }) {
  const message = { type: 'features', priority, payload: Buffer.alloc(bytes) };
  while (isFlooding) {
    sends += 1;
    if (!endpoint.trySend(message)) {
      full += 1;
      await endpoint.ready(priority);
    }
    await setImmediate();
  }
}

/** One message under way at a time, as fast as they come back. */
async function pingPong({ seconds }) {
  const histogram = new LatencyHistogram();
  const end = now() + seconds * 1_000;
  for (let n = 0; now() < end; n += 1) histogram.record(await roundTrip(n));
  return histogram.read();
}

/** A message now and then: both ends are asleep by then unless something else keeps them awake. */
async function paced({ seconds, pause }) {
  const histogram = new LatencyHistogram();
  const end = now() + seconds * 1_000;
  for (let n = 0; now() < end; n += 1) {
    histogram.record(await roundTrip(n));
    await setTimeout(pause);
  }
  return histogram.read();
}

function roundTrip(n) {
  const [endpoint] = endpoints.values();
  const payload = Buffer.alloc(64);
  payload.writeUInt32BE(n);
  return new Promise((resolve, reject) => {
    const begin = now();
    onEcho = (message) => {
      if (message.priority !== 0 || !payload.equals(message.bytes))
        reject(new Error(`the echo of message ${n} differs`));
      else resolve(now() - begin);
    };
    if (!endpoint.trySend({ type: 'intent', priority: 0, payload })) reject(new Error('the lane of P0 is full'));
  });
}
