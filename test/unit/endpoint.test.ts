import { describe, expect, it, vi } from 'vitest';

import { BackpressureError, createMessage, IntegrityError, Message, Router, TimeoutError } from '../../src/index.js';
import { makePair } from './fake-link.js';

describe('sending', () => {
  it('returns one shared promise while there is room', () => {
    const { client } = makePair();
    expect(client.send({ type: 'features', payload: new Float32Array(2) })).toBe(
      client.send({ type: 'chat', payload: {} }),
    );
  });

  // A lane that is silent for an hour sends one by itself: no application asked for it.
  it('keeps a heartbeat without payload and request id from the application', async () => {
    const { client, server } = makePair();
    await client.send({ type: 'heartbeat' });
    await client.send({ type: 'heartbeat', payload: { service: 'eni.min', status: 'ok' } });
    expect((await server.receive()).payload).toEqual({ service: 'eni.min', status: 'ok' });
    expect(server.stats().received[2]).toBe(2);
  });

  it('copies the payload before it returns', async () => {
    const { client, server } = makePair();
    const bytes = new Uint8Array([1, 2, 3]);
    void client.send({ type: 'features', payload: bytes });
    bytes.fill(0);
    expect((await server.receive()).payload).toEqual(new Uint8Array([1, 2, 3]));
  });

  it('throws at once for wrong arguments', () => {
    const { client } = makePair();
    expect(() => client.send({ type: 'nothing' as 'chat' })).toThrow(RangeError);
    expect(() => client.send({ type: 'auth' })).toThrow(/handshake/);
    expect(() => client.send({ type: 'chat', priority: 4 as 3 })).toThrow(/priority 4/);
    expect(() => client.send({ type: 'chat', payload: () => 1 })).toThrow(TypeError);
    expect(() => client.send({ type: 'chat' }, { timeout: Infinity })).toThrow(/Infinity/);
    expect(() => client.send({ type: 'chat', payload: new Uint8Array(65_537) })).toThrow(/65537/);
    expect(() => client.request({ type: 'chat', requestId: 'x' })).toThrow(TypeError);
  });

  it('keeps the order of a lane when some sends had to wait', async () => {
    const { client, server, clientLink } = makePair();
    clientLink.capacity = 300;
    const sends = Array.from({ length: 20 }, (_, index) => client.send({ type: 'chat', payload: { index } }));
    const got: unknown[] = [];
    while (got.length < 20) got.push((await server.receive()).payload);
    await Promise.all(sends);
    expect(got).toEqual(Array.from({ length: 20 }, (_, index) => ({ index })));
  });

  it('lets other lanes of a batch go past a full one and keeps the order of each', async () => {
    const { client, server, clientLink } = makePair();
    clientLink.capacity = 400;
    const messages = Array.from(
      { length: 40 },
      (_, index) => ({ type: 'chat', priority: index % 2 === 0 ? 1 : 3, payload: { index } }) as const,
    );
    const sent = client.sendBatch(messages);
    const got: { index: number }[] = [];
    while (got.length < 40) got.push((await server.receive()).payload as { index: number });
    await sent;
    const odd = got.map(({ index }) => index).filter((index) => index % 2 === 1);
    expect(odd).toEqual(odd.toSorted((left, right) => left - right));
    expect(new Set(got.map(({ index }) => index)).size).toBe(40);
  });

  it('sends what came before a wrong message of a batch and rejects', async () => {
    const { client, server } = makePair();
    await expect(client.sendBatch([{ type: 'chat', payload: 1 }, { type: 'nothing' as 'chat' }])).rejects.toThrow(
      RangeError,
    );
    expect((await server.receive()).payload).toBe(1);
  });

  it('says by trySend that a lane is full, and by ready when it is not', async () => {
    const { client, server, clientLink } = makePair();
    clientLink.capacity = 200;
    expect(client.trySend({ type: 'chat', payload: 'first' })).toBe(true);
    expect(client.trySend({ type: 'chat', payload: 'x'.repeat(100) })).toBe(false);
    await client.ready(1);
    expect(client.trySend({ type: 'chat', payload: 'x' })).toBe(true);
    expect((await server.receive()).payload).toBe('first');
  });

  it('has a payload limit for every priority', () => {
    const { client } = makePair();
    expect(([0, 1, 2, 3] as const).map((priority) => client.maxPayload(priority))).toEqual([
      65_536, 65_536, 262_144, 1_047_460,
    ]);
  });

  it('reports what native code says when nothing can be taken any more', async () => {
    const { client, clientLink } = makePair();
    clientLink.failure = 203;
    await expect(client.send({ type: 'chat' })).rejects.toMatchObject({ code: 'EIPC_POISONED', delivered: 'no' });
    expect(() => client.trySend({ type: 'chat' })).toThrow(IntegrityError);
  });
});

