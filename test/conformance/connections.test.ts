// Endpoints made of a connection (v1 without a handshake), over every transport that makes them and over one of a user's own making.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import {
  ClientEndpoint,
  createMessage,
  memory,
  pipe,
  Router,
  ServerEndpoint,
  tcp,
  TimeoutError,
  tls,
  unix,
} from '../../src/index.js';
import type { ClientMacOptions, Connection, ServerMacOptions, Transport } from '../../src/index.js';
import { pipePath } from '../../src/transport/pipe-path.js';
import { EITHER_END } from '../helpers/certificates.js';
import { QueueConnection } from '../helpers/queue-connection.js';

const key = Buffer.from('secret-key-32bytes!!');
let folder = '';
let count = 0;

/** Makes two ends that are joined. */
type Join = () => Promise<[Connection, Connection]>;

async function joined(transport: Transport, address: string): Promise<[Connection, Connection]> {
  const bound = await transport.listen(address);
  const dialled = transport.dial(bound);
  const accepted = await transport.accept({ timeout: 5_000 });
  await transport.close();
  return [await dialled, accepted];
}

const WAYS: Readonly<Record<string, Join>> = {
  ...(process.platform === 'win32' ? {} : { unix: () => joined(unix(), `unix:${join(folder, `s${(count += 1)}`)}`) }),
  ...(pipePath('eai') === undefined
    ? {}
    : { pipe: () => joined(pipe(), `pipe:connections-${process.pid}-${(count += 1)}`) }),
  tcp: () => joined(tcp(), 'tcp://127.0.0.1:0'),
  tls: () => joined(tls(EITHER_END), 'tls://127.0.0.1:0'),
  memory: () => joined(memory(), `memory:connections${(count += 1)}`),
  custom: () => Promise.resolve(QueueConnection.pair()),
};

/** Our transport, used as a user's: an endpoint cannot take the stream out of it. */
function foreign(connection: Connection): Connection {
  return {
    remoteAddress: connection.remoteAddress,
    send: (frame) => connection.send(frame),
    receive: () => connection.receive(),
    close: () => connection.close(),
  };
}

