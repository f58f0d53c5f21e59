/**
 * A `Connection` over a byte stream: a length in front of each frame going out, the strict deframer for those coming in. An endpoint that is
 * made of one takes the stream itself, so that frames are not cut twice.
 */
import { makeError, nativeError } from '../errors.js';
import { LEAST_FRAME, MAX_FRAME_SIZE, PREFIX } from '../limits.js';
import { NativeDeframer } from '../native.js';
import type { ByteReader, ByteStream } from './byte-stream.js';
import type { Connection } from './connection.js';
import { streamOf } from './open.js';
import type { RawConnection } from './raw-connection.js';
import type { PeerTransport } from './transport.js';

/** Somebody who waits for a frame. */
interface Waiting {
  resolve(frame: Uint8Array | undefined): void;
  reject(error: Error): void;
}

/** A connection of one of our transports. Made by `Transport.dial` and `Transport.accept`. */
export class StreamConnection implements Connection {
  readonly remoteAddress: string;
  readonly #raw: RawConnection;
  readonly #transport: PeerTransport;
  readonly #deframer = new NativeDeframer();
  #stream: ByteStream | undefined;
  #isTaken = false;
  #isReading = false;
  #chunk: Uint8Array | undefined;
  #chunkAt = 0;
  #waiting: Waiting | undefined;
  /** Set once no more frames will come; with an error where that is not the ordinary end. */
  #end: { readonly error: Error | undefined } | undefined;

  /** @internal */
  constructor(raw: RawConnection, transport: PeerTransport) {
    this.#raw = raw;
    this.#transport = transport;
    this.remoteAddress = raw.remoteAddress;
  }

  /**
   * Takes the stream out of a connection that nobody has read from; what is sent and received from then on is the taker's.
   *
   * @returns nothing where somebody has
   * @internal
   */
  static take(connection: StreamConnection): { raw: RawConnection; transport: PeerTransport } | undefined {
    connection.#requireOwn();
    if (connection.#isReading) return undefined;
    connection.#isTaken = true;
    const stream = connection.#stream;
    const raw = stream === undefined ? connection.#raw : { ...connection.#raw, carrier: stream };
    return { raw, transport: connection.#transport };
  }

  send(frame: Uint8Array): Promise<void> {
    this.#requireOwn();
    if (!(frame instanceof Uint8Array)) throw new TypeError('a frame is a Uint8Array');
    if (frame.length < LEAST_FRAME || frame.length > MAX_FRAME_SIZE)
      throw new RangeError(
        `a frame of ${frame.length} bytes cannot be sent; it has ${LEAST_FRAME} to ${MAX_FRAME_SIZE}`,
      );
    const stream = this.#open();
    if (!stream.isWritable) return Promise.reject(this.#endError());
    const bytes = Buffer.allocUnsafe(PREFIX + frame.length);
    bytes.writeUInt32BE(frame.length, 0);
    bytes.set(frame, PREFIX);
    return new Promise((resolve, reject) => {
      stream.write(bytes, () => {
        if (this.#end?.error === undefined) resolve();
        else reject(this.#end.error);
      });
    });
  }

  receive(): Promise<Uint8Array | undefined> {
    this.#requireOwn();
    if (this.#waiting !== undefined) throw new TypeError('another receive() of this connection is waiting');
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      if (!this.#deliver()) return;
      if (this.#end !== undefined) this.#settle(undefined);
      else if (this.#waiting !== undefined) this.#readOn();
    });
  }

  close(): void {
    if (this.#isTaken) throw takenError();
    this.#end ??= { error: undefined };
    if (this.#stream === undefined) this.#raw.close();
    else this.#stream.end();
    this.#settle(undefined);
  }

  ref(): void {
    this.#open().ref();
  }

  unref(): void {
    this.#open().unref();
  }

  #readOn(): void {
    const stream = this.#open();
    if (this.#isReading) stream.resume();
    else stream.start(this.#reader());
    this.#isReading = true;
  }

  #open(): ByteStream {
    this.#stream ??= streamOf(this.#raw);
    return this.#stream;
  }

  #requireOwn(): void {
    if (this.#isTaken) throw takenError();
  }

  #reader(): ByteReader {
    return {
      read: (chunk) => {
        this.#chunk = chunk;
        this.#chunkAt = 0;
        return this.#deliver();
      },
      drained: () => {},
      ended: (error) => {
        this.#finish(this.#endOfStream(error));
      },
    };
  }

  /** Gives the next frame of the chunk at hand to who waits. Returns whether the chunk is used up. */
  #deliver(): boolean {
    while (this.#chunk !== undefined && this.#waiting !== undefined) {
      let taken;
      try {
        taken = this.#deframer.take(this.#chunk, this.#chunkAt);
      } catch (error) {
        this.#chunk = undefined;
        this.#finish(nativeError(error, `what came from ${this.remoteAddress} is no frame`));
        this.#open().destroy();
        return false;
      }
      this.#chunkAt = taken.rest;
      if (this.#chunkAt === this.#chunk.length) this.#chunk = undefined;
      if (taken.frame !== undefined) this.#settle(taken.frame);
    }
    return this.#chunk === undefined;
  }

  #endOfStream(cause: unknown): Error | undefined {
    if (cause === undefined && !this.#deframer.isMidFrame) return undefined;
    const how = cause === undefined ? 'ended inside a frame' : 'broke';
    return makeError('EIPC_TRUNCATED', `the connection with ${this.remoteAddress} ${how}`, { cause });
  }

  #finish(error: Error | undefined): void {
    this.#end ??= { error };
    if (this.#chunk === undefined) this.#settle(undefined);
  }

  #settle(frame: Uint8Array | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (frame === undefined && this.#end?.error !== undefined) waiting?.reject(this.#end.error);
    else waiting?.resolve(frame);
  }

  #endError(): Error {
    return this.#end?.error ?? makeError('EIPC_CLOSED', `the connection with ${this.remoteAddress} is closed`);
  }
}

function takenError(): TypeError {
  return new TypeError('this connection belongs to an endpoint, which sends and receives on it');
}
