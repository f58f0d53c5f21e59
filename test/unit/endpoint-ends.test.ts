import { channel } from 'node:diagnostics_channel';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { ClosedError, PeerDownError, Router } from '../../src/index.js';
import { makePair } from './fake-link.js';

describe('the end', () => {
  it('by agreement ends iteration normally after everything was delivered', async () => {
    const { client, server } = makePair();
    for (let index = 0; index < 5; index += 1) void client.send({ type: 'chat', payload: index });
    await client.close();
    const got: unknown[] = [];
    for await (const message of server) got.push(message.payload);
    expect(got).toEqual([0, 1, 2, 3, 4]);
    expect(await server.closed).toMatchObject({ code: 'EIPC_CLOSED_BY_PEER', undelivered: 0 });
    expect(await client.closed).toMatchObject({ code: 'EIPC_CLOSED' });
    await expect(server.receive()).rejects.toBeInstanceOf(ClosedError);
    await expect(client.send({ type: 'chat' })).rejects.toBeInstanceOf(ClosedError);
    expect(client.state).toBe('closed');
  });

  it('by death throws PeerDownError from iteration and pending calls, and publishes it', async () => {
    const { client, clientLink } = makePair({}, { router: new Router().handle('chat', () => new Promise(() => {})) });
    const seen: unknown[] = [];
    const listener = (message: unknown): void => void seen.push(message);
    channel('eipc:peer-down').subscribe(listener);
    const reply = client.request({ type: 'chat' });
    const next = client.receive();
    clientLink.end({ code: 704, byPeer: true, context: '', reason: 0 });
    await expect(reply).rejects.toMatchObject({ code: 'EIPC_PEER_DOWN', delivered: 'unknown' });
    await expect(next).rejects.toBeInstanceOf(PeerDownError);
    expect(await client.closed).toMatchObject({ code: 'EIPC_PEER_DOWN' });
    await expect(client[Symbol.asyncIterator]().next()).rejects.toBeInstanceOf(PeerDownError);
    channel('eipc:peer-down').unsubscribe(listener);
    expect(seen).toEqual([expect.objectContaining({ endpoint: client })]);
  });

  it('starts no handler for what arrives after close(), and counts it', async () => {
    let release = (): void => {};
    const started: unknown[] = [];
    const router = new Router().handle('chat', (message) => {
      started.push(message.payload);
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    const { client, server } = makePair({}, { router });
    void client.send({ type: 'chat', payload: 'before' });
    await vi.waitFor(() => expect(started).toEqual(['before']));
    const closing = server.close({ drain: true });
    void client.send({ type: 'chat', payload: 'after' });
    await vi.waitFor(() => expect(server.stats().discarded).toBe(1));
    release();
    await closing;
    expect(started).toEqual(['before']);
  });

  it('has the code of its class, and the precise error beside it', async () => {
    for (const [value, code, precise] of [
      [705, 'EIPC_TRUNCATED', 'EIPC_TRUNCATED'],
      [108, 'EIPC_PROTOCOL', 'EIPC_BAD_HEADER'],
      [202, 'EIPC_INTEGRITY', 'EIPC_REFLECTION'],
      [203, 'EIPC_POISONED', 'EIPC_POISONED'],
      [302, 'EIPC_REPLAY', 'EIPC_SEQUENCE'],
      [703, 'EIPC_EXPIRED', 'EIPC_EXPIRED'],
      [706, 'EIPC_PEER_DOWN', 'EIPC_TRANSPORT'],
    ] as const) {
      const { client, clientLink } = makePair();
      clientLink.end({ code: value, byPeer: true, context: 'x', reason: 0 });
      expect(await client.closed).toMatchObject({ code, error: { code: precise } });
    }
  });

  it('runs handlers for what had arrived and aborts the signals of those that run', async () => {
    const started: unknown[] = [];
    let aborted = false;
    const router = new Router().handle('chat', { concurrency: 1 }, async (message, _peer, context) => {
      started.push(message.payload);
      if (started.length > 1) return;
      await new Promise<void>((resolve) => {
        context.signal.addEventListener('abort', () => {
          aborted = true;
          resolve();
        });
      });
    });
    const { client, server, serverLink } = makePair({}, { router });
    for (const payload of [1, 2, 3]) void client.send({ type: 'chat', payload });
    await vi.waitFor(() => expect(server.stats().waiting).toBe(2));
    serverLink.end({ code: 704, byPeer: true, context: '', reason: 0 });
    await server.closed;
    expect(aborted).toBe(true);
    expect(started).toEqual([1, 2, 3]);
  });

  it('with drain waits for running handlers and pending requests', async () => {
    let release: (() => void) | undefined;
    const router = new Router().handle('chat', async () => {
      await new Promise<void>((resolve) => (release = resolve));
      return { late: true };
    });
    const { client, server } = makePair({}, { router });
    const reply = client.request({ type: 'chat' });
    await vi.waitFor(() => expect(release).toBeDefined());
    const closed = server.close({ drain: true });
    await expect(server.send({ type: 'chat' })).rejects.toBeInstanceOf(ClosedError);
    release?.();
    expect((await reply).payload).toMatchObject({ late: true });
    await closed;
  });

  it('without drain rejects pending requests at once', async () => {
    const { client } = makePair({}, { router: new Router().handle('chat', () => new Promise(() => {})) });
    const reply = client.request({ type: 'chat' });
    const closed = client.close();
    await expect(reply).rejects.toMatchObject({ code: 'EIPC_CLOSED', delivered: 'unknown' });
    await closed;
  });

  it('comes when close is called twice, and by asyncDispose', async () => {
    const { client, server } = makePair();
    expect(client.close()).toBe(client.close());
    await client[Symbol.asyncDispose]();
    await server.closed;
  });

  it('ends events after the last one', async () => {
    const { client } = makePair();
    const events = client.events();
    await client.close();
    const types: string[] = [];
    for await (const event of events) types.push(event.type);
    expect(types).toEqual(['closed']);
  });

  it('refuses to be cloned to another thread', () => {
    const { client } = makePair();
    expect(() => structuredClone(client)).toThrow();
  });
});

describe('a peer without binary meta', () => {
  it('gets JSON meta with a timestamp', async () => {
    const { client, clientLink } = makePair({}, {}, { binaryMeta: false });
    let record: Buffer | undefined;
    clientLink.push = (batch, length) => {
      record = Buffer.from(batch.subarray(0, length));
      return length;
    };
    await client.send({ type: 'intent', priority: 0, payload: { a: 1 }, capability: 'x"y' });
    const metaLength = record?.readUInt32LE(4) ?? 0;
    expect(JSON.parse(record?.toString('utf8', 44, 44 + metaLength) ?? '')).toMatchObject({
      priority: 0,
      capability: 'x"y',
      payload_format: 0,
      max_age_ms: 0,
    });
    expect(record?.toString('utf8', 44 + metaLength, 44 + metaLength + 7)).toBe('{"a":1}');
    expect(record?.readUInt8(13)).toBe(0);
  });
});

beforeEach(() => {
  vi.restoreAllMocks();
});
afterEach(() => {
  vi.useRealTimers();
});
