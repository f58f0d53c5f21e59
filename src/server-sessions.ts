/**
 * What who runs a server can do about its sessions while they are open: see them, by an id that is no secret; end them; and change what their
 * services may do.
 */
import { randomBytes } from 'node:crypto';

import { Endpoint } from './endpoint.js';
import { nativeError } from './errors.js';
import type { Key } from './key.js';
import type { NativeServer } from './native.js';
import type { Grants } from './rights.js';
import type { RightChange, ServerAudit } from './server-audit.js';
import type { ServerEndpoint } from './server-endpoint.js';
import type { Suite } from './suites.js';
import type { PeerTransport } from './transport/transport.js';

/** A session that was open when it was asked for. Nothing but facts: it can be sent, stored and printed. */
export interface SessionEntry {
  /** Names it, and is no secret: the session id of EIPC/2; of v1, whose session id is the token, `v1-` and random digits. */
  readonly id: string;
  readonly serviceId: string;
  /** What its service may do, at the time of asking. */
  readonly capabilities: readonly string[];
  readonly protocol: 1 | 2;
  readonly suite: Suite | 'v1-mac';
  readonly transport: PeerTransport;
  readonly address: string;
  /** Id of the key it is under; empty in v1. */
  readonly keyId: string;
  readonly openedAt: Date;
  /** Of the process at the other end, as the kernel says; absent where it does not. */
  readonly uid?: number;
  readonly gid?: number;
  readonly pid?: number;
}

/** What is known of a session from its beginning on. */
type Opening = Pick<SessionEntry, 'id' | 'keyId' | 'openedAt'>;

/** How the sessions speak to their server. */
export interface ServerSessionsOwner {
  /** Those that are open, always as they are now. */
  readonly endpoints: ReadonlySet<ServerEndpoint>;
  readonly native: NativeServer;
  readonly grants: Grants;
  readonly audit: ServerAudit | undefined;
  readonly log: (event: 'session.revoke' | RightChange, text: string, serviceId: string) => void;
}

/** The sessions of one server. */
export class ServerSessions {
  readonly #owner: ServerSessionsOwner;
  readonly #openings = new WeakMap<ServerEndpoint, Opening>();

  constructor(owner: ServerSessionsOwner) {
    this.#owner = owner;
  }

  /** A session is open. */
  opened(endpoint: ServerEndpoint, keyId: string): void {
    const { protocol, sessionId } = endpoint.peer;
    const id = protocol === 2 ? sessionId : `v1-${randomBytes(8).toString('hex')}`;
    this.#openings.set(endpoint, { id, keyId, openedAt: new Date() });
  }

  /** Returns those that are open now, the oldest first, of one service or of all. */
  list(serviceId?: string): SessionEntry[] {
    return [...this.#owner.endpoints].flatMap((endpoint) => {
      const opening = this.#openings.get(endpoint);
      const isAsked = serviceId === undefined || serviceId === endpoint.peer.serviceId;
      return opening !== undefined && isAsked ? [entryOf(endpoint, opening)] : [];
    });
  }

  /** Ends one; resolves with whether there was one when it is over. */
  async revoke(id: string): Promise<boolean> {
    const { endpoints, audit, log } = this.#owner;
    const endpoint = [...endpoints].find((one) => this.#openings.get(one)?.id === id);
    if (endpoint === undefined) return false;
    const { serviceId } = endpoint.peer;
    const revoked = Endpoint.revoke(endpoint, `this session was revoked (${id})`);
    audit?.sessionRevoked(serviceId, id);
    log('session.revoke', `session ${id} of '${serviceId}' was revoked`, serviceId);
    await revoked;
    return true;
  }

  /** Ends one if it is under a key that was revoked. */
  revokeUnder(key: Key, endpoint: ServerEndpoint): void {
    void Endpoint.revoke(endpoint, `the key of this session was revoked${key.id === '' ? '' : ` (${key.id})`}`, key);
  }

  /** Gives a service a capability, or takes it away. Returns whether that changed anything. */
  changeRight(change: RightChange, serviceId: string, capability: string): boolean {
    const { grants, audit, log } = this.#owner;
    const tell = (all: string[]): void => this.#tellCapabilities(serviceId, all);
    const isChanged =
      change === 'capability.grant'
        ? grants.grant(serviceId, capability, tell)
        : grants.revoke(serviceId, capability, tell);
    if (!isChanged) return false;
    audit?.rightChanged(serviceId, change, capability);
    log(change, `'${serviceId}': ${capability}`, serviceId);
    return true;
  }

  /** Has later sessions of a service told what it may do. */
  #tellCapabilities(serviceId: string, capabilities: string[]): void {
    try {
      this.#owner.native.grant(serviceId, capabilities);
    } catch (error) {
      throw nativeError(error, `'${serviceId}' cannot have ${capabilities.length} capabilities`);
    }
  }
}

function entryOf(endpoint: ServerEndpoint, opening: Opening): SessionEntry {
  const { serviceId, capabilities, protocol, suite, transport, address, uid, gid, pid } = endpoint.peer;
  return Object.freeze({
    ...opening,
    serviceId,
    capabilities: Object.freeze([...capabilities]),
    protocol,
    suite,
    transport,
    address,
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(pid === undefined ? {} : { pid }),
  });
}
