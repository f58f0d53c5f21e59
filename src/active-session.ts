/**
 * What an endpoint needs of the session it has now: who the peer is, how records are shaped, where messages come from. A client that
 * reconnects has one after the other.
 */
import type { Endpoint } from './endpoint.js';
import { payloadLimits } from './limits.js';
import type { Origin } from './message.js';
import type { SessionInfo } from './native.js';
import type { OpenSession } from './open-session.js';
import type { RecordShape } from './outgoing.js';
import { makePeer } from './peer.js';
import type { Peer } from './peer.js';
import type { Grants } from './rights.js';
import type { Settings } from './settings.js';
import type { Link } from './transport/transport.js';
import { V1Shape } from './v1-shape.js';

/** The session an endpoint has now. */
export interface ActiveSession {
  readonly link: Link;
  readonly info: SessionInfo;
  readonly peer: Peer;
  readonly shape: RecordShape;
  readonly origin: Origin;
  readonly grants: Grants | undefined;
}

/** Makes what an endpoint needs of a session. */
export function activeSession(
  opened: OpenSession,
  endpoint: Endpoint,
  { codec, v1Limits }: Settings,
  isClient: boolean,
): ActiveSession {
  const { link, session: info, rename, grants } = opened;
  const { tailLength, binaryMeta, headerRoom, sessionId } = info;
  const peer = makePeer(opened, endpoint, isClient);
  const { protocol } = peer;
  const ownId = isClient ? info.serviceId : info.serverId;
  const v1 = protocol === 1 ? new V1Shape(ownId, headerRoom, v1Limits, rename) : undefined;
  return {
    link,
    info,
    peer,
    shape: { tailLength, binaryMeta, codec, maxPayload: payloadLimits(info, v1Limits), handshakeTypes: false, v1 },
    // A client chose its server by key and address, so it believes whom the server relays for; a server believes no client. In v1 the
    // source was compared with the authenticated id before it got here, unless an option says that it may be another.
    origin: { source: peer.serviceId, sessionId, relays: isClient || protocol === 1, codec, protocol },
    grants,
  };
}

/** Returns a session whose peer has come to be known. */
export function identified(
  session: ActiveSession,
  info: SessionInfo,
  endpoint: Endpoint,
  isClient: boolean,
): ActiveSession {
  const { link, peer, grants } = session;
  return {
    ...session,
    info,
    peer: makePeer({ link, session: info, address: peer.address, grants }, endpoint, isClient),
  };
}
