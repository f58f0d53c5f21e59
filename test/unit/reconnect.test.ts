// A client whose session is lost, over fake links: what it keeps, what it gives up, when it tries again, and when it stops trying.
import { setImmediate } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { EipcError, EndpointEvent, Message, ReconnectPolicy } from '../../src/index.js';
import { ClosedError, PeerDownError, Router } from '../../src/index.js';
import { makeError } from '../../src/errors.js';
import { usedHeap } from '../helpers/heap.js';
import { FakeServer } from './fake-link.js';

/** Tries at once, without disorder. */
const QUICK: ReconnectPolicy = { initialDelay: 1, jitter: 0 };

/** A server that cannot be reached until `back` is called. */
function away(server: FakeServer): { back: () => void } {
  const gate: { open?: () => void } = {};
  const opened = new Promise<void>((resolve) => (gate.open = resolve));
  server.answer = () => opened;
  return {
    back: () => {
      server.answer = () => {};
      gate.open?.();
    },
  };
}

async function reconnected({ client, endpoints }: FakeServer, sessions = 2): Promise<void> {
  await expect.poll(() => [client.state, endpoints.length], { interval: 1 }).toEqual(['open', sessions]);
}

/** Payloads that have arrived at the server's end of the newest session. */
async function arrived({ endpoint }: FakeServer, count: number): Promise<unknown[]> {
  const payloads: unknown[] = [];
  while (payloads.length < count) payloads.push((await endpoint.receive({ timeout: 5_000 })).payload);
  return payloads;
}

describe('a client that reconnects', () => {
  it('goes on after the death of its server with a new peer, and tells so', async () => {
    const server = new FakeServer(QUICK);
    const { client } = server;
    const events = client.events();
    const before = client.peer;
    const iterator = client[Symbol.asyncIterator]();
    const next = iterator.next();
    server.die();
    expect(client.state).toBe('reconnecting');
    await reconnected(server);
    expect(client.peer).not.toBe(before);
    expect(client.peer.sessionId).not.toBe(before.sessionId);
    expect(client.stats().reconnects).toBe(1);
    await server.endpoint.send({ type: 'chat', payload: 'again' });
    expect((await next).value).toMatchObject({ payload: 'again', sessionId: client.peer.sessionId });
    await client.close();
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    const seen: EndpointEvent[] = [];
    for await (const event of events) seen.push(event);
    const [lost, again, closed] = seen;
    expect(lost).toMatchObject({ type: 'reconnecting', reason: { code: 'EIPC_PEER_DOWN', undelivered: 0 } });
    expect(again?.type === 'reconnected' && again.peer === client.peer).toBe(true);
    expect(closed).toMatchObject({ type: 'closed', reason: { code: 'EIPC_CLOSED' } });
    expect(seen).toHaveLength(3);
  });

  it('delivers what the old session had brought, before and after the loss', async () => {
    const server = new FakeServer(QUICK);
    const { client } = server;
    await server.endpoint.send({ type: 'chat', payload: 'old' });
    server.die();
    await reconnected(server);
    await server.endpoint.send({ type: 'chat', payload: 'new' });
    expect([(await client.receive()).payload, (await client.receive()).payload]).toEqual(['old', 'new']);
  });

  it('does without it when it was not asked to, and closes as ever', async () => {
    const server = new FakeServer(QUICK);
    const { client } = server;
    const closed = client.close();
    await closed;
    expect(await client.closed).toEqual({ code: 'EIPC_CLOSED', undelivered: 0 });
    expect(server.tries).toBe(0);
  });
});

