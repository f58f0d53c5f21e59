/**
 * Calls of `flush` that wait. A link says when everything it took has left; what a session before had accepted has to be taken first.
 */
import type { DeadlineWheel } from './deadlines.js';
import { Wait } from './deadlines.js';
import { makeError } from './errors.js';
import type { SendWait } from './lanes.js';

/** How flushing asks its endpoint. */
export interface FlushOwner {
  /** Resolves when everything that the link took has left, or the link has ended. */
  flushLink(): Promise<void>;
  /** Whether accepted messages wait for a session. */
  isHeld(): boolean;
}

class FlushWait extends Wait<void> {
  readonly #waits: Set<FlushWait>;

  constructor(waits: Set<FlushWait>) {
    super();
    this.#waits = waits;
  }

  protected override timeoutError(): Error {
    return makeError('EIPC_TIMEOUT', 'what was accepted did not reach the kernel within the time of flush()');
  }

  protected override ended(): void {
    this.#waits.delete(this);
  }
}

/** The flushes of one endpoint. */
export class Flushes {
  readonly #wheel: DeadlineWheel;
  readonly #owner: FlushOwner;
  readonly #waits = new Set<FlushWait>();
  #isAsking = false;

  constructor(wheel: DeadlineWheel, owner: FlushOwner) {
    this.#wheel = wheel;
    this.#owner = owner;
  }

  /** Resolves when everything accepted has left, or the endpoint is closed. */
  wait({ timeout, signal }: SendWait): Promise<void> {
    const wait = new FlushWait(this.#waits);
    this.#waits.add(wait);
    const promise = wait.start(this.#wheel, timeout, signal);
    this.check();
    return promise;
  }

  /** Looks whether everything has left. To be called when something that was held may have been taken. */
  check(): void {
    if (this.#waits.size === 0 || this.#isAsking || this.#owner.isHeld()) return;
    this.#isAsking = true;
    void this.#owner.flushLink().then(() => {
      this.#isAsking = false;
      // The link may have ended instead, and left something behind.
      if (!this.#owner.isHeld()) this.settle();
    });
  }

  /** Ends them all. */
  settle(): void {
    for (const wait of this.#waits) wait.settle();
  }
}
