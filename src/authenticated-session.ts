/**
 * A session that an `Authenticator` opened: who it is, what it may do now, and until when. The monotonic clock counts; the wall clock only
 * says it to people.
 */
import { createHash, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';

import type { EipcError } from './errors.js';
import type { NativeKey } from './native.js';

/** A session that was open when it was asked for. Nothing but facts, and no token. */
export interface AuthenticatedSessionEntry {
  readonly id: string;
  readonly serviceId: string;
  /** What its service may do, at the time of asking. */
  readonly capabilities: readonly string[];
  readonly openedAt: Date;
  readonly endsAt: Date;
}

/** Who proved to be whom. */
export class AuthenticatedSession {
  /** Names it in lists and logs; no secret. */
  readonly id = `v1-${randomBytes(8).toString('hex')}`;
  readonly serviceId: string;
  /** What its service may do: always what it is now. */
  readonly capabilities: ReadonlySet<string>;
  readonly openedAt = new Date();
  readonly #token = randomBytes(32).toString('hex');
  readonly #key: NativeKey;
  readonly #end: number;
  readonly #controller = new AbortController();

  /**
   * @param key - that proved it
   * @internal
   */
  constructor(serviceId: string, capabilities: ReadonlySet<string>, ttl: number, key: NativeKey) {
    this.serviceId = serviceId;
    this.capabilities = capabilities;
    this.#key = key;
    this.#end = performance.now() + ttl;
  }

  /** What the peer is told, and shows with every message: 64 hex digits. Whoever has it has the session. */
  get token(): string {
    return this.#token;
  }

  /** Aborts when the session ends, revoked or expired: close its connection then. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Milliseconds until it ends; 0 when it has. */
  get left(): number {
    return this.signal.aborted ? 0 : Math.max(0, this.#end - performance.now());
  }

  /** Shows everything but the token. */
  [inspect.custom](): string {
    return `AuthenticatedSession(${this.id} of '${this.serviceId}', ${Math.ceil(this.left / 1_000)} s left)`;
  }

  /** @internal */
  static usesKey(session: AuthenticatedSession, key: NativeKey): boolean {
    return session.#key.isSame(key);
  }

  /** @internal */
  static end(session: AuthenticatedSession, reason: EipcError): void {
    session.#controller.abort(reason);
  }

  /** @internal */
  static entry(session: AuthenticatedSession): AuthenticatedSessionEntry {
    const { id, serviceId, capabilities, openedAt, left } = session;
    const endsAt = new Date(Date.now() + left);
    return Object.freeze({ id, serviceId, capabilities: Object.freeze([...capabilities]), openedAt, endsAt });
  }
}

/** What a token is found by, so that comparing tokens tells nothing of them. */
export function tokenDigest(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
