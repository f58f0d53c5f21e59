/**
 * The connections of a server that have proven nothing yet, and the bounds on them: their number, how many come from one source (a host on a
 * network, another user of this machine), and how many wrong hellos a source may send (docs/wire.md, "Server order of work").
 *
 * When there are too many, the oldest goes: an honest handshake is over in milliseconds, so who says nothing makes room for who does.
 * Otherwise a handful of silent connections would keep everybody out. Nobody goes before what it sent was looked at, so that a crowd that
 * comes at once does not push out who came with it; and nobody whose hello was good goes for one who has shown nothing.
 */
import type { Link } from './transport/transport.js';

/** Wrong hellos a source may send at once, and each second in the long run. */
const FORGED_BURST = 64;
const FORGED_PER_SECOND = 8;
/** Sources remembered for their wrong hellos. Beyond, the one seen first is forgotten: a bound matters more than a long memory. */
const MAX_SPENDERS = 4_096;
/** Every process of this machine: to count them as one would let any of them shut out the others. */
const LOOPBACK = /^(?:127\.|0:0:0:0::\/64$)/;
/** Turns of the loop after which what a connection brought along has been read: it is accepted in one, and read in the next. */
const TURNS_TO_SPEAK = 2;
/** How many times the limit may be there at once, when a crowd comes in one turn. Beyond, the oldest goes whatever it might have said. */
const MAX_CROWD = 2;

/** Why a connection was cut before it proved anything. */
export type Crowding = 'refusedUnauthenticated' | 'refusedSources';

interface Place {
  readonly link: Link;
  readonly source: string | undefined;
  /** The turn of the loop it came in. */
  readonly turn: number;
  /** Whether its hello was good, so that it holds a key. */
  isRecognised: boolean;
}

interface Spender {
  left: number;
  at: number;
}

/** Links in their handshake, the oldest first. */
export class Unauthenticated {
  readonly #limit: number;
  readonly #sourceLimit: number;
  readonly #cut: (link: Link, crowding: Crowding) => void;
  readonly #places = new Map<Link, Place>();
  /** How many there are from each source; those without one are a source as well. */
  readonly #sources = new Map<string | undefined, number>();
  readonly #spenders = new Map<string, Spender>();
  #turn = 0;
  #isCountingTurns = false;

  /** @param cut - called with each link that has to go; it has lost its place already */
  constructor(limit: number, cut: (link: Link, crowding: Crowding) => void) {
    this.#limit = limit;
    this.#sourceLimit = Math.ceil(limit / 2);
    this.#cut = cut;
  }

  get size(): number {
    return this.#places.size;
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

  /** Takes a link in. If that makes too many, others go as soon as they have had their chance to say who they are. */
  add(link: Link, source: string | undefined): void {
    this.#places.set(link, { link, source, turn: this.#turn, isRecognised: false });
    const ofSource = (this.#sources.get(source) ?? 0) + 1;
    this.#sources.set(source, ofSource);
    if (this.#places.size > MAX_CROWD * this.#limit) this.#cutOldest();
    else if (this.#places.size > this.#limit || (source !== undefined && ofSource > this.#sourceLimit))
      this.#makeRoomLater();
  }

  /** The hello of a link was good. How many of those there may be for one key is up to native code. */
  recognise(link: Link): void {
    const place = this.#places.get(link);
    if (place !== undefined) place.isRecognised = true;
  }

  /** Forgets a link, because it authenticated or failed. Returns its source, or nothing if it had gone before. */
  delete(link: Link): { readonly source: string | undefined } | undefined {
    const place = this.#places.get(link);
    if (place === undefined) return undefined;
    const { source } = place;
    this.#places.delete(link);
    const left = (this.#sources.get(source) ?? 0) - 1;
    if (left > 0) this.#sources.set(source, left);
    else this.#sources.delete(source);
    return { source };
  }

  /** Cuts them all. */
  destroy(): void {
    for (const link of this.#places.keys()) link.destroy();
  }

  #makeRoomLater(): void {
    if (this.#isCountingTurns) return;
    this.#isCountingTurns = true;
    setImmediate(() => {
      this.#isCountingTurns = false;
      this.#turn += 1;
      if (this.#makeRoom()) this.#makeRoomLater();
    });
  }

  /** Cuts who has had its chance: of each source that has more than its half, then of the largest. Returns whether others have to wait for theirs. */
  #makeRoom(): boolean {
    const silent = new Map<string | undefined, Place[]>();
    let hasNewcomers = false;
    for (const place of this.#places.values()) {
      if (place.isRecognised) continue;
      if (this.#turn - place.turn < TURNS_TO_SPEAK) {
        hasNewcomers = true;
        continue;
      }
      const ofSource = silent.get(place.source);
      if (ofSource === undefined) silent.set(place.source, [place]);
      else ofSource.push(place);
    }
    let isCrowded = false;
    for (const [source, count] of this.#sources) {
      const excess = source === undefined ? 0 : Math.max(0, count - this.#sourceLimit);
      const gone = silent.get(source)?.splice(0, excess) ?? [];
      for (const place of gone) this.#remove(place, 'refusedSources');
      isCrowded ||= gone.length < excess;
    }
    while (this.#places.size > this.#limit) {
      const place = this.#largest(silent)?.shift();
      if (place === undefined) break;
      this.#remove(place, 'refusedUnauthenticated');
    }
    return hasNewcomers && (isCrowded || this.#places.size > this.#limit);
  }

  /** Returns those of the source that has the most places. */
  #largest(silent: ReadonlyMap<string | undefined, Place[]>): Place[] | undefined {
    let largest: Place[] | undefined;
    let most = 0;
    for (const [source, places] of silent) {
      const count = this.#sources.get(source) ?? 0;
      if (places.length > 0 && count > most) [largest, most] = [places, count];
    }
    return largest;
  }

  #cutOldest(): void {
    for (const place of this.#places.values()) {
      if (place.isRecognised) continue;
      this.#remove(place, 'refusedUnauthenticated');
      return;
    }
  }

  #remove({ link }: Place, crowding: Crowding): void {
    this.delete(link);
    this.#cut(link, crowding);
  }

  #refilled(source: string): Spender {
    const now = performance.now();
    const spender = this.#spenders.get(source) ?? { left: FORGED_BURST, at: now };
    spender.left = Math.min(FORGED_BURST, spender.left + ((now - spender.at) / 1_000) * FORGED_PER_SECOND);
    spender.at = now;
    return spender;
  }
}
