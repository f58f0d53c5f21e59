/**
 * The replay window of v1 by itself, for programs that carry frames themselves. Sessions have their own.
 */
import { inspect } from 'node:util';

import { makeError } from './errors.js';
import { sequenceNumber } from './frame-header.js';
import { NativeReplayWindow } from './native.js';

/** Remembers which sequence numbers of one direction of one connection were seen. */
export class ReplayTracker {
  readonly #window: NativeReplayWindow;

  /**
   * @param window - how many numbers it spans: a multiple of 64 up to 4 096
   * @throws RangeError for another size
   */
  constructor(window = 128) {
    if (!Number.isInteger(window) || window < 64 || window > 4_096 || window % 64 !== 0)
      throw new RangeError(`the window is ${inspect(window)}; it must be a multiple of 64 from 64 to 4096`);
    this.#window = new NativeReplayWindow(window);
  }

  /**
   * Accepts a number that is above 0 and either above the largest so far or inside of the window and unseen; from then on it is seen. Call
   * it for frames whose tag verified, and for no other: a forged number would move the window.
   *
   * @throws ReplayError `EIPC_REPLAY` for any other number, RangeError for one that is none
   */
  check(sequence: bigint | number): void {
    const number = sequenceNumber('a sequence number', sequence);
    if (!this.#window.accept(number))
      throw makeError('EIPC_REPLAY', `the number ${number} was seen before, is older than the window, or is 0`);
  }

  /** Forgets everything: for a new connection, never for one that goes on. */
  reset(): void {
    this.#window.reset();
  }
}
