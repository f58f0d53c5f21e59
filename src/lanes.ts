/**
 * The sender's side of full lanes: sends that wait for room, in order and within bounds, and what `onFull` makes of a full lane. While a
 * lane has room nothing of this runs.
 */
import { abortReason, Wait } from './deadlines.js';
import type { DeadlineWheel } from './deadlines.js';
import type { EipcError } from './errors.js';
import { errorFromValue, makeError } from './errors.js';
import type { Priority } from './message.js';
import type { OnFull } from './options.js';
import type { LaneSettings } from './settings.js';
import { stamp } from './outgoing.js';
import { Queue } from './queue.js';
import type { Counters } from './stats.js';
import type { Link } from './transport/transport.js';

/** Sends that may wait in one lane. Their bytes are bounded by the lane's capacity as well. */
const MAX_WAITING = 1_024;
/** Tries of one record after the link said that there is room, before the event loop gets its turn. */
const MAX_TRIES = 3;

/** The one promise of all sends that did not have to wait. */
export const ACCEPTED: Promise<void> = Promise.resolve();

/** How lanes speak to their endpoint. */
export interface LanesOwner {
  /** Messages were dropped because their lane was full. */
  dropped(lane: Priority, count: number): void;
  /** A waiting send ended in some way. */
  settled(): void;
}

/** A send that waits for room; without a record, somebody who only wants to know that there is room. */
class WaitingSend extends Wait<void> {
  readonly record: Buffer | undefined;
  readonly #lane: WaitingLane;
  readonly #owner: SendLanes;

  constructor(record: Buffer | undefined, lane: WaitingLane, owner: SendLanes) {
    super();
    this.record = record;
    this.#lane = lane;
    this.#owner = owner;
  }

  protected override timeoutError(): Error {
    return this.#owner.fullError(this.#lane.priority, 'stayed full for the whole time the send could wait');
  }

  protected override ended(): void {
    this.#owner.left(this.#lane, this.record?.length ?? 0);
  }
}

interface WaitingLane {
  readonly priority: Priority;
  readonly settings: LaneSettings;
  readonly queue: Queue<WaitingSend>;
  count: number;
  bytes: number;
  isRetrying: boolean;
}

/** What a send that found no room may do about it. */
export interface SendWait {
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
}

/** The four lanes of one endpoint. */
export class SendLanes {
  readonly #link: Link;
  readonly #wheel: DeadlineWheel;
  readonly #counters: Counters;
  readonly #owner: LanesOwner;
  readonly #lanes: readonly WaitingLane[];
  #waiting = 0;

