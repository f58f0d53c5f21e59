/**
 * The login of v1 for programs that carry frames themselves, as `ReplayTracker` is its replay window: challenge, response, sessions with an
 * end. `listen` does all of this natively for its own connections, and lists and revokes their sessions on the server.
 */
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';

import type { AuditSink } from './audit-sink.js';
import { AuditTrail, RefusalTrail } from './audit-trail.js';
import { AuthenticatedSession, tokenDigest } from './authenticated-session.js';
import type { AuthenticatedSessionEntry } from './authenticated-session.js';
import { auditSink, checkNames, duration } from './check.js';
import { makeError } from './errors.js';
import { Key } from './key.js';
import { Keyring } from './keyring/keyring.js';
import { NativeKey, verify } from './native.js';
import type { ServiceOptions } from './options.js';
import type { Grants } from './rights.js';
import { nativeServices } from './services.js';
import type { LiveService } from './services.js';
import { V1_TTL } from './v1-settings.js';

/** Milliseconds for a whole login (docs/wire.md, "v1, hardened"). */
const LOGIN_TIME = 10_000;
/** Sessions at most; they are their services', whose keys opened them. */
const MAX_SESSIONS = 65_536;
const NONCE_LENGTH = 32;
const RESPONSE = /^[0-9a-fA-F]{64}$/;
/** What the peer of every login that fails may be told. */
const REFUSED = 'the login failed; check service id and key';

/** Options of `new Authenticator`. */
export interface AuthenticatorOptions {
  /** Who may log in. Every service has a key of its own, which is what tells it from the others. */
  readonly services: Readonly<Record<string, Pick<ServiceOptions, 'key' | 'capabilities'>>>;
  /** Milliseconds a session lasts, by the monotonic clock. Default: one hour. */
  readonly sessionTtl?: number;
  /** Where is recorded who logged in, who did not, and why, and whose session was revoked. */
  readonly audit?: AuditSink;
}

/** What a service that wants to log in has to answer, once, within ten seconds. It belongs to the connection it was made for. */
export interface Challenge {
  /** Who the service says it is. */
  readonly serviceId: string;
  /** Sixty-four hex digits; of the 32 bytes the response is the HMAC-SHA256 under the service's key. */
  readonly nonce: string;
}

/** What is kept of a challenge that nobody has answered. */
interface Pending {
  readonly nonce: Buffer;
  readonly end: number;
}

/**
 * Has services prove who they are, and keeps the sessions of those that did.
 *
 * @example
 * const authenticator = new Authenticator({ services: { 'nia.min': { key, capabilities: ['ui:control'] } } });
 * const challenge = authenticator.createChallenge('nia.min');
 * const session = authenticator.verifyResponse(challenge, response); // what the peer made of challenge.nonce
 * session.signal.addEventListener('abort', () => connection.close());
 */
export class Authenticator {
  readonly #keys = new Map<string, () => readonly NativeKey[]>();
  readonly #grants: Grants;
  readonly #ttl: number;
  readonly #trail: AuditTrail | undefined;
  readonly #refusals: RefusalTrail | undefined;
  /** By the challenge itself: one login can neither take another's nor burn it, and one that is forgotten costs nothing. */
  readonly #pending = new WeakMap<Challenge, Pending>();
  /** By the digest of the token, in the order in which they end. */
  readonly #sessions = new Map<string, AuthenticatedSession>();
  readonly #unwatch: (() => void)[];
  /** Stands in for the key of a service that there is not, which then takes as long to find out as a wrong response. */
  readonly #nobody = NativeKey.fromBytes(randomBytes(NONCE_LENGTH), false);
  #timer: NodeJS.Timeout | undefined;

  /** @throws TypeError or RangeError for a wrong option, and for keys that do not tell services apart */
  constructor(options: AuthenticatorOptions) {
    if ('secret' in options)
      throw new TypeError(
        "an Authenticator has no option 'secret': under one secret for all every service could log in as any other; give each its own, services: { 'nia.min': { key, capabilities } }",
      );
    checkNames(options, ['services', 'sessionTtl', 'audit'], 'Authenticator');
    const { v1, live, grants } = nativeServices(options.services, '', 1);
    for (const [id, service] of Object.entries(options.services))
      checkNames(service, ['key', 'capabilities'], `services['${id}']`);
    this.#grants = grants;
    this.#ttl = duration('sessionTtl', options.sessionTtl ?? V1_TTL);
    const sink = auditSink(options.audit);
    this.#trail = sink === undefined ? undefined : new AuditTrail(sink, undefined);
    this.#refusals = this.#trail === undefined ? undefined : new RefusalTrail(this.#trail);
    for (const { id, keys } of v1) this.#keys.set(id, () => keys);
    for (const { id, keyring } of live) this.#keys.set(id, () => usableKeys(keyring, id));
    this.#unwatch = live.map((service) => this.#follow(service));
  }

