/**
 * One suite for every transport: what an endpoint promises, it promises everywhere. Both ends live in this process; what needs processes
 * of its own is in test/process.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  AuthError,
  BackpressureError,
  CapabilityError,
  ClosedError,
  Key,
  TimeoutError,
  connect,
  listen,
} from '../../src/index.js';
import type { ClientEndpoint, ListenOptions, Outgoing, Priority, Server, ServerEndpoint } from '../../src/index.js';

const key = Key.fromBytes(randomBytes(32));
let folder: string;
let count = 0;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-conformance-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Sends until the lane stays full: the peer's buffers are full as well. */
async function fill(client: ClientEndpoint, message: Outgoing): Promise<void> {
  for (let refused = 0; refused < 50;) {
    if (client.trySend(message)) refused = 0;
    else {
      refused += 1;
      await setImmediate();
    }
  }
}

describe.each(['shm', 'unix'])('over %s', (transport) => {
  const open: Server[] = [];

  async function serve(options: Partial<ListenOptions> = {}): Promise<Server> {
    count += 1;
    const services = { eni: { key, capabilities: ['ui:control'] } };
    const server = await listen(`${transport}:${join(folder, `s${count}`)}`, { services, ...options });
    open.push(server);
    return server;
  }

  async function pair(
    options: Partial<ListenOptions> = {},
  ): Promise<{ client: ClientEndpoint; server: ServerEndpoint }> {
    const listening = await serve({ router: null, ...options });
    const accepted = listening[Symbol.asyncIterator]().next();
    const client = await dial(listening);
    const next = await accepted;
    if (next.done === true) throw new Error('the server ended');
    return { client, server: next.value };
  }

  function dial(server: Server, serviceId = 'eni', secret = key): Promise<ClientEndpoint> {
    return connect(server.addresses[0] ?? '', { serviceId, key: secret });
  }

  afterEach(async () => {
    await Promise.all(open.splice(0).map((server) => server.close()));
    expect(readdirSync(folder)).toEqual([]);
  });

  it('messages of one priority arrive in order, whatever their size, and unharmed', async () => {
    const { client, server } = await pair();
    const most = client.maxPayload(2);
    const payloads = [0, 1, 7, 8, 63, 64, 65, 1_000, 4_096, 65_535, 65_536, most - 1, most].map((size) =>
      randomBytes(size),
    );
    const sent = (async () => {
      for (const payload of payloads) await client.send({ type: 'features', payload });
    })();
    for (const payload of payloads) {
      const message = await server.receive({ timeout: 5_000 });
      expect(message.payloadFormat).toBe('bytes');
      expect(Buffer.compare(message.payload as Uint8Array, payload)).toBe(0);
    }
    await sent;
  });

  it.each([0, 1, 2, 3] as const)(
    'priority %i takes its largest payload and refuses one byte more',
    async (priority: Priority) => {
      const { client, server } = await pair();
      const payload = randomBytes(client.maxPayload(priority));
      await client.send({ type: 'features', priority, payload });
      expect(Buffer.compare((await server.receive({ timeout: 5_000 })).payload as Uint8Array, payload)).toBe(0);
      expect(() => client.send({ type: 'features', priority, payload: Buffer.alloc(payload.length + 1) })).toThrow(
        RangeError,
      );
      await client.send({ type: 'features', priority, payload: 'still open' });
      expect((await server.receive({ timeout: 5_000 })).payload).toBe('still open');
    },
  );

  it('every payload format and every field comes out as it went in', async () => {
    const { client, server } = await pair();
    const floats = new Float32Array([0.1, -0, Infinity, 1e-40]);
    await client.send({ type: 'features', payload: floats });
    expect((await server.receive()).payload).toEqual(floats);
    await client.send({ type: 'chat', payload: { text: 'ü\u2028🧠', n: [1, null] } });
    expect((await server.receive()).payload).toEqual({ text: 'ü\u2028🧠', n: [1, null] });
    await client.send({ type: 'chat', payload: { a: true }, payloadFormat: 'msgpack' });
    expect((await server.receive()).payload).toEqual({ a: true });
    const before = BigInt(Date.now()) * 1_000_000n;
    await client.send({
      type: 'intent',
      priority: 0,
      capability: 'ui:control',
      route: 'a/b',
      requestId: '🧠-1',
      maxAge: 60_000,
    });
    const message = await server.receive();
    expect(message).toMatchObject({
      type: 'intent',
      priority: 0,
      source: 'eni',
      capability: 'ui:control',
      route: 'a/b',
      requestId: '🧠-1',
      maxAge: 60_000,
      sessionId: client.peer.sessionId,
    });
    expect(message.timestamp).toBeGreaterThanOrEqual(before - 1_000_000n);
    expect(message.timestamp).toBeLessThan(before + 60_000_000_000n);
    expect(server.peer).toMatchObject({
      serviceId: 'eni',
      protocol: 2,
      suite: 'hmac-sha256',
      transport,
      pid: process.pid,
    });
    expect([...server.peer.capabilities]).toEqual(['ui:control']);
  });

  it.each(['hmac-sha256', 'chacha20-poly1305', 'aes-256-gcm'] as const)(
    '%s protects every size in both directions',
    async (suite) => {
      const { client, server } = await pair({ suites: [suite] });
      expect([client.peer.suite, server.peer.suite]).toEqual([suite, suite]);
      for (const size of [0, 1, 64, 1_000, 65_536, client.maxPayload(3)]) {
        const payload = randomBytes(size);
        await client.send({ type: 'features', priority: 3, payload });
        const there = await server.receive({ timeout: 5_000 });
        await server.send({ type: 'features', priority: 3, payload: there.bytes });
        const back = await client.receive({ timeout: 5_000 });
        expect(Buffer.compare(back.bytes, payload)).toBe(0);
      }
    },
  );

  it('a consumer that was slow gets everything, in order, once it takes', async () => {
    const { client, server } = await pair({ inbox: { limit: 10 } });
    const total = 20_000;
    let sent = 0;
    const producing = (async () => {
      for (let n = 0; n < total; n += 1) {
        await client.send({ type: 'features', payload: { n } }, { timeout: 20_000 });
        sent += 1;
      }
    })();
    await expect.poll(() => client.stats().waitedForRoom, { timeout: 10_000 }).toBeGreaterThan(0);
    const stalledAt = sent;
    expect(stalledAt).toBeLessThan(total);
    for (let n = 0; n < total; n += 1) {
      expect((await server.receive({ timeout: 5_000 })).payload).toEqual({ n });
    }
    await producing;
  });

  it('a batch larger than every buffer waits for room and arrives whole', async () => {
    const { client, server } = await pair({ inbox: { limit: 4 } });
    const batch = Array.from({ length: 64 }, (_, n) => ({
      type: 'features' as const,
      payload: Buffer.alloc(65_536, n),
    }));
    const sending = client.sendBatch(batch, { timeout: 20_000 });
    for (const { payload } of batch) {
      expect(Buffer.compare((await server.receive({ timeout: 5_000 })).payload as Uint8Array, payload)).toBe(0);
    }
    await sending;
  });

  it.each(['fail', 'drop-newest', 'block'] as const)('a full lane set to %s says so', async (onFull) => {
    const listening = await serve({ router: null, inbox: { limit: 1 } });
    const accepted = listening[Symbol.asyncIterator]().next();
    const client = await connect(listening.addresses[0] ?? '', {
      serviceId: 'eni',
      key,
      lanes: { 2: { onFull } },
      sendTimeout: 50,
    });
    await accepted;
    const payload = Buffer.alloc(200_000);
    const message = { type: 'features', payload } as const;
    await fill(client, message);
    if (onFull === 'drop-newest') {
      await client.send(message);
      expect(client.stats().dropped[2]).toBeGreaterThanOrEqual(1);
    } else {
      await expect(client.send(message)).rejects.toThrow(BackpressureError);
    }
    expect(client.trySend(message)).toBe(false);
    // Another lane is not held up.
    expect(client.trySend({ type: 'intent', priority: 0, payload: {} })).toBe(true);
  });

  it('a request is answered by the handler, refused without the capability, and times out without an answer', async () => {
    const server = await serve();
    server.router?.handle('intent', { capability: 'ui:control' }, (message) => ({ echo: message.payload }));
    server.router?.handle('tool_request', { capability: 'device:write' }, () => ({}));
    server.router?.handle('chat', () => new Promise(() => undefined));
    const client = await dial(server);
    const ack = await client.request({ type: 'intent', priority: 0, capability: 'ui:control', payload: [1] });
    expect(ack.payload).toMatchObject({ status: 'ok', echo: [1], request_id: ack.requestId });
    await expect(client.request({ type: 'tool_request', payload: {} })).rejects.toThrow(CapabilityError);
    await expect(client.request({ type: 'intent', capability: 'system:restricted' })).rejects.toMatchObject({
      code: 'EIPC_CAPABILITY',
      remote: true,
    });
    await expect(client.request({ type: 'complete', payload: {} })).rejects.toMatchObject({
      code: 'EIPC_UNKNOWN_TYPE',
    });
    await expect(client.request({ type: 'chat', payload: {} }, { timeout: 30 })).rejects.toThrow(TimeoutError);
    const aborted = new AbortController();
    const waiting = client.request({ type: 'chat', payload: {} }, { signal: aborted.signal });
    aborted.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(await client.ping()).toBeGreaterThan(0);
  });

  it.each(['client', 'server', 'both'])(
    'closing from the %s side delivers what was sent before and ends both',
    async (side) => {
      const { client, server } = await pair();
      for (let n = 0; n < 100; n += 1) void client.send({ type: 'features', payload: { n } });
      const got: unknown[] = [];
      const reading = (async () => {
        for await (const message of server) got.push((message.payload as { n: number }).n);
      })();
      if (side === 'client') await client.close();
      else if (side === 'server')
        await Promise.all([expect.poll(() => got.length).toBe(100), client.flush()]).then(() => server.close());
      else await Promise.all([client.close(), server.close()]);
      await reading;
      const codes = [(await client.closed).code, (await server.closed).code];
      expect(codes.every((code) => code === 'EIPC_CLOSED' || code === 'EIPC_CLOSED_BY_PEER')).toBe(true);
      if (side !== 'both') expect(got).toEqual(Array.from({ length: 100 }, (_, n) => n));
      await expect(client.send({ type: 'features' })).rejects.toThrow(ClosedError);
      expect(client.state).toBe('closed');
    },
  );

  it('a wrong key, an unknown service and another one’s name are refused alike', async () => {
    const server = await serve();
    const wrong = Key.fromBytes(randomBytes(32));
    const refusals = await Promise.all(
      [dial(server, 'eni', wrong), dial(server, 'nobody', key), dial(server, 'nobody', wrong)].map((attempt) =>
        attempt.catch((error: unknown) => error),
      ),
    );
    for (const refusal of refusals) expect(refusal).toBeInstanceOf(AuthError);
    // The text repeats the caller's own id; what it learned from the server is the same.
    const texts = refusals.map((refusal) => (refusal as Error).message.replaceAll(/'(eni|nobody)'/g, '?'));
    expect(new Set(texts).size).toBe(1);
    expect(server.endpoints.size).toBe(0);
    expect((await dial(server)).state).toBe('open');
  });

  it('many connections live side by side, and a closed one makes room for another', async () => {
    const server = await serve({ maxConnections: 20 });
    server.router?.handle('intent', (message) => ({ n: (message.payload as { n: number }).n }));
    const clients = await Promise.all(Array.from({ length: 20 }, () => dial(server)));
    const acks = await Promise.all(
      clients.map((client, n) => client.request<{ n: number }>({ type: 'intent', payload: { n } })),
    );
    expect(acks.map((ack) => ack.payload.n)).toEqual(clients.map((_, n) => n));
    expect(server.endpointsOf('eni').length).toBe(20);
    await expect(dial(server)).rejects.toThrow();
    await clients[0]?.close();
    await expect.poll(() => server.endpoints.size).toBe(19);
    await clients[1]?.close();
    const again = await dial(server);
    expect((await again.request({ type: 'intent', payload: { n: 7 } })).payload).toMatchObject({ n: 7 });
  });

  it('a second server on the same address is refused and the first is unharmed', async () => {
    const server = await serve();
    await expect(listen(server.addresses[0] ?? '', { services: {} })).rejects.toMatchObject({
      code: 'EIPC_ADDRESS_IN_USE',
    });
    expect((await dial(server)).state).toBe('open');
  });
});
