/**
 * The connections of a server that have proven nothing yet, and the two bounds on their number: all together, and from one source on a
 * network, which gets half the places at most, so that one machine that opens connections and says nothing leaves room for the others.
 */
import type { Link } from './transport/transport.js';

/** Links in their handshake. */
export class Unauthenticated {
  readonly #limit: number;
  readonly #sourceLimit: number;
  readonly #links = new Map<Link, string | undefined>();
  readonly #sources = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
    this.#sourceLimit = Math.ceil(limit / 2);
  }

  get size(): number {
    return this.#links.size;
  }

  /** Says which bound another connection would break. */
  refusal(source: string | undefined): 'refusedUnauthenticated' | 'refusedSources' | undefined {
    if (this.#links.size >= this.#limit) return 'refusedUnauthenticated';
    if (source !== undefined && (this.#sources.get(source) ?? 0) >= this.#sourceLimit) return 'refusedSources';
    return undefined;
  }

  add(link: Link, source: string | undefined): void {
    this.#links.set(link, source);
    if (source !== undefined) this.#sources.set(source, (this.#sources.get(source) ?? 0) + 1);
  }

  /** Forgets a link, because it authenticated or failed. */
  delete(link: Link): void {
    const source = this.#links.get(link);
    this.#links.delete(link);
    if (source === undefined) return;
    const left = (this.#sources.get(source) ?? 0) - 1;
    if (left > 0) this.#sources.set(source, left);
    else this.#sources.delete(source);
  }

  /** Cuts them all. */
  destroy(): void {
    for (const link of this.#links.keys()) link.destroy();
  }
}
