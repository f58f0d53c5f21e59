/** What a handshake gives to an endpoint. */
import type { SessionInfo } from './native.js';
import type { Grants } from './rights.js';
import type { Link } from './transport/transport.js';

/** A session that was opened, and the link it runs over. */
export interface OpenSession {
  readonly link: Link;
  readonly session: SessionInfo;
  readonly address: string;
  /** Takes another id for this end, before anything was sent; returns the session's new `headerRoom`. Only of v1 without a handshake. */
  readonly rename?: (ownId: string) => number;
  /** Of a server: what its services may do. */
  readonly grants?: Grants | undefined;
}
