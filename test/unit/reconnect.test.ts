// A client whose session is lost, over fake links: what it keeps, and what it gives up.

import { describe, expect, it, vi } from 'vitest';

import type { EipcError, EndpointEvent, Message } from '../../src/index.js';
import { PeerDownError, Router } from '../../src/index.js';
import { makeError } from '../../src/errors.js';
import { FakeServer } from './fake-link.js';
import { arrived, away, QUICK, reconnected } from './reconnecting.js';

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
