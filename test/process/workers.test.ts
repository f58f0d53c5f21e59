/**
 * Workers: each loads eipc for itself, talks to anybody in the process or outside, and may end at any instant. What a thread leaves open
 * when it ends is closed behind it, and the peer learns it as it learns of a process that died.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { connect, Key, listen, PeerDownError } from '../../src/index.js';
import type { Server } from '../../src/index.js';
import { grownSince, holdings } from '../helpers/holdings.js';
import type { Holdings } from '../helpers/holdings.js';

const THREAD = new URL('fixtures/thread.js', import.meta.url);
const THREADS = 4;

const secret = randomBytes(32);
const key = Key.fromBytes(Buffer.from(secret));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-workers-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Thread {
  readonly worker: Worker;
  /** Resolves when the thread has said a word; rejects when it failed. */
  said(word: string): Promise<void>;
  /** Resolves with the exit code. */
  readonly ended: Promise<number>;
}

function start(role: 'connect' | 'listen', address: string, ending: 'close' | 'exit' | 'flood'): Thread {
  const worker = new Worker(THREAD, { workerData: { role, address, secret, ending } });
  const words: unknown[] = [];
  let failure: unknown;
  worker.on('message', (word) => words.push(word));
  worker.on('error', (error) => (failure = error));
  const ended = once(worker, 'exit').then(([code]) => code as number);
  const said = async (word: string): Promise<void> => {
    const look = (): unknown => failure ?? words.includes(word);
    await expect.poll(look, { interval: 1, timeout: 20_000, message: `the thread says ${word}` }).toBe(true);
  };
  return { worker, said, ended };
}

describe.each([
  ['shm', 'EIPC_PEER_DOWN'],
  ['unix', 'EIPC_TRUNCATED'],
])('over %s', (transport, cutCode) => {
  const address = (name: string): string => `${transport}:${join(folder, `${transport}-${name}`)}`;
  let server: Server;
  /** How the connections of the server ended. */
  let ends: string[];

  beforeEach(async () => {
    ends = [];
    server = await listen(address('main'), { services: { thread: { key, capabilities: [] } } });
    server.router?.handle('intent', (message) => ({ echo: message.payload }));
    server.router?.handle('features', () => undefined);
    void (async () => {
      for await (const endpoint of server) void endpoint.closed.then(({ code }) => ends.push(code));
    })();
  });
  afterEach(async () => {
    await server.close();
    expect(holdings().segments).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('several load eipc at once, use it, close and end', async () => {
    const threads = Array.from({ length: THREADS }, () => start('connect', server.addresses[0] ?? '', 'close'));
    expect(await Promise.all(threads.map(({ ended }) => ended))).toEqual(threads.map(() => 0));
    await Promise.all(threads.map((thread) => thread.said('done')));
    await expect.poll(() => ends).toEqual(threads.map(() => 'EIPC_CLOSED_BY_PEER'));
  });

  it('one that ends without closing is a peer that died', async () => {
    const thread = start('connect', server.addresses[0] ?? '', 'exit');
    expect(await thread.ended).toBe(0);
    await thread.said('used');
    await expect.poll(() => ends).toEqual([cutCode]);
  });

  it('one that is terminated in the middle of traffic is a peer that died, time and again', async () => {
    let before: Holdings | undefined;
    for (let round = 0; round < 10; round += 1) {
      const thread = start('connect', server.addresses[0] ?? '', 'flood');
      await thread.said('used');
      await expect.poll(() => [...server.endpoints][0]?.stats().received[2], { interval: 1 }).toBeGreaterThan(100);
      await thread.worker.terminate();
      await expect.poll(() => ends, { timeout: 5_000 }).toEqual(Array.from({ length: round + 1 }, () => cutCode));
      expect(server.endpoints.size).toBe(0);
      // The first round pays for what a process opens once.
      if (before === undefined) await expect.poll(() => holdings().segments).toBe(0);
      before ??= holdings();
      const first = before;
      await expect.poll(() => grownSince(first), { timeout: 5_000 }).toEqual([]);
    }
  });

  it('one that serves is terminated in the middle of traffic: its clients learn it, and the next server takes the address over', async () => {
    for (let round = 0; round < 5; round += 1) {
      const thread = start('listen', address('thread'), 'flood');
      await thread.said('listening');
      const client = await connect(address('thread'), { serviceId: 'thread', key });
      let next = 0;
      const drained = (async () => {
        for await (const message of client) {
          expect(message.payload).toEqual({ n: next });
          next += 1;
          if (next === 100) void thread.worker.terminate();
        }
      })();
      await expect(drained).rejects.toThrow(PeerDownError);
      expect(next).toBeGreaterThanOrEqual(100);
      expect(await client.closed).toMatchObject({ code: cutCode });
      await thread.ended; // the client may learn it before the thread has let go of everything
    }
  });

  it('two talk to each other while the main thread sleeps', async () => {
    const serving = start('listen', address('thread'), 'close');
    await serving.said('listening');
    const asking = start('connect', address('thread'), 'close');
    expect(await Promise.all([asking.ended, serving.ended])).toEqual([0, 0]);
    await Promise.all([asking.said('done'), serving.said('done')]);
  });
});
