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

/** A key that is held. */
export class HeldKey {
  readonly id: string;
  readonly serviceId: string;
  readonly protocol: 1 | 2 | undefined;
  /** Absent for one that was revoked before this process began: it is nowhere any more. */
  readonly key: Key | undefined;
  readonly file: string | undefined;
  readonly #createdAt: number;
  #endsAt: number | undefined;
  /** The end, by the monotonic clock. */
  #deadline: number | undefined;
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
    if (kept.endsAt !== undefined) this.endIn(kept.endsAt - Date.now());
  }

  get state(): KeyState {
    if (this.#isRevoked) return 'revoked';
    if (this.#deadline !== undefined && performance.now() >= this.#deadline) return 'expired';
    return this.#isRetiring ? 'retiring' : 'active';
  }

  /** Whether sessions may be opened with it. */
  get isUsable(): boolean {
    const { state } = this;
    return state === 'active' || state === 'retiring';
  }

  /** Milliseconds until its end; undefined without one. */
  get left(): number | undefined {
    return this.#deadline === undefined ? undefined : Math.max(0, this.#deadline - performance.now());
  }

  /** Ends it in so many milliseconds, unless it ends before. */
  endIn(milliseconds: number): void {
    const deadline = performance.now() + milliseconds;
    if (this.#deadline !== undefined && this.#deadline <= deadline) return;
    this.#deadline = deadline;
    this.#endsAt = Math.round(Date.now() + milliseconds);
  }

  /** Another key has taken its place. */
  retire(grace: number): void {
    this.#isRetiring = true;
    this.endIn(grace);
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
      ...(this.#endsAt === undefined ? {} : { endsAt: new Date(this.#endsAt) }),
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
      endsAt: this.#endsAt,
      isRetiring: this.#isRetiring,
      isRevoked: this.#isRevoked,
    };
  }
}
