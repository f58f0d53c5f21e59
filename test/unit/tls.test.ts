// What is particular to tls: names, what is written when, how streams end. Who is believed is in test/security/tls.test.ts.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectSocket, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { describe, expect, it } from 'vitest';

import { connect, listen } from '../../src/index.js';
import { tlsClientSettings, tlsServerSettings } from '../../src/tls-options.js';
import { parseAddress, requireSupported } from '../../src/transport/address.js';
import type { ByteStream } from '../../src/transport/byte-stream.js';
import { openAcceptor, openConnection, streamOf } from '../../src/transport/open.js';
import { own, pem } from '../helpers/certificates.js';
import { within } from '../helpers/independent-client.js';
import { CLIENT_TLS, portOf, PSK, SERVER_TLS, SERVICE_ID, TlsScene, toItsEnd } from '../helpers/tls-scene.js';

const scene = new TlsScene();

describe('addresses of tls', () => {
  it('are bound and printed as those of tcp', async () => {
    const server = await listen(['tls://localhost:0', 'tls://:0'], { services: {}, tls: SERVER_TLS });
    scene.closeLater(() => server.close());
    for (const address of server.addresses) expect(address).toMatch(/^tls:\/\/127\.0\.0\.1:[1-9]\d*$/);
    const taken = listen(server.addresses, { services: {}, tls: SERVER_TLS });
    await expect(taken).rejects.toMatchObject({ code: 'EIPC_ADDRESS_IN_USE' });
    const options = { serviceId: SERVICE_ID, key: PSK, tls: CLIENT_TLS };
    await expect(connect('tls://127.0.0.1:0', options)).rejects.toThrow(/port 0 is for listening/);
    await server.close();
    await expect(connect(server.addresses[0] ?? '', options)).rejects.toThrow(/start the server first/);
  });

  it.each([
    ['localhost', {}, 'localhost'],
    ['127.0.0.1', {}, false],
    ['127.0.0.1', { servername: 'server.test' }, 'server.test'],
  ])('with the host %s and %o ask for the name %s', async (host, names, asked) => {
    const server = createTlsServer({ ...own('server'), minVersion: 'TLSv1.3' }).listen(0, '127.0.0.1');
    scene.closeLater(() => server.close());
    await once(server, 'listening');
    const arrived = once(server, 'secureConnection') as Promise<[{ servername: unknown }]>;
    const { port } = server.address() as AddressInfo;
    const address = requireSupported(parseAddress(`tls://${host}:${port}`));
    const connection = await openConnection(address, 5_000, undefined, tlsClientSettings({ ...CLIENT_TLS, ...names }));
    expect((await arrived)[0].servername).toBe(asked);
    connection.close();
  });

  it.skipIf(process.platform !== 'linux')(
    'have the kernel ask whether the other machine is there, at both ends',
    async () => {
      const server = await scene.serve();
      await scene.dial(server);
      const hex = `:${portOf(server).toString(16).toUpperCase().padStart(4, '0')}`;
      // Columns of /proc/net/tcp: local and remote address, state (01: established), queues, timer (02: keep-alive).
      const ends = (): string[] =>
        readFileSync('/proc/net/tcp', 'utf8')
          .split('\n')
          .map((line) => line.trim().split(/\s+/))
          .filter(([, local, remote, state]) => (local?.endsWith(hex) || remote?.endsWith(hex)) && state === '01')
          .map((columns) => columns[5]?.slice(0, 2) ?? '');
      await expect.poll(ends).toEqual(['02', '02']);
    },
  );
});

describe('what goes over tls', () => {
  it('is one record for everything that was sent in one turn', async () => {
    const server = await scene.serve();
    let seen = 0;
    server.router?.handle('features', () => void (seen += 1));
    const records = { c2s: 0 };
    const relay = createServer((client) => {
      const onward = connectSocket(portOf(server), '127.0.0.1').on('error', () => client.destroy());
      countRecords(client, () => (records.c2s += 1));
      client
        .on('error', () => onward.destroy())
        .pipe(onward)
        .pipe(client);
    }).listen(0, '127.0.0.1');
    scene.closeLater(() => relay.close());
    await once(relay, 'listening');
    const client = await scene.dial((relay.address() as AddressInfo).port);
    await client.ping();
    const before = records.c2s;
    for (let n = 0; n < 50; n += 1) void client.send({ type: 'features', priority: (n % 4) as 0, payload: { n } });
    await client.flush();
    await expect.poll(() => seen).toBe(50);
    expect(records.c2s - before).toBe(1);
  });

  /** Counts records of application data on their way: `23, 3, 3, length` in clear text (RFC 8446, 5.1). */
  function countRecords(from: Socket, found: () => void): void {
    let rest = Buffer.alloc(0);
    from.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt16BE(3)) {
        if (rest[0] === 23) found();
        rest = rest.subarray(5 + rest.readUInt16BE(3));
      }
    });
  }
});