describe.each(Object.entries(WAYS))('an endpoint made of a connection over %s', (name, make) => {
  const open: (ClientEndpoint | ServerEndpoint)[] = [];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'eipc-connections-'));
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((endpoint) => endpoint.close({ timeout: 200 })));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function pair(
    client: Partial<ClientMacOptions> = {},
    server: Partial<ServerMacOptions> = {},
    wrap: (connection: Connection) => Connection = (connection) => connection,
  ): Promise<[ClientEndpoint, ServerEndpoint]> {
    const [left, right] = await make();
    const ends = [
      new ClientEndpoint(wrap(left), { key, ...client }),
      new ServerEndpoint(wrap(right), { key, ...server }),
    ] as const;
    open.push(...ends);
    return [...ends];
  }

  it('sends and receives at once, as in the quick start of the original', async () => {
    const [client, server] = await pair({ sessionId: 'session-1' });
    await client.send(createMessage('intent', 'nia.min', { intent: 'move_left' }));
    const message = await server.receive({ timeout: 5_000 });
    expect(message).toMatchObject({ type: 'intent', source: 'nia.min', sessionId: 'session-1', sequence: 1n });
    expect(message.payload).toEqual({ intent: 'move_left' });
    expect(server.peer).toMatchObject({ serviceId: 'nia.min', protocol: 1, suite: 'v1-mac', transport: name });
    await server.send(createMessage('ack', 'eipc-server', { status: 'ok' }));
    expect((await client.receive({ timeout: 5_000 })).payload).toEqual({ status: 'ok' });
    expect(client.peer.serviceId).toBe('eipc-server');
  });

  it('is the first message’s sender, and nobody else from then on', async () => {
    const [client, server] = await pair();
    expect([client.peer.serviceId, server.peer.serviceId]).toEqual(['', '']);
    await client.send({ type: 'chat', payload: 1 });
    expect((await server.receive({ timeout: 5_000 })).source).toBe('eipc-client');
    expect(() => client.send(createMessage('chat', 'nia.min', 2))).toThrow(/'nia.min' cannot be sent.*'eipc-client'/);
    const [named, other] = await pair({ serviceId: 'nia.min' }, { serverId: 'eai' });
    expect(() => named.send(createMessage('chat', 'other', 1))).toThrow(/'other' cannot be sent.*'nia.min'/);
    await named.send(createMessage('chat', 'nia.min', 1));
    expect((await other.receive({ timeout: 5_000 })).source).toBe('nia.min');
    for (const wrong of ['eai', 'a\nb', 'x'.repeat(65)]) {
      const [renaming, peer] = await pair({}, { serverId: 'eai' });
      await peer.send({ type: 'heartbeat' });
      await renaming.receive({ timeout: 5_000 });
      expect(() => renaming.send({ type: 'chat', source: wrong }), wrong).toThrow(/cannot be who this is/);
    }
  });

  it('answers requests by its router, with the rights its options give', async () => {
    const router = new Router();
    router.handle('intent', { capability: 'ui:control' }, (message, peer) => ({
      from: peer.serviceId,
      got: message.payload,
    }));
    router.handle('tool_request', { capability: 'device:write' }, () => ({}));
    const [client] = await pair({ serviceId: 'nia.min' }, { router, capabilities: ['ui:control'] });
    const ack = await client.request({ type: 'intent', payload: [1], capability: 'ui:control' });
    expect(ack.payload).toEqual({ status: 'ok', from: 'nia.min', got: [1], request_id: ack.requestId });
    await expect(client.request({ type: 'tool_request' })).rejects.toMatchObject({ code: 'EIPC_CAPABILITY' });
    expect(await client.ping()).toBeGreaterThan(0);
    expect(client.stats()).toMatchObject({ pendingRequests: 0, lateReplies: 0 });
  });

  it.each(['as it is', 'as one of a user’s own making'])(
    'carries what is sent unharmed and in order, %s',
    async (how) => {
      const wrap = how === 'as it is' ? undefined : foreign;
      const [client, server] = await pair({}, {}, wrap);
      await client.send({ type: 'heartbeat' }); // the first has to fit into 4 096 bytes
      await server.receive({ timeout: 5_000 });
      const payloads = [0, 1, 100, 65_536, 5, 262_144, client.maxPayload(3), 7].map((size) => randomBytes(size));
      const sending = (async () => {
        for (const payload of payloads) await client.send({ type: 'features', priority: 3, payload });
      })();
      for (const payload of payloads) {
        const { bytes } = await server.receive({ timeout: 10_000 });
        expect(Buffer.compare(bytes, payload)).toBe(0);
      }
      await sending;
      await client.close();
      expect((await client.closed).code).toBe('EIPC_CLOSED');
      expect((await server.closed).code).toBe('EIPC_CLOSED_BY_PEER');
    },
  );

  it('a slow reader holds up the sender, and nothing is lost', async () => {
    const [client, server] = await pair({ sendTimeout: 20_000 }, { inbox: { limit: 8 } }, foreign);
    const total = 3_000;
    const payload = { filler: 'x'.repeat(2_000) };
    const sending = (async () => {
      for (let n = 0; n < total; n += 1) await client.send({ type: 'features', payload: { ...payload, n } });
    })();
    await expect.poll(() => client.stats().waitedForRoom, { timeout: 10_000 }).toBeGreaterThan(0);
    for (let n = 0; n < total; n += 1) expect((await server.receive({ timeout: 5_000 })).payload).toMatchObject({ n });
    await sending;
  });

  it('ends what waits when the other end closes', async () => {
    const [client, server] = await pair();
    const waiting = server.receive();
    const request = client.request({ type: 'chat' }, { timeout: 20_000 });
    await waiting;
    const refused = expect(request).rejects.toMatchObject({ code: 'EIPC_CLOSED_BY_PEER', delivered: 'unknown' });
    await server.close();
    await refused;
    await expect(client.receive()).rejects.toMatchObject({ code: 'EIPC_CLOSED_BY_PEER' });
    expect([client.state, server.state]).toEqual(['closed', 'closed']);
  });

  // The attacker has another key.
  it('refuses a peer with another key', async () => {
    const [client, server] = await pair({ key: randomBytes(32) });
    await client.send({ type: 'chat' });
    expect((await server.closed).error?.code).toBe('EIPC_INTEGRITY');
    expect((await client.closed).code).toMatch(/^EIPC_(?:CLOSED_BY_PEER|TRUNCATED)$/);
  });

  it('closed at once, it ends at once', async () => {
    const [client, server] = await pair();
    await client.close();
    expect(await client.closed).toEqual({ code: 'EIPC_CLOSED', undelivered: 0 });
    await server.closed;
  });
});

