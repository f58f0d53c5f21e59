/**
 * EIPC as a user would write it: `listen` with a router on the answering side, `connect` and iteration on the driving side, default options
 * except for the suite where a contestant names one.
 *
 * Messages are `features`; every one is authenticated by the session's suite.
 */
import { join } from 'node:path';

import { formatOf } from './eipc-payload.js';

const BUILT = '../../dist/index.js';
const SERVICE = 'bench';
const TYPE = 'features';
/** Bytes from which a payload is bulk, which goes by the lane of priority 3. */
const BULK = 65_536;
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

/** What `load` has loaded. */
export function library() {
  return eipc;
}

/** @type {import('../harness/contestants.js').Peer['startAnswerer']} */
export async function startAnswerer({ contestant, folder, size, key, receive, respond }) {
  const { transport, payload } = contestant.options;
  const { encode, decode } = formatOf(payload, size);
  const server = await eipc.listen(`${transport}:${join(folder, 'socket')}`, {
    ...optionsOf(contestant),
    services: { [SERVICE]: { key, capabilities: [] } },
  });
  server.router.handle(TYPE, (message, peer) => {
    if (message.requestId !== '') return respond(decode(message.payload));
    const reply = receive(decode(message.payload));
    if (reply !== undefined) void peer.endpoint.send(messageOf(reply, encode));
    return undefined;
  });
  return { address: server.addresses[0], close: () => server.close() };
}

/** @type {import('../harness/contestants.js').Peer['startDriver']} */
export async function startDriver({ contestant, address, measure, size, key, receive }) {
  const format = formatOf(contestant.options.payload, size);
  const open = () => eipc.connect(address, { serviceId: SERVICE, key, ...optionsOf(contestant) });
  const endpoint = await open();
  void iterate(endpoint, format, receive);
  const { protocol, suite, transport } = endpoint.peer;
  return {
    ...lineOf(endpoint, format),
    pump: (source) => (measure === 'one-way-batch' ? pumpBatches : pumpMessages)(endpoint, format, source),
    connect: async () => lineOf(await open(), format),
    description: `EIPC/${protocol}, ${transport}, ${suite}, wait ${contestant.options.wait}, ${contestant.options.payload}`,
  };
}

function optionsOf({ options: { wait, suite } }) {
  return suite === undefined ? { wait } : { wait, suites: [suite] };
}

function lineOf(endpoint, { encode }) {
  return {
    send: (payload) => void endpoint.send(messageOf(payload, encode)),
    request: async (payload) => (await endpoint.request(messageOf(payload, encode))).payload,
    closed: endpoint.closed,
    close: () => endpoint.close(),
  };
}

function messageOf(bytes, encode) {
  return { type: TYPE, priority: priorityOf(bytes), payload: encode(bytes) };
}

function priorityOf({ length }) {
  return length < BULK ? 2 : 3;
}

async function iterate(endpoint, { encode, decode }, receive) {
  for await (const message of endpoint) {
    const next = receive(decode(message.payload));
    if (next !== undefined) await endpoint.send(messageOf(next, encode));
  }
}

async function pumpMessages(endpoint, { encode, isView }, source) {
  const bytes = source.payload();
  const view = isView ? encode(bytes) : undefined;
  const priority = priorityOf(bytes);
  for (let more = true; more;) {
    more = source.stamp(bytes);
    const message = { type: TYPE, priority, payload: view ?? encode(bytes) };
    if (!endpoint.trySend(message)) await endpoint.send(message);
  }
  await endpoint.flush();
}

async function pumpBatches(endpoint, { encode, isView }, source) {
  const length = Math.max(1, Math.min(BATCH, Math.floor(BATCH_BYTES / source.payload().length)));
  const bytes = Array.from({ length }, () => source.payload());
  const messages = bytes.map((payload) => messageOf(payload, encode));
  for (let more = true; more;) {
    let filled = 0;
    while (more && filled < length) {
      more = source.stamp(bytes[filled]);
      if (!isView) messages[filled].payload = encode(bytes[filled]);
      filled += 1;
    }
    await endpoint.sendBatch(filled === length ? messages : messages.slice(0, filled));
  }
  await endpoint.flush();
}
