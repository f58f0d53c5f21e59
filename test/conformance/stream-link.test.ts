// The stream link over any byte stream: two links joined in memory, with a table of ways in which the bytes between them are cut. Here, and
// not at the endpoint, because the cuts are exact: the chunk that native code gets is the one in the table.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { Router } from '../../src/index.js';
import type { Message } from '../../src/index.js';
import { ServerEndpoint } from '../../src/server-endpoint.js';
import type { ByteReader } from '../../src/transport/byte-stream.js';
import { memoryPair } from '../../src/transport/memory.js';
import { join, opened, serverSession } from '../helpers/joined-links.js';
import { Dice } from '../helpers/scene.js';

/** Length prefix, preamble, SecHdr: where the first cuts fall. */
const HEADER = 44;

type Cut = (available: number) => number;

const CHUNKINGS: readonly (readonly [string, () => Cut])[] = [
  ['everything there is', () => (available) => available],
  ['single bytes', () => () => 1],
  ['pairs', () => () => 2],
  ['three bytes, one short of a length prefix', () => () => 3],
  ['a length prefix', () => () => 4],
  ['one more than a length prefix', () => () => 5],
  ['length prefix and preamble', () => () => 20],
  ['one short of a header', () => () => HEADER - 1],
  ['a header', () => () => HEADER],
  ['one more than a header', () => () => HEADER + 1],
  ['primes, so that cuts wander through frames', () => () => 1_009],
  ['what is there but one byte', () => (available) => available - 1],
  ['one byte, then the rest', () => alternate((available) => available)],
  ['a page', () => () => 4_096],
  ['random sizes', () => random(7, 3_000)],
  ['random small sizes', () => random(8, 60)],
];

function alternate(other: Cut): Cut {
  let isOne = false;
  return (available) => {
    isOne = !isOne;
    return isOne ? 1 : other(available);
  };
}

function random(seed: number, most: number): Cut {
  const dice = new Dice(seed);
  return () => 1 + dice.below(most);
}

describe.each(['EIPC/2', 'v1'])('a stream link of %s', (speech) => {
  it.each(CHUNKINGS)('understands chunks of %s', async (_, makeCut) => {
    const [client, server] = await join(...memoryPair(makeCut()), speech);
    expect([client.peer.protocol, server.peer.protocol]).toEqual(speech === 'v1' ? [1, 1] : [2, 2]);
    const sizes = [0, 1, 3, 44, 500, 3_000, 12_000, 0, 2];
    const payloads = sizes.map((size) => randomBytes(size));
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      const got: Promise<Message[]> = (async () => {
        const messages: Message[] = [];
        while (messages.length < payloads.length) messages.push(await to.receive({ timeout: 10_000 }));
        return messages;
      })();
      for (const payload of payloads) await from.send({ type: 'features', payload });
      for (const [index, message] of (await got).entries())
        expect(Buffer.compare(message.bytes, payloads[index] ?? Buffer.alloc(1))).toBe(0);
    }
    await client.close();
    expect((await client.closed).code).toBe('EIPC_CLOSED');
    expect((await server.closed).code).toBe('EIPC_CLOSED_BY_PEER');
  });

  it('handles what one chunk brought by priority, and in order within it', async () => {
    const [clientStream, serverStream] = memoryPair();
    const start = serverStream.start.bind(serverStream);
    const held: Uint8Array[] = [];
    let isHeld = false;
    let reader: ByteReader | undefined;
    serverStream.start = (given) => {
      reader = given;
      start({
        read: (chunk) => (isHeld ? held.push(chunk) > 0 : given.read(chunk)),
        drained: () => given.drained(),
        ended: (error) => given.ended(error),
      });
    };
    const handled: unknown[] = [];
    const router = new Router().handle('chat', ({ payload }) => void handled.push(payload));
    const [client] = await join(clientStream, serverStream, speech, router);
    isHeld = true;
    const sent: string[] = [];
    for (const [n, priority] of ([3, 2, 0, 3, 1, 0, 2] as const).entries()) {
      sent.push(`${priority}, ${n}`);
      await client.send({ type: 'chat', priority, payload: sent[n] });
      // What is written together was sorted by the sender.
      await expect.poll(() => held.length).toBe(sent.length);
    }
    reader?.read(Buffer.concat(held));
    expect(handled).toEqual(sent.toSorted());
    await client.close();
  });

  it('keeps what was read while the endpoint has enough, and takes it later, whatever the chunks', async () => {
    const [client, server] = await join(...memoryPair(random(3, 100_000)), speech);
    // Far more than the inbox takes (1 024), in the order of sending.
    const total = 5_000;
    const sending = (async () => {
      for (let n = 0; n < total; n += 1) await client.send({ type: 'chat', payload: { n } }, { timeout: 20_000 });
    })();
    await expect.poll(() => server.stats().waiting).toBeGreaterThanOrEqual(1_024);
    for (let n = 0; n < total; n += 1) expect((await server.receive({ timeout: 5_000 })).payload).toEqual({ n });
    await sending;
    await client.close();
    expect((await server.closed).code).toBe('EIPC_CLOSED_BY_PEER');
  });

  it('an end behind a chunk that waits is told after the last message of it', async () => {
    const [clientStream, serverStream] = memoryPair();
    const [client, server] = await join(clientStream, serverStream, speech);
    // So many that the last chunk holds more than the inbox takes, and nothing is behind it but the end.
    const total = 1_100;
    for (let n = 0; n < total; n += 1) void client.send({ type: 'chat', payload: { n } });
    await client.flush();
    await expect.poll(() => server.stats().waiting).toBe(1_024);
    // No goodbye, except that in v1 this is one: the stream ends while the inbox is full.
    clientStream.end();
    for (let n = 0; n < total; n += 1) expect((await server.receive({ timeout: 5_000 })).payload).toEqual({ n });
    const code = speech === 'v1' ? 'EIPC_CLOSED_BY_PEER' : 'EIPC_TRUNCATED';
    await expect(server.receive({ timeout: 5_000 })).rejects.toMatchObject({ code });
  });

  it('a stream that breaks while a chunk waits loses nothing of the chunk', async () => {
    const [clientStream, serverStream] = memoryPair();
    const start = serverStream.start.bind(serverStream);
    let reader: ByteReader | undefined;
    serverStream.start = (given) => start((reader = given));
    const [client, server] = await join(clientStream, serverStream, speech);
    const total = 1_100;
    for (let n = 0; n < total; n += 1) void client.send({ type: 'chat', payload: { n } });
    await client.flush();
    await expect.poll(() => server.stats().waiting).toBe(1_024);
    // As a socket does that was reset: at once, whatever is still waiting to be read.
    reader?.ended(new Error('reset'));
    for (let n = 0; n < total; n += 1) expect((await server.receive({ timeout: 5_000 })).payload).toEqual({ n });
    await expect(server.receive({ timeout: 5_000 })).rejects.toMatchObject({ code: 'EIPC_TRUNCATED' });
  });

  // The attacker has the stream and no key.
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(100)],
    ['a length of 4 GiB', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x45, 0x49, 0x50, 0x43])],
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
  ])('a client that says %s and leaves is refused', async (_, bytes) => {
    const [attacker, stream] = memoryPair();
    const waiting = opened(stream, serverSession(speech === 'v1'), ServerEndpoint);
    if (bytes.length > 0) attacker.write(bytes, () => {});
    attacker.end();
    await expect(waiting).rejects.toThrow(/handshake failed/);
  });
});
