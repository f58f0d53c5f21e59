/**
 * Deadlines of one endpoint on one coarse timer wheel: adding and cancelling cost a few list operations, and one `setTimeout` runs only
 * while something is pending (a timer per request would cost more than the request). Never early; late by at most one tick and the loop.
 */

const TICK = 4; // milliseconds: well below any useful time-out, well above the cost of a turn
const BUCKETS = 256;
const UNSCHEDULED = -1;
const FIRING = -2;

/** Something that ends at a time. */
export abstract class Deadline {
  /** Links of the wheel; nobody else touches them. */
  previous: Deadline | null = null;
  next: Deadline | null = null;
  due = UNSCHEDULED;

  /** Called once when the time has come, unless it was cancelled before. */
  abstract expire(): void;
}

/** The wheel. */
export class DeadlineWheel {
  readonly #buckets: (Deadline | null)[] = Array.from<Deadline | null>({ length: BUCKETS }).fill(null);
  #count = 0;
  /** The last tick whose bucket was looked at. */
  #swept = 0;
  #armedFor = Infinity;
  #timer: NodeJS.Timeout | undefined;

  /** How many deadlines are pending. */
  get size(): number {
    return this.#count;
  }

  /** Schedules a deadline `delay` milliseconds from now. It must not be scheduled already. */
  add(deadline: Deadline, delay: number): void {
    const now = performance.now();
    if (this.#count === 0) this.#swept = Math.floor(now / TICK);
    const due = Math.max(Math.ceil((now + delay) / TICK), this.#swept + 1);
    const bucket = due % BUCKETS;
    const first = this.#buckets[bucket] ?? null;
    deadline.due = due;
    deadline.previous = null;
    deadline.next = first;
    if (first !== null) first.previous = deadline;
    this.#buckets[bucket] = deadline;
    this.#count += 1;
    if (due < this.#armedFor) this.#arm(due, now);
  }

  /** Cancels a deadline; nothing happens when it is not scheduled. */
  cancel(deadline: Deadline): void {
    if (deadline.due === FIRING) deadline.due = UNSCHEDULED;
    else if (deadline.due !== UNSCHEDULED) this.#unlink(deadline);
  }

  /** Forgets all deadlines and stops the timer. */
  clear(): void {
    for (const first of this.#buckets) {
      for (let deadline = first; deadline !== null;) {
        const next: Deadline | null = deadline.next;
        this.#unlink(deadline);
        deadline = next;
      }
    }
    clearTimeout(this.#timer);
    this.#armedFor = Infinity;
  }

  #unlink(deadline: Deadline): void {
    if (deadline.previous === null) this.#buckets[deadline.due % BUCKETS] = deadline.next;
    else deadline.previous.next = deadline.next;
    if (deadline.next !== null) deadline.next.previous = deadline.previous;
    deadline.previous = null;
    deadline.next = null;
    deadline.due = UNSCHEDULED;
    this.#count -= 1;
  }

  #arm(due: number, now: number): void {
    clearTimeout(this.#timer);
    this.#armedFor = due;
    // The connection keeps the process alive, not its deadlines.
    this.#timer = setTimeout(this.#sweep, Math.max(1, Math.ceil(due * TICK - now))).unref();
  }

  readonly #sweep = (): void => {
    const now = performance.now();
    const tick = Math.floor(now / TICK);
    this.#armedFor = Infinity;
    const due: Deadline[] = [];
    for (let at = Math.max(this.#swept + 1, tick - BUCKETS + 1); at <= tick; at += 1) {
      for (let deadline = this.#buckets[at % BUCKETS] ?? null; deadline !== null;) {
        const next: Deadline | null = deadline.next;
        if (deadline.due <= tick) {
          this.#unlink(deadline);
          deadline.due = FIRING;
          due.push(deadline);
        }
        deadline = next;
      }
    }
    this.#swept = tick;
    for (const deadline of due) {
      // One that fires may cancel another that was to fire with it.
      if (deadline.due !== FIRING) continue;
      deadline.due = UNSCHEDULED;
      deadline.expire();
    }
    if (this.#count > 0) this.#armNext(tick);
  };

  /** Arms for the next bucket in use. It may hold only deadlines of a later turn of the wheel: then one sweep finds nothing, once a turn. */
  #armNext(tick: number): void {
    for (let ahead = 1; ahead <= BUCKETS; ahead += 1) {
      if (this.#buckets[(tick + ahead) % BUCKETS] === null) continue;
      if (tick + ahead < this.#armedFor) this.#arm(tick + ahead, performance.now());
      return;
    }
  }
}

/** Returns the reason of a signal that aborted. It passes through unwrapped, whatever the user made it; promises want it called an error. */
export function abortReason(signal: AbortSignal): Error {
  return signal.reason as Error;
}

/** A promise that ends by being settled, by its deadline, or by a signal: whichever is first. */
export abstract class Wait<T> extends Deadline {
  #wheel: DeadlineWheel | undefined;
  #signal: AbortSignal | undefined;
  #resolve: ((value: T) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;

  /** Whether it has ended. */
  get isOver(): boolean {
    return this.#resolve === undefined;
  }

  /** Begins to wait. Call once. Without a time-out it lasts until it is settled, at the latest by the end of the connection. */
  start(wheel: DeadlineWheel, timeout: number | undefined, signal: AbortSignal | undefined): Promise<T> {
    this.#wheel = wheel;
    const promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (timeout !== undefined) wheel.add(this, timeout);
    if (signal !== undefined) {
      this.#signal = signal;
      // The object itself is the listener (`handleEvent`), so that there is one thing to remove.
      signal.addEventListener('abort', this);
    }
    return promise;
  }

  /** Ends it with a value. */
  settle(value: T): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    this.#end();
    resolve(value);
  }

  /** Ends it with an error. */
  fail(error: unknown): void {
    const reject = this.#reject;
    if (reject === undefined) return;
    this.#end();
    reject(error);
  }

  override expire(): void {
    this.fail(this.timeoutError());
  }

  /** Called by the signal: its reason passes through as it is. */
  handleEvent(): void {
    if (this.#signal !== undefined) this.fail(abortReason(this.#signal));
  }

  /** Makes the error for a deadline that passed. */
  protected abstract timeoutError(): Error;

  /** Called when it ended in any way, before the promise is settled. */
  protected ended(): void {}

  #end(): void {
    this.#resolve = undefined;
    this.#reject = undefined;
    this.#wheel?.cancel(this);
    this.#signal?.removeEventListener('abort', this);
    this.ended();
  }
}
