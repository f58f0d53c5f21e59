// A client that tries for another session, over fake links: when, how often, when it stops, and what is left behind.
import { setImmediate } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { PeerDownError } from '../../src/index.js';
import { makeError } from '../../src/errors.js';
import { usedHeap } from '../helpers/heap.js';
import { FakeServer } from './fake-link.js';

describe('tries', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  const refuse = (): never => {
    throw makeError('EIPC_TRANSPORT', 'nobody listens');
  };

  /** Milliseconds until each try. */
  async function delaysOf(server: FakeServer, count: number): Promise<number[]> {
    const delays: number[] = [];
    let before = performance.now();
    while (delays.length < count) {
      const { tries } = server;
      await vi.advanceTimersToNextTimerAsync();
      if (server.tries === tries) continue;
      delays.push(Math.round(performance.now() - before));
      before = performance.now();
    }
    return delays;
  }

  it('come after 100 ms, then after twice as long each time, up to 30 s; the tenth is the last', async () => {
    const server = new FakeServer({ jitter: 0 });
    server.answer = refuse;
    server.die();
    expect(await delaysOf(server, 10)).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000]);
    const { code, error } = await server.client.closed;
    expect(code).toBe('EIPC_PEER_DOWN');
    expect(error).toBeInstanceOf(PeerDownError);
    expect(error?.message).toMatch(/10 tries.*nobody listens/s);
    expect(error?.cause).toMatchObject({ code: 'EIPC_TRANSPORT' });
    await expect(server.client.receive()).rejects.toBeInstanceOf(PeerDownError);
    await expect(server.client.send({ type: 'chat' })).rejects.toBeInstanceOf(PeerDownError);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('of a server that ended itself and does not come back end in PeerDownError too', async () => {
    const server = new FakeServer({ jitter: 0, maxAttempts: 1 });
    server.answer = refuse;
    const next = server.client[Symbol.asyncIterator]().next();
    server.link.end({ code: 0, byPeer: true, context: '', reason: 3 });
    const failed = expect(next).rejects.toBeInstanceOf(PeerDownError);
    await delaysOf(server, 1);
    await failed;
    expect(await server.client.closed).toMatchObject({ code: 'EIPC_PEER_DOWN' });
  });

  it('go on for ever when told to', async () => {
    const server = new FakeServer({ jitter: 0, maxAttempts: Infinity, maxDelay: 1_000 });
    server.answer = refuse;
    server.die();
    expect((await delaysOf(server, 500)).slice(-2)).toEqual([1_000, 1_000]);
    expect(server.client.state).toBe('reconnecting');
    expect(vi.getTimerCount()).toBe(1);
    await server.client.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('come up to the jitter earlier, never later', async () => {
    const random = vi.spyOn(Math, 'random').mockReturnValueOnce(0).mockReturnValueOnce(1).mockReturnValueOnce(0.5);
    const server = new FakeServer({ initialDelay: 100, multiplier: 1, jitter: 0.4, maxAttempts: 3 });
    server.answer = refuse;
    server.die();
    expect(await delaysOf(server, 3)).toEqual([100, 60, 80]);
    expect(random).toHaveBeenCalledTimes(3);
  });

  it('begin anew after a session that lasted, and not after one that ended at once', async () => {
    const server = new FakeServer({ jitter: 0, maxAttempts: 4 });
    for (const delay of [100, 200, 400]) {
      server.die();
      expect(await delaysOf(server, 1)).toEqual([delay]);
    }
    await vi.advanceTimersByTimeAsync(401);
    for (const delay of [100, 200, 400, 800]) {
      server.die();
      expect(await delaysOf(server, 1)).toEqual([delay]);
    }
    server.die();
    expect(server.client.state).toBe('closed');
    expect(await server.client.closed).toMatchObject({
      code: 'EIPC_PEER_DOWN',
      error: { message: expect.stringMatching(/4 tries.*ended at once/s) as string },
    });
  });

  it.each(['EIPC_TRANSPORT', 'EIPC_TIMEOUT', 'EIPC_PEER_DOWN', 'EIPC_TRUNCATED', 'EIPC_CLOSED_BY_PEER'] as const)(
    'that fail with %s are followed by others',
    async (code) => {
      const server = new FakeServer({ jitter: 0, maxAttempts: 2 });
      server.answer = () => {
        throw makeError(code, 'for now');
      };
      server.die();
      await delaysOf(server, 2);
      await server.client.closed;
    },
  );

  it.each([
    ['EIPC_HANDSHAKE_FAILED', 'EIPC_PROTOCOL'],
    ['EIPC_IDENTITY', 'EIPC_PROTOCOL'],
    ['EIPC_KEY', 'EIPC_PROTOCOL'],
    ['EIPC_REVOKED', 'EIPC_REVOKED'],
    ['EIPC_INTEGRITY', 'EIPC_INTEGRITY'],
    ['EIPC_REFLECTION', 'EIPC_INTEGRITY'],
    ['EIPC_SEQUENCE', 'EIPC_REPLAY'],
    ['EIPC_BAD_MAGIC', 'EIPC_PROTOCOL'],
  ] as const)('that fail with %s are the last', async (code, kind) => {
    const server = new FakeServer({ jitter: 0 });
    server.answer = () => {
      throw makeError(code, 'whoever it is');
    };
    server.link.isStalled = true;
    await server.client.send({ type: 'features' });
    server.die();
    await delaysOf(server, 1);
    expect(await server.client.closed).toMatchObject({ code: kind, error: { code }, undelivered: 1 });
    expect(server.tries).toBe(1);
  });
});

describe('thousands of sessions', () => {
  it('leave neither memory nor timers behind', async () => {
    const server = new FakeServer({ initialDelay: 0.001, maxDelay: 0.001, maxAttempts: Infinity }, { heartbeat: {} });
    const { client } = server;
    // Without `expect`, which keeps what it has seen.
    const round = async (): Promise<void> => {
      server.link.isStalled = true;
      await client.send({ type: 'features', payload: new Uint8Array(3_000) });
      const reply = client.request({ type: 'chat' }).catch((error: unknown) => error);
      server.die();
      if (!((await reply) instanceof PeerDownError)) throw new Error('the request did not learn of the loss');
      while (client.state !== 'open') await setImmediate();
      await server.endpoint.receive();
      server.forget();
    };
    for (let n = 0; n < 300; n += 1) await round();
    const heap = await usedHeap();
    const timers = process.getActiveResourcesInfo().length;
    for (let n = 0; n < 2_000; n += 1) await round();
    expect((await usedHeap()) - heap).toBeLessThan(2_000_000); // one payload of each would be 6 MB
    expect(process.getActiveResourcesInfo().length).toBeLessThan(timers + 5);
    expect(client.stats()).toMatchObject({ reconnects: 2_300, pendingRequests: 0 });
    await client.close();
  });
});
