/**
 * What carries the frames of a v1 session without a handshake, and who makes it: the two interfaces that a user may implement.
 *
 * A frame here is whole and without the length in front that streams have. Nothing below an endpoint looks into it.
 */
import type { WaitOptions } from '../options.js';

/** One end of something that carries frames, in order and each once. */
export interface Connection {
  /** Where the other end is, for people. */
  readonly remoteAddress: string;
  /** Hands a frame on. Resolves when there is room for another, and rejects when there will be none; the bytes are the callee's. */
  send(frame: Uint8Array): Promise<void>;
  /**
   * Resolves with the next frame, and with `undefined` when the other end sends no more; rejects when that is not how it ended. The bytes
   * are the caller's.
   */
  receive(): Promise<Uint8Array | undefined>;
  /** Closes, after what was handed on. Idempotent. */
  close(): Promise<void> | void;
  /** Lets the connection keep the process alive, where that is up to it. */
  ref?(): void;
  /** Lets the process end although the connection is open, where that is up to it. */
  unref?(): void;
}

/** Makes connections. */
export interface Transport {
  /**
   * Listens at an address. Resolves with the address as it is bound.
   *
   * @throws RangeError for an address of another transport, TransportError when it cannot be bound
   */
  listen(address: string): Promise<string>;
  /**
   * Connects to an address.
   *
   * @throws RangeError for an address of another transport, TransportError when nobody listens there, TimeoutError, and the signal's reason
   */
  dial(address: string, options?: WaitOptions): Promise<Connection>;
  /**
   * Resolves with the next connection that came in.
   *
   * @throws TypeError when this does not listen, ClosedError when it stops, TimeoutError, and the signal's reason
   */
  accept(options?: WaitOptions): Promise<Connection>;
  /** Stops listening. Connections go on. Idempotent. */
  close(): Promise<void>;
}