// The two ends as byte streams, without a session.
describe('a stream of tls', () => {
  /** A client of `node:tls`, and the server's stream, which is started. */
  async function accepted(reader: { read?: (chunk: Uint8Array) => boolean; ended?: (error: unknown) => void } = {}) {
    const streams: ByteStream[] = [];
    const acceptor = await openAcceptor(
      requireSupported(parseAddress('tls://127.0.0.1:0')),
      (connection) => {
        const stream = streamOf(connection);
        streams.push(stream);
        stream.start({ read: reader.read ?? (() => true), drained: () => {}, ended: reader.ended ?? (() => {}) });
      },
      (error) => {
        throw error;
      },
      { tls: tlsServerSettings(SERVER_TLS), tlsTimeout: 5_000 },
    );
    scene.closeLater(() => acceptor.close());
    const port = Number(/\d+$/.exec(acceptor.address)?.[0]);
    const client = connectTls({ port, host: '127.0.0.1', ca: pem('authority') });
    scene.closeLater(() => client.destroy());
    await within(once(client, 'secureConnect'), 'the handshake');
    await expect.poll(() => streams[0]?.isWritable).toBe(true);
    const [stream] = streams;
    if (stream === undefined) throw new Error('nobody came');
    scene.closeLater(() => stream.destroy());
    return { client, stream };
  }

  it('whose peer ended its half can still be written, and ends when it is told to', async () => {
    const ends: unknown[] = [];
    const { client, stream } = await accepted({ ended: (error) => ends.push(error) });
    client.end('last words');
    await expect.poll(() => ends).toEqual([undefined]);
    stream.write(Buffer.from('an answer'), () => {});
    stream.end();
    expect((await toItsEnd(client)).toString()).toBe('an answer');
  });

  it('that has enough gets no more until it asks, and loses nothing', async () => {
    const chunks: Buffer[] = [];
    let isFull = true;
    const { client, stream } = await accepted({
      read: (chunk) => {
        chunks.push(Buffer.from(chunk));
        return !isFull;
      },
    });
    // Several records in one read of the kernel: each has to wait for its turn.
    const sent = Buffer.alloc(300_000, 'eipc');
    client.write(sent);
    for (let turn = 0; turn < 3; turn += 1) {
      await expect.poll(() => chunks.length).toBe(turn + 1);
      for (let n = 0; n < 5; n += 1) await new Promise(setImmediate);
      expect(chunks.length).toBe(turn + 1);
      stream.resume();
    }
    isFull = false;
    stream.resume();
    await expect.poll(() => Buffer.concat(chunks).length).toBe(sent.length);
    expect(Buffer.concat(chunks).equals(sent)).toBe(true);
  });

  it('is not written before TLS protects it', async () => {
    let stream: ByteStream | undefined;
    const acceptor = await openAcceptor(
      requireSupported(parseAddress('tls://127.0.0.1:0')),
      (connection) => (stream = streamOf(connection)),
      () => {},
      { tls: tlsServerSettings(SERVER_TLS), tlsTimeout: 5_000 },
    );
    scene.closeLater(() => acceptor.close());
    const socket = connectSocket(Number(/\d+$/.exec(acceptor.address)?.[0]), '127.0.0.1');
    await expect.poll(() => stream).toBeDefined();
    stream?.start({ read: () => true, drained: () => {}, ended: () => {} });
    expect(stream).toMatchObject({ isWritable: false, needsDrain: false, channel: undefined });
    expect(() => stream?.write(Buffer.from('secret'), () => {})).toThrow(/before TLS protects it/);
    stream?.endWriting();
    expect((await toItsEnd(socket)).length).toBe(0);
  });
});
