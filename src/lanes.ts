/**
 * The sender's side of full lanes: sends that wait for room, in order and within bounds, and what `onFull` makes of a full lane. While a
 * lane has room nothing of this runs.
 *
 * While a client connects again all lanes are full: what is sent waits here, behind what the old session had accepted and not sent.
 */
import { abortReason } from './deadlines.js';
import type { DeadlineWheel } from './deadlines.js';
import type { EipcError } from './errors.js';
import { errorFromValue, makeError } from './errors.js';
import { LaneQueue } from './lane-queue.js';
import type { Entry, LaneQueueOwner } from './lane-queue.js';
import type { Priority } from './message.js';
import type { OnFull } from './options.js';
import type { LaneSettings } from './settings.js';
import { stamp } from './outgoing.js';
import { laneOf, requestIdOf } from './record.js';
import type { Counters } from './stats.js';
import type { Link } from './transport/transport.js';

/** Sends that may wait in one lane. Their bytes are bounded by the lane's capacity as well. */
const MAX_WAITING = 1_024;
/** Tries of one record after the link said that there is room, before the event loop gets its turn. */
const MAX_TRIES = 3;
/** From this priority on messages outlive their session. Below, a message that is late is worse than one that is lost. */
const FIRST_KEPT = 2;

/** Where records go: a link, or nowhere. */
export type Outlet = Pick<Link, 'push' | 'waitForSpace' | 'noteDropped'>;

/** No session now: every lane is full. */
export const AWAY: Outlet = { push: () => 0, waitForSpace: () => false, noteDropped: () => {} };

/** The one promise of all sends that did not have to wait. */
export const ACCEPTED: Promise<void> = Promise.resolve();

/** How lanes speak to their endpoint. */
export interface LanesOwner {
  /** Messages were dropped because their lane was full. */
  dropped(lane: Priority, count: number): void;
  /** A waiting send ended in some way. */
  settled(): void;
}

/** What a send that found no room may do about it. */
export interface SendWait {
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
}

/** The four lanes of one endpoint. */
export class SendLanes implements LaneQueueOwner {
  #outlet: Outlet;
  readonly #wheel: DeadlineWheel;
  readonly #counters: Counters;
  readonly #owner: LanesOwner;
  readonly #lanes: readonly LaneQueue[];
  /** Lanes that are tried again in the next turn of the loop, bit p for priority p. */
  #retrying = 0;
  /** Why there is no session; absent while there is one. */
  #makeAwayError: (() => EipcError) | undefined;

  constructor(
    outlet: Outlet,
    settings: readonly LaneSettings[],
    wheel: DeadlineWheel,
    counters: Counters,
    owner: LanesOwner,
  ) {
    this.#outlet = outlet;
    this.#wheel = wheel;
    this.#counters = counters;
    this.#owner = owner;
    this.#lanes = settings.map((lane, index) => new LaneQueue(index as Priority, lane, this));
  }