describe('what was sent before the loss', () => {
  it('is kept in order when it never left, at priority 2 and 3, in front of sends that waited', async () => {
    const server = new FakeServer(QUICK);
    const { client, link } = server;
    link.isStalled = true;
    for (let n = 0; n < 3; n += 1)
      for (const priority of [2, 3] as const)
        await client.send({ type: 'features', priority, payload: { n, priority } });
    link.isStalled = false;
    link.capacity = 0;
    const waiting = ([2, 3] as const).map((priority) =>
      client.send({ type: 'features', priority, payload: { n: 3, priority } }),
    );
    server.die();
    await reconnected(server);
    await Promise.all(waiting);
    const got = (await arrived(server, 8)) as { n: number; priority: number }[];
    for (const priority of [2, 3])
      expect(got.filter((one) => one.priority === priority).map(({ n }) => n)).toEqual([0, 1, 2, 3]);
    expect(client.stats()).toMatchObject({ undelivered: 0, sent: [0, 0, 4, 4] });
  });

  it('is given up when it never left, at priority 0 and 1: counted, told, and never sent', async () => {
    const server = new FakeServer(QUICK);
    const { client, link } = server;
    const events = client.events();
    link.isStalled = true;
    for (const priority of [0, 0, 1] as const) await client.send({ type: 'intent', priority, payload: 'stale' });
    link.isStalled = false;
    link.capacity = 0;
    const waiting = ([0, 1] as const).map((priority) => client.send({ type: 'intent', priority, payload: 'stale' }));
    server.die();
    for (const sent of waiting)
      await expect(sent).rejects.toMatchObject({ name: 'PeerDownError', code: 'EIPC_PEER_DOWN', delivered: 'no' });
    await reconnected(server);
    await client.send({ type: 'intent', priority: 1, payload: 'fresh' });
    expect(await arrived(server, 1)).toEqual(['fresh']);
    expect(client.stats().undelivered).toBe(3);
    expect((await events.next()).value).toEqual({ type: 'dropped', priority: 0, count: 2 });
    expect((await events.next()).value).toEqual({ type: 'dropped', priority: 1, count: 1 });
    expect((await events.next()).value).toMatchObject({ type: 'reconnecting', reason: { undelivered: 3 } });
    expect(server.endpoint.stats().received).toEqual([0, 1, 0, 0]);
  });

  it('is not sent again when it may have been delivered', async () => {
    const server = new FakeServer(QUICK);
    await server.client.send({ type: 'features', payload: 1 });
    server.die();
    await reconnected(server);
    await server.client.send({ type: 'features', payload: 2 });
    expect(await arrived(server, 1)).toEqual([2]);
  });

  it('keeps its time, so that its max age counts from when it was sent', async () => {
    const server = new FakeServer(QUICK);
    const { client, link } = server;
    link.isStalled = true;
    const before = BigInt(Date.now()) * 1_000_000n;
    await client.send({ type: 'features', payload: 'kept' });
    const gate = away(server);
    server.die();
    const lost = BigInt(Date.now() + 1) * 1_000_000n;
    await vi.waitFor(() => expect(server.tries).toBe(1));
    gate.back();
    await reconnected(server);
    const { timestamp } = await server.endpoint.receive({ timeout: 5_000 });
    expect(timestamp >= before && timestamp <= lost).toBe(true);
  });

  it('is kept over a second loss too, and counted at the end', async () => {
    const server = new FakeServer({ ...QUICK, maxAttempts: 1 });
    const { client } = server;
    server.link.isStalled = true;
    for (const n of [1, 2]) await client.send({ type: 'features', payload: n });
    server.die();
    await expect.poll(() => server.endpoints.length, { interval: 1 }).toBe(2);
    expect(await arrived(server, 2)).toEqual([1, 2]);
    server.link.isStalled = true;
    for (const n of [3, 4, 5]) await client.send({ type: 'features', payload: n });
    server.answer = () => {
      throw makeError('EIPC_TRANSPORT', 'nobody there');
    };
    server.die();
    expect(await client.closed).toMatchObject({ code: 'EIPC_PEER_DOWN', undelivered: 3 });
  });

  it('fits the new session, whatever its tags and metas look like', async () => {
    for (const [first, second] of [
      [{}, { tailLength: 16 }],
      [{}, { binaryMeta: false }],
      [{ binaryMeta: false }, {}],
      [{ binaryMeta: false }, { binaryMeta: false, tailLength: 16 }],
    ] as const) {
      const server = new FakeServer(QUICK);
      server.session = first;
      server.die();
      await reconnected(server);
      server.link.isStalled = true;
      const message = { type: 'features', capability: 'x', route: 'r/ü', maxAge: 60_000, source: 's' } as const;
      await server.client.send({ ...message, payload: { a: 1 } });
      await server.client.send({ ...message, payload: new Float32Array([0.5]), priority: 3 });
      const gate = away(server);
      server.die();
      server.session = second;
      const pushed: Buffer[] = [];
      server.onLink = (link) => {
        const push = link.push.bind(link);
        link.push = (batch, length) => {
          pushed.push(Buffer.from(batch.subarray(0, length)));
          // JSON metas are read by native code, which is not here: the record itself shows what it is.
          return 'binaryMeta' in second ? length : push(batch, length);
        };
      };
      await vi.waitFor(() => expect(server.tries).toBe(2));
      gate.back();
      await reconnected(server, 3);
      expect(pushed).toHaveLength(2);
      const isJson = 'binaryMeta' in second;
      for (const record of pushed) {
        expect(record.readUInt8(13)).toBe(isJson ? 0 : 1);
        const tag = 'tailLength' in second ? 16 : 32;
        expect(record.length).toBe(44 + record.readUInt32LE(4) + record.readUInt32LE(8) + tag);
        if (isJson) {
          const meta: unknown = JSON.parse(record.toString('utf8', 44, 44 + record.readUInt32LE(4)));
          expect(meta).toMatchObject({
            capability: 'x',
            route: 'r/ü',
            max_age_ms: 60_000,
            source: 's',
            request_id: '',
          });
        }
      }
      if (!isJson) {
        const got: Message = await server.endpoint.receive({ timeout: 5_000 });
        expect(got).toMatchObject({ capability: 'x', route: 'r/ü', maxAge: 60_000, payload: { a: 1 } });
        expect((await server.endpoint.receive({ timeout: 5_000 })).payload).toEqual(new Float32Array([0.5]));
      }
    }
  });

  it('is given up when it is too large for the new session', async () => {
    const server = new FakeServer(QUICK);
    server.link.isStalled = true;
    await server.client.send({ type: 'features', payload: new Uint8Array(100_000) });
    await server.client.send({ type: 'features', payload: 'small' });
    server.session = { maxFrame: 65_536 };
    server.die();
    await reconnected(server);
    expect(await arrived(server, 1)).toEqual(['small']);
    expect(server.client.stats().undelivered).toBe(1);
    expect(server.client.maxPayload(2)).toBeLessThan(65_536);
  });
});

