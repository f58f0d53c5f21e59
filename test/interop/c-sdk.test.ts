/**
 * Peers with the habits of the original's C SDK, scripted from the facts about it (docs/compatibility.md): no login, decimal seconds for a time,
 * ids of up to 63 characters, and a reader that has room for headers of 1 024 bytes and payloads of 4 096.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';

import { connect, listen } from '../../src/index.js';
import type { ClientEndpoint, ListenOptions, Outgoing, Server, ServerEndpoint } from '../../src/index.js';
import { IndependentV1Client } from '../helpers/independent-v1-client.js';
import type { IndependentV1Connection } from '../helpers/independent-v1-connection.js';
import { payloadOf } from '../helpers/independent-v1-connection.js';
import { v1Header } from '../helpers/independent-v1-frames.js';
import type { V1Frame } from '../helpers/independent-v1-frames.js';
import { IndependentV1Server } from '../helpers/independent-v1-server.js';
import { addressOf } from '../helpers/scene.js';

const KEY = Buffer.from('a key of a small device, 32 bytes');
const ID = 'd'.repeat(63);
const ROOM = { header: 1_024, payload: 4_096, text: 63 };

const folder = mkdtempSync(join(tmpdir(), 'eipc-c-sdk-'));
const cleanups: (() => unknown)[] = [];
let count = 0;
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const newAddress = (): string => `unix:${join(folder, `s${(count += 1)}`)}`;

/** The next frame, if the C SDK's buffers have room for it. */
async function read(device: IndependentV1Connection): Promise<V1Frame | undefined> {
  const frame = await device.next();
  if (frame === undefined) return undefined;
  const { service_id, session_id, request_id, capability, route } = frame.header;
  const longest = Math.max(
    ...[service_id, session_id, request_id, capability, route].map((one) => Buffer.byteLength(one)),
  );
  const found = { header: v1Header(frame.header).length, payload: frame.payload.length, text: longest };
  for (const part of ['header', 'payload', 'text'] as const)
    if (found[part] > ROOM[part]) throw new Error(`no room for a ${part} of ${found[part]}`);
  return frame;
}

function send(device: IndependentV1Connection, type: string, fields: object): void {
  device.send(type, { timestamp: String(Math.floor(Date.now() / 1_000)), ...fields });
}

async function serve(options: Partial<ListenOptions> = {}): Promise<Server> {
  const services = { [ID]: { key: KEY, capabilities: ['ui:control'], protocols: [1] } } as const;
  const server = await listen(newAddress(), { serverId: 'eipc-server', services, auth: 'mac', ...options });
  cleanups.push(() => server.close({ timeout: 500 }));
  server.router?.handle('intent', ({ payload }) => ({ echo: payload }));
  return server;
}

async function device(server: Server): Promise<IndependentV1Client> {
  const client = await IndependentV1Client.connect(addressOf(server), { key: KEY, serviceId: ID });
  cleanups.push(() => client.destroy());
  return client;
}

const SMALL = { limits: 'c-sdk' } as const;
const LONGEST = 'r'.repeat(63);
/** The largest message there is for it, and four that are too large by a byte or by their escapes. */
const LARGEST: Outgoing = {
  type: 'chat',
  requestId: LONGEST,
  capability: LONGEST,
  route: LONGEST,
  payload: Buffer.alloc(4_096),
};
const TOO_LARGE: readonly (readonly [string, Partial<Outgoing>, RegExp])[] = [
  ['a payload of 4 097 bytes', { payload: Buffer.alloc(4_097) }, /4097 bytes is larger than priority 1 takes \(4096\)/],
  ['JSON of 4 097 bytes', { payload: 'é'.repeat(2_047) + 'x' }, /4097 bytes is larger than priority 1 takes \(4096\)/],
  ['an id of 64 bytes', { requestId: `${LONGEST}r` }, /requestId has 64 bytes, and this peer reads 63/],
  ['a capability of 64 bytes', { capability: 'é'.repeat(32) }, /capability has 64 bytes, and this peer reads 63/],
  ['a route of 64 bytes', { route: `${LONGEST}r` }, /route has 64 bytes, and this peer reads 63/],
  [
    'a header of more than 1 024 bytes',
    { requestId: '&'.repeat(63), capability: '<'.repeat(63), route: '>'.repeat(63) },
    /this peer reads 1024/,
  ],
];

async function endOf(server: Server, client: IndependentV1Client): Promise<ServerEndpoint> {
  const accepted = server[Symbol.asyncIterator]().next();
  send(client, 'h', {});
  return ((await accepted) as IteratorYieldResult<ServerEndpoint>).value;
}