describe('a full lane', () => {
  it("rejects at once with onFull 'fail'", async () => {
    const { client, clientLink } = makePair({ lanes: { 1: { onFull: 'fail' } } });
    clientLink.capacity = 10;
    await expect(client.send({ type: 'chat' })).rejects.toMatchObject({
      code: 'EIPC_BACKPRESSURE',
      retryable: true,
      delivered: 'no',
    });
    expect(client.stats().refusedForRoom).toBe(1);
  });

  it("drops, counts and reports with onFull 'drop-newest', at both ends", async () => {
    const { client, server, clientLink } = makePair({ lanes: { 2: { onFull: 'drop-newest' } } });
    clientLink.capacity = 10;
    const events = client.events();
    await client.send({ type: 'features', payload: new Uint8Array(1) });
    expect(client.stats().dropped).toEqual([0, 0, 1, 0]);
    expect(server.stats().droppedByPeer).toEqual([0, 0, 1, 0]);
    expect(await events.next()).toEqual({ done: false, value: { type: 'dropped', priority: 2, count: 1 } });
  });

  it('keeps the latest 256 events for whoever reads them slowly, and counts the others', async () => {
    const { client, clientLink } = makePair({ lanes: { 2: { onFull: 'drop-newest' } } });
    clientLink.capacity = 10;
    const events = client.events();
    for (let size = 1; size <= 300; size += 1) await client.send({ type: 'features', payload: new Uint8Array(size) });
    expect(client.stats().eventsMissed).toBe(44);
    for (let left = 256; left > 0; left -= 1) expect((await events.next()).done).toBe(false);
    expect(await Promise.race([events.next(), Promise.resolve('nothing')])).toBe('nothing');
  });

  it('waits no longer than the time-out', async () => {
    const { client, clientLink } = makePair();
    clientLink.capacity = 10;
    await expect(client.send({ type: 'chat' }, { timeout: 10 })).rejects.toBeInstanceOf(BackpressureError);
    expect(client.stats().waitedForRoom).toBe(1);
  });

  it("ends the wait with the signal's own reason", async () => {
    const { client, clientLink } = makePair();
    clientLink.capacity = 10;
    const controller = new AbortController();
    const sent = client.send({ type: 'chat' }, { signal: controller.signal });
    controller.abort('enough');
    await expect(sent).rejects.toBe('enough');
  });

  it('bounds how many sends wait', async () => {
    const { client, clientLink } = makePair();
    clientLink.capacity = 10;
    const sends = Array.from({ length: 1_100 }, () => client.send({ type: 'chat' }, { timeout: 20 }));
    const results = await Promise.allSettled(sends);
    expect(results.every((result) => result.status === 'rejected' && result.reason instanceof BackpressureError)).toBe(
      true,
    );
    expect(client.stats().waitedForRoom).toBe(1_024);
  });

  it('stamps a record that has to wait when it is queued', async () => {
    const { client, server, clientLink } = makePair();
    clientLink.capacity = 200;
    void client.send({ type: 'chat', payload: 'x'.repeat(60) });
    const before = BigInt(Date.now()) * 1_000_000n;
    void client.send({ type: 'chat', payload: 'waits' });
    const after = BigInt(Date.now()) * 1_000_000n;
    await server.receive();
    const { timestamp } = await server.receive();
    expect(timestamp >= before && timestamp <= after).toBe(true);
  });
});