describe('a connection of a user’s own making', () => {
  const options = { key };

  it('is asked for the next frame only when there is room for it', async () => {
    const [left, right] = QueueConnection.pair(10_000);
    const client = new ClientEndpoint(left, options);
    const server = new ServerEndpoint(right, { ...options, inbox: { limit: 2 } });
    for (let n = 0; n < 50; n += 1) void client.send({ type: 'chat', payload: n });
    await expect.poll(() => left.sent.length).toBe(50);
    await expect.poll(() => server.stats().waiting).toBe(2);
    for (let n = 0; n < 50; n += 1) expect((await server.receive({ timeout: 5_000 })).payload).toBe(n);
    await Promise.all([client.close(), server.close()]);
    expect([left.closes, right.closes]).toEqual([1, 1]);
  });

  it('may keep the frames that it was given', async () => {
    const [left, right] = QueueConnection.pair(10_000);
    const client = new ClientEndpoint(left, options);
    const seen: Buffer[] = [];
    for (let n = 0; n < 300; n += 1) {
      await client.send({ type: 'chat', payload: randomBytes(500) });
      const frame = await right.receive();
      if (frame === undefined) throw new Error('the end');
      seen.push(Buffer.from(frame));
    }
    const kept = left.sent.map((frame, n) => Buffer.compare(frame, seen[n] ?? Buffer.alloc(0)));
    expect(kept).toEqual(seen.map(() => 0));
    await client.close();
  });

  // The attacker is on the other end and has no key.
  it.each([
    ['an empty frame', Buffer.alloc(0), 'EIPC_FRAME_TRUNCATED'],
    ['a frame shorter than a preamble', Buffer.alloc(15), 'EIPC_FRAME_TRUNCATED'],
    ['a frame above 4 096 bytes as the first', Buffer.alloc(4_097), 'EIPC_FRAME_TOO_LARGE'],
    ['a frame above every limit', Buffer.alloc(2 ** 20 + 1), 'EIPC_FRAME_TOO_LARGE'],
    ['zeros', Buffer.alloc(100), 'EIPC_BAD_MAGIC'],
  ])('that gives %s is closed', async (_, frame, code) => {
    const [left, right] = QueueConnection.pair();
    const server = new ServerEndpoint(right, options);
    await left.send(frame);
    expect((await server.closed).error?.code).toBe(code);
    await expect.poll(() => right.closes).toBe(1);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('cable pulled'))],
    ['resolves with text', () => Promise.resolve('text' as never)],
  ])('whose receive %s ends the endpoint, with what it said as the cause', async (_, receive) => {
    const [left] = QueueConnection.pair();
    left.receive = receive;
    const client = new ClientEndpoint(left, options);
    const { code, error } = await client.closed;
    expect([code, error?.cause]).toEqual(['EIPC_TRUNCATED', expect.any(Error)]);
  });

  it('whose send rejects ends the endpoint, and what was not sent is not forgotten', async () => {
    const [left] = QueueConnection.pair();
    left.send = () => Promise.reject(new Error('cable pulled'));
    const client = new ClientEndpoint(left, options);
    await client.send({ type: 'chat' });
    expect(await client.closed).toMatchObject({
      code: 'EIPC_TRUNCATED',
      error: { cause: { message: 'cable pulled' } },
    });
    await expect(client.send({ type: 'chat' })).rejects.toMatchObject({ code: 'EIPC_TRUNCATED' });
  });

  it('whose close rejects has closed all the same', async () => {
    const [left] = QueueConnection.pair();
    left.close = () => Promise.reject(new Error('no')) as never;
    const client = new ClientEndpoint(left, options);
    await client.close();
    expect(client.state).toBe('closed');
  });

  it('is needed, and a key', async () => {
    const [left] = QueueConnection.pair();
    for (const wrong of [undefined, null, 'tcp://x', {}, { send() {}, receive() {} }])
      expect(() => new ClientEndpoint(wrong as never, options)).toThrow(/made of a connection/);
    expect(() => new ClientEndpoint(left)).toThrow(/at least \{ key \}/);
    expect(() => new ServerEndpoint(left, { key: randomBytes(15) })).toThrow(/15 bytes/);
    expect(() => new ServerEndpoint(left, { key, services: {} } as never)).toThrow(/no option 'services'/);
    const client = new ClientEndpoint(left, options);
    expect(() => new ServerEndpoint(client as never, options)).toThrow(TypeError);
    await client.close();
  });
});

