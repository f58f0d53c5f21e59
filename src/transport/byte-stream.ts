/**
 * What a stream link needs of the thing that carries its bytes, and `SocketStream`, which is that over a `net.Socket`. The other one is in
 * `memory.ts`.
 *
 * Bytes only: no frames, no keys, no queue of its own beyond what the socket has.
 */
import type { ConnectOpts, OnReadOpts, NetConnectOpts, SocketConstructorOpts } from 'node:net';
import { connect, Socket } from 'node:net';

import type { TlsChannel } from './tls-channel.js';

const READ_BUFFER = 65_536;
/** The end of what the peer sends is not the end of what it reads: who uses the stream ends the other half. */
export const HALF_OPEN = { allowHalfOpen: true } as const;

/** One end of a connected, ordered, reliable stream of bytes. Nothing is read before `start`. */
export interface ByteStream {
  /** What TLS has found out and agreed on, once its handshake is over; absent on a stream without TLS. */
  readonly channel?: TlsChannel | undefined;
  /** Whether bytes can still be written. */
  readonly isWritable: boolean;
  /** Whether enough waits to be written; then `ByteReader.drained` will be called. Writing more is possible and not wanted. */
  readonly needsDrain: boolean;
  /** Begins to read. The reader is never called from inside this or another call to the stream. */
  start(reader: ByteReader): void;
  /** Writes bytes and keeps hold of them until `onWritten`. Those calls come in the order of the writes, also when one fails. */
  write(bytes: Uint8Array, onWritten: () => void): void;
  /** Holds back what is written until `uncork`, so that it can go out as one. */
  cork(): void;
  uncork(): void;
  /** Reads on, after `ByteReader.read` answered false. */
  resume(): void;
  /** Ends this half of the stream once everything was written; the other half is still read. */
  endWriting(): void;
  /** Ends the stream once everything was written. Idempotent. */
  end(): void;
  /** Ends the stream at once; what was not written is lost. Idempotent. */
  destroy(): void;
  ref(): void;
  unref(): void;
}

/** How a stream speaks to its link. */
export interface ByteReader {
  /** The handshake of TLS is over, at an end where it was not before `start`; comes before any byte. */
  secured?(): void;
  /** Takes bytes, which are good during this call only; answering false stops the stream until `resume`. */
  read(chunk: Uint8Array): boolean;
  /** What waited to be written is gone. */
  drained(): void;
  /** The stream ended, or broke; may be called again. Bytes that were on their way came before. */
  ended(error: unknown): void;
}

/** Where the bytes of a socket go; nowhere until the stream is started. */
interface Outlet {
  reader: ByteReader | undefined;
}

/** A byte stream over a socket of Node. */
export class SocketStream implements ByteStream {
  readonly channel: TlsChannel | undefined;
  readonly #socket: Socket;
  readonly #outlet: Outlet;
  #error: unknown;

  private constructor(socket: Socket, outlet: Outlet, channel?: TlsChannel) {
    this.channel = channel;
    this.#socket = socket;
    this.#outlet = outlet;
    socket.on('error', (error) => {
      this.#error ??= error;
      // A socket of TLS lives on after its own errors, deaf and dumb; any other is destroyed already.
      socket.destroy();
    });
    socket.on('drain', () => outlet.reader?.drained());
    socket.on('end', () => outlet.reader?.ended(this.#error));
    socket.on('close', () => outlet.reader?.ended(this.#error));
  }

  /** Wraps a connected socket's descriptor, which the stream then owns. */
  static ofDescriptor(fd: number): SocketStream {
    const outlet: Outlet = { reader: undefined };
    const options: SocketConstructorOpts & ConnectOpts = {
      fd,
      readable: true,
      writable: true,
      ...HALF_OPEN,
      onread: intoOneBuffer(outlet),
    };
    return new SocketStream(new Socket(options), outlet);
  }

  /**
   * Wraps a paused socket that `net.Server` accepted, or one of TLS. Node gives those no buffer to read into: each chunk has its own memory.
   *
   * @param channel - of a socket of TLS
   */
  static ofPaused(socket: Socket, channel?: TlsChannel): SocketStream {
    const outlet: Outlet = { reader: undefined };
    socket.on('data', (chunk: Buffer) => {
      if (outlet.reader?.read(chunk) !== true) socket.pause();
    });
    return new SocketStream(socket, outlet, channel);
  }

  /** Begins to connect. The caller waits for the socket's `connect` or `error` before it uses the stream. */
  static connecting(options: NetConnectOpts): { readonly stream: SocketStream; readonly socket: Socket } {
    const outlet: Outlet = { reader: undefined };
    // Paused: nothing is read before the link is there.
    const socket = connect({ ...options, ...HALF_OPEN, onread: intoOneBuffer(outlet) }).pause();
    return { stream: new SocketStream(socket, outlet), socket };
  }

  get isWritable(): boolean {
    return this.#socket.writable;
  }

  get needsDrain(): boolean {
    return this.#socket.writableNeedDrain;
  }

  start(reader: ByteReader): void {
    this.#outlet.reader = reader;
    this.#socket.resume();
    if (this.#socket.destroyed) queueMicrotask(() => reader.ended(this.#error));
  }

  write(bytes: Uint8Array, onWritten: () => void): void {
    this.#socket.write(bytes, onWritten);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  resume(): void {
    this.#socket.resume();
  }

  endWriting(): void {
    this.#socket.end();
  }

  end(): void {
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }
}

/** What every socket of this thread is read into, one at a time: it is used, or copied, before the next read. */
const readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER);

/** Reads without the stream's own buffers. */
function intoOneBuffer(outlet: Outlet): OnReadOpts {
  return {
    buffer: readBuffer,
    callback: (length) => outlet.reader?.read(readBuffer.subarray(0, length)) ?? false,
  };
}
