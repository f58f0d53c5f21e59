/**
 * One lane's queue: sends that wait for room, and records kept from a session that is over. What may wait, and when it goes, is the business
 * of `lanes.ts`.
 */
import { Wait } from './deadlines.js';
import type { Priority } from './message.js';
import { Queue } from './queue.js';
import type { LaneSettings } from './settings.js';

/** Entries that are over and still stand in the queue, before it is cleaned. */
const MAX_OVER = 64;

/** How a queue speaks to the lanes. */
export interface LaneQueueOwner {
  /** Makes the error for a send whose time is over. */
  timeoutError(lane: Priority): Error;
  /** An entry was sent, or ended in another way. */
  left(): void;
}

/** What stands in a queue. */
export interface Entry {
  /** Absent for somebody who only wants to know that there is room, and once it is over. */
  record: Buffer | undefined;
  /** Whether a session that is over had accepted it, so that nobody waits for it any more. */
  readonly isKept: boolean;
  readonly isOver: boolean;
  /** It was sent. */
  settle(): void;
  /** It will not be sent. Whoever says so counts it if it is kept. */
  fail(error: unknown): void;
}

/** The queue of one lane. */
export class LaneQueue {
  readonly priority: Priority;
  readonly settings: LaneSettings;
  /** Sends that wait. */
  waiting = 0;
  /** Records kept: bounded by what a link may hold and what may wait. */
  kept = 0;
  /** Bytes of all records here, and of those that are kept. */
  bytes = 0;
  keptBytes = 0;
  readonly #owner: LaneQueueOwner;
  #entries = new Queue<Entry>();

  constructor(priority: Priority, settings: LaneSettings, owner: LaneQueueOwner) {
    this.priority = priority;
    this.settings = settings;
    this.#owner = owner;
  }

  /** Returns the first entry. */
  peek(): Entry | undefined {
    for (let entry = this.#entries.peek(); entry !== undefined; entry = this.#entries.peek()) {
      if (!entry.isOver) return entry;
      this.#entries.shift();
    }
    return undefined;
  }

  /** Adds a send, which the caller starts. */
  add(record: Buffer | undefined): Wait<void> {
    const send = new WaitingSend(this, record);
    this.#entries.push(send);
    this.waiting += 1;
    this.bytes += record?.length ?? 0;
    return send;
  }

  /** Puts records in front of everything. */
  keep(records: readonly Buffer[]): void {
    const behind = this.#entries;
    this.#entries = new Queue<Entry>();
    for (const record of records) {
      this.#entries.push(new KeptRecord(this, record));
      this.kept += 1;
      this.bytes += record.length;
      this.keptBytes += record.length;
    }
    for (let entry = behind.shift(); entry !== undefined; entry = behind.shift()) this.#entries.push(entry);
  }

  /** Shows every entry in its order, and takes out those that are over then. */
  visit(look: (entry: Entry) => void): void {
    const before = this.#entries;
    this.#entries = new Queue<Entry>();
    for (let entry = before.shift(); entry !== undefined; entry = before.shift()) {
      if (!entry.isOver) look(entry);
      if (!entry.isOver) this.#entries.push(entry);
    }
  }

  /** Makes the error for a send whose time is over. Only for `WaitingSend`. */
  timeoutError(): Error {
    return this.#owner.timeoutError(this.priority);
  }

  /** Takes account of an entry that is over. Only for entries. */
  left({ isKept }: Entry, bytes: number): void {
    this.bytes -= bytes;
    if (isKept) {
      this.kept -= 1;
      this.keptBytes -= bytes;
    } else {
      this.waiting -= 1;
    }
    // Behind an entry that stays, those whose time is over would pile up while there is no session.
    if (this.#entries.length > 2 * (this.waiting + this.kept) + MAX_OVER) this.visit(() => {});
    this.#owner.left();
  }
}

/** A send that waits for room. */
class WaitingSend extends Wait<void> implements Entry {
  readonly isKept = false;
  record: Buffer | undefined;
  readonly #length: number;
  readonly #queue: LaneQueue;

  constructor(queue: LaneQueue, record: Buffer | undefined) {
    super();
    this.record = record;
    this.#length = record?.length ?? 0;
    this.#queue = queue;
  }

  protected override timeoutError(): Error {
    return this.#queue.timeoutError();
  }

  protected override ended(): void {
    this.record = undefined;
    this.#queue.left(this, this.#length);
  }
}

/** A record that a session had accepted before it ended. */
class KeptRecord implements Entry {
  readonly isKept = true;
  isOver = false;
  record: Buffer | undefined;
  readonly #length: number;
  readonly #queue: LaneQueue;

  constructor(queue: LaneQueue, record: Buffer) {
    this.record = record;
    this.#length = record.length;
    this.#queue = queue;
  }

  settle(): void {
    this.isOver = true;
    this.record = undefined;
    this.#queue.left(this, this.#length);
  }

  fail(): void {
    this.settle();
  }
}
