/**
 * Both ends of a `tls://` connection as a test wants them: the real server, the real client, and such of `node:tls` alone that stand in for one of them or
 * between the two.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp, createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import { connect as connectTls, createServer } from 'node:tls';
import type { ConnectionOptions, TLSSocket, TlsOptions as NodeTlsOptions } from 'node:tls';
import { afterEach } from 'vitest';

import { connect, listen } from '../../src/index.js';
import type { ClientEndpoint, ConnectOptions, ListenOptions, LogRecord, Server, TlsOptions } from '../../src/index.js';
import { own, pem } from './certificates.js';
import { within } from './independent-client.js';

export const SERVICE_ID = 'eni.min';
/** A key of printable characters only would be refused. */
export const PSK = Buffer.concat([randomBytes(31), Buffer.of(0)]);
export const V1_PSK = Buffer.concat([randomBytes(31), Buffer.of(1)]);

/** What a server of these tests shows, and what a client demands of it. */
export const SERVER_TLS: TlsOptions = own('server');
export const CLIENT_TLS: TlsOptions = { ca: pem('authority') };

const HOST = '127.0.0.1';

/** What the tests of one file share: servers and clients of all these kinds, which are closed after each test, and what was logged in it. */
export class TlsScene {
  readonly records: LogRecord[] = [];
  readonly #closing: (() => unknown)[] = [];

  constructor() {
    afterEach(async () => {
      await Promise.all(this.#closing.splice(0).map((close) => close()));
      this.records.length = 0;
    });
  }

  /** A server with one service in both protocols, which echoes intents. */
  async serve(tls: TlsOptions = SERVER_TLS, options: Partial<ListenOptions> = {}): Promise<Server> {
    const server = await listen(`tls://${HOST}:0`, {
      services: {
        [SERVICE_ID]: { key: PSK, capabilities: [] },
        'eni.v1': { key: V1_PSK, capabilities: [], protocols: [1] },
      },
      tls,
      logger: (record) => this.records.push(record),
      ...options,
    });
    server.router?.handle('intent', ({ payload }) => ({ echo: payload }));
    this.closeLater(() => server.close({ timeout: 500 }));
    return server;
  }

  /** The client of the package. */
  async dial(
    to: Server | number,
    tls: TlsOptions = CLIENT_TLS,
    options: Partial<ConnectOptions> = {},
  ): Promise<ClientEndpoint> {
    const address = `tls://${HOST}:${typeof to === 'number' ? to : portOf(to)}`;
    const client = await connect(address, {
      serviceId: SERVICE_ID,
      key: PSK,
      handshakeTimeout: 5_000,
      tls,
      ...options,
    });
    this.closeLater(() => client.close({ timeout: 500 }));
    return client;
  }

  /** A server of `node:tls` alone. */
  async impostor(options: NodeTlsOptions, onConnection: (socket: TLSSocket) => void = () => {}): Promise<number> {
    const server = createServer({ ...options }, (socket) => onConnection(socket.on('error', () => {})));
    return this.#listening(server.on('tlsClientError', () => {}));
  }

  /** A client of `node:tls` alone, once its own handshake is over: the server may still end it. */
  async stranger(to: Server | number, options: ConnectionOptions = {}): Promise<TLSSocket> {
    const port = typeof to === 'number' ? to : portOf(to);
    const socket = connectTls({ port, host: HOST, ca: pem('authority'), ...options });
    this.closeLater(() => socket.destroy());
    await within(once(socket, 'secureConnect'), 'the handshake of TLS');
    return socket.on('error', () => {});
  }

  /** A client of `node:net` alone. */
  async plain(to: Server): Promise<Socket> {
    const socket = connectTcp({ port: portOf(to), host: HOST }).on('error', () => {});
    this.closeLater(() => socket.destroy());
    await within(once(socket, 'connect'), 'the connection');
    return socket;
  }

  /**
   * Somebody between the two who ends TLS towards each, with a certificate that each believes, and passes on what is inside. Returns its port, and what
   * it has read.
   */
  async terminator(server: Server): Promise<{ readonly port: number; readonly read: Buffer[] }> {
    const read: Buffer[] = [];
    const certificate = own('either');
    const port = await this.impostor({ ...certificate, minVersion: 'TLSv1.3' }, (client) => {
      const onward = connectTls({ port: portOf(server), host: HOST, ca: pem('authority'), ...certificate });
      this.closeLater(() => onward.destroy());
      onward.on('error', () => client.destroy());
      client.on('data', (chunk: Buffer) => read.push(chunk));
      client.pipe(onward).pipe(client);
    });
    return { port, read };
  }

  /** Somebody on the way, without a certificate, who passes everything on and puts bytes of its own between. */
  async relay(
    server: Server,
  ): Promise<{ readonly port: number; readonly inject: (direction: 'c2s' | 's2c', bytes: Buffer) => void }> {
    const sockets: { c2s?: Socket; s2c?: Socket } = {};
    const relay = createTcpServer((client) => {
      const onward = join(client, portOf(server));
      onward.pipe(client);
      Object.assign(sockets, { c2s: onward, s2c: client });
    });
    return { port: await this.#listening(relay), inject: (direction, bytes) => void sockets[direction]?.write(bytes) };
  }

  /**
   * Somebody on the way, without a certificate, who puts bytes behind the server's first flight, so that the client reads them in the same breath. Returns its
   * port.
   */
  async appender(server: Server, bytes: Buffer): Promise<number> {
    const relay = createTcpServer((client) => {
      const onward = join(client, portOf(server));
      let flight = Buffer.alloc(0);
      onward.on('data', (chunk: Buffer) => {
        flight = Buffer.concat([flight, chunk]);
        // EncryptedExtensions, Certificate, CertificateVerify, Finished: each in a record of its own.
        if (protectedRecords(flight) < 4) return;
        client.write(Buffer.concat([flight, bytes]));
        flight = Buffer.alloc(0);
      });
    });
    return this.#listening(relay);
  }

  /** The codes and texts with which the server logged failed handshakes, oldest first. */
  failures(): { readonly code: string; readonly text: string }[] {
    return this.records
      .filter(({ event }) => event === 'handshake-failed')
      .map(({ error }) => ({ code: error?.code ?? 'none', text: error?.message ?? '' }));
  }

  closeLater(close: () => unknown): void {
    this.#closing.push(close);
  }

  async #listening(server: NetServer): Promise<number> {
    server.listen(0, HOST);
    await once(server, 'listening');
    this.closeLater(() => server.close());
    return (server.address() as AddressInfo).port;
  }
}

export function portOf({ addresses: [address = ''] }: Server): number {
  return Number(/\d+$/.exec(address)?.[0]);
}

/** Waits until a socket is over, and returns what came of it before. */
export async function toItsEnd(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!socket.destroyed) await within(once(socket, 'close'), 'the end of a connection');
  return Buffer.concat(chunks);
}

/** How many whole records of protected data a text of TLS has (RFC 8446, 5.1). */
function protectedRecords(text: Buffer): number {
  let count = 0;
  for (let at = 0; at + 5 <= text.length;) {
    const end = at + 5 + text.readUInt16BE(at + 3);
    if (end <= text.length && text[at] === 23) count += 1;
    at = end;
  }
  return count;
}

/** Connects onward for a client; what it sends is passed on, and both end together. */
function join(client: Socket, port: number): Socket {
  const onward = connectTcp({ port, host: HOST });
  for (const [one, other] of [
    [client, onward],
    [onward, client],
  ] as const)
    one.on('error', () => other.destroy()).on('close', () => other.destroy());
  client.pipe(onward);
  return onward;
}
