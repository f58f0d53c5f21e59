/** The memory that messages are received into: never written again while anything looks at it, and free when nothing does. */
import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { connect, Key, listen } from '../../src/index.js';
import type { Message } from '../../src/index.js';
import { usedHeap } from '../helpers/heap.js';

const MESSAGES = 1_024;
const BYTES = 16_384;
/** One of so many is kept: about one of each slab. */
const KEPT = 16;
const MEBIBYTE = 1_048_576;

/** Receives many messages and keeps some, as `keep` makes them. Returns those, and by how much the memory of buffers grew. */
async function receive(
  name: string,
  keep: (message: Message) => Message | undefined,
): Promise<{ kept: Message[]; grown: number }> {
  const key = Key.fromBytes(randomBytes(32));
  const server = await listen(`memory:${name}`, { services: { eni: { key, capabilities: [] } }, router: null });
  const endpoints = server[Symbol.asyncIterator]();
  const client = await connect(`memory:${name}`, { serviceId: 'eni', key });
  const next = await endpoints.next();
  if (next.done === true) throw new Error('nobody came');
  const endpoint = next.value;
  const before = await usedHeap();
  const kept: Message[] = [];
  const reading = (async () => {
    for (let n = 0; n < MESSAGES; n += 1) {
      const message = await endpoint.receive();
      const one = n % KEPT === 0 ? keep(message) : undefined;
      if (one !== undefined) kept.push(one);
    }
  })();
  for (let n = 0; n < MESSAGES; n += 1) await client.send({ type: 'features', payload: payload(n) });
  await reading;
  const grown = (await usedHeap()) - before;
  await client.close();
  await server.close();
  return { kept, grown };
}

/** What message `n` carries. */
function payload(n: number): Uint8Array {
  return Buffer.alloc(BYTES, createHash('sha512').update(String(n)).digest());
}

describe('received messages', () => {
  it('that are kept stay what they were, however much comes after them', async () => {
    const { kept } = await receive('kept', (message) => message);
    for (const [n, message] of kept.entries()) expect(Buffer.compare(message.bytes, payload(n * KEPT))).toBe(0);
  });

  it('that are copied let go of the memory they came in', async () => {
    const { kept, grown } = await receive('copied', (message) => message.copy());
    expect(kept).toHaveLength(MESSAGES / KEPT);
    const own = kept.length * (BYTES + 256);
    expect(grown).toBeLessThan(own + MEBIBYTE);
    for (const [n, message] of kept.entries()) expect(Buffer.compare(message.bytes, payload(n * KEPT))).toBe(0);
  });

  it('that are looked at and dropped leave nothing behind', async () => {
    const { grown } = await receive('dropped', (message) => {
      expect(message.bytes).toHaveLength(BYTES);
      return undefined;
    });
    expect(grown).toBeLessThan(MEBIBYTE);
  });
});
