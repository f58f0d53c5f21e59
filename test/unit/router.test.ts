import { once } from 'node:events';
import { describe, expect, it, vi } from 'vitest';

import { CapabilityError, createMessage, Router } from '../../src/index.js';
import type { Peer } from '../../src/index.js';
import { makePair } from './fake-link.js';

const peer = (): Peer => makePair().server.peer;

describe('a router', () => {
  it('refuses a second handler of a type, unknown types, options and handlers that are none', () => {
    const router = new Router().handle('chat', () => {});
    expect(() => router.handle('chat', () => {})).toThrow(TypeError);
    expect(() => router.handle('nothing' as 'chat', () => {})).toThrow(RangeError);
    expect(() => router.handle('intent', { schema: {} } as never, () => {})).toThrow(/schema/);
    expect(() => router.handle('intent', { concurrency: 0 }, () => {})).toThrow(RangeError);
    expect(() => router.handle('intent', { capability: '' }, () => {})).toThrow(TypeError);
    expect(() => router.handle('intent', {}, undefined as never)).toThrow(TypeError);
  });

  it('says what became of a dispatched message', async () => {
    const router = new Router()
      .handle('chat', async (message) => Promise.resolve({ got: message.payload }))
      .handle('intent', { capability: 'ui:control' }, () => ({}))
      .handle('audit', () => {
        throw new Error('broken');
      });
    const fields = { requestId: 'r' };
    expect(await router.dispatch(createMessage('chat', 'x', 1, fields), peer())).toEqual({
      outcome: 'handled',
      reply: { type: 'chat', payload: { got: 1 }, requestId: 'r', priority: 1 },
    });
    expect(await router.dispatch(createMessage('chat', 'x', 1), peer())).toEqual({ outcome: 'handled' });
    expect(await router.dispatch(createMessage('complete', 'x', 1), peer())).toMatchObject({
      outcome: 'unknown',
      error: { code: 'EIPC_UNKNOWN_TYPE' },
    });
    const denied = await router.dispatch(
      createMessage('intent', 'x', 1, { capability: 'device:write', requestId: 'r' }),
      peer(),
    );
    expect(denied).toMatchObject({
      outcome: 'denied',
      reply: { type: 'ack', payload: { status: 'error', code: 'EIPC_CAPABILITY' } },
    });
    expect(denied.error).toBeInstanceOf(CapabilityError);
    expect(await router.dispatch(createMessage('audit', 'x', 1), peer())).toMatchObject({
      outcome: 'failed',
      error: new Error('broken'),
    });
    const old = createMessage('chat', 'x', 1, { maxAge: 10 });
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 1_000);
    expect(await router.dispatch(old, peer())).toMatchObject({ outcome: 'expired', error: { code: 'EIPC_STALE' } });
    vi.restoreAllMocks();
  });

  it('refuses a message from the future, whose age would mean nothing', async () => {
    const message = createMessage('chat', 'x', 1, { maxAge: 10 });
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() - 6_000);
    expect(await new Router().handle('chat', () => {}).dispatch(message, peer())).toMatchObject({ outcome: 'expired' });
    vi.restoreAllMocks();
  });

  it('gives rights only from the grants, narrowed by the claim', async () => {
    const { server } = makePair({}, {}, { capabilities: ['a', 'b'] });
    const router = new Router().handle('intent', { capability: 'a' }, () => {}).handle('chat', () => {});
    const outcome = async (type: 'intent' | 'chat', capability: string) =>
      (await router.dispatch(createMessage(type, 'x', 0, { capability }), server.peer)).outcome;
    expect(await outcome('intent', '')).toBe('handled');
    expect(await outcome('intent', 'a')).toBe('handled');
    expect(await outcome('intent', 'b')).toBe('denied');
    expect(await outcome('intent', 'c')).toBe('denied');
    expect(await outcome('chat', 'b')).toBe('handled');
    expect(await outcome('chat', 'c')).toBe('denied');
  });

  it('gives a server no rights at its client', async () => {
    const { client } = makePair();
    const router = new Router().handle('intent', { capability: 'ui:control' }, () => {}).handle('chat', () => {});
    expect(
      await router.dispatch(createMessage('intent', 'x', 0, { capability: 'ui:control' }), client.peer),
    ).toMatchObject({ outcome: 'denied' });
    expect(
      await router.dispatch(createMessage('chat', 'x', 0, { capability: 'ui:control' }), client.peer),
    ).toMatchObject({ outcome: 'handled' });
  });

  it('dispatches a batch priority 0 first and answers in the order given', async () => {
    const order: unknown[] = [];
    const router = new Router().handle('chat', (message) => void order.push(message.priority));
    const messages = ([2, 0, 3, 1] as const).map((priority) => createMessage('chat', 'x', priority, { priority }));
    const results = await router.dispatchBatch([...messages, createMessage('intent', 'x', 0)], peer());
    expect(order).toEqual([0, 1, 2, 3]);
    expect(results.map(({ outcome }) => outcome)).toEqual(['handled', 'handled', 'handled', 'handled', 'unknown']);
  });
});

