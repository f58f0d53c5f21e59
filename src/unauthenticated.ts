/**
 * The connections of a server that have proven nothing yet, and the bounds on them: their number, how many come from one source on a
 * network, and how many wrong hellos a source may send (docs/wire.md, "Server order of work").
 *
 * When there are too many, the oldest goes: an honest handshake is over in milliseconds, so who says nothing makes room for who does.
 * Otherwise a handful of silent connections would keep everybody out.
 */
import type { Link } from './transport/transport.js';

/** Wrong hellos a source may send at once, and each second in the long run. */
const FORGED_BURST = 64;
const FORGED_PER_SECOND = 8;
/** Sources remembered for their wrong hellos. Beyond, the one seen first is forgotten: a bound matters more than a long memory. */
const MAX_SPENDERS = 4_096;
/** Every process of this machine: to count them as one would let any of them shut out the others. */
const LOOPBACK = /^(?:127\.|0:0:0:0::\/64$)/;

/** Why a connection was cut before it proved anything. */
export type Crowding = 'refusedUnauthenticated' | 'refusedSources';

interface Spender {
  left: number;
  at: number;
}

/** Links in their handshake, the oldest first. */
export class Unauthenticated {
  readonly #limit: number;
  readonly #sourceLimit: number;
  readonly #links = new Map<Link, string | undefined>();
  readonly #sources = new Map<string, number>();
  readonly #spenders = new Map<string, Spender>();

  constructor(limit: number) {
    this.#limit = limit;
    this.#sourceLimit = Math.ceil(limit / 2);
  }

  get size(): number {
    return this.#links.size;
  }

  /** Tells whether a source has sent so many wrong hellos that it is not listened to now. */
  hasSpent(source: string | undefined): boolean {
    return source !== undefined && this.#spenders.has(source) && this.#refilled(source).left < 1;
  }

  /** Counts a hello whose tag was wrong against its source. */
  spend(source: string | undefined): void {
    if (source === undefined || LOOPBACK.test(source)) return;
    const spender = this.#refilled(source);
    spender.left = Math.max(0, spender.left - 1);
    this.#spenders.set(source, spender);
    if (this.#spenders.size <= MAX_SPENDERS) return;
    for (const first of this.#spenders.keys()) {
      this.#spenders.delete(first);
      break;
    }
  }

  /** Takes a link in. Returns the one that has to go for it, and which bound was reached. */
  add(link: Link, source: string | undefined): { readonly link: Link; readonly crowding: Crowding } | undefined {
    this.#links.set(link, source);
    const ofSource = source === undefined ? 0 : (this.#sources.get(source) ?? 0) + 1;
    if (source !== undefined) this.#sources.set(source, ofSource);
    if (ofSource > this.#sourceLimit) return this.#evict('refusedSources', source);
    if (this.#links.size > this.#limit) return this.#evict('refusedUnauthenticated', this.#largestSource());
    return undefined;
  }

  /** Forgets a link, because it authenticated or failed. Returns its source, or nothing if it had gone before. */
  delete(link: Link): { readonly source: string | undefined } | undefined {
    if (!this.#links.has(link)) return undefined;
    const source = this.#links.get(link);
    this.#links.delete(link);
    if (source !== undefined) {
      const left = (this.#sources.get(source) ?? 0) - 1;
      if (left > 0) this.#sources.set(source, left);
      else this.#sources.delete(source);
    }
    return { source };
  }

  /** Cuts them all. */
  destroy(): void {
    for (const link of this.#links.keys()) link.destroy();
  }

  #evict(crowding: Crowding, source: string | undefined): { link: Link; crowding: Crowding } | undefined {
    for (const [link, from] of this.#links) {
      if (from !== source) continue;
      this.delete(link);
      return { link, crowding };
    }
    return undefined;
  }

  /** The source with the most places; all that have no source are one. */
  #largestSource(): string | undefined {
    let largest: string | undefined;
    let most = this.#links.size;
    for (const count of this.#sources.values()) most -= count;
    for (const [source, count] of this.#sources) if (count > most) [largest, most] = [source, count];
    return largest;
  }

  #refilled(source: string): Spender {
    const now = performance.now();
    const spender = this.#spenders.get(source) ?? { left: FORGED_BURST, at: now };
    spender.left = Math.min(FORGED_BURST, spender.left + ((now - spender.at) / 1_000) * FORGED_PER_SECOND);
    spender.at = now;
    return spender;
  }
}
