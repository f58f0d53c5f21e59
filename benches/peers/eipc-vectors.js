/**
 * EIPC's calls for vectors: blocks of `sendVectors` on the driving side, `receiveVectors` into one array on the answering side. The bytes of each
 * vector are stamped and checked like any payload.
 */
import { join } from 'node:path';

import { library, load } from './eipc.js';

export { load };

const SERVICE = 'bench';
/** Vectors of a block, and room for as many at the other end. */
const BLOCK = 512;

/** @type {import('../harness/contestants.js').Peer['startAnswerer']} */
export async function startAnswerer({ contestant, folder, size, key, receive }) {
  const { listen } = library();
  const { transport, wait } = contestant.options;
  const server = await listen(`${transport}:${join(folder, 'socket')}`, {
    wait,
    router: null,
    services: { [SERVICE]: { key, capabilities: [] } },
  });
  void answer(server, makeBlock(size), receive);
  return { address: server.addresses[0], close: () => server.close() };
}

/** @type {import('../harness/contestants.js').Peer['startDriver']} */
export async function startDriver({ contestant, address, size, key, receive }) {
  const endpoint = await library().connect(address, { serviceId: SERVICE, key, wait: contestant.options.wait });
  void iterate(endpoint, receive);
  const { protocol, suite, transport } = endpoint.peer;
  return {
    send: () => undefined,
    pump: (source) => pump(endpoint, makeBlock(size), source),
    description: `EIPC/${protocol}, ${transport}, ${suite}, wait ${contestant.options.wait}, vectors`,
    close: () => endpoint.close(),
  };
}

/** A block, and the bytes of each of its vectors. */
function makeBlock(size) {
  const values = new Float32Array((BLOCK * size) / 4);
  const vectors = Array.from({ length: BLOCK }, (_, n) => new Uint8Array(values.buffer, n * size, size));
  return { values, vectors, length: size / 4 };
}

async function answer(server, { values, vectors, length }, receive) {
  for await (const endpoint of server) {
    while (endpoint.state === 'open') {
      const count = await endpoint.receiveVectors(values, length).catch(() => 0); // the end of the connection
      for (let n = 0; n < count; n += 1) {
        const reply = receive(vectors[n]);
        if (reply !== undefined) await endpoint.send({ type: 'features', payload: reply });
      }
    }
  }
}

async function iterate(endpoint, receive) {
  for await (const message of endpoint) receive(message.payload);
}

async function pump(endpoint, { values, vectors, length }, source) {
  for (const vector of vectors) vector.set(source.payload());
  for (let more = true; more;) {
    let filled = 0;
    while (more && filled < BLOCK) {
      more = source.stamp(vectors[filled]);
      filled += 1;
    }
    await endpoint.sendVectors(values.subarray(0, filled * length), length);
  }
  await endpoint.flush();
}