describe('serving', () => {
  it('runs as many handlers at once as allowed, keeps an eighth for priority 0, and then stops draining', async () => {
    const running: number[] = [];
    const releases: (() => void)[] = [];
    const router = new Router().handle('chat', async (message) => {
      running.push(message.priority);
      await new Promise<void>((resolve) => releases.push(resolve));
    });
    const { client, server } = makePair({}, { router, concurrency: 16 });
    for (let index = 0; index < 40; index += 1) void client.send({ type: 'chat', priority: 1 });
    await vi.waitFor(() => expect(server.stats().running).toBe(14));
    for (let index = 0; index < 5; index += 1) void client.send({ type: 'chat', priority: 0 });
    await vi.waitFor(() => expect(server.stats().running).toBe(16));
    expect(running.filter((priority) => priority === 0)).toHaveLength(2);
    while (running.length < 45) {
      releases.shift()?.();
      await new Promise(setImmediate);
    }
    expect(running.indexOf(0)).toBe(14);
    expect(running.lastIndexOf(0)).toBeLessThan(20);
  });

  it('serialises a type per peer with concurrency 1 and lets other types run', async () => {
    let active = 0;
    let most = 0;
    const order: unknown[] = [];
    const router = new Router()
      .handle('chat', { concurrency: 1 }, async (message) => {
        active += 1;
        most = Math.max(most, active);
        await new Promise(setImmediate);
        order.push(message.payload);
        active -= 1;
      })
      .handle('intent', () => void order.push('intent'));
    const { client, server } = makePair({}, { router });
    for (let index = 0; index < 5; index += 1) void client.send({ type: 'chat', payload: index });
    void client.send({ type: 'intent' });
    await vi.waitFor(() => expect(order).toHaveLength(6));
    expect(order[0]).toBe('intent');
    expect(order.slice(1)).toEqual([0, 1, 2, 3, 4]);
    expect(most).toBe(1);
    expect(server.stats().running).toBe(0);
  });

  it('still takes replies while every slot waits for one', async () => {
    const router = new Router().handle('chat', async (_message, peer) => {
      const reply = await peer.endpoint.request({ type: 'intent' });
      return { reply: reply.payload };
    });
    const { client } = makePair({ router: new Router().handle('intent', () => ({})) }, { router, concurrency: 2 });
    const replies = await Promise.all(Array.from({ length: 10 }, () => client.request({ type: 'chat' })));
    expect(replies).toHaveLength(10);
  });

  // The attacker has a key and no rights: it claims none, which the original took for all of them.
  it('refuses a peer without the right, whatever it claims', async () => {
    const router = new Router().handle('intent', { capability: 'ui:control' }, () => ({}));
    const { server } = makePair({}, {}, { capabilities: ['device:read'] });
    for (const capability of ['', 'ui:control', 'device:read', 'ui:', '*'])
      expect(
        await router.dispatch(createMessage('intent', 'eni', {}, { capability }), server.peer),
        capability,
      ).toMatchObject({ outcome: 'denied', error: { code: 'EIPC_CAPABILITY' } });
  });

  it("does not pass on another peer's error as its own", async () => {
    const router = new Router().handle('chat', (_message, { endpoint }) => endpoint.request({ type: 'complete' }));
    const { client } = makePair({ router: new Router() }, { router }); // whose client handles nothing
    const error: unknown = await client.request({ type: 'chat' }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'EIPC_HANDLER', remote: true });
  });

  it.each([
    ['every slot is busy', { concurrency: 1 }, {}],
    ['a type runs one at a time', {}, { concurrency: 1 }],
  ])('holds up the sender when %s: what waits here is bounded', async (_, endpoint, route) => {
    let release = (): void => {};
    const busy = new Promise<void>((resolve) => {
      release = resolve;
    });
    const router = new Router().handle('chat', route, () => busy);
    const { client, server } = makePair({}, { router, ...endpoint, inbox: { limit: 4 } });
    const sends = Array.from({ length: 100 }, () => client.send({ type: 'chat' }));
    await Promise.all(sends);
    await vi.waitFor(() => expect(server.stats().running).toBe(1));
    expect(server.stats().waiting).toBeLessThanOrEqual(4 + 1);
    release();
    await vi.waitFor(() => expect(server.stats()).toMatchObject({ received: [0, 100, 0, 0], waiting: 0, running: 0 }));
  });

  it('dispatches with a signal that aborts when the time of the message is over', async () => {
    let reason: unknown;
    const router = new Router().handle('chat', async (_message, _peer, context) => {
      await once(context.signal, 'abort');
      reason = context.signal.reason;
    });
    const message = createMessage('chat', 'eni', 1, { maxAge: 30 });
    expect(await router.dispatch(message, peer())).toMatchObject({ outcome: 'handled' });
    expect(reason).toMatchObject({ code: 'EIPC_TIMEOUT' });
    const signals: AbortSignal[] = [];
    const quick = new Router().handle('chat', (_message, _peer, { signal }) => void signals.push(signal));
    await quick.dispatch(createMessage('chat', 'eni', 1), peer());
    await quick.dispatch(createMessage('chat', 'eni', 1, { maxAge: 0xffff_ffff }), peer());
    expect(signals.map((signal) => signal.aborted)).toEqual([false, false]);
  });

  it("aborts a handler's signal when the request's deadline passes", async () => {
    let reason: unknown;
    const router = new Router().handle('chat', (_message, _peer, context) => {
      // Never answers: an answer to the abort could overtake the client's own time-out.
      return new Promise<void>(() => {
        context.signal.addEventListener('abort', () => {
          reason = context.signal.reason;
        });
      });
    });
    const { client } = makePair({}, { router });
    await expect(client.request({ type: 'chat' }, { timeout: 30 })).rejects.toMatchObject({ code: 'EIPC_TIMEOUT' });
    await vi.waitFor(() => expect(reason).toMatchObject({ code: 'EIPC_TIMEOUT' }));
  });
});
