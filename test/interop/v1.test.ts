// v1 against peers written from the protocol text alone, with node:net and node:crypto: whole conversations, both roles, both ways to log in.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';

import { ClientEndpoint, connect, listen, Router, unix } from '../../src/index.js';
import type { ConnectOptions, ListenOptions, LogRecord, Server } from '../../src/index.js';
import { IndependentClient } from '../helpers/independent-client.js';
import { IndependentV1Client } from '../helpers/independent-v1-client.js';
import { payloadOf } from '../helpers/independent-v1-connection.js';
import { IndependentV1Server } from '../helpers/independent-v1-server.js';
import { addressOf } from '../helpers/scene.js';

/** As the original's: text, and short. */
const KEY = Buffer.from('secret-key-32bytes!!');
const folder = mkdtempSync(join(tmpdir(), 'eipc-v1-'));
let count = 0;
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const WAYS = { unix: () => `unix:${join(folder, `s${(count += 1)}`)}`, tcp: () => 'tcp://127.0.0.1:0' } as const;

async function serve(options: Partial<ListenOptions> = {}, address: string = WAYS.unix()): Promise<Server> {
  const services = { 'nia.min': { key: KEY, capabilities: ['ui:control', 'device:read'], protocols: [1] } } as const;
  const server = await listen(address, { serverId: 'eipc-server', services, ...options });
  cleanups.push(() => server.close({ timeout: 500 }));
  server.router?.handle('intent', { capability: 'ui:control' }, ({ payload }) => ({ echo: payload }));
  server.router?.handle('features', () => undefined);
  server.router?.handle('heartbeat', () => undefined);
  server.router?.handle('chat', ({ payload }) => ({ response: payload }));
  return server;
}

async function peer(server: Server, options: { key?: Buffer; serviceId?: string } = {}): Promise<IndependentV1Client> {
  const client = await IndependentV1Client.connect(addressOf(server), { key: KEY, serviceId: 'nia.min', ...options });
  cleanups.push(() => client.destroy());
  return client;
}

async function dial(address: string, options: Partial<ConnectOptions> = {}): Promise<ClientEndpoint> {
  const client = await connect(address, { protocol: 1, serviceId: 'nia.min', key: KEY, ...options });
  cleanups.push(() => client.close({ timeout: 500 }));
  return client;
}

async function listenIndependently(
  script: Parameters<typeof IndependentV1Server.listen>[2],
  address: string = WAYS.unix(),
): Promise<IndependentV1Server> {
  const server = await IndependentV1Server.listen(address, KEY, script);
  cleanups.push(() => server[Symbol.asyncDispose]());
  return server;
}

