/**
 * Who is at the other end. Made once for each session from the key that verified and from the kernel, never from a message.
 */
import type { OpenSession } from './active-session.js';
import type { Endpoint } from './endpoint.js';
import { suiteName } from './suites.js';
import type { Suite } from './suites.js';
import type { TransportName } from './transport/address.js';

/** The authenticated other end of a connection. Frozen. */
export interface Peer {
  /** Its id: of the service, at a server; of the server, at a client. */
  readonly serviceId: string;
  /** What this server's table grants it. Empty at a client: a server holds no grants there. */
  readonly capabilities: ReadonlySet<string>;
  readonly protocol: 2;
  readonly suite: Suite;
  /** Sixteen hex digits. */
  readonly sessionId: string;
  readonly transport: TransportName;
  /** The endpoint's `remoteAddress`. */
  readonly address: string;
  /** Of the process at the other end, as the kernel says; absent where it does not. */
  readonly uid?: number;
  readonly gid?: number;
  readonly pid?: number;
  readonly endpoint: Endpoint;
}

/** Makes the peer of a session. At a client it is the server. */
export function makePeer({ link, session, address }: OpenSession, endpoint: Endpoint, isClient: boolean): Peer {
  return Object.freeze({
    serviceId: isClient ? session.serverId : session.serviceId,
    capabilities: new Set(isClient ? [] : session.capabilities),
    protocol: 2,
    suite: suiteName(session.suite),
    sessionId: session.sessionId,
    transport: link.transport,
    address,
    ...link.credentials,
    endpoint,
  });
}