async function refusesWhatIsTooLarge(endpoint: ServerEndpoint | ClientEndpoint): Promise<void> {
  for (const priority of [0, 1, 2, 3] as const) expect(endpoint.maxPayload(priority)).toBe(4_096);
  for (const [what, fields, message] of TOO_LARGE) {
    const outgoing = { ...LARGEST, ...fields };
    expect(() => endpoint.send(outgoing), what).toThrow(message);
    expect(() => endpoint.trySend(outgoing), what).toThrow(RangeError);
  }
  await endpoint.send(LARGEST);
}

describe('a client with the habits of the C SDK', () => {
  it('is served without a login, with decimal seconds and the longest ids and payloads that it has', async () => {
    const server = await serve({ v1: SMALL });
    const client = await device(server);
    // The first frame is all that proves who this is, and has 4 096 bytes at most in all.
    send(client, 'i', {
      request_id: LONGEST,
      capability: 'ui:control',
      route: LONGEST,
      payload: `"${'x'.repeat(3_000)}"`,
    });
    const ack = await read(client);
    expect(ack?.header).toMatchObject({ request_id: LONGEST, session_id: '', service_id: 'eipc-server' });
    expect(payloadOf(ack as V1Frame)).toMatchObject({ request_id: LONGEST, status: 'ok' });
    const [endpoint] = server.endpoints;
    expect(endpoint?.peer).toMatchObject({ serviceId: ID, protocol: 1 });
    // The echo of this one is larger than what it can read: it is not sent, and that is counted.
    send(client, 'i', { request_id: 'large', payload: `"${'x'.repeat(4_094)}"` });
    send(client, 'i', { request_id: 'after', payload: '1' });
    expect((await read(client))?.header.request_id).toBe('after');
    expect(endpoint?.stats().repliesLost).toBe(1);
  });

  it('may not begin with a frame of more than 4 096 bytes', async () => {
    const server = await serve({ v1: SMALL, router: null });
    const client = await device(server);
    send(client, 'i', { request_id: LONGEST, payload: Buffer.alloc(4_096) });
    // The one alert of EIPC/2, which no client of v1 takes for anything.
    expect((await client.untilEnd()).map((frame) => frame.readUInt16BE(8))).toEqual([2]);
    expect(server.stats()).toMatchObject({ authenticated: 0, handshakeFailures: 1 });
    const again = await device(server);
    const endpoint = await endOf(server, again);
    expect((await endpoint.receive()).type).toBe('heartbeat');
    send(again, 'i', { request_id: LONGEST, payload: Buffer.alloc(4_096) });
    expect((await endpoint.receive()).bytes).toHaveLength(4_096);
  });

  it('is sent nothing that it has no room for', async () => {
    const server = await serve({ v1: SMALL, router: null });
    const client = await device(server);
    await refusesWhatIsTooLarge(await endOf(server, client));
    const { header, payload } = (await read(client)) as V1Frame;
    expect([header.request_id, header.route, payload.length]).toEqual([LONGEST, LONGEST, 4_096]);
  });

  it('without the option is sent what it cannot read', async () => {
    const server = await serve({ router: null });
    const client = await device(server);
    const endpoint = await endOf(server, client);
    for (const [what, fields] of TOO_LARGE) {
      await endpoint.send({ ...LARGEST, ...fields });
      await expect(read(client), what).rejects.toThrow('no room for');
    }
  });
});

describe('a server with the habits of the C SDK', () => {
  it('is spoken to without a login, and sent nothing that it has no room for', async () => {
    const server = await IndependentV1Server.listen(newAddress(), KEY, async (one) => {
      const seen = [await read(one), await read(one)];
      send(one, 'a', { request_id: 'c1', payload: { request_id: 'c1', status: 'ok' } });
      return seen;
    });
    cleanups.push(() => server[Symbol.asyncDispose]());
    const client = await connect(server.address, { protocol: 1, auth: 'mac', serviceId: ID, key: KEY, v1: SMALL });
    cleanups.push(() => client.close({ timeout: 500 }));
    await refusesWhatIsTooLarge(client);
    const ack = await client.request({ type: 'intent', payload: { intent: 'stop' } });
    expect([ack.source, ack.timestamp % 1_000_000_000n]).toEqual(['eipc-server', 0n]);
    expect(await server.results[0]).toMatchObject([
      { header: { request_id: LONGEST } },
      { type: 'i', header: { service_id: ID } },
    ]);
  });
});
