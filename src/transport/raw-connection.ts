/** What every transport gives to whoever connects or listens: connections before there is a session in them. */
import type { UnixSocket } from '../native.js';
import type { ByteStream } from './byte-stream.js';
import type { Credentials } from './transport.js';

/** A connection before it has a session. */
export interface RawConnection {
  readonly carrier: UnixSocket | ByteStream;
  /** Absent on transports where the kernel knows no peer. */
  readonly credentials: Credentials | undefined;
  /** Whom a share is held against: where on a network it comes from, or which other user it is; absent for this user's own processes. */
  readonly source: string | undefined;
  /** The address of the other end; where that has none, the one that was connected to or listened on. */
  readonly remoteAddress: string;
  /** Who it is, for the log. */
  readonly from: string;
  /** Closes it, before a link took it over. */
  close(): void;
}

/** Something that listens at one address. */
export interface Acceptor {
  /** The address as it is bound. */
  readonly address: string;
  ref(): void;
  unref(): void;
  /** Stops listening. Idempotent. */
  close(): void;
}