  /** Sends that wait in any lane, and records that are kept. */
  get waiting(): number {
    let sum = 0;
    for (const { waiting, kept } of this.#lanes) sum += waiting + kept;
    return sum;
  }

  /** Records kept from a session before. */
  get kept(): number {
    let sum = 0;
    for (const { kept } of this.#lanes) sum += kept;
    return sum;
  }

  /** Whether a record waits in a lane: a later one must not overtake it. */
  isWaiting(lane: Priority): boolean {
    return (this.#lanes[lane]?.bytes ?? 0) > 0;
  }

  /**
   * Deals with a record whose lane is full, as `onFull` says.
   *
   * @param onFull - what to do instead of the lane's own setting
   */
  refused(priority: Priority, record: Buffer, wait: SendWait, onFull?: OnFull): Promise<void> {
    const lane = this.#lane(priority);
    const policy = onFull ?? lane.settings.onFull;
    if (policy === 'drop-newest') {
      this.#counters.dropped[priority] += 1;
      this.#outlet.noteDropped(priority, 1);
      this.#owner.dropped(priority, 1);
      return ACCEPTED;
    }
    if (policy === 'fail') return this.#refuse(priority, "is full and set to fail (`lanes: { onFull: 'fail' }`)");
    const bytes = lane.bytes - lane.keptBytes;
    if (lane.waiting >= MAX_WAITING || (lane.waiting > 0 && bytes + record.length > lane.settings.capacity))
      return this.#refuse(priority, `is full and ${lane.waiting} sends of ${bytes} bytes wait for it already`);
    // The record lies in a scratch that the next send overwrites.
    const copy = Buffer.from(record);
    stamp(copy, 0);
    return this.#enqueue(lane, copy, wait);
  }

  /** Resolves when a lane has room. */
  ready(priority: Priority, wait: SendWait): Promise<void> {
    const lane = this.#lane(priority);
    if (lane.waiting + lane.kept === 0 && this.#outlet.waitForSpace(priority)) return ACCEPTED;
    if (lane.waiting >= MAX_WAITING)
      return this.#refuse(priority, `is full and ${lane.waiting} sends wait for it already`);
    return this.#enqueue(lane, undefined, wait);
  }

  /** Sends what waits in the lanes of `mask`, priority 0 first. */
  pump(mask: number): void {
    for (const lane of this.#lanes) if ((mask & (1 << lane.priority)) !== 0) this.#pumpLane(lane);
  }

  /** Lets everything wait that is sent from now on, until `use`: the peer said goodbye, or is gone. */
  hold(makeAwayError: () => EipcError): void {
    this.#outlet = AWAY;
    this.#makeAwayError = makeAwayError;
  }

  /**
   * Takes back what a session that is over had accepted and not sent, in front of what waits already. What its time has passed by is given
   * up: control messages, and what belongs to a request of that session. Sends that wait learn it by `makeReason`.
   */
  takeBack(records: readonly Buffer[], makeReason: () => EipcError): void {
    for (const lane of this.#lanes) {
      const own = records.filter((record) => laneOf(record) === lane.priority);
      const kept = own.filter(outlivesSession);
      for (const record of kept) stamp(record, 0);
      lane.visit((entry) => {
        if (entry.record !== undefined && !outlivesSession(entry.record)) entry.fail(makeReason());
      });
      lane.keep(kept);
      if (own.length > kept.length) this.#giveUp(lane.priority, own.length - kept.length);
    }
  }

  /** Goes on with a new session's link. `reshape` is there when that session shapes its records differently. */
  use(outlet: Outlet, reshape: ((record: Buffer) => Buffer) | undefined): void {
    this.#outlet = outlet;
    this.#makeAwayError = undefined;
    if (reshape !== undefined) for (const lane of this.#lanes) this.#reshape(lane, reshape);
    this.pump(ALL_LANES);
  }

  /** Ends every waiting send, and counts what was kept. */
  failAll(makeReason: () => EipcError): void {
    this.#counters.undelivered += this.kept;
    for (const lane of this.#lanes) lane.visit((entry) => entry.fail(makeReason()));
  }

  timeoutError(lane: Priority): EipcError {
    return this.#fullError(lane, 'stayed full for the whole time the send could wait');
  }

  left(): void {
    this.#owner.settled();
  }

  #fullError(lane: Priority, what: string): EipcError {
    this.#counters.refusedForRoom += 1;
    if (this.#makeAwayError !== undefined) return this.#makeAwayError();
    return makeError(
      'EIPC_BACKPRESSURE',
      `lane ${lane} ${what}; the peer reads too slowly: send less, or wait with ready(${lane})`,
      { delivered: 'no' },
    );
  }

  #lane(priority: Priority): LaneQueue {
    const lane = this.#lanes[priority];
    if (lane === undefined) throw new RangeError(`priority ${String(priority)} does not exist; use 0, 1, 2 or 3`);
    return lane;
  }

  #refuse(lane: Priority, what: string): Promise<void> {
    return Promise.reject(this.#fullError(lane, what));
  }

  #enqueue(lane: LaneQueue, record: Buffer | undefined, wait: SendWait): Promise<void> {
    if (wait.signal?.aborted === true) return Promise.reject(abortReason(wait.signal));
    const isFirst = lane.waiting + lane.kept === 0;
    this.#counters.waitedForRoom += 1;
    const promise = lane.add(record).start(this.#wheel, wait.timeout, wait.signal);
    // Asks for the wake-up; the room may even be there by now.
    if (isFirst && this.#outlet.waitForSpace(lane.priority)) this.#pumpLane(lane);
    return promise;
  }

  #pumpLane(lane: LaneQueue): void {
    if (this.#outlet === AWAY) return;
    let tries = 0;
    for (let entry = lane.peek(); entry !== undefined; entry = lane.peek()) {
      const { record } = entry;
      const taken = record === undefined ? 0 : this.#outlet.push(record, record.length);
      if (record === undefined || taken === record.length) {
        tries = 0;
        // What is kept was counted when it was accepted.
        if (record !== undefined && !entry.isKept) this.#counters.sent[lane.priority] += 1;
        entry.settle();
      } else if (taken < 0) {
        this.#fail(entry, lane, errorFromValue(-taken, 'while a send waited for room', { delivered: 'no' }));
      } else if (!this.#outlet.waitForSpace(lane.priority)) {
        return;
      } else if ((tries += 1) === MAX_TRIES) {
        this.#retryLater(lane);
        return;
      }
    }
  }

  #reshape(lane: LaneQueue, reshape: (record: Buffer) => Buffer): void {
    lane.visit((entry) => {
      if (entry.record === undefined) return;
      try {
        entry.record = reshape(entry.record);
      } catch (error) {
        this.#fail(entry, lane, error);
      }
    });
  }

  #fail(entry: Entry, { priority }: LaneQueue, error: unknown): void {
    entry.fail(error);
    if (entry.isKept) this.#giveUp(priority, 1);
  }

  #giveUp(lane: Priority, count: number): void {
    this.#counters.undelivered += count;
    this.#owner.dropped(lane, count);
  }

  /** Room that is too small for the record at hand could keep this going round; the loop goes on first. */
  #retryLater(lane: LaneQueue): void {
    const bit = 1 << lane.priority;
    if ((this.#retrying & bit) !== 0) return;
    this.#retrying |= bit;
    setImmediate(() => {
      this.#retrying &= ~bit;
      this.#pumpLane(lane);
    });
  }
}

/** Whether a record that was not sent is still worth sending in another session. A request is not: its outcome was reported already. */
function outlivesSession(record: Buffer): boolean {
  return laneOf(record) >= FIRST_KEPT && requestIdOf(record).length === 0;
}

const ALL_LANES = 15;