  /** Makes the challenge of one login, for a service that is known or not: which of both is not to be seen. */
  createChallenge(serviceId: string): Challenge {
    if (typeof serviceId !== 'string') throw new TypeError(`serviceId must be a string, not ${inspect(serviceId)}`);
    const nonce = newNonce();
    const challenge = Object.freeze({ serviceId, nonce: nonce.toString('hex') });
    this.#pending.set(challenge, { nonce, end: performance.now() + LOGIN_TIME });
    return challenge;
  }

  /**
   * Opens the session of who answered a challenge. The challenge is used up, whatever the answer was.
   *
   * @param response - 64 hex digits, or 32 bytes
   * @throws AuthError `EIPC_HANDSHAKE_FAILED`, the same for every wrong login, with the reason as `cause`; BackpressureError while there are
   * 65 536 sessions
   */
  verifyResponse(challenge: Challenge, response: string | Uint8Array): AuthenticatedSession {
    if (typeof challenge !== 'object' || challenge === null)
      throw new TypeError(`a challenge is what createChallenge() returns, not ${inspect(challenge)}`);
    const pending = this.#pending.get(challenge);
    this.#pending.delete(challenge);
    const { serviceId } = challenge;
    const keys = this.#keys.get(serviceId)?.();
    const mac = bytesOf(response);
    const key = (keys ?? [this.#nobody]).find((one) => verify(one, pending?.nonce ?? newNonce(), mac));
    if (pending === undefined) throw this.#refuse(serviceId, 'the challenge was answered before, or is not from here');
    if (performance.now() > pending.end) throw this.#refuse(serviceId, `more than ${LOGIN_TIME} ms for a login`);
    if (keys === undefined) throw this.#refuse(serviceId, 'no service has this id');
    if (key === undefined) throw this.#refuse(serviceId, 'the response is wrong');
    return this.#open(serviceId, key);
  }

  /**
   * Has a service log in: asks it for the response to a new challenge, and waits ten seconds for it.
   *
   * @param ask - takes the challenge to the peer and brings its response back
   * @throws as `verifyResponse`; rejects with what `ask` throws, and TimeoutError
   */
  async authenticate(
    serviceId: string,
    ask: (challenge: Challenge) => Promise<string | Uint8Array>,
  ): Promise<AuthenticatedSession> {
    const challenge = this.createChallenge(serviceId);
    let timer: NodeJS.Timeout | undefined;
    const overdue = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#pending.delete(challenge);
        reject(makeError('EIPC_TIMEOUT', `'${serviceId}' did not answer its challenge in ${LOGIN_TIME} ms`));
      }, LOGIN_TIME);
    });
    try {
      return this.verifyResponse(challenge, await Promise.race([ask(challenge), overdue]));
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Returns the session of a token, for every message that shows one.
   *
   * @throws AuthError `EIPC_IDENTITY` when there is none: never, revoked, or over
   */
  validateSession(token: string): AuthenticatedSession {
    const session = typeof token === 'string' ? this.#sessions.get(tokenDigest(token)) : undefined;
    if (session !== undefined && session.left > 0) return session;
    throw makeError('EIPC_IDENTITY', 'no session has this token: it is wrong, or its session was revoked or is over');
  }

  /** Ends a session: its token is good no more and its signal aborts. Returns false when there is none with this id. */
  revokeSession(id: string): boolean {
    for (const [digest, session] of this.#sessions) {
      if (session.id !== id) continue;
      this.#revoke(digest, session, `this session was revoked (${id})`);
      return true;
    }
    return false;
  }

  /** Returns the sessions that are open now, the oldest first, of one service or of all. */
  sessions(serviceId?: string): AuthenticatedSessionEntry[] {
    return [...this.#sessions.values()]
      .filter((session) => session.left > 0 && (serviceId === undefined || session.serviceId === serviceId))
      .map((session) => AuthenticatedSession.entry(session));
  }

  /** Forgets the sessions whose time is over, which happens by itself too. Returns how many those were. */
  cleanupExpired(): number {
    let count = 0;
    for (const [digest, session] of this.#sessions) {
      if (session.left > 0) break; // they end in this order
      this.#sessions.delete(digest);
      AuthenticatedSession.end(session, makeError('EIPC_EXPIRED', 'the time of this session is over; log in again'));
      count += 1;
    }
    this.#armTimer();
    return count;
  }

  /** Gives a service a capability, in its open sessions too. Returns false when it has it already. */
  grant(serviceId: string, capability: string): boolean {
    return this.#changed(serviceId, 'capability.grant', capability, this.#grants.grant(serviceId, capability));
  }

  /** Takes a capability from a service, in its open sessions too. Returns false when it does not have it. */
  revoke(serviceId: string, capability: string): boolean {
    return this.#changed(serviceId, 'capability.revoke', capability, this.#grants.revoke(serviceId, capability));
  }

  /** Ends every session, and follows no keyring any more. Idempotent. */
  close(): void {
    for (const unwatch of this.#unwatch.splice(0)) unwatch();
    clearTimeout(this.#timer);
    this.#keys.clear();
    for (const session of this.#sessions.values())
      AuthenticatedSession.end(session, makeError('EIPC_CLOSED', 'the authenticator was closed'));
    this.#sessions.clear();
  }

  #open(serviceId: string, key: NativeKey): AuthenticatedSession {
    this.cleanupExpired();
    if (this.#sessions.size >= MAX_SESSIONS)
      throw makeError('EIPC_BACKPRESSURE', `there are ${MAX_SESSIONS} sessions; log in when some have ended`);
    const session = new AuthenticatedSession(serviceId, this.#grants.of(serviceId), this.#ttl, key);
    this.#sessions.set(tokenDigest(session.token), session);
    this.#armTimer();
    this.#trail?.log({
      peer: serviceId,
      action: 'session.legacy',
      decision: 'allow',
      result: `v1 by challenge, in frames of the program's own; session ${session.id}`,
    });
    return session;
  }

  #revoke(digest: string, session: AuthenticatedSession, why: string): void {
    const { id, serviceId } = session;
    this.#sessions.delete(digest);
    AuthenticatedSession.end(session, makeError('EIPC_REVOKED', why));
    this.#trail?.log({ peer: serviceId, action: 'session.revoke', decision: 'note', result: `session ${id}` });
  }

  #refuse(serviceId: string, why: string): Error {
    // Nobody has proved to be this service: its name is what was claimed.
    const result = `EIPC_HANDSHAKE_FAILED: a login as ${inspect(serviceId)}: ${why}`;
    this.#refusals?.log(() => ({ peer: '', action: 'session.refuse', decision: 'deny', result }));
    return makeError('EIPC_HANDSHAKE_FAILED', REFUSED, { cause: new Error(why) });
  }

  #changed(serviceId: string, action: string, capability: string, isChanged: boolean): boolean {
    if (isChanged) this.#trail?.log({ peer: serviceId, action, decision: 'note', result: capability });
    return isChanged;
  }

  #armTimer(): void {
    clearTimeout(this.#timer);
    for (const { left } of this.#sessions.values()) {
      this.#timer = setTimeout(() => this.cleanupExpired(), Math.max(1, Math.ceil(left))).unref();
      return;
    }
  }

  /** Has the end of a key be the end of its sessions. Returns what ends that. */
  #follow({ id, keyring }: LiveService): () => void {
    return Keyring.watch(keyring, id, {
      added: () => {},
      ended: () => {},
      removed: () => {},
      revoked: (key) => {
        for (const [digest, session] of this.#sessions)
          if (session.serviceId === id && AuthenticatedSession.usesKey(session, Key.native(key)))
            this.#revoke(digest, session, 'the key of this session was revoked');
      },
    });
  }
}

/** Keys of a keyring that a login of v1 may be done with. */
function usableKeys(keyring: Keyring, serviceId: string): NativeKey[] {
  return Keyring.usable(keyring, serviceId).flatMap(({ key }) => (key.protocol === 2 ? [] : [Key.native(key)]));
}

/** A client answers no nonce that could be the beginning of a frame (docs/wire.md, "v1, hardened"). */
function newNonce(): Buffer {
  for (;;) {
    const nonce = randomBytes(NONCE_LENGTH);
    if (nonce.toString('latin1', 0, 4) !== 'EIPC') return nonce;
  }
}

/** What is no response becomes one that is wrong. */
function bytesOf(response: string | Uint8Array): Uint8Array {
  if (response instanceof Uint8Array) return response;
  return typeof response === 'string' && RESPONSE.test(response) ? Buffer.from(response, 'hex') : Buffer.alloc(0);
}
