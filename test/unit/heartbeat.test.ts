// Two kinds of heartbeats: the one that finds out whether the peer is there, and the one that says how a service does.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { HeartbeatSender, PeerDownError, Router } from '../../src/index.js';
import type { HeartbeatSenderOptions } from '../../src/index.js';
import { FakeServer, makePair } from './fake-link.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const HEARTBEAT = { heartbeat: { interval: 5_000, timeout: 15_000 } };

describe('the heartbeat of a connection', () => {
  it('is off where the kernel tells of every death', async () => {
    const { client, server } = makePair();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.stats().received).toEqual([0, 0, 0, 0]);
    expect(client.state).toBe('open');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is on by default on a network in EIPC/2, and off in v1, where programs of the original answer none', async () => {
    for (const [protocol, transport, state] of [
      [2, 'tcp', 'closed'],
      [2, 'tls', 'closed'],
      [1, 'tcp', 'open'],
      [1, 'tls', 'open'],
    ] as const) {
      const { client, clientLink } = makePair({}, { heartbeat: false }, { protocol }, transport);
      clientLink.isStalled = true;
      await vi.advanceTimersByTimeAsync(60_000);
      expect(client.state, `protocol ${protocol} over ${transport}`).toBe(state);
    }
  });

  it('in v1 takes what comes for a sign of life when it was turned on', async () => {
    const { client, server } = makePair(HEARTBEAT, {}, { protocol: 1 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.stats().received[0]).toBeGreaterThan(1);
    expect(client.state).toBe('open');
  });

  it('asks only in silence, and a peer that answers stays', async () => {
    const { client, server } = makePair(HEARTBEAT);
    for (let second = 0; second < 20; second += 1) {
      await server.send({ type: 'features' });
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(server.stats().received).toEqual([0, 0, 0, 0]);
    await vi.advanceTimersByTimeAsync(60_000);
    const [pings] = server.stats().received;
    expect(pings).toBeGreaterThanOrEqual(5);
    expect(pings).toBeLessThanOrEqual(12);
    expect(client.state).toBe('open');
    expect(client.stats().pendingRequests).toBe(0);
  });

  it('ends a connection whose peer says nothing, with an error that says why', async () => {
    const { client, clientLink } = makePair(HEARTBEAT);
    clientLink.isStalled = true;
    const iteration = client[Symbol.asyncIterator]().next();
    const failed = expect(iteration).rejects.toBeInstanceOf(PeerDownError);
    await vi.advanceTimersByTimeAsync(19_900);
    expect(client.state).toBe('open');
    await vi.advanceTimersByTimeAsync(200);
    await failed;
    const { code, error } = await client.closed;
    expect(code).toBe('EIPC_PEER_DOWN');
    expect(error?.message).toMatch(/silent for 5000 ms.*within 15000 ms/);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('takes anything that comes for a sign of life', async () => {
    const { client, server, clientLink } = makePair(HEARTBEAT);
    clientLink.isStalled = true; // no ping gets through
    for (let second = 0; second < 60; second += 1) {
      await vi.advanceTimersByTimeAsync(1_000);
      await server.send({ type: 'features' });
    }
    expect(client.state).toBe('open');
  });

  it('says nothing about a peer that has to wait because nobody reads here', async () => {
    const { client, server, clientLink } = makePair({ ...HEARTBEAT, inbox: { limit: 2 } });
    for (let n = 0; n < 4; n += 1) await server.send({ type: 'chat', payload: n });
    clientLink.isStalled = true;
    await vi.advanceTimersByTimeAsync(120_000);
    expect(client.state).toBe('open');
    expect((await client.receive()).payload).toBe(0);
  });

  it('reads what came while this process was stopped before it judges', async () => {
    const { client, server, clientLink } = makePair(HEARTBEAT);
    clientLink.isStalled = true;
    await vi.advanceTimersByTimeAsync(19_990);
    // The loop comes back late: timers are run before what the kernel holds is read, and that is read before `setImmediate`.
    vi.advanceTimersToNextTimer();
    void server.send({ type: 'features' });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(client.state).toBe('open');
  });

  it('does not keep a draining close waiting', async () => {
    const { client, clientLink } = makePair(HEARTBEAT);
    clientLink.isStalled = true;
    await vi.advanceTimersByTimeAsync(5_100);
    expect(client.stats().pendingRequests).toBe(1);
    clientLink.isStalled = false;
    await client.close({ drain: true });
    expect((await client.closed).code).toBe('EIPC_CLOSED');
  });

  it('leads to a new session at a client that reconnects, and watches that one too', async () => {
    const server = new FakeServer({ jitter: 0 }, HEARTBEAT);
    for (const sessions of [2, 3]) {
      server.link.isStalled = true;
      await vi.advanceTimersByTimeAsync(25_000);
      expect(server.endpoints).toHaveLength(sessions);
    }
    expect(server.client.state).toBe('open');
    // No ping of a lost session is counted as a message that was lost.
    expect(server.client.stats()).toMatchObject({ undelivered: 0, pendingRequests: 0 });
    await server.client.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a heartbeat sender', () => {
  const services = (): { got: unknown[]; router: Router } => {
    const got: unknown[] = [];
    return { got, router: new Router().handle('heartbeat', (message) => void got.push(message.payload)) };
  };

  it('sends the service and its status at once and at each interval, until it is stopped', async () => {
    const { got, router } = services();
    const { client } = makePair({}, { router });
    let status: 'alive' | 'degraded' = 'alive';
    const sender = new HeartbeatSender(client, { service: 'eni.min', interval: 1_000, status: () => status });
    sender.start();
    sender.start();
    await vi.advanceTimersByTimeAsync(1_500);
    status = 'degraded';
    await vi.advanceTimersByTimeAsync(1_000);
    sender.stop();
    sender.stop();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(got).toEqual([
      { service: 'eni.min', status: 'alive' },
      { service: 'eni.min', status: 'alive' },
      { service: 'eni.min', status: 'degraded' },
    ]);
    expect(sender.stats()).toEqual({ sent: 3, failed: 0 });
    expect(sender.isRunning).toBe(false);
    sender.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(got).toHaveLength(4);
  });

  it('has no two under way, and tells of those that fail', async () => {
    const { router } = services();
    const { client, clientLink } = makePair({}, { router });
    const push = clientLink.push.bind(clientLink);
    clientLink.push = () => 0;
    clientLink.waitForSpace = () => false;
    const errors: unknown[] = [];
    const sender = new HeartbeatSender(client, {
      service: 'eni.min',
      interval: 1_000,
      onError: (error) => errors.push(error),
    });
    sender.start();
    await vi.advanceTimersByTimeAsync(900);
    expect(client.stats().waitedForRoom).toBe(1);
    await vi.advanceTimersByTimeAsync(2_200);
    expect(errors).toMatchObject(Array.from({ length: 3 }, () => ({ code: 'EIPC_BACKPRESSURE' })));
    expect(sender.stats()).toEqual({ sent: 0, failed: 3 });
    expect(client.stats().waitedForRoom).toBe(4);
    sender.stop();
    sender.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(client.stats().waitedForRoom).toBe(4);
    clientLink.push = push;
    clientLink.receiver?.space(15);
    await vi.advanceTimersByTimeAsync(0);
    expect(sender.stats().sent).toBe(1);
  });

  it('survives a status that throws', async () => {
    const { client } = makePair();
    const errors: unknown[] = [];
    const sender = new HeartbeatSender(client, {
      service: 'x',
      status: () => {
        throw new Error('no idea');
      },
      onError: (error) => errors.push(error),
    });
    sender.start();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(errors).toHaveLength(2);
    expect(sender.stats().failed).toBe(2);
    sender.stop();
  });

  it('goes on over a reconnect, and stops with the endpoint', async () => {
    const { got, router } = services();
    const server = new FakeServer({ jitter: 0 }, {}, { router });
    const sender = new HeartbeatSender(server.client, { service: 'eni.min', interval: 1_000 });
    sender.start();
    await vi.advanceTimersByTimeAsync(1_100);
    server.die();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(got.length).toBeGreaterThanOrEqual(4);
    await server.client.close();
    expect(sender.isRunning).toBe(false);
    sender.start();
    expect(sender.isRunning).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('refuses wrong options with what would be right', () => {
    const { client } = makePair();
    const make = (options: object) => () => new HeartbeatSender(client, options as HeartbeatSenderOptions);
    expect(make({})).toThrow(/service must be a string/);
    expect(make({ service: 'x', interval: Infinity })).toThrow(/interval is Infinity/);
    expect(make({ service: 'x', period: 1 })).toThrow(/no option 'period'.*interval/);
    expect(make({ service: 'x', status: 'alive' })).toThrow(TypeError);
    expect(make({ service: 'x', onError: 1 })).toThrow(TypeError);
  });
});