describe('messages', () => {
  it('that are too old are refused at delivery, counted, answered and reported', async () => {
    const { client, server } = makePair();
    const events = server.events();
    const old = createMessage('intent', 'eni.min', {}, { maxAge: 1, requestId: 'r1' });
    const now = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 100);
    void client.send(old);
    void client.send({ type: 'intent', payload: 'fresh' });
    expect((await server.receive()).payload).toBe('fresh');
    now.mockRestore();
    expect(server.stats().expired).toBe(1);
    expect((await events.next()).value).toMatchObject({ type: 'expired' });
    await vi.waitFor(() => expect(client.stats().lateReplies).toBe(1));
  });

  it('name the authenticated peer as their source to a server, whatever they say', async () => {
    const { client, server } = makePair();
    await client.send({ type: 'chat', source: 'somebody.else' });
    expect((await server.receive()).source).toBe('eni.min');
    await server.send({ type: 'chat', source: 'somebody.else' });
    expect((await client.receive()).source).toBe('somebody.else');
    await server.send({ type: 'chat' });
    expect((await client.receive()).source).toBe('eai');
  });

  it('are relayed as they are', async () => {
    const { client, server } = makePair();
    const message = createMessage('features', 'a.b', new Float32Array([1, 2]), {
      priority: 3,
      capability: 'x',
      route: 'r',
      maxAge: 60_000,
    });
    await server.send(message);
    const got = await client.receive();
    expect(got).toMatchObject({
      type: 'features',
      source: 'a.b',
      priority: 3,
      capability: 'x',
      route: 'r',
      maxAge: 60_000,
      payloadFormat: 'float32',
    });
    expect(got.timestamp).toBe(message.timestamp);
    expect(got.payload).toEqual(new Float32Array([1, 2]));
  });

  it('come priority 0 first out of the inbox', async () => {
    const { client, server } = makePair();
    for (const priority of [3, 2, 1, 0] as const) void client.send({ type: 'chat', priority, payload: priority });
    await client.ping();
    expect((await server.receiveBatch(10)).map((message) => message.payload)).toEqual([0, 1, 2, 3]);
  });

  it('stop being drained when the inbox is full, lane by lane, and go on when it is read', async () => {
    const { client, server, clientLink } = makePair({}, { inbox: { limit: 4 } });
    clientLink.capacity = 2_000;
    const sends = Array.from({ length: 60 }, (_, index) => client.send({ type: 'features', payload: index }));
    await client.ping();
    expect(server.stats().waiting).toBe(4);
    for (let index = 0; index < 60; index += 1) expect((await server.receive()).payload).toBe(index);
    await Promise.all(sends);
  });

  it('cannot be received from an endpoint with a router', () => {
    const { server } = makePair({}, { router: new Router() });
    expect(() => server.receive()).toThrow(TypeError);
    expect(() => server[Symbol.asyncIterator]()).toThrow(TypeError);
  });

  it('have one reader at a time', async () => {
    const { client, server } = makePair();
    const first = server.receive();
    await expect(server.receive()).rejects.toThrow(TypeError);
    await client.send({ type: 'chat' });
    expect(await first).toBeInstanceOf(Message);
  });

  it('are not lost to a receive that timed out', async () => {
    const { client, server } = makePair();
    await expect(server.receive({ timeout: 5 })).rejects.toBeInstanceOf(TimeoutError);
    await client.send({ type: 'chat', payload: 1 });
    expect((await server.receive()).payload).toBe(1);
  });
});
