/**
 * The attackers of this file never finish a handshake of TLS, or come to a connection that a user made of the transport `tls()`. They keep no place, and
 * get no session.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect, it } from 'vitest';

import { ClientEndpoint, connect, listen, ServerEndpoint, tls } from '../../src/index.js';
import { fingerprintOf, own, pem } from '../helpers/certificates.js';
import { within } from '../helpers/independent-client.js';
import { CLIENT_TLS, portOf, PSK, SERVER_TLS, SERVICE_ID, TlsScene, toItsEnd, V1_PSK } from '../helpers/tls-scene.js';

const scene = new TlsScene();

// The attacker connects and takes its time, at each step of the handshake.
describe('a handshake that is never finished', () => {
  it.each([
    ['not begun', 0],
    ['one byte of it', 1],
    ['half a ClientHello', 200],
    ['everything but the last flight', 10_000],
  ])('is cut in time: %s', async (_, length) => {
    const hello = await recordedHello();
    const server = await scene.serve(SERVER_TLS, { handshakeTimeout: 1_000 });
    const socket = await scene.plain(server);
    socket.write(hello.subarray(0, length));
    await expect.poll(() => server.stats().handshaking).toBe(1);
    expect((await scene.dial(server)).state).toBe('open');
    await toItsEnd(socket);
    await expect.poll(() => server.stats()).toMatchObject({ handshaking: 0, handshakeFailures: 1, authenticated: 1 });
  });

  it.each([
    ['is no TLS', Buffer.from([0, 0, 0, 100])],
    ['is of another kind', Buffer.from([23, 3, 3, 0, 10])],
    ['has another version', Buffer.from([22, 2, 0])],
    ['is larger than a first record may be', Buffer.from([22, 3, 1, 0x10, 0x01])],
    ['is empty', Buffer.from([22, 3, 1, 0, 0])],
  ])('whose beginning %s is over with it, and says so', async (_, bytes) => {
    const server = await scene.serve();
    const socket = await scene.plain(server);
    for (const byte of bytes) socket.write(Buffer.of(byte));
    await toItsEnd(socket);
    expect(scene.failures()).toEqual([
      { code: 'EIPC_TRANSPORT', text: expect.stringMatching(/is no TLS; use tls:/) as string },
    ]);
  });

  it('nor is one of EIPC inside a finished one of TLS', async () => {
    const server = await scene.serve(SERVER_TLS, { handshakeTimeout: 1_000 });
    await toItsEnd(await scene.stranger(server));
    expect(server.stats()).toMatchObject({ handshaking: 0, handshakeFailures: 1, authenticated: 0 });
  });

  it('is over at once where its connection ends or breaks', async () => {
    const hello = await recordedHello();
    const server = await scene.serve();
    for (const length of [0, 1, 200, 10_000]) {
      (await scene.plain(server)).end(hello.subarray(0, length));
      const socket = await scene.plain(server);
      socket.write(hello.subarray(0, length), () => socket.resetAndDestroy());
    }
    await expect.poll(() => server.stats()).toMatchObject({ accepted: 8, handshaking: 0, handshakeFailures: 8 });
  });

  /** The first flight of a client of `node:tls`. */
  async function recordedHello(): Promise<Buffer> {
    const recorder = createServer().listen(0, '127.0.0.1');
    scene.closeLater(() => recorder.close());
    await once(recorder, 'listening');
    const arrived = once(recorder, 'connection');
    void scene.stranger((recorder.address() as AddressInfo).port).catch(() => undefined);
    const [socket] = (await arrived) as [Socket];
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return chunk;
  }
});

// The attacker connects to a transport that a program holds itself: v1 without a handshake.
describe('the transport tls()', () => {
  it('hands out who passed, with what protects it, and nobody else', async () => {
    const transport = tls({ ...SERVER_TLS, ca: pem('authority') });
    scene.closeLater(() => transport.close());
    const address = await transport.listen('tls://127.0.0.1:0');
    const port = Number(/\d+$/.exec(address)?.[0]);
    await toItsEnd(await scene.stranger(port, own('strange-client')));
    const [connection, dialled] = await Promise.all([
      transport.accept({ timeout: 5_000 }),
      tls({ ...CLIENT_TLS, ...own('client') }).dial(address),
    ]);
    const server = new ServerEndpoint(connection, { key: V1_PSK });
    const client = new ClientEndpoint(dialled, { key: V1_PSK });
    scene.closeLater(() => client.close());
    await client.send({ type: 'chat', payload: 'hello' });
    expect((await server.receive({ timeout: 5_000 })).payload).toBe('hello');
    expect(server.peer.tls).toMatchObject({ authorized: true, fingerprint: fingerprintOf('client') });
    expect(client.peer.tls).toMatchObject({ authorized: true, fingerprint: fingerprintOf('server') });
    await expect(transport.accept({ timeout: 20 })).rejects.toMatchObject({ code: 'EIPC_TIMEOUT' });
  });

  it('is not held up by those who never finish: the oldest makes room', async () => {
    const transport = tls(SERVER_TLS);
    scene.closeLater(() => transport.close());
    const address = await transport.listen('tls://127.0.0.1:0');
    const port = Number(/\d+$/.exec(address)?.[0]);
    const listening = { addresses: [address] } as unknown as Awaited<ReturnType<TlsScene['serve']>>;
    const silent = [];
    for (let n = 0; n < 70; n += 1) silent.push(await scene.plain(listening));
    await Promise.all(silent.slice(0, 6).map((socket) => toItsEnd(socket)));
    expect(silent.at(-1)?.destroyed).toBe(false);
    const [, stranger] = await within(Promise.all([transport.accept(), scene.stranger(port)]), 'a connection');
    expect(stranger.destroyed).toBe(false);
  });
});

it('a server of several addresses demands nothing of those without TLS, and all of it of those with', async () => {
  const server = await listen(['tcp://127.0.0.1:0', 'tls://127.0.0.1:0'], {
    services: { [SERVICE_ID]: { key: PSK, capabilities: [] } },
    tls: SERVER_TLS,
  });
  scene.closeLater(() => server.close());
  const [plain = '', secure = ''] = server.addresses;
  const options = { serviceId: SERVICE_ID, key: PSK };
  const [one, other] = await Promise.all([connect(plain, options), connect(secure, { ...options, tls: CLIENT_TLS })]);
  expect([one.peer.tls, other.peer.tls?.protocol]).toEqual([undefined, 'TLSv1.3']);
  expect(portOf(server)).toBeGreaterThan(0);
  await Promise.all([one.close(), other.close()]);
});
