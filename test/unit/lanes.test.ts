// The order of what waits in a lane, and whose answer is whose: what a peer could bend by being slow, or by answering in its own spelling.
import { describe, expect, it } from 'vitest';

import { Router } from '../../src/index.js';
import { makePair } from './fake-link.js';

describe('a lane', () => {
  it('is left in the order in which it was entered: room that appears is for who waited', async () => {
    const { client, server, clientLink } = makePair();
    clientLink.capacity = 0;
    const first = client.send({ type: 'chat', payload: 'first' });
    clientLink.capacity = 1_000_000; // and nobody was told yet
    const second = client.send({ type: 'chat', payload: 'second' });
    const other = client.send({ type: 'chat', priority: 0, payload: 'another lane' });
    expect(client.trySend({ type: 'chat', payload: 'third' })).toBe(false);
    clientLink.receiver?.space(0b0010);
    await Promise.all([first, second, other]);
    const payloads = [await server.receive(), await server.receive(), await server.receive()].map(
      ({ payload }) => payload,
    );
    expect(payloads).toEqual(['another lane', 'first', 'second']);
  });

  it.each(['drop-newest', 'fail'] as const)('set to %s still waits with a reply: it was asked for', async (onFull) => {
    const router = new Router().handle('chat', () => ({ answered: true }));
    const { client, server, serverLink } = makePair({}, { router, lanes: { 1: { onFull } } });
    serverLink.capacity = 0;
    const reply = client.request({ type: 'chat' }, { timeout: 20_000 });
    await expect.poll(() => server.stats().waitedForRoom).toBe(1);
    serverLink.capacity = 1_000_000;
    serverLink.receiver?.space(0b0010);
    expect((await reply).payload).toMatchObject({ answered: true });
    expect(server.stats()).toMatchObject({ repliesLost: 0, dropped: [0, 0, 0, 0] });
  });
});

// The peer answers under ids that read like the right one.
describe('a request', () => {
  it('is answered under exactly its id', async () => {
    const { client, server } = makePair();
    const reply = client.request({ type: 'intent' });
    const { requestId } = await server.receive();
    expect(requestId).toBe('c1');
    for (const other of ['c01', 'c001', 'C1', 's1', 'c', 'c 1', 'c+1', 'c1 ', 'c1.0', 'c1x', `c${'0'.repeat(11)}1`])
      await server.send({ type: 'ack', requestId: other, payload: { status: 'ok', from: other } });
    await server.send({ type: 'chat', requestId, payload: 'of another type' });
    await server.send({ type: 'ack', requestId, payload: { status: 'ok', from: requestId } });
    expect((await reply).payload).toMatchObject({ from: requestId });
  });
});
