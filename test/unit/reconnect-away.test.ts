// A client without a session, over fake links: what waits, what ends, and what an end is.
import { setImmediate } from 'node:timers/promises';

import { describe, expect, it, vi } from 'vitest';

import { ClosedError, PeerDownError } from '../../src/index.js';
import { usedHeap } from '../helpers/heap.js';
import { FakeServer } from './fake-link.js';
import { arrived, away, QUICK, reconnected } from './reconnecting.js';

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
