/**
 * Counts attacks, and judges them by what the attacked ends answered and delivered.
 */

/** What kinds of attack there are. */
export const ATTACK_KINDS = ['tampering', 'replay', 'reflection', 'deletion', 'downgrade', 'forgery'] as const;

export type AttackKind = (typeof ATTACK_KINDS)[number];

export interface Count {
  readonly tried: number;
  /** Answered as if nothing had been wrong, or delivered. */
  readonly accepted: number;
}

/** The outcome of all attacks of a run. */
export interface AttackTotals {
  readonly kinds: Readonly<Record<AttackKind, Count>>;
  /** Sessions the attacker left alone, and how many of those delivered everything: without them, 0 accepted means nothing. */
  readonly untouched: { readonly sessions: number; readonly complete: number };
}

/** The most that the two ends may have delivered in a session; more means that the attack was accepted. */
export interface Allowed {
  /** Messages that the server delivered. */
  readonly c2s: number;
  /** Replies that the client delivered. */
  readonly s2c: number;
}

/** One attack on its way to a verdict. */
export interface AttackRecord {
  readonly kind: AttackKind | 'untouched';
  readonly allowed: Allowed;
}

/** What one end of a decoy session counted. */
export interface VictimCount {
  readonly sessionId: string;
  readonly delivered: number;
  /** Deliveries that were not what the other end sent: damaged, repeated, out of order, or nobody's. */
  readonly wrong: number;
}

/** Sessions whose ends may still report; they do so within seconds. */
const MAX_SESSIONS = 4_096;

export class AttackTally {
  readonly #tried = new Map<AttackRecord['kind'], number>();
  readonly #accepted = new Map<AttackRecord['kind'], number>();
  /** Those whose acceptance was counted. */
  readonly #counted = new WeakSet<AttackRecord>();
  readonly #sessions = new Map<string, AttackRecord>();
  #complete = 0;

  /** Counts an attack that was made. Its verdict may still come. */
  add({ kind }: AttackRecord): void {
    increment(this.#tried, kind);
  }

  /** Counts that it was accepted, once. */
  accept(record: AttackRecord): void {
    if (this.#counted.has(record)) return;
    this.#counted.add(record);
    increment(this.#accepted, record.kind);
  }

  /** Notes to which record a session belongs. */
  bind(sessionId: string, record: AttackRecord): void {
    this.#sessions.set(sessionId, record);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
  }

  /** Takes what an end of a session counted: `c2s` from the server, `s2c` from the client. */
  judge(direction: keyof Allowed, { sessionId, delivered, wrong }: VictimCount): void {
    // A session that no honest ServerHello has begun: whoever made it was let in.
    const record = this.#sessions.get(sessionId) ?? this.#forged(sessionId);
    if (wrong > 0 || delivered > record.allowed[direction]) this.accept(record);
    const isComplete = direction === 's2c' && wrong === 0 && delivered === record.allowed.s2c;
    if (isComplete && record.kind === 'untouched') this.#complete++;
  }

  totals(): AttackTotals {
    const count = (kind: AttackRecord['kind']): Count => {
      return { tried: this.#tried.get(kind) ?? 0, accepted: this.#accepted.get(kind) ?? 0 };
    };
    return {
      kinds: Object.fromEntries(ATTACK_KINDS.map((kind) => [kind, count(kind)])) as Record<AttackKind, Count>,
      untouched: { sessions: count('untouched').tried, complete: this.#complete },
    };
  }

  #forged(sessionId: string): AttackRecord {
    const record: AttackRecord = { kind: 'forgery', allowed: { c2s: 0, s2c: 0 } };
    this.add(record);
    this.accept(record);
    this.bind(sessionId, record);
    return record;
  }
}

/** Adds up all kinds. */
export function sumOf({ kinds }: AttackTotals): Count {
  const counts = Object.values(kinds);
  return {
    tried: counts.reduce((sum, { tried }) => sum + tried, 0),
    accepted: counts.reduce((sum, { accepted }) => sum + accepted, 0),
  };
}

function increment<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
