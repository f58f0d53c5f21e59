/**
 * Who is at the other end. Made once for each session from the key that verified and from the kernel, never from a message.
 */
import type { OpenSession } from './open-session.js';
import type { Endpoint } from './endpoint.js';
import { NO_RIGHTS, Rights } from './rights.js';
import { suiteName } from './suites.js';
import type { Suite } from './suites.js';
import type { TlsStatus } from './transport/tls-channel.js';
import type { PeerTransport } from './transport/transport.js';

/** The authenticated other end of a connection. Frozen. */
export interface Peer {
  /** Its id: of the service, at a server; of the server, at a client. */
  readonly serviceId: string;
  /**
   * What this server grants its service: always what it is now, since `server.grant` and `server.revoke` change it while the peer is
   * connected. Empty at a client: a server holds no grants there.
   */
  readonly capabilities: ReadonlySet<string>;
  readonly protocol: 1 | 2;
  /** What protects messages; `v1-mac`: HMAC-SHA256 under the shared key itself, in clear text. */
  readonly suite: Suite | 'v1-mac';
  /** Sixteen hex digits; in v1 the token, which is empty without a handshake. */
  readonly sessionId: string;
  /** `custom`: a connection of the user's own making. */
  readonly transport: PeerTransport;
  /** The endpoint's `remoteAddress`. */
  readonly address: string;
  /** Of the process at the other end, as the kernel says; absent where it does not. */
  readonly uid?: number;
  readonly gid?: number;
  readonly pid?: number;
  /** How TLS protects the connection, as the connection itself says; absent without TLS. */
  readonly tls?: TlsStatus;
  readonly endpoint: Endpoint;
}

/**
 * Makes the peer of a session. At a client it is the server.
 *
 * @param grants - of a server; without it a peer may do what its session says, which never changes
 */
export function makePeer({ link, session, address, grants }: OpenSession, endpoint: Endpoint, isClient: boolean): Peer {
  const rights = isClient ? NO_RIGHTS : (grants?.of(session.serviceId) ?? new Rights(session.capabilities));
  return Object.freeze({
    serviceId: isClient ? session.serverId : session.serviceId,
    capabilities: rights,
    protocol: session.protocol === 1 ? 1 : 2,
    suite: session.protocol === 1 ? 'v1-mac' : suiteName(session.suite),
    sessionId: session.sessionId,
    transport: link.transport,
    address,
    ...link.credentials,
    ...(link.tls === undefined ? {} : { tls: link.tls }),
    endpoint,
  });
}