describe('requests', () => {
  it('reject at once, with what is known of their delivery, and are never sent again', async () => {
    const server = new FakeServer(QUICK, {}, { router: new Router().handle('chat', () => new Promise(() => {})) });
    const { client, link } = server;
    const sent = client.request({ type: 'chat', priority: 2 });
    await expect.poll(() => server.endpoint.stats().running).toBe(1);
    link.isStalled = true;
    const unsent = client.request({ type: 'chat', priority: 2 });
    link.isStalled = false;
    link.capacity = 0;
    const waiting = client.request({ type: 'chat', priority: 3 });
    server.die();
    await expect(sent).rejects.toMatchObject({ name: 'PeerDownError', delivered: 'unknown' });
    await expect(unsent).rejects.toMatchObject({ name: 'PeerDownError', delivered: 'no' });
    await expect(waiting).rejects.toMatchObject({ name: 'PeerDownError', delivered: 'no' });
    await reconnected(server);
    await client.ping();
    expect(server.endpoint.stats().received).toEqual([0, 1, 0, 0]);
    expect(client.stats()).toMatchObject({ pendingRequests: 0, undelivered: 0 });
  });

  it('a message with a request id of the user’s own is not sent in another session', async () => {
    const server = new FakeServer(QUICK);
    server.link.isStalled = true;
    await server.client.send({ type: 'features', requestId: 'mine', payload: 'old' });
    await server.client.send({ type: 'features', payload: 'kept' });
    server.die();
    await reconnected(server);
    expect(await arrived(server, 1)).toEqual(['kept']);
    expect(server.client.stats().undelivered).toBe(1);
  });

  it('made in the gap go out with the next session', async () => {
    const server = new FakeServer(QUICK, {}, { router: new Router().handle('intent', () => ({ n: 1 })) });
    const gate = away(server);
    server.die();
    const reply = server.client.request({ type: 'intent' });
    gate.back();
    expect((await reply).payload).toMatchObject({ status: 'ok', n: 1 });
  });

  it('of the old session have their handlers’ signals aborted, and their replies dropped and counted', async () => {
    const reasons: EipcError[] = [];
    const release: (() => void)[] = [];
    const router = new Router().handle('chat', async (_message, peer, { signal }) => {
      signal.addEventListener('abort', () => reasons.push(signal.reason as EipcError));
      await new Promise<void>((resolve) => release.push(resolve));
      return { session: peer.sessionId };
    });
    const server = new FakeServer(QUICK, { router });
    const { client } = server;
    const old = client.peer.sessionId;
    const lost = server.endpoint.request({ type: 'chat' });
    await expect.poll(() => client.stats().running).toBe(1);
    server.die();
    await expect(lost).rejects.toBeInstanceOf(PeerDownError);
    expect(reasons).toMatchObject([{ code: 'EIPC_PEER_DOWN' }]);
    await reconnected(server);
    // The ids of a session begin anew, so that this is s1 again: another request nevertheless.
    const reply = server.endpoint.request({ type: 'chat' });
    await expect.poll(() => client.stats().running).toBe(2);
    release[0]?.();
    await expect.poll(() => client.stats().repliesLost).toBe(1);
    expect(client.stats()).toMatchObject({ duplicates: 0, running: 1 });
    release[1]?.();
    const { payload } = (await reply) as Message<{ session: string }>;
    expect(payload.session).not.toBe(old);
    expect(reasons).toHaveLength(1);
  });

  it('that waited for a slot are handled with the peer they came from', async () => {
    const peers: string[] = [];
    let release: (() => void) | undefined;
    const router = new Router().handle('chat', { concurrency: 1 }, async (_message, peer) => {
      peers.push(peer.sessionId);
      if (peers.length === 1) await new Promise<void>((resolve) => (release = resolve));
    });
    const server = new FakeServer(QUICK, { router });
    const old = server.client.peer.sessionId;
    void server.endpoint.send({ type: 'chat' });
    void server.endpoint.send({ type: 'chat' });
    await expect.poll(() => server.client.stats().waiting).toBe(1);
    server.die();
    await reconnected(server);
    void server.endpoint.send({ type: 'chat' });
    await expect.poll(() => server.client.stats().waiting).toBe(2);
    release?.();
    await expect.poll(() => peers).toEqual([old, old, server.client.peer.sessionId]);
  });
});

