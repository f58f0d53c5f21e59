import { describe, expect, it, vi } from 'vitest';

import { BackpressureError, CapabilityError, createMessage, type EipcError, Router } from '../../src/index.js';
import { makePair } from './fake-link.js';

describe('requests', () => {
  it('resolve with the acknowledgement of the handler', async () => {
    const router = new Router().handle('intent', { capability: 'ui:control' }, (message, peer) => ({
      by: peer.serviceId,
      got: message.payload,
    }));
    const { client } = makePair({}, { router });
    const ack = await client.request({
      type: 'intent',
      priority: 0,
      capability: 'ui:control',
      payload: { intent: 'left' },
    });
    expect(ack).toMatchObject({ type: 'ack', priority: 0, requestId: 'c1' });
    expect(ack.payload).toEqual({ request_id: 'c1', status: 'ok', by: 'eni.min', got: { intent: 'left' } });
  });

  it('reject with the class of the code the peer answered', async () => {
    const router = new Router().handle('intent', { capability: 'device:write' }, () => ({}));
    const { client, server } = makePair({}, { router });
    const failure: unknown = await client.request({ type: 'intent' }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CapabilityError);
    expect(failure).toMatchObject({ code: 'EIPC_CAPABILITY', remote: true });
    expect((failure as EipcError).reply?.requestId).toBe('c1');
    expect(server.stats().denied).toBe(1);
  });

  it('are denied when they claim a capability the peer does not hold, whatever the handler asks', async () => {
    const router = new Router().handle('intent', () => ({}));
    const { client } = makePair({}, { router });
    await expect(client.request({ type: 'intent', capability: 'device:write' })).rejects.toMatchObject({
      code: 'EIPC_CAPABILITY',
      remote: true,
    });
  });

  it('are answered when nobody handles their type', async () => {
    const { client, server } = makePair({}, { router: new Router() });
    await expect(client.request({ type: 'chat' })).rejects.toMatchObject({ code: 'EIPC_UNKNOWN_TYPE', remote: true });
    await client.send({ type: 'features' });
    await client.ping();
    expect(server.stats().unhandled).toBe(2);
  });

  it('tell the peer nothing internal about a handler that threw', async () => {
    const router = new Router().handle('chat', () => {
      throw new Error('secret path /etc');
    });
    const { client } = makePair({}, { router });
    const failure = await client.request({ type: 'chat' }).catch((error: unknown) => error as EipcError);
    expect(failure).toMatchObject({ code: 'EIPC_HANDLER', remote: true });
    expect((failure as EipcError).message).not.toContain('secret');
  });

  it('pass on the code of an EipcError that a handler threw', async () => {
    const router = new Router().handle('chat', async () => {
      await Promise.resolve();
      throw new CapabilityError('EIPC_CAPABILITY', 'not today');
    });
    const { client } = makePair({}, { router });
    await expect(client.request({ type: 'chat' })).rejects.toBeInstanceOf(CapabilityError);
  });

  it('of chat are answered by chat', async () => {
    const router = new Router().handle('chat', () => ({ response: 'yes' }));
    const { client } = makePair({}, { router });
    expect(await client.request({ type: 'chat', payload: { prompt: '?' } })).toMatchObject({
      type: 'chat',
      payload: { response: 'yes' },
    });
  });

  it('are answered by a returned message as it is, under the id of the request', async () => {
    const router = new Router().handle('tool_request', () =>
      createMessage('policy_result', 'eai', { allowed: false }, { requestId: 'wrong' }),
    );
    const { client } = makePair({}, { router });
    expect(await client.request({ type: 'tool_request', priority: 2 })).toMatchObject({
      type: 'policy_result',
      requestId: 'c1',
      priority: 2,
    });
  });

  it('time out, and count what comes after', async () => {
    let answer: ((value: unknown) => void) | undefined;
    const router = new Router().handle('chat', () => new Promise((resolve) => (answer = resolve)));
    const { client } = makePair({}, { router });
    await expect(client.request({ type: 'chat' }, { timeout: 20 })).rejects.toMatchObject({
      code: 'EIPC_TIMEOUT',
      delivered: 'unknown',
    });
    answer?.({});
    await vi.waitFor(() => expect(client.stats().lateReplies).toBe(1));
  });

  it("end with the signal's own reason", async () => {
    const { client } = makePair({}, { router: new Router().handle('chat', () => new Promise(() => {})) });
    const controller = new AbortController();
    const reply = client.request({ type: 'chat' }, { signal: controller.signal });
    controller.abort('enough');
    await expect(reply).rejects.toBe('enough');
    expect(client.stats().pendingRequests).toBe(0);
    await expect(client.request({ type: 'chat' }, { signal: controller.signal })).rejects.toBe('enough');
  });

  it('that could not be sent in time say that they were not delivered', async () => {
    const { client, clientLink } = makePair();
    clientLink.capacity = 10;
    const failure = await client
      .request({ type: 'chat' }, { timeout: 10 })
      .catch((error: unknown) => error as EipcError);
    expect(failure).toMatchObject({ delivered: 'no' });
  });

  it('fail instead of being dropped in a lane that drops', async () => {
    const { client, clientLink } = makePair({ lanes: { 1: { onFull: 'drop-newest' } } });
    clientLink.capacity = 10;
    await expect(client.request({ type: 'chat' })).rejects.toBeInstanceOf(BackpressureError);
  });

  it('carry the time-out as their max age', async () => {
    let maxAge = 0;
    const router = new Router().handle('chat', (message) => {
      maxAge = message.maxAge;
    });
    const { client } = makePair({}, { router });
    await client.request({ type: 'chat' }, { timeout: 50 });
    expect(maxAge).toBe(50);
  });

  it('can come from the server too, with ids of its own', async () => {
    const router = new Router().handle('tool_request', () => ({ done: true }));
    const { server } = makePair({ router });
    expect(await server.request({ type: 'tool_request' })).toMatchObject({ requestId: 's1', payload: { done: true } });
  });

  it('number past ten and past one place of base 36', async () => {
    const router = new Router().handle('chat', (message) => ({ id: message.requestId }));
    const { client } = makePair({}, { router });
    const ids: unknown[] = [];
    for (let count = 1; count <= 1_300; count += 1) ids.push((await client.request({ type: 'chat' })).payload);
    expect(ids).toEqual(Array.from({ length: 1_300 }, (_, index) => ({ id: `c${(index + 1).toString(36)}` })));
  });

  it('of an id that is being served are refused', async () => {
    const router = new Router().handle('chat', () => new Promise(() => {}));
    const { client, server } = makePair({}, { router });
    await client.send({ type: 'chat', requestId: 'x' });
    await client.send({ type: 'chat', requestId: 'x' });
    await vi.waitFor(() => expect(server.stats()).toMatchObject({ duplicates: 1, running: 1 }));
  });

  it('treat an ack whose id only looks like ours as late', async () => {
    const { client, server } = makePair();
    await server.send({ type: 'ack', requestId: 'c01', payload: {} });
    await vi.waitFor(() => expect(client.stats().lateReplies).toBe(1));
  });

  it('measure a round trip past handlers with ping', async () => {
    const { client, server } = makePair({}, { router: new Router() });
    expect(await client.ping()).toBeGreaterThan(0);
    expect(await server.ping()).toBeGreaterThan(0);
    expect(server.stats().unhandled).toBe(0);
  });
});
