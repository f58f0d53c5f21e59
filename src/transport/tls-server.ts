/**
 * The server's end of TLS: takes accepted sockets over one by one. A stream stands for a connection from the moment it is accepted; bytes come out
 * of it once its handshake is over and the other end has passed.
 */
import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Server } from 'node:tls';

import { makeError, nativeError } from '../errors.js';
import type { TlsSettings } from '../tls-options.js';
import type { ByteReader, ByteStream } from './byte-stream.js';
import { SocketStream } from './byte-stream.js';
import type { TlsChannel } from './tls-channel.js';
import { channelOf } from './tls-channel.js';
import { noTls, tlsError } from './tls-errors.js';

const HANDSHAKE = 22;
const MAJOR_VERSION = 3;
const RECORD_HEAD = 5;
/** Of a stranger no more is kept than before the handshake of EIPC. With keys for quantum computers a ClientHello has some 1 800 bytes. */
const MAX_FIRST_RECORD = 4_096;

/** Certificates and rules of one listening address. It listens to nothing itself. */
export class TlsServer {
  readonly #settings: TlsSettings;
  readonly #server: Server;
  /** Streams in their handshake, by the two ends of their connection: Node hands out another socket than the one it was given. */
  readonly #handshaking = new Map<string, AcceptedTlsStream>();

  /** @param timeout - milliseconds for a handshake */
  constructor(settings: TlsSettings, timeout: number) {
    this.#settings = settings;
    this.#server = new Server({
      ...settings.context,
      requestCert: settings.demandsCertificate,
      rejectUnauthorized: settings.hasAuthority,
      // Without tickets and without a store there is nothing to resume.
      secureOptions: constants.SSL_OP_NO_TICKET,
      handshakeTimeout: timeout,
      pauseOnConnect: true,
    });
    this.#server.on('secureConnection', (socket) => this.#secured(socket));
    this.#server.on('tlsClientError', (error, socket) => this.#handshaking.get(endsOf(socket))?.fail(error));
  }

  /** Makes the stream of an accepted, paused socket. Its handshake begins when it is started. */
  carry(socket: Socket, from: string): AcceptedTlsStream {
    const ends = endsOf(socket);
    const stream: AcceptedTlsStream = new AcceptedTlsStream(socket, from, {
      begin: () => {
        this.#handshaking.set(ends, stream);
        // This is how a socket is handed to a server of Node that does not listen.
        this.#server.emit('connection', socket);
      },
      over: () => {
        if (this.#handshaking.get(ends) === stream) this.#handshaking.delete(ends);
      },
    });
    return stream;
  }

  #secured(socket: TLSSocket): void {
    const stream = this.#handshaking.get(endsOf(socket));
    if (stream === undefined) {
      // It was cut in the meantime.
      socket.destroy();
      return;
    }
    let channel;
    try {
      channel = channelOf(socket, this.#settings, stream.from);
    } catch (error) {
      socket.destroy();
      stream.fail(error);
      return;
    }
    stream.secure(socket, channel);
  }
}

/** How a stream asks for its handshake. */
interface Handshake {
  begin(): void;
  over(): void;
}

/** A connection that was accepted. Until its handshake is over it is neither read nor written. */
export class AcceptedTlsStream implements ByteStream {
  /** Who it is, for errors. */
  readonly from: string;
  readonly #socket: Socket;
  readonly #handshake: Handshake;
  /** There once the handshake is over. */
  #stream: SocketStream | undefined;
  #reader: ByteReader | undefined;
  #error: unknown;
  #settle: ((error?: Error) => void) | undefined;

  constructor(socket: Socket, from: string, handshake: Handshake) {
    this.#socket = socket;
    this.from = from;
    this.#handshake = handshake;
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    socket.on('close', () => this.#closed());
  }

  get channel(): TlsChannel | undefined {
    return this.#stream?.channel;
  }

  get isWritable(): boolean {
    return this.#stream?.isWritable ?? false;
  }

  get needsDrain(): boolean {
    return this.#stream?.needsDrain ?? false;
  }

  /** Does the handshake of a connection that nobody reads yet. Resolves when it is over, and rejects when it failed. Instead of `start`. */
  secured(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = (error) => {
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#begin();
    });
  }

