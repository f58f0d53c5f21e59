/**
 * One side of the soak: `node --expose-gc peer.js listen|connect ADDRESS`, told what to do by `run.js`. The server answers each message with one
 * of its own; the client makes a new connection for every thousand messages. Every payload proves itself. Told `sample`, each stops at a point
 * where it holds no connection and says what it holds of memory and of the operating system.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { Key, connect, listen } from '../../dist/index.js';
import { counterOf, numbered } from '../process/fixtures/numbered.js';

const MESSAGES = 1_000;
/** Messages under way at a time. */
const WINDOW = 32;
/** Lengths of messages, in turn: records of every size, and now and then one that makes lanes wrap. */
const LENGTHS = [36, 64, 100, 250, 36, 1_000, 4_000, 60_000];

const [role, address] = process.argv.slice(2);
/** One key may begin 64 handshakes a second (docs/wire.md, "Server order of work"), which a fast machine would reach. */
const keys = Array.from({ length: 8 }, (_, n) => Key.fromBytes(Buffer.alloc(32, 200 + n)));
let connections = 0;
let messages = 0;

process.on('disconnect', () => process.exit());
if (role === 'listen') await serve();
else await churn();

async function serve() {
  const services = Object.fromEntries(keys.map((key, n) => [`soak-${n}`, { key, capabilities: [] }]));
  const server = await listen(address, { services, router: null });
  process.on('message', () => void tell(server));
  process.send?.('ready');
  for await (const endpoint of server) {
    connections += 1;
    void exchange(endpoint, false);
  }
}

/** Tells what this process uses once every connection has ended. */
async function tell(server) {
  while (server.endpoints.size > 0) await new Promise(setImmediate);
  process.send?.(sample());
}

async function churn() {
  /** @type {(() => void) | undefined} */
  let sampled;
  process.on('message', () => {
    sampled = () => process.send?.(sample());
  });
  process.send?.('ready');
  for (;;) {
    const n = connections % keys.length;
    const endpoint = await connect(address, { serviceId: `soak-${n}`, key: keys[n] });
    connections += 1;
    await exchange(endpoint, true);
    sampled?.();
    sampled = undefined;
  }
}

/**
 * Checks what comes and sends as much. The client begins, and ends the connection.
 *
 * @param {import('../../dist/index.js').Endpoint} endpoint
 * @param {boolean} isClient
 */
async function exchange(endpoint, isClient) {
  const sent = [0, 0, 0, 0];
  const received = [0, 0, 0, 0];
  let total = 0;
  const send = async () => {
    const priority = /** @type {0 | 1 | 2 | 3} */ (total % 4);
    sent[priority] += 1;
    total += 1;
    const payload = numbered(sent[priority], LENGTHS[total % LENGTHS.length]);
    await endpoint.send({ type: 'features', priority, payload });
  };
  if (isClient) while (total < WINDOW) await send();
  for await (const { priority, bytes } of endpoint) {
    received[priority] += 1;
    messages += 1;
    if (counterOf(bytes) !== received[priority])
      throw new Error(`message ${received[priority]} of lane ${priority} is wrong`);
    if (!isClient || total < MESSAGES) await send();
    else if (received.reduce((sum, count) => sum + count) === MESSAGES) break;
  }
  if (isClient) await endpoint.close();
}

function sample() {
  for (let times = 0; times < 3; times += 1) globalThis.gc?.();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  const maps = readFileSync('/proc/self/maps', 'utf8').split('\n');
  return {
    connections,
    messages,
    resident: rss,
    heap: heapUsed,
    buffers: arrayBuffers,
    descriptors: readdirSync('/proc/self/fd').length,
    segments: maps.filter((line) => line.includes('memfd:eipc')).length,
    threads: readdirSync('/proc/self/task').length,
  };
}
