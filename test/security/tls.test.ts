/**
 * The attackers of this file stand at the other end of a TLS connection, as server or client, with certificates of their own, old ones, or none; or
 * they are on the way and speak TLS with both ends. Nobody who is not believed learns a byte of what is inside, and nobody gets a session.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';

import { AuthError, certificateFingerprint, EipcError, listen } from '../../src/index.js';
import type { TlsOptions } from '../../src/index.js';
import { fingerprintOf, own, pem } from '../helpers/certificates.js';
import { IndependentClient, within } from '../helpers/independent-client.js';
import { plainAlert } from '../helpers/independent-frames.js';
import { withPrefix } from '../helpers/independent-preamble.js';
import { CLIENT_TLS, PSK, SERVER_TLS, SERVICE_ID, TlsScene, toItsEnd, V1_PSK } from '../helpers/tls-scene.js';

const scene = new TlsScene();

// The attacker answers at the server's address.
describe('a server that must not be believed', () => {
  it.each<[string, string, TlsOptions, RegExp]>([
    ['of another authority', 'strange-server', CLIENT_TLS, /authority is not in tls\.ca/],
    ['whose certificate has expired', 'expired', CLIENT_TLS, /it has expired/],
    ['whose certificate is for another name', 'other-name', CLIENT_TLS, /it is for another name.*tls\.servername/],
    ['with a certificate for clients', 'client', CLIENT_TLS, /another name|not made for a server/],
    ['of our authority, to one that knows only those of Node', 'server', {}, /authority is not in tls\.ca/],
    [
      'with another key than the one that is pinned',
      'server',
      { fingerprints: [fingerprintOf('either')] },
      /fingerprint [0-9a-f]{64}, which is not one of tls\.fingerprints/,
    ],
    [
      'of the right authority with another key than the one that is pinned',
      'server',
      { ...CLIENT_TLS, fingerprints: [fingerprintOf('either')] },
      /not one of tls\.fingerprints/,
    ],
    [
      'of another authority with the key that is pinned, where both must hold',
      'strange-server',
      { ...CLIENT_TLS, fingerprints: [fingerprintOf('strange-server')] },
      /authority is not in tls\.ca/,
    ],
    [
      'that has another name than the one asked for',
      'server',
      { ...CLIENT_TLS, servername: 'other.test' },
      /other\.test/,
    ],
  ])('%s: refused, and nothing is said to it', async (_, certificate, options, text) => {
    const heard: Buffer[] = [];
    const port = await scene.impostor({ ...own(certificate), minVersion: 'TLSv1.3' }, (socket) =>
      socket.on('data', (chunk: Buffer) => heard.push(chunk)),
    );
    const refusal = await scene.dial(port, options).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(AuthError);
    expect((refusal as EipcError).code).toBe('EIPC_IDENTITY');
    expect((refusal as EipcError).message).toMatch(text);
    expect((refusal as EipcError).message).toContain(`tls://127.0.0.1:${port}`);
    expect(heard).toEqual([]);
  });

  it('but only speaks TLS 1.2: refused', async () => {
    const port = await scene.impostor({ ...own('server'), maxVersion: 'TLSv1.2' });
    const refused = scene.dial(port);
    await expect(refused).rejects.toMatchObject({ code: 'EIPC_HANDSHAKE_FAILED' });
    await expect(refused).rejects.toThrow(/TLS 1\.3/);
  });

  it('and speaks no TLS at all: refused, in its words and by one of ours', async () => {
    const rude = createServer((socket) => socket.on('error', () => {}).end('220 hello\r\n')).listen(0, '127.0.0.1');
    scene.closeLater(() => rude.close());
    await once(rude, 'listening');
    await expect(scene.dial((rude.address() as AddressInfo).port)).rejects.toThrow(/is no TLS; use tls:/);
    const ours = await listen('tcp://127.0.0.1:0', { services: {} });
    scene.closeLater(() => ours.close());
    await expect(scene.dial(ours)).rejects.toMatchObject({ code: 'EIPC_TRANSPORT' });
    expect(ours.stats()).toMatchObject({ authenticated: 0 });
  });

  it('and says nothing, or stops inside the handshake: given up in time', async () => {
    const silent = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
    scene.closeLater(() => silent.close());
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    await expect(scene.dial(port, CLIENT_TLS, { handshakeTimeout: 50 })).rejects.toMatchObject({
      code: 'EIPC_TIMEOUT',
    });
    const aborted = new AbortController();
    const waiting = scene.dial(port, CLIENT_TLS, { signal: aborted.signal });
    await once(silent, 'connection');
    aborted.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});

describe('a server that is believed', () => {
  it.each<[string, TlsOptions, TlsOptions]>([
    ['by its authority', SERVER_TLS, CLIENT_TLS],
    ['by its key alone', own('strange-server'), { fingerprints: [fingerprintOf('strange-server')] }],
    ['by one of several keys', SERVER_TLS, { fingerprints: [fingerprintOf('client'), fingerprintOf('server')] }],
    [
      'by its key alone, whatever its dates (RFC 7671, 5.1)',
      own('expired'),
      { fingerprints: [fingerprintOf('expired')] },
    ],
    ['by both', SERVER_TLS, { ...CLIENT_TLS, fingerprints: [fingerprintOf('server')] }],
    ['by one of several authorities', SERVER_TLS, { ca: [pem('stranger'), pem('authority')] }],
    ['by another name it has', SERVER_TLS, { ...CLIENT_TLS, servername: 'server.test' }],
  ])('%s: what protects the connection is told by the connection', async (_, serving, dialling) => {
    const server = await scene.serve(serving);
    const client = await scene.dial(server, dialling);
    expect(client.peer).toMatchObject({
      transport: 'tls',
      suite: 'hmac-sha256',
      tls: {
        protocol: 'TLSv1.3',
        cipher: expect.stringMatching(/^TLS_/) as string,
        authorized: true,
        fingerprint: certificateFingerprint(serving.cert ?? ''),
      },
    });
    expect((await client.request({ type: 'intent', payload: 1 })).payload).toMatchObject({ echo: 1 });
    const [endpoint] = server.endpoints;
    expect(endpoint?.peer.tls).toEqual({ protocol: 'TLSv1.3', cipher: client.peer.tls?.cipher, authorized: false });
    expect(Object.isFrozen(client.peer.tls)).toBe(true);
    const said = scene.records.filter(({ event }) => event === 'connected').map(({ text }) => text);
    expect(said).toEqual([`'${SERVICE_ID}' connected inside TLSv1.3 (${client.peer.tls?.cipher})`]);
  });
});

// The attacker connects, with the key of a service, and without the certificate the server demands.
describe('a client that must not be believed', () => {
  const MUTUAL: TlsOptions = { ...SERVER_TLS, ca: pem('authority') };
  const PINNED: TlsOptions = { ...SERVER_TLS, fingerprints: [fingerprintOf('client')] };

  it.each<[string, TlsOptions, TlsOptions, RegExp]>([
    ['without a certificate', MUTUAL, {}, /peer did not return a certificate|ended|closed/],
    ['of another authority', MUTUAL, own('strange-client'), /./],
    ['whose certificate has expired', MUTUAL, own('expired'), /./],
    ['with a certificate for servers', MUTUAL, own('server'), /./],
    [
      'without a certificate, where a key is pinned',
      PINNED,
      {},
      /shows no certificate, so no key of tls\.fingerprints/,
    ],
    ['with another key than the one that is pinned', PINNED, own('either'), /not one of tls\.fingerprints/],
    [
      'of the right authority with another key than the one that is pinned',
      { ...MUTUAL, fingerprints: [fingerprintOf('client')] },
      own('either'),
      /not one of tls\.fingerprints/,
    ],
    [
      'with the key that is pinned and of another authority, where both must hold',
      { ...MUTUAL, fingerprints: [fingerprintOf('strange-client')] },
      own('strange-client'),
      /./,
    ],
  ])('%s: no session, and the server says why in its log', async (_, serving, certificate, text) => {
    const server = await scene.serve(serving);
    const refusal = await scene.dial(server, { ...CLIENT_TLS, ...certificate }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(EipcError);
    await expect.poll(() => server.stats()).toMatchObject({ authenticated: 0, handshaking: 0, handshakeFailures: 1 });
    expect(scene.failures()).toEqual([
      { code: expect.stringMatching(/^EIPC_/) as string, text: expect.stringMatching(text) as string },
    ]);
  });

  it.each<[string, TlsOptions]>([
    ['by its authority', MUTUAL],
    ['by its key', PINNED],
    ['by both', { ...MUTUAL, ...PINNED }],
  ])('who is believed %s gets in, and is told apart by its key', async (_, serving) => {
    const server = await scene.serve(serving);
    await scene.dial(server, { ...CLIENT_TLS, ...own('client') });
    await expect.poll(() => server.endpoints.size).toBe(1);
    const [endpoint] = server.endpoints;
    expect(endpoint?.peer.tls).toMatchObject({ authorized: true, fingerprint: fingerprintOf('client') });
  });

  it('cannot come in by a session that somebody else began: none is resumed', async () => {
    const server = await scene.serve(MUTUAL);
    let ticket: Buffer | undefined;
    const first = await scene.stranger(server, own('client'));
    first.on('session', (session: Buffer) => (ticket = session)).resume();
    await expect.poll(() => ticket).toBeDefined();
    const session = ticket === undefined ? {} : { session: ticket };
    const again = await scene.stranger(server, { ...own('client'), ...session });
    expect(again.isSessionReused()).toBe(false);
    const without = scene.stranger(server, session).then(toItsEnd);
    await without.catch((error: unknown) => expect(String(error)).toMatch(/alert certificate required|ECONNRESET/));
    await expect.poll(() => server.stats().handshakeFailures).toBeGreaterThan(0);
    expect(server.stats().authenticated).toBe(0);
  });

  it('and only speaks TLS 1.2 is refused', async () => {
    const server = await scene.serve();
    await expect(scene.stranger(server, { maxVersion: 'TLSv1.2' })).rejects.toMatchObject({
      code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    });
    await expect
      .poll(() => scene.failures())
      .toEqual([{ code: 'EIPC_HANDSHAKE_FAILED', text: expect.stringMatching(/does not offer TLS 1\.3/) as string }]);
  });

  it('and speaks no TLS gets no answer of EIPC', async () => {
    const server = await scene.serve();
    const socket = await scene.plain(server);
    const client = IndependentClient.on(socket, { psk: PSK, serviceId: SERVICE_ID });
    const answer = toItsEnd(socket);
    client.sendFrame(client.clientHello);
    expect((await answer).includes('EIPC')).toBe(false);
    await expect
      .poll(() => scene.failures())
      .toEqual([
        { code: 'EIPC_TRANSPORT', text: expect.stringMatching(/is no TLS; use tls:\/\/ at both ends/) as string },
      ]);
  });
});

// The attacker is on the way, holds a certificate that each end believes, ends TLS towards both, and passes on what is inside, changed or not.
describe('somebody who ends TLS between the two', () => {
  it('is found out in EIPC/2: the client’s hello is bound to a connection that is not the server’s', async () => {
    const server = await scene.serve();
    const { port, read } = await scene.terminator(server);
    const refusal = await scene.dial(port).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(AuthError);
    // It came as far as the hello, which the server refused for this and nothing else.
    expect(Buffer.concat(read).toString('latin1')).toContain(SERVICE_ID);
    await expect
      .poll(() => scene.failures())
      .toEqual([{ code: 'EIPC_HANDSHAKE_FAILED', text: expect.stringMatching(/channel binding differs/) as string }]);
    expect(server.stats()).toMatchObject({ authenticated: 0 });
    // The same client gets in where nobody is between.
    expect((await scene.dial(server)).state).toBe('open');
  });

  it('also where client certificates are demanded, and it has one', async () => {
    const server = await scene.serve({ ...SERVER_TLS, ca: pem('authority') });
    const { port } = await scene.terminator(server);
    await expect(scene.dial(port, { ...CLIENT_TLS, ...own('client') })).rejects.toBeInstanceOf(AuthError);
    await expect.poll(() => scene.failures()[0]?.text).toMatch(/channel binding differs/);
  });

  it('is not found out in v1, which knows nothing of the TLS around it (docs/tls.md says so)', async () => {
    const server = await scene.serve();
    const { port, read } = await scene.terminator(server);
    const client = await scene.dial(port, CLIENT_TLS, { protocol: 1, serviceId: 'eni.v1', key: V1_PSK });
    expect((await client.request({ type: 'intent', payload: 'in clear' })).payload).toMatchObject({ echo: 'in clear' });
    expect(Buffer.concat(read).toString('latin1')).toContain('in clear');
  });
});

// The attacker is on the way and has no certificate: it can only break what passes.
describe('somebody who breaks TLS', () => {
  it.each([
    ['with a record that nobody made', Buffer.from('1703030020'.padEnd(74, 'a'), 'hex')],
    ['with what is no record', Buffer.from('EIPC'.repeat(8))],
    ['with an alert in clear text', Buffer.from('15030300020228', 'hex')],
  ])('in the moment the handshake is over, %s: an error of the client’s, and nothing else', async (_, bytes) => {
    const server = await scene.serve();
    const refusal = await scene.dial(await scene.appender(server, bytes)).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(EipcError);
    expect((refusal as EipcError).code).toMatch(/^EIPC_(?:TRANSPORT|HANDSHAKE_FAILED)$/);
    expect(String((refusal as EipcError).cause)).toMatch(/SSL/);
    await expect.poll(() => server.stats()).toMatchObject({ authenticated: 0, handshaking: 0 });
  });
});

// As above, in the middle of a session.
describe('somebody who breaks TLS later', () => {
  it.each(['c2s', 's2c'] as const)(
    '%s: both ends learn at once that the session was cut, and nothing is delivered',
    async (direction) => {
      const server = await scene.serve();
      const { port, inject } = await scene.relay(server);
      const client = await scene.dial(port);
      await client.ping();
      const [endpoint] = server.endpoints;
      inject(direction, Buffer.from('1703030020'.padEnd(74, 'a'), 'hex'));
      const ends = await within(Promise.all([client.closed, endpoint?.closed]), 'the ends of a session');
      expect(ends.map((end) => end?.code)).toEqual(['EIPC_TRUNCATED', 'EIPC_TRUNCATED']);
      expect(ends.map((end) => String(end?.error?.cause))).toEqual([
        expect.stringMatching(/SSL/),
        expect.stringMatching(/SSL/),
      ]);
    },
  );
});

// The attacker holds a good key and lies about the connection it is on; the server is the real one. The client shares no code with the package.
describe('the binding of a hello', () => {
  /** What docs/wire.md says, by Node's own means. */
  const bindingOf = (exporter: Buffer) => createHash('sha256').update('EIPC/2 cb tls\0').update(exporter).digest();
  const exported = (socket: TLSSocket, label = 'EXPORTER-Channel-Binding') =>
    socket.exportKeyingMaterial(32, label, Buffer.alloc(0));

  it('that is the exporter of this connection is accepted', async () => {
    const socket = await scene.stranger(await scene.serve());
    const hello = { channelBinding: bindingOf(exported(socket)) };
    const client = IndependentClient.on(socket, { psk: PSK, serviceId: SERVICE_ID, hello });
    expect(await client.handshake()).toMatchObject({ server_id: 'eipc' });
  });

  it.each<[string, (socket: TLSSocket, other: TLSSocket) => Buffer]>([
    ['zeros, as without TLS', () => Buffer.alloc(32)],
    ['the exporter of another connection', (_, other) => bindingOf(exported(other))],
    ['the exporter itself', (socket) => exported(socket)],
    ['another exporter of the same connection', (socket) => bindingOf(exported(socket, 'EXPORTER-Something-Else'))],
    [
      'one bit off',
      (socket) => Buffer.from(bindingOf(exported(socket)).map((byte, at) => (at === 31 ? byte ^ 1 : byte))),
    ],
  ])('that is not is refused: %s', async (_, lie) => {
    const server = await scene.serve();
    const [socket, other] = [await scene.stranger(server), await scene.stranger(server)];
    const client = IndependentClient.on(socket, {
      psk: PSK,
      serviceId: SERVICE_ID,
      hello: { channelBinding: lie(socket, other) },
    });
    const answer = toItsEnd(socket);
    client.sendFrame(client.clientHello);
    expect(await answer).toEqual(withPrefix(plainAlert(1)));
    expect(scene.failures()).toEqual([
      { code: 'EIPC_HANDSHAKE_FAILED', text: expect.stringMatching(/channel binding differs/) as string },
    ]);
    expect(server.stats().authenticated).toBe(0);
  });

  it('of a connection inside TLS is no use outside of it', async () => {
    const server = await listen(['tcp://127.0.0.1:0', 'tls://127.0.0.1:0'], {
      services: { [SERVICE_ID]: { key: PSK, capabilities: [] } },
      tls: SERVER_TLS,
      logger: (record) => scene.records.push(record),
    });
    scene.closeLater(() => server.close());
    const inside = await scene.stranger(Number(/\d+$/.exec(server.addresses[1] ?? '')?.[0]));
    const socket = await scene.plain(server);
    const hello = { channelBinding: bindingOf(exported(inside)) };
    const client = IndependentClient.on(socket, { psk: PSK, serviceId: SERVICE_ID, hello });
    client.sendFrame(client.clientHello);
    await toItsEnd(socket);
    expect(scene.failures()[0]?.text).toMatch(/channel binding differs/);
  });
});
