/**
 * What an endpoint needs of the session it has now: who the peer is, how records are shaped, where messages come from. A client that
 * reconnects has one after the other.
 */
import type { Endpoint } from './endpoint.js';
import { payloadLimits } from './limits.js';
import type { Origin } from './message.js';
import type { SessionInfo } from './native.js';
import type { RecordShape } from './outgoing.js';
import { makePeer } from './peer.js';
import type { Peer } from './peer.js';
import type { Settings } from './settings.js';
import type { Link } from './transport/transport.js';

/** A session that was opened, and the link it runs over. */
export interface OpenSession {
  readonly link: Link;
  readonly session: SessionInfo;
  readonly address: string;
}

/** The session an endpoint has now. */
export interface ActiveSession {
  readonly link: Link;
  readonly info: SessionInfo;
  readonly peer: Peer;
  readonly shape: RecordShape;
  readonly origin: Origin;
}

/** Makes what an endpoint needs of a session. */
export function activeSession(
  opened: OpenSession,
  endpoint: Endpoint,
  { codec }: Settings,
  isClient: boolean,
): ActiveSession {
  const { link, session: info } = opened;
  const { tagLength, binaryMeta, maxFrame, sessionId } = info;
  const peer = makePeer(opened, endpoint, isClient);
  return {
    link,
    info,
    peer,
    shape: { tagLength, binaryMeta, codec, maxPayload: payloadLimits(maxFrame), handshakeTypes: false },
    // A client chose its server by key and address, so it believes whom the server relays for; a server believes no client.
    origin: { source: peer.serviceId, sessionId, relays: isClient, codec },
  };
}
