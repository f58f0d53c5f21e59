/** `receiveSync`: a Worker that waits with its whole thread gets what a promise would have got, and learns every end. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { connect, Key, listen, Router } from '../../src/index.js';
import type { Server, ServerEndpoint } from '../../src/index.js';

const secret = randomBytes(32);
const key = Key.fromBytes(Buffer.from(secret));
const services = { thread: { key, capabilities: [] } };
let folder: string;
let server: Server | undefined;
let words: unknown[];
let ended: Promise<unknown>;

async function start(transport: string, data: object = {}): Promise<ServerEndpoint> {
  server = await listen(`${transport}:${join(folder, 'socket')}`, { services, router: null });
  const endpoints = server[Symbol.asyncIterator]();
  const worker = new Worker(new URL('fixtures/blocking.js', import.meta.url), {
    workerData: { address: server.addresses[0], secret, ...data },
  });
  words = [];
  worker.on('message', (word) => words.push(word));
  ended = once(worker, 'exit');
  const next = await endpoints.next();
  if (next.done === true) throw new Error('nobody came');
  const endpoint = next.value;
  expect((await endpoint.receive()).payload).toBe('here');
  return endpoint;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-sync-'));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await ended;
  rmSync(folder, { recursive: true, force: true });
});

describe('receiveSync', () => {
  it.each(['adaptive', 'park', 'poll'])('waits as told (%s), and answers from its thread', async (wait) => {
    const endpoint = await start('shm', { wait });
    for (let n = 0; n < 500; n += 1) {
      await endpoint.send({ type: 'intent', payload: { n } });
      expect((await endpoint.receive()).payload).toEqual({ n });
    }
  });

  it('takes what came before and while nobody waited, in the order of priority', async () => {
    const endpoint = await start('shm');
    const messages = Array.from({ length: 2_000 }, (_, n) => ({ type: 'features' as const, payload: n }));
    await endpoint.sendBatch(messages);
    await expect.poll(() => words.length).toBe(2_000);
    expect(words).toEqual(messages.map(({ payload }) => payload));
  });

  it('ends with the time-out it was given', async () => {
    await start('shm', { timeout: 50 });
    await expect.poll(() => words).toEqual([expect.objectContaining({ name: 'TimeoutError', code: 'EIPC_TIMEOUT' })]);
  });

  it('ends when the peer says goodbye, and delivers what was sent before', async () => {
    const endpoint = await start('shm');
    await endpoint.send({ type: 'features', payload: 'last' });
    await endpoint.close();
    await expect.poll(() => words.length).toBe(2);
    expect(words).toEqual(['last', expect.objectContaining({ name: 'ClosedError', code: 'EIPC_CLOSED_BY_PEER' })]);
  });

  it('is refused where only the event loop can bring a message', async () => {
    await start('unix');
    await expect.poll(() => words.length).toBe(1);
    expect(words[0]).toMatchObject({ name: 'TypeError', message: expect.stringContaining('over unix') as string });
  });

  it('ends when the peer dies, with everything it had sent', async () => {
    const address = `shm:${join(folder, 'dying')}`;
    const serving = new Worker(new URL('fixtures/thread.js', import.meta.url), {
      workerData: { role: 'listen', address, secret, ending: 'flood' },
    });
    await once(serving, 'message');
    const worker = new Worker(new URL('fixtures/blocking.js', import.meta.url), { workerData: { address, secret } });
    words = [];
    worker.on('message', (word) => words.push(word));
    ended = once(worker, 'exit');
    await expect.poll(() => words.length, { interval: 1 }).toBeGreaterThan(100);
    await serving.terminate();
    await ended;
    const end = words.pop();
    expect(words).toEqual(words.map((_, n) => ({ n })));
    expect(end).toMatchObject({ name: 'PeerDownError', code: 'EIPC_PEER_DOWN' });
  });

  it('is refused on the main thread, and where a router takes the messages', async () => {
    const endpoint = await start('shm', { timeout: 20 });
    await expect.poll(() => words.length).toBe(1);
    expect(() => endpoint.receiveSync()).toThrow(/this is the main one/);
    const routed = await connect(server?.addresses[0] ?? '', { serviceId: 'thread', key, router: new Router() });
    expect(() => routed.receiveSync()).toThrow(/has a router/);
    await routed.close();
  });
});