describe('while it is away', () => {
  it('sends of every priority wait and go out in order, each lane behind what was kept', async () => {
    const server = new FakeServer(QUICK);
    const gate = away(server);
    const { client, link } = server;
    link.isStalled = true;
    await client.send({ type: 'features', priority: 2, payload: '2 kept' });
    server.die();
    const sends = ([3, 2, 1, 0] as const).flatMap((priority) =>
      [1, 2].map((n) => client.send({ type: 'features', priority, payload: `${priority} ${n}` })),
    );
    expect(client.trySend({ type: 'features', payload: 'not now' })).toBe(false);
    const ready = client.ready(1);
    const flushed = client.flush();
    let isFlushed = false;
    void flushed.then(() => (isFlushed = true));
    await vi.waitFor(() => expect(server.tries).toBe(1));
    expect(isFlushed).toBe(false);
    gate.back();
    await Promise.all([...sends, ready, flushed]);
    const got = await arrived(server, 9);
    for (const [priority, expected] of [
      [0, ['0 1', '0 2']],
      [1, ['1 1', '1 2']],
      [2, ['2 kept', '2 1', '2 2']],
      [3, ['3 1', '3 2']],
    ] as const)
      expect(got.filter((text) => (text as string).startsWith(String(priority)))).toEqual(expected);
    expect(client.stats().sent).toEqual([2, 2, 3, 2]);
  });

  it('a send waits no longer than its time-out and says why it was in vain', async () => {
    const server = new FakeServer(QUICK);
    away(server);
    server.die();
    const { client } = server;
    for (const priority of [0, 3] as const)
      await expect(client.send({ type: 'features', priority }, { timeout: 5 })).rejects.toMatchObject({
        name: 'PeerDownError',
        delivered: 'no',
        message: expect.stringMatching(/lost.*connecting again/s) as string,
      });
    await expect(client.ready(2, { timeout: 5 })).rejects.toBeInstanceOf(PeerDownError);
    await expect(client.request({ type: 'chat' }, { timeout: 5 })).rejects.toMatchObject({ delivered: 'no' });
    await expect(client.flush({ timeout: 5 })).rejects.toMatchObject({ code: 'EIPC_TIMEOUT' });
    await client.close();
  });

  it('lanes that fail or drop when they are full do so', async () => {
    const server = new FakeServer(QUICK, { lanes: { 1: { onFull: 'fail' }, 2: { onFull: 'drop-newest' } } });
    away(server);
    server.die();
    const { client } = server;
    await expect(client.send({ type: 'chat' })).rejects.toMatchObject({ name: 'PeerDownError', delivered: 'no' });
    await client.send({ type: 'features' });
    expect(client.stats().dropped).toEqual([0, 0, 1, 0]);
    await client.close();
  });

  it('sends whose time is over leave nothing behind', async () => {
    const server = new FakeServer(QUICK);
    const { client, link } = server;
    link.isStalled = true;
    // Never over, so that everything after it would pile up behind it.
    await client.send({ type: 'features', payload: 'kept' });
    away(server);
    server.die();
    const heap = await usedHeap();
    for (let round = 0; round < 200; round += 1) {
      const sends = Array.from({ length: 50 }, () =>
        client.send({ type: 'features', payload: new Uint8Array(4_000) }, { timeout: 1 }),
      );
      await Promise.allSettled(sends);
    }
    expect((await usedHeap()) - heap).toBeLessThan(4_000_000); // 40 MB were sent
    await client.close();
  });

  it('close ends at once, by agreement, and stops the try', async () => {
    for (const drain of [false, true]) {
      const server = new FakeServer(QUICK);
      const gate = away(server);
      const { client, link } = server;
      link.isStalled = true;
      await client.send({ type: 'features', payload: 'kept' });
      const iterator = client[Symbol.asyncIterator]();
      const next = iterator.next();
      server.die();
      const sent = client.send({ type: 'chat' });
      const reply = client.request({ type: 'chat' });
      await vi.waitFor(() => expect(server.tries).toBe(1));
      const closing = client.close({ drain });
      expect(client.state).toBe('closed');
      await expect(sent).rejects.toMatchObject({ name: 'ClosedError', code: 'EIPC_CLOSED', delivered: 'no' });
      await expect(reply).rejects.toMatchObject({ code: 'EIPC_CLOSED', delivered: 'no' });
      await closing;
      expect(await client.closed).toEqual({ code: 'EIPC_CLOSED', undelivered: 1 });
      expect(await next).toEqual({ done: true, value: undefined });
      expect(client.close()).toBe(closing);
      expect(() => client.trySend({ type: 'chat' })).toThrow(ClosedError);
      gate.back();
      await setImmediate();
      expect(server.endpoints).toHaveLength(1);
    }
  });

  it('a close right after the new session sends what was kept first', async () => {
    const server = new FakeServer(QUICK);
    const { client, link } = server;
    link.isStalled = true;
    for (let n = 0; n < 20; n += 1) await client.send({ type: 'features', payload: n });
    const gate = away(server);
    server.die();
    await vi.waitFor(() => expect(server.tries).toBe(1));
    server.onLink = (link) => {
      link.capacity = 300;
    };
    gate.back();
    await expect.poll(() => client.state, { interval: 1 }).toBe('open');
    const closing = client.close();
    expect(await arrived(server, 20)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    await closing;
    expect(await client.closed).toEqual({ code: 'EIPC_CLOSED', undelivered: 0 });
  });

  it('unref and ref hold for the next session', async () => {
    const server = new FakeServer(QUICK);
    server.client.unref();
    server.die();
    await reconnected(server);
    expect(server.link.isReferenced).toBe(false);
    server.client.ref();
    expect(server.link.isReferenced).toBe(true);
  });
});

describe('an end of a session', () => {
  const ENDS = [
    [704, 0, true], // EIPC_PEER_DOWN
    [705, 0, true], // EIPC_TRUNCATED
    [706, 0, true], // EIPC_TRANSPORT
    [703, 0, true], // EIPC_EXPIRED
    [0, 1, true], // goodbye: its time is over
    [0, 3, true], // goodbye: the server ends
    [0, 0, false], // goodbye
    [0, 2, false], // goodbye: revoked
    [404, 0, false], // EIPC_REVOKED
    [101, 0, false], // EIPC_FRAME_TOO_LARGE
    [102, 0, false], // EIPC_FRAME_TRUNCATED
    [103, 0, false], // EIPC_BAD_MAGIC
    [104, 0, false], // EIPC_BAD_VERSION
    [105, 0, false], // EIPC_UNSUPPORTED_FLAGS
    [106, 0, false], // EIPC_TRAILING_BYTES
    [107, 0, false], // EIPC_UNSUPPORTED_TYPE
    [108, 0, false], // EIPC_BAD_HEADER
    [109, 0, false], // EIPC_PROTOCOL
    [201, 0, false], // EIPC_INTEGRITY
    [202, 0, false], // EIPC_REFLECTION
    [203, 0, false], // EIPC_POISONED
    [301, 0, false], // EIPC_REPLAY
    [302, 0, false], // EIPC_SEQUENCE
    [401, 0, false], // EIPC_HANDSHAKE_FAILED
    [402, 0, false], // EIPC_IDENTITY
    [702, 0, false], // EIPC_CLOSED_BY_PEER: it reported a fault
    [902, 0, false], // EIPC_INTERNAL
  ] as const;

  it.each(ENDS)('with code %i and reason %i is worth a reconnect: %s', async (code, reason, isWorthIt) => {
    const server = new FakeServer(QUICK);
    server.link.end({ code, byPeer: true, context: '', reason });
    expect(server.client.state).toBe(isWorthIt ? 'reconnecting' : 'closed');
    if (isWorthIt) await reconnected(server);
    await server.client.close();
    expect(server.tries).toBe(isWorthIt ? 1 : 0);
  });

  it('by the user’s own close is none, however it comes about', async () => {
    const server = new FakeServer(QUICK);
    const closing = server.client.close({ drain: true });
    server.link.end({ code: 705, byPeer: true, context: '', reason: 0 });
    await closing;
    expect(await server.client.closed).toMatchObject({ code: 'EIPC_TRUNCATED' });
    expect(server.tries).toBe(0);
  });

  it('that the server announces holds what is sent until it is known whether another session follows', async () => {
    for (const reason of [3, 0]) {
      const server = new FakeServer(QUICK);
      const { link, client } = server;
      link.receiver?.closing();
      expect(client.state).toBe('draining');
      const sent = client.send({ type: 'features', payload: 'held' });
      link.end({ code: 0, byPeer: true, context: '', reason });
      if (reason === 3) {
        await sent;
        expect(await arrived(server, 1)).toEqual(['held']);
      } else {
        await expect(sent).rejects.toMatchObject({ code: 'EIPC_CLOSED_BY_PEER', delivered: 'no' });
      }
      await client.close();
    }
  });
});

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