describe('a connection of a transport', () => {
  it('carries whole frames of a program’s own, and its end', async () => {
    const [left, right] = await joined(tcp(), 'tcp://127.0.0.1:0');
    const frames = [16, 17, 4_096, 100_000, 2 ** 20].map((size) => randomBytes(size));
    const sending = (async () => {
      for (const frame of frames) await left.send(frame);
      await left.close();
    })();
    for (const frame of frames) expect(Buffer.compare((await right.receive()) ?? Buffer.alloc(0), frame)).toBe(0);
    expect([await right.receive(), await right.receive()]).toEqual([undefined, undefined]);
    await sending;
    await right.close();
    await expect(right.send(Buffer.alloc(16))).rejects.toMatchObject({ code: 'EIPC_CLOSED' });
    expect(right.remoteAddress).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
  });

  it('refuses to send what is no frame', async () => {
    const [left, right] = await joined(memory(), 'memory:bounds');
    for (const size of [0, 15, 2 ** 20 + 1]) expect(() => left.send(Buffer.alloc(size))).toThrow(`${size} bytes`);
    expect(() => left.send('text' as never)).toThrow(TypeError);
    await Promise.all([left.close(), right.close()]);
  });

  // The attacker is on the other end and writes bytes of its own.
  it.each([
    ['a length above every limit', Buffer.from([0, 0x10, 0, 1, 0]), 'EIPC_FRAME_TOO_LARGE'],
    ['a length below a preamble', Buffer.from([0, 0, 0, 15, 0]), 'EIPC_FRAME_TRUNCATED'],
    ['the beginning of a frame', Buffer.concat([Buffer.from([0, 0, 0, 100]), Buffer.alloc(50)]), 'EIPC_TRUNCATED'],
    ['a part of a length', Buffer.from([0, 0]), 'EIPC_TRUNCATED'],
  ])('that gets %s rejects', async (_, bytes, code) => {
    const transport = tcp();
    const bound = await transport.listen('tcp://127.0.0.1:0');
    const { connect } = await import('node:net');
    const socket = connect({ host: '127.0.0.1', port: Number(/\d+$/.exec(bound)?.[0]) }).on('error', () => {});
    const accepted = await transport.accept({ timeout: 5_000 });
    socket.end(bytes);
    await expect(accepted.receive()).rejects.toMatchObject({ code });
    await expect(accepted.receive()).rejects.toMatchObject({ code });
    socket.destroy();
    await Promise.all([accepted.close(), transport.close()]);
  });

  it('belongs to the endpoint that is made of it', async () => {
    const [left, right] = await joined(memory(), 'memory:taken');
    const client = new ClientEndpoint(left, { key });
    for (const use of [
      () => left.send(Buffer.alloc(16)),
      () => left.receive(),
      () => left.close(),
      () => new ClientEndpoint(left, { key }),
    ])
      expect(use).toThrow(/belongs to an endpoint/);
    await client.close();
    await right.close();
  });

  it('has one receive at a time, and may be read before an endpoint is made of it', async () => {
    const [left, right] = await joined(memory(), 'memory:read');
    const waiting = right.receive();
    expect(() => right.receive()).toThrow(/another receive/);
    await left.send(Buffer.alloc(20));
    expect(await waiting).toHaveLength(20);
    const [client, server] = [new ClientEndpoint(left, { key }), new ServerEndpoint(right, { key })];
    await client.send({ type: 'chat', payload: 'hello' });
    expect((await server.receive({ timeout: 5_000 })).payload).toBe('hello');
    expect([client.peer.transport, server.peer.transport]).toEqual(['memory', 'custom']);
    await Promise.all([client.close(), server.close()]);
  });

  it('is made for addresses of its transport only, and as long as that is open', async () => {
    const transport = tcp();
    for (const address of ['unix:/tmp/x', 'shm:x', 'memory:x', 'tls://localhost:1'])
      await expect(transport.dial(address), address).rejects.toThrow(RangeError);
    await expect(transport.dial('tcp://127.0.0.1:1', { timeout: Infinity })).rejects.toThrow(RangeError);
    await expect(transport.accept()).rejects.toThrow(/does not listen/);
    await transport.listen('tcp://127.0.0.1:0');
    await expect(transport.accept({ timeout: 20 })).rejects.toThrow(TimeoutError);
    const aborted = new AbortController();
    const waiting = transport.accept({ signal: aborted.signal });
    aborted.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(transport.accept({ signal: aborted.signal })).rejects.toThrow('enough');
    const closed = expect(transport.accept()).rejects.toMatchObject({ code: 'EIPC_CLOSED' });
    await Promise.all([transport.close(), transport.close()]);
    await closed;
    await expect(transport.accept()).rejects.toMatchObject({ code: 'EIPC_CLOSED' });
    await expect(transport.listen('tcp://127.0.0.1:0')).rejects.toMatchObject({ code: 'EIPC_CLOSED' });
  });

  it('waits to be accepted with at most 63 others', async () => {
    const transport = memory();
    const address = await transport.listen('memory:many');
    const dialled = await Promise.all(Array.from({ length: 70 }, () => transport.dial(address)));
    expect(await dialled[69]?.receive()).toBeUndefined();
    for (let n = 0; n < 64; n += 1) await (await transport.accept({ timeout: 5_000 })).close();
    await expect(transport.accept({ timeout: 20 })).rejects.toThrow(TimeoutError);
    await transport.close();
    for (const connection of dialled) await connection.close();
  });
});