describe.each(Object.entries(WAYS))('an independent client of v1 and our server over %s', (_, address) => {
  it('log in, send intents and heartbeats, and say goodbye', async () => {
    const records: LogRecord[] = [];
    const server = await serve({ logger: (record) => records.push(record) }, address());
    const client = await peer(server);
    await client.login();
    expect(client.capabilities).toEqual(['ui:control', 'device:read']);
    await expect.poll(() => server.endpoints.size).toBe(1);
    const [endpoint] = server.endpoints;
    expect(endpoint?.peer).toMatchObject({
      serviceId: 'nia.min',
      protocol: 1,
      suite: 'v1-mac',
      sessionId: client.token,
    });
    expect(records.filter(({ event }) => event === 'legacy')).toMatchObject([{ level: 'warn', serviceId: 'nia.min' }]);

    client.send('i', { request_id: 'req-1', capability: 'ui:control', payload: { intent: 'move_left' } });
    const ack = await client.expect('a');
    expect(ack.header).toMatchObject({ service_id: 'eipc-server', session_id: client.token, request_id: 'req-1' });
    expect(payloadOf(ack)).toEqual({ request_id: 'req-1', status: 'ok', echo: { intent: 'move_left' } });

    // The original answers every intent, and no heartbeat.
    client.send('h', { payload: { service: 'nia.min', status: 'alive' }, priority: 2 });
    client.send('f', { payload: { features: { alpha: 0.5 } }, priority: 2 });
    client.send('i', { payload: { intent: 'stop' } });
    const bare = await client.expect('a');
    expect([bare.header.request_id, payloadOf(bare)]).toEqual([
      '',
      { request_id: '', status: 'ok', echo: { intent: 'stop' } },
    ]);
    expect(endpoint?.stats()).toMatchObject({ received: [2, 0, 2, 0], unhandled: 0 });

    client.end();
    expect(await client.untilEnd()).toEqual([]);
    expect(await endpoint?.closed).toEqual({ code: 'EIPC_CLOSED_BY_PEER', undelivered: 0 });
  });

  it('get errors as the original writes them, with a code beside', async () => {
    const server = await serve({}, address());
    const client = await peer(server);
    await client.login();
    for (const [type, fields, code] of [
      ['i', { capability: 'system:restricted' }, 'EIPC_CAPABILITY'],
      ['t', {}, 'EIPC_UNKNOWN_TYPE'],
      ['C', { request_id: 'q\u0001"\\<' }, 'EIPC_UNKNOWN_TYPE'],
    ] as const) {
      client.send(type, { request_id: `req-${type}`, payload: {}, ...fields });
      const ack = await client.expect('a');
      const { request_id, ...payload } = payloadOf(ack);
      expect(ack.header.request_id).toBe('request_id' in fields ? fields.request_id : `req-${type}`);
      expect(request_id).toBe(ack.header.request_id);
      expect(payload).toEqual({ status: 'error', error: expect.any(String) as string, code });
    }
    client.send('c', { request_id: 'chat-1', payload: { prompt: 'hello' } });
    const answer = await client.expect('c');
    expect([answer.header.request_id, payloadOf(answer)]).toEqual(['chat-1', { response: { prompt: 'hello' } }]);
  });

  it('with the key alone: the first frame is a message already', async () => {
    const server = await serve({ auth: 'mac' }, address());
    const client = await peer(server);
    client.token = 'session-of-mine';
    client.send('i', { request_id: 'req-1', payload: {} });
    expect(payloadOf(await client.expect('a'))).toMatchObject({ request_id: 'req-1', status: 'ok' });
    const [endpoint] = server.endpoints;
    expect(endpoint?.peer).toMatchObject({ serviceId: 'nia.min', sessionId: '' });
    client.end();
    expect(await client.untilEnd()).toEqual([]);
  });
});

describe.each(Object.entries(WAYS))('our client of v1 and an independent server over %s', (_, address) => {
  it('log in, send intents and heartbeats, and say goodbye', async () => {
    const server = await listenIndependently(async (one) => {
      await one.login(['ui:control']);
      return one.serve();
    }, address());
    const client = await dial(server.address, { serverId: 'eipc-server' });
    expect(client.granted).toEqual(['ui:control']);
    expect(client.peer).toMatchObject({ serviceId: 'eipc-server', protocol: 1, suite: 'v1-mac' });
    expect(client.peer.sessionId).toMatch(/^[0-9a-f]{64}$/);
    const ack = await client.request({
      type: 'intent',
      priority: 0,
      capability: 'ui:control',
      payload: { intent: 'stop' },
    });
    expect(ack.payload).toEqual({ request_id: ack.requestId, status: 'ok' });
    await client.send({ type: 'heartbeat', payload: { service: 'nia.min', status: 'alive' } });
    await client.send({ type: 'features', payload: Buffer.from([1, 2, 3]), route: 'a/b' });
    await client.send({ type: 'chat', payload: { prompt: 'x' }, payloadFormat: 'msgpack' });
    await client.close();
    expect(await client.closed).toEqual({ code: 'EIPC_CLOSED', undelivered: 0 });
    const seen = await server.results[0];
    const common = { service_id: 'nia.min', session_id: client.peer.sessionId };
    expect(seen).toMatchObject([
      { type: 'i', header: { ...common, sequence: 3n, priority: 0, capability: 'ui:control', request_id: 'c1' } },
      { type: 'h', header: { ...common, sequence: 4n, priority: 2, request_id: '' } },
      {
        type: 'f',
        header: { ...common, sequence: 5n, route: 'a/b', payload_format: 0 },
        payload: Buffer.from([1, 2, 3]),
      },
      { type: 'c', header: { ...common, sequence: 6n, payload_format: 1 } },
    ]);
  });

  it('answer what the server asks', async () => {
    const server = await listenIndependently(async (one) => {
      await one.login();
      one.send('t', { request_id: 'tool-1', payload: { tool: 'device.status' } });
      const ack = await one.expect('a');
      one.send('i', { request_id: '', payload: {} });
      const bare = await one.expect('a');
      one.end();
      return [payloadOf(ack), payloadOf(bare), await one.untilEnd()];
    }, address());
    const router = new Router();
    router.handle('tool_request', () => ({ status: 'ok', level: 3 }));
    const client = await dial(server.address, { router });
    const unhandled = { request_id: '', status: 'error', code: 'EIPC_UNKNOWN_TYPE' };
    expect(await server.results[0]).toMatchObject([{ request_id: 'tool-1', status: 'ok', level: 3 }, unhandled, []]);
    expect((await client.closed).code).toBe('EIPC_CLOSED_BY_PEER');
  });

  it('with the key alone: nothing is said before the first message', async () => {
    const server = await listenIndependently((one) => one.serve(), address());
    const client = await dial(server.address, { auth: 'mac' });
    expect(client.peer).toMatchObject({ serviceId: '', sessionId: '' });
    const ack = await client.request({ type: 'intent', payload: {} });
    expect(ack).toMatchObject({ source: 'eipc-server', type: 'ack' });
    expect(client.peer.serviceId).toBe('eipc-server');
    await client.close();
    expect(await server.results[0]).toMatchObject([{ type: 'i', header: { sequence: 1n, session_id: '' } }]);
  });
});

