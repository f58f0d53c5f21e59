/**
 * A key as a keyring holds it: whose it is, since when, until when. Until when is counted by the monotonic clock while the process lives, so
 * that setting the wall clock back prolongs nothing; the wall clock only carries it from one process to the next.
 */
import type { Key } from '../key.js';

/** Where in its life a key is. `retiring`: another one has taken its place, and it is good until its end. */
export type KeyState = 'active' | 'retiring' | 'expired' | 'revoked';

/** What a keyring tells of a key. */
export interface KeyringEntry {
  /** The key's id, as handshakes and logs show it; of a key for v1, which has none, `v1-` and random digits. */
  readonly id: string;
  readonly serviceId: string;
  readonly protocol: 1 | 2 | undefined;
  readonly state: KeyState;
  readonly createdAt: Date;
  /** When it ends, or has ended; absent for a key without an end. */
  readonly endsAt?: Date;
  /** Its file, in a keyring that is kept in a folder. */
  readonly file?: string;
}

/** What of a key is kept in the index of a folder. */
export interface KeptKey {
  readonly id: string;
  readonly serviceId: string;
  readonly protocol: 1 | 2 | undefined;
  /** Unix milliseconds. */
  readonly createdAt: number;
  readonly endsAt: number | undefined;
  readonly isRetiring: boolean;
  readonly isRevoked: boolean;
}

/** An end of a key by both clocks, read at the same time: what is written down and what is told must not differ by what the writing took. */
export interface KeyEnd {
  /** Unix milliseconds. */
  readonly at: number;
  /** By the monotonic clock, which decides. */
  readonly deadline: number;
}

/** Makes the end that comes in so many milliseconds. */
export function endIn(milliseconds: number): KeyEnd {
  return { at: Math.round(Date.now() + milliseconds), deadline: performance.now() + milliseconds };
}

/** A key that is held. */
export class HeldKey {
  readonly id: string;
  readonly serviceId: string;
  readonly protocol: 1 | 2 | undefined;
  /** Absent for one that was revoked before this process began: it is nowhere any more. */
  readonly key: Key | undefined;
  readonly file: string | undefined;
  readonly #createdAt: number;
  #end: KeyEnd | undefined;
  #isRetiring: boolean;
  #isRevoked: boolean;

  constructor(kept: KeptKey, key: Key | undefined, file: string | undefined) {
    this.id = kept.id;
    this.serviceId = kept.serviceId;
    this.protocol = kept.protocol;
    this.key = key;
    this.file = file;
    this.#createdAt = kept.createdAt;
    this.#isRetiring = kept.isRetiring;
    this.#isRevoked = kept.isRevoked;
    if (kept.endsAt !== undefined)
      this.#end = { at: kept.endsAt, deadline: performance.now() + kept.endsAt - Date.now() };
  }

  get state(): KeyState {
    if (this.#isRevoked) return 'revoked';
    if (this.#end !== undefined && performance.now() >= this.#end.deadline) return 'expired';
    return this.#isRetiring ? 'retiring' : 'active';
  }

  /** Whether sessions may be opened with it. */
  get isUsable(): boolean {
    const { state } = this;
    return state === 'active' || state === 'retiring';
  }

  /** Milliseconds until its end; undefined without one. */
  get left(): number | undefined {
    return this.#end === undefined ? undefined : Math.max(0, this.#end.deadline - performance.now());
  }

  /** Another key has taken its place: it ends then, unless it ends before. */
  retire(end: KeyEnd): void {
    this.#isRetiring = true;
    this.#end = this.#earlier(end);
  }

  revoke(): void {
    this.#isRevoked = true;
  }

  /** What is told of it. */
  entry(): KeyringEntry {
    const { id, serviceId, state, file } = this;
    return Object.freeze({
      id,
      serviceId,
      protocol: this.protocol,
      state,
      createdAt: new Date(this.#createdAt),
      ...(this.#end === undefined ? {} : { endsAt: new Date(this.#end.at) }),
      ...(file === undefined || state === 'revoked' ? {} : { file }),
    });
  }

  /** What is kept of it. */
  kept(): KeptKey {
    return {
      id: this.id,
      serviceId: this.serviceId,
      protocol: this.protocol,
      createdAt: this.#createdAt,
      endsAt: this.#end?.at,
      isRetiring: this.#isRetiring,
      isRevoked: this.#isRevoked,
    };
  }

  /** What will be kept of it when it has retired. */
  keptRetired(end: KeyEnd): KeptKey {
    return { ...this.kept(), isRetiring: true, endsAt: this.#earlier(end).at };
  }

  #earlier(end: KeyEnd): KeyEnd {
    return this.#end === undefined || end.deadline < this.#end.deadline ? end : this.#end;
  }
}