  constructor(
    link: Link,
    settings: readonly LaneSettings[],
    wheel: DeadlineWheel,
    counters: Counters,
    owner: LanesOwner,
  ) {
    this.#link = link;
    this.#wheel = wheel;
    this.#counters = counters;
    this.#owner = owner;
    this.#lanes = settings.map((lane, index) => ({
      priority: index as Priority,
      settings: lane,
      queue: new Queue<WaitingSend>(),
      count: 0,
      bytes: 0,
      isRetrying: false,
    }));
  }

  /** Sends that wait in any lane. */
  get waiting(): number {
    return this.#waiting;
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
  refused(lane: Priority, record: Buffer, wait: SendWait, onFull?: OnFull): Promise<void> {
    const waiting = this.#lane(lane);
    const policy = onFull ?? waiting.settings.onFull;
    if (policy === 'drop-newest') {
      this.#counters.dropped[lane] += 1;
      this.#link.noteDropped(lane, 1);
      this.#owner.dropped(lane, 1);
      return ACCEPTED;
    }
    if (policy === 'fail') return this.#refuse(lane, "is full and set to fail (`lanes: { onFull: 'fail' }`)");
    if (
      waiting.count >= MAX_WAITING ||
      (waiting.count > 0 && waiting.bytes + record.length > waiting.settings.capacity)
    ) {
      return this.#refuse(lane, `is full and ${waiting.count} sends of ${waiting.bytes} bytes wait for it already`);
    }
    // The record lies in a scratch that the next send overwrites.
    const copy = Buffer.from(record);
    stamp(copy, 0);
    return this.#enqueue(waiting, copy, wait);
  }

  /** Resolves when a lane has room. */
  ready(lane: Priority, wait: SendWait): Promise<void> {
    const waiting = this.#lane(lane);
    if (waiting.count === 0 && this.#link.waitForSpace(lane)) return ACCEPTED;
    if (waiting.count >= MAX_WAITING)
      return this.#refuse(lane, `is full and ${waiting.count} sends wait for it already`);
    return this.#enqueue(waiting, undefined, wait);
  }

  /** Sends what waits in the lanes of `mask`, priority 0 first. */
  pump(mask: number): void {
    for (const lane of this.#lanes) if ((mask & (1 << lane.priority)) !== 0) this.#pumpLane(lane);
  }

  /** Ends every waiting send. */
  failAll(makeReason: () => EipcError): void {
    for (const { queue } of this.#lanes) {
      for (let send = queue.shift(); send !== undefined; send = queue.shift())
        if (!send.isOver) send.fail(makeReason());
    }
  }

  /** Takes account of a send that ended. Only for `WaitingSend`. */
  left(lane: WaitingLane, bytes: number): void {
    lane.count -= 1;
    lane.bytes -= bytes;
    this.#waiting -= 1;
    this.#owner.settled();
  }

  /** Makes the error of a full lane. */
  fullError(lane: Priority, what: string): EipcError {
    this.#counters.refusedForRoom += 1;
    return makeError(
      'EIPC_BACKPRESSURE',
      `lane ${lane} ${what}; the peer reads too slowly: send less, or wait with ready(${lane})`,
      { delivered: 'no' },
    );
  }

  #lane(lane: Priority): WaitingLane {
    const waiting = this.#lanes[lane];
    if (waiting === undefined) throw new RangeError(`priority ${String(lane)} does not exist; use 0, 1, 2 or 3`);
    return waiting;
  }

  #refuse(lane: Priority, what: string): Promise<void> {
    return Promise.reject(this.fullError(lane, what));
  }

  #enqueue(lane: WaitingLane, record: Buffer | undefined, wait: SendWait): Promise<void> {
    if (wait.signal?.aborted === true) return Promise.reject(abortReason(wait.signal));
    const send = new WaitingSend(record, lane, this);
    lane.queue.push(send);
    lane.count += 1;
    lane.bytes += record?.length ?? 0;
    this.#waiting += 1;
    this.#counters.waitedForRoom += 1;
    const promise = send.start(this.#wheel, wait.timeout, wait.signal);
    // Asks for the wake-up; the room may even be there by now.
    if (lane.count === 1 && this.#link.waitForSpace(lane.priority)) this.#pumpLane(lane);
    return promise;
  }

  #pumpLane(lane: WaitingLane): void {
    let tries = 0;
    for (let send = lane.queue.peek(); send !== undefined; send = lane.queue.peek()) {
      if (send.isOver) {
        lane.queue.shift();
        continue;
      }
      const { record } = send;
      const taken = record === undefined ? 0 : this.#link.push(record, record.length);
      if (record === undefined || taken === record.length) {
        lane.queue.shift();
        tries = 0;
        if (record !== undefined) this.#counters.sent[lane.priority] += 1;
        send.settle();
      } else if (taken < 0) {
        lane.queue.shift();
        send.fail(errorFromValue(-taken, 'while a send waited for room', { delivered: 'no' }));
      } else if (!this.#link.waitForSpace(lane.priority)) {
        return;
      } else if ((tries += 1) === MAX_TRIES) {
        this.#retryLater(lane);
        return;
      }
    }
  }

  /** Room that is too small for the record at hand could keep this going round; the loop goes on first. */
  #retryLater(lane: WaitingLane): void {
    if (lane.isRetrying) return;
    lane.isRetrying = true;
    setImmediate(() => {
      lane.isRetrying = false;
      this.#pumpLane(lane);
    });
  }
}
