/**
 * EIPC as a user would write it: `listen` with a router on the answering side, `connect` and iteration on the driving side, default options.
 *
 * Messages are `features` with bytes as payload; every one is authenticated by the session's suite.
 */
import { join } from 'node:path';

const BUILT = '../../dist/index.js';
const SERVICE = 'bench';
const TYPE = 'features';
const BATCH = 64;
/** Bytes: a batch that is larger than what may wait for a lane is refused. */
const BATCH_BYTES = 262_144;

/** @type {any} */
let eipc;

export async function load() {
  try {
    eipc = await import(BUILT);
  } catch (error) {
    throw new Error(`EIPC is not built, or its addon does not load (make build): ${error.message.split('\n')[0]}`, {
      cause: error,
    });
  }
}

/** @type {import('../harness/contestants.js').Peer['startAnswerer']} */
export async function startAnswerer({ contestant, folder, key, receive, respond }) {
  const { transport, wait } = contestant.options;
  const server = await eipc.listen(`${transport}:${join(folder, 'socket')}`, {
    wait,
    services: { [SERVICE]: { key, capabilities: [] } },
  });
  server.router.handle(TYPE, (message, peer) => {
    if (message.requestId !== '') return respond(message.payload);
    const reply = receive(message.payload);
    if (reply !== undefined) void peer.endpoint.send({ type: TYPE, payload: reply });
    return undefined;
  });
  return { address: server.addresses[0], close: () => server.close() };
}

/** @type {import('../harness/contestants.js').Peer['startDriver']} */
export async function startDriver({ contestant, address, measure, key, receive }) {
  const { wait } = contestant.options;
  const endpoint = await eipc.connect(address, { serviceId: SERVICE, key, wait });
  void iterate(endpoint, receive);
  const { protocol, suite, transport } = endpoint.peer;
  return {
    send: (payload) => void endpoint.send({ type: TYPE, payload }),
    request: async (payload) => (await endpoint.request({ type: TYPE, payload })).payload,
    pump: (source) => (measure === 'one-way-batch' ? pumpBatches : pumpMessages)(endpoint, source),
    description: `EIPC/${protocol}, ${transport}, ${suite}, wait ${wait}`,
    close: () => endpoint.close(),
  };
}

async function iterate(endpoint, receive) {
  for await (const message of endpoint) {
    const next = receive(message.payload);
    if (next !== undefined) await endpoint.send({ type: TYPE, payload: next });
  }
}

async function pumpMessages(endpoint, source) {
  const payload = source.payload();
  for (let more = true; more;) {
    more = source.stamp(payload);
    const message = { type: TYPE, payload };
    if (!endpoint.trySend(message)) await endpoint.send(message);
  }
  await endpoint.flush();
}

async function pumpBatches(endpoint, source) {
  const length = Math.max(1, Math.min(BATCH, Math.floor(BATCH_BYTES / source.payload().length)));
  const messages = Array.from({ length }, () => ({ type: TYPE, payload: source.payload() }));
  for (let more = true; more;) {
    let filled = 0;
    while (more && filled < length) {
      more = source.stamp(messages[filled].payload);
      filled += 1;
    }
    await endpoint.sendBatch(filled === length ? messages : messages.slice(0, filled));
  }
  await endpoint.flush();
}