describe('the quick start of the original', () => {
  it('is an endpoint made of a connection', async () => {
    const server = await listenIndependently((one) => one.serve());
    const connection = await unix().dial(server.address);
    const endpoint = new ClientEndpoint(connection, { key: KEY, sessionId: '' });
    cleanups.push(() => endpoint.close({ timeout: 500 }));
    await endpoint.send({ type: 'intent', source: 'nia.min', payload: { intent: 'move_left' } });
    expect((await endpoint.receive({ timeout: 5_000 })).payload).toEqual({ request_id: '', status: 'ok' });
    await endpoint.close();
    expect(await server.results[0]).toMatchObject([{ type: 'i', header: { service_id: 'nia.min', sequence: 1n } }]);
  });
});

describe('one address and two protocols', () => {
  const second = Buffer.concat([randomBytes(31), Buffer.of(0)]);
  const services = {
    'nia.min': { key: KEY, capabilities: [], protocols: [1] },
    'eni.min': { key: second, capabilities: [] },
  } as const;

  it.each(['challenge', 'mac'] as const)('a client of each is served, %s', async (auth) => {
    const server = await serve({ services, auth });
    const old = await dial(addressOf(server), { auth });
    const modern = await connect(addressOf(server), { serviceId: 'eni.min', key: second });
    cleanups.push(() => modern.close({ timeout: 500 }));
    for (const client of [old, modern])
      expect((await client.request({ type: 'chat', payload: 1 })).payload).toEqual({ response: 1 });
    const protocolOf = (id: string): (1 | 2)[] => server.endpointsOf(id).map((endpoint) => endpoint.peer.protocol);
    expect([protocolOf('nia.min'), protocolOf('eni.min')]).toEqual([[1], [2]]);
  });

  // The attacker has the v1 key of one service, or stands between and rewrites versions.
  it('a service is reachable in the protocol it is listed for, and in no other', async () => {
    const server = await serve({ services });
    await expect(dial(addressOf(server), { serviceId: 'eni.min', key: second })).rejects.toThrow(/connecting to/);
    const long = Buffer.alloc(32, 200);
    const apart = await serve({ services: { 'nia.min': { key: long, capabilities: [], protocols: [1] } } });
    await expect(connect(addressOf(apart), { serviceId: 'nia.min', key: long })).rejects.toMatchObject({
      code: 'EIPC_HANDSHAKE_FAILED',
    });
    expect([server.stats().authenticated, apart.stats().authenticated]).toEqual([0, 0]);
  });

  it('a server without services of v1 answers its frames as it answers noise', async () => {
    const server = await serve({ services: { 'eni.min': { key: second, capabilities: [] } } });
    const client = await peer(server, { key: second, serviceId: 'eni.min' });
    client.send('A', { payload: { service_id: 'eni.min' } });
    const frames = await client.untilEnd();
    // The one alert of EIPC/2, which no client of v1 takes for anything.
    expect(frames.map((frame) => frame.readUInt16BE(8))).toEqual([2]);
    expect(server.stats()).toMatchObject({ authenticated: 0, handshakeFailures: 1 });
  });

  // The attacker sends the beginning of a frame, byte by byte, and leaves the rest out.
  it.each([1, 4, 9, 10, 19, 100])(
    'a client that says %i bytes is cut in time, whichever protocol they begin',
    async (length) => {
      const server = await serve({ services, handshakeTimeout: 150 });
      for (const version of [1, 2]) {
        const client = await peer(server);
        const hello = client.build('A', { payload: { service_id: 'nia.min' }, version });
        client.sendBytes(hello.subarray(0, length));
        await expect.poll(() => server.stats().handshaking).toBe(1);
        // At most the alert of EIPC/2, which no client of v1 takes for anything.
        for (const frame of await client.untilEnd()) expect(frame.readUInt16BE(8)).toBe(2);
      }
      expect(server.stats()).toMatchObject({ handshakeFailures: 2, handshaking: 0, authenticated: 0 });
    },
  );

  it('an independent client of EIPC/2 is served beside one of v1', async () => {
    const server = await serve({ services });
    const old = await peer(server);
    const modern = await IndependentClient.connect(addressOf(server).replace('unix:', ''), {
      psk: second,
      serviceId: 'eni.min',
    });
    cleanups.push(() => modern.destroy());
    await Promise.all([old.login(), modern.handshake()]);
    await expect.poll(() => server.endpoints.size).toBe(2);
  });
});

