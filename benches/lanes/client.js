/**
 * A process with clients of benches/lanes.js. Told `{ address, keys }` (hex by service id) it connects one for each; then
 * `{ flood: priority }` has all of them send bulk as fast as it is taken, until `{ flood: null }`; `{ probe: { seconds, pause } }` measures
 * the round trips of P0 messages on the first.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { connect, Key } from '../../dist/index.js';
import { serve } from '../harness/children.js';
import { LatencyHistogram, now } from '../harness/latency.js';

/** Messages a connection sends before the others, and everything else of the process, have their turn. */
const BURST = 16;

/** @type {import('../../dist/index.js').ClientEndpoint[]} */
let endpoints = [];
/** @type {(message: import('../../dist/index.js').Message) => void} */
let onEcho = () => {};
/** @type {number | null} */
let flooded = null;
let size = 0;

serve(async ({ address, keys, isStalled, flood, bytes, probe }) => {
  if (address !== undefined) {
    endpoints = await Promise.all(
      Object.entries(keys).map(([serviceId, hex]) =>
        connect(address, { serviceId, key: Key.fromBytes(Buffer.from(hex, 'hex')) }),
      ),
    );
    if (!isStalled) for (const endpoint of endpoints) void read(endpoint);
    return {};
  }
  if (flood !== undefined) {
    size = bytes;
    const isRunning = flooded !== null;
    flooded = flood;
    if (flood !== null && !isRunning) for (const endpoint of endpoints) void pour(endpoint);
    return {};
  }
  return probe.pause === null ? pingPong(probe) : paced(probe);
});

async function read(endpoint) {
  for await (const message of endpoint) onEcho(message);
}

/** Keeps the lane full. */
async function pour(endpoint) {
  for (let priority = flooded; priority !== null; priority = flooded) {
    const message = { type: 'features', priority, payload: Buffer.alloc(size) };
    for (let sent = 0; sent < BURST; sent += 1) if (!endpoint.trySend(message)) await endpoint.ready(priority);
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
  const [endpoint] = endpoints;
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