  /** The handshake is over, and the other end may be there. */
  secure(socket: TLSSocket, channel: TlsChannel): void {
    this.#handshake.over();
    socket.allowHalfOpen = true;
    const stream = SocketStream.ofPaused(socket, channel);
    this.#stream = stream;
    this.#settle?.();
    if (this.#reader === undefined) return;
    this.#reader.secured?.();
    stream.start(this.#reader);
  }

  /** The handshake failed. */
  fail(error: unknown): void {
    this.#error ??= error;
    this.#socket.destroy();
  }

  start(reader: ByteReader): void {
    this.#reader = reader;
    if (this.#stream === undefined) this.#begin();
    else this.#stream.start(reader);
  }

  write(bytes: Uint8Array, onWritten: () => void): void {
    // Nobody writes where `isWritable` says no; if somebody does, nothing is sent in clear text.
    if (this.#stream === undefined) throw makeError('EIPC_INTERNAL', `${this.from}: a write before TLS protects it`);
    this.#stream.write(bytes, onWritten);
  }

  cork(): void {
    this.#stream?.cork();
  }

  uncork(): void {
    this.#stream?.uncork();
  }

  resume(): void {
    this.#stream?.resume();
  }

  endWriting(): void {
    if (this.#stream === undefined) this.#socket.destroy();
    else this.#stream.endWriting();
  }

  end(): void {
    if (this.#stream === undefined) this.#socket.destroy();
    else this.#stream.end();
  }

  destroy(): void {
    (this.#stream ?? this.#socket).destroy();
  }

  ref(): void {
    (this.#stream ?? this.#socket).ref();
  }

  unref(): void {
    (this.#stream ?? this.#socket).unref();
  }

  /** Waits for the first record. Until that is whole, a connection costs no more than one of TCP: OpenSSL's state is ten times as much. */
  #begin(): void {
    const socket = this.#socket;
    if (socket.destroyed) {
      queueMicrotask(() => this.#closed());
      return;
    }
    // Who ends its half inside the handshake is gone; until it is over nobody else would notice.
    socket.allowHalfOpen = false;
    let head = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const state = firstRecord(head);
      if (state === 'begun') return;
      socket.off('data', onData).pause();
      if (state === 'none') {
        this.fail(noTls(this.from));
        return;
      }
      // Node takes what was read before out of the socket it is given.
      socket.unshift(head);
      this.#handshake.begin();
    };
    socket.on('data', onData).resume();
  }

  #closed(): void {
    // From the end of the handshake on, the stream inside tells of its end itself.
    if (this.#stream !== undefined) return;
    this.#handshake.over();
    const cause = this.#error;
    const failed = `${this.from}: the handshake of TLS failed`;
    const error = cause === undefined ? undefined : (tlsError(cause, this.from) ?? nativeError(cause, failed));
    this.#settle?.(error ?? nativeError(new Error('the other end hung up'), failed));
    this.#reader?.ended(error);
  }
}

/** Tells whether bytes are, or begin, a record of TLS that a handshake can begin with (RFC 8446, 5.1). */
function firstRecord(head: Buffer): 'whole' | 'begun' | 'none' {
  if (head[0] !== HANDSHAKE || (head.length > 1 && head[1] !== MAJOR_VERSION)) return 'none';
  if (head.length < RECORD_HEAD) return 'begun';
  const length = head.readUInt16BE(3);
  if (length === 0 || length > MAX_FIRST_RECORD) return 'none';
  return head.length < RECORD_HEAD + length ? 'begun' : 'whole';
}

/** Names a connection by its ends. Empty of one that is gone. */
function endsOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return remotePort === undefined ? '' : `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}