describe('options for unusual peers', () => {
  const serveWith = (v1: ListenOptions['v1']) => serve(v1 === undefined ? {} : { v1 });

  async function endOf(server: Server, odd: (client: IndependentV1Client) => void): Promise<string> {
    const client = await peer(server);
    await client.login();
    await expect.poll(() => server.endpoints.size).toBe(1);
    const [endpoint] = server.endpoints;
    odd(client);
    client.send('c', { request_id: 'after', payload: '1', sequence: 1_000n });
    const answer = await client.next();
    if (answer !== undefined) return 'served';
    const { error, code } = (await endpoint?.closed) ?? {};
    return error?.code ?? code ?? '';
  }

  it.each([
    ['timestamp', { timestamp: 'any' }, { timestamp: 'noon' }, 'EIPC_BAD_HEADER'],
    ['source', { source: 'any' }, { service_id: 'another.name' }, 'EIPC_IDENTITY'],
    ['sessionId', { sessionId: 'when-present' }, { session_id: '' }, 'EIPC_IDENTITY'],
    ['window', { window: 256 }, { sequence: 203n }, 'EIPC_REPLAY'],
  ] as const)('%s relaxes its own rule and no other', async (name, relaxed, fields, code) => {
    const odd = (client: IndependentV1Client): void => {
      // For the window: far ahead first, so that the odd one comes from behind.
      if (name === 'window') client.send('h', { sequence: 400n });
      client.send('h', fields);
    };
    expect(await endOf(await serveWith({}), odd)).toBe(code);
    expect(await endOf(await serveWith(relaxed), odd)).toBe('served');
    for (const other of [
      { timestamp: 'any' },
      { source: 'any' },
      { sessionId: 'when-present' },
      { window: 256 },
    ] as const)
      if (!(name in other)) expect(await endOf(await serveWith(other), odd), JSON.stringify(other)).toBe(code);
  });

  it('seconds are a timestamp without any option, as the C SDK writes them', async () => {
    expect(await endOf(await serveWith({}), (client) => void client.send('h', { timestamp: '1775217600' }))).toBe(
      'served',
    );
  });

  it('handshakeTypes: the login of an older client, all four frames of type ack', async () => {
    const login = async (server: Server): Promise<string | undefined> => {
      const client = await peer(server);
      client.send('a', { payload: { service_id: 'nia.min' } });
      const challenge = await client.next();
      if (challenge === undefined) return undefined;
      const nonce = Buffer.from(String(payloadOf(challenge)['nonce']), 'hex');
      client.answer(nonce, { type: 'a' } as object);
      return challenge.type;
    };
    expect(await login(await serveWith({}))).toBeUndefined();
    expect(await login(await serveWith({ handshakeTypes: 'ack' }))).toBe('a');
    const both = await serveWith({ handshakeTypes: 'ack' });
    await (await peer(both)).login();
    const old = await dial(addressOf(both), { v1: { handshakeTypes: 'ack' } });
    expect((await old.request({ type: 'chat', payload: 1 })).payload).toEqual({ response: 1 });
    await expect(dial(addressOf(await serveWith({})), { v1: { handshakeTypes: 'ack' } })).rejects.toThrow();
  });
});
