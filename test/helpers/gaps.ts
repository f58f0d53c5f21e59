/**
 * What may and may not happen to messages around the gap between two sessions. A `Ledger` numbers what a client sends, lane by lane, and
 * compares it with what servers say they got.
 */
import { expect } from 'vitest';

import type { ClientEndpoint, Priority } from '../../src/index.js';

const LANES = [0, 1, 2, 3] as const;

/** One message as a server got it. */
export interface Arrival {
  /** Which session brought it, in their order. */
  readonly session: number;
  readonly priority: Priority;
  readonly n: number;
}

/** The messages one client sent. */
export class Ledger {
  readonly accepted = LANES.map(() => new Set<number>());
  readonly rejected = LANES.map(() => new Set<number>());
  readonly #next = [0, 0, 0, 0];
  #open = 0;

  /** Sends that are neither accepted nor rejected yet. */
  get open(): number {
    return this.#open;
  }

  /** Sends the next message of a lane. */
  send(client: ClientEndpoint, priority: Priority, filler = ''): void {
    const n = this.#next[priority] ?? 0;
    this.#next[priority] = n + 1;
    this.#open += 1;
    client.send({ type: 'features', priority, payload: { n, filler } }, { timeout: 30_000 }).then(
      () => this.#settle(this.accepted[priority], n),
      () => this.#settle(this.rejected[priority], n),
    );
  }

  /** Returns the number of the last message of a lane that was accepted. */
  last(priority: Priority): number {
    return Math.max(-1, ...(this.accepted[priority] ?? []));
  }

  /** Checks what arrived: nothing twice, nothing in another order, nothing that was rejected, and holes only between two sessions. */
  check(arrivals: readonly Arrival[]): void {
    for (const priority of LANES) {
      const lane = arrivals.filter((arrival) => arrival.priority === priority);
      const numbers = lane.map(({ n }) => n);
      expect(numbers, `order and uniqueness of priority ${priority}`).toEqual(
        [...new Set(numbers)].toSorted((left, right) => left - right),
      );
      const rejected = this.rejected[priority] ?? new Set();
      expect(numbers.filter((n) => rejected.has(n))).toEqual([]);
      for (const [index, { session, n }] of lane.entries()) {
        const before = lane[index - 1];
        if (before?.session !== session) continue;
        const missing = range(before.n + 1, n).filter((skipped) => !rejected.has(skipped));
        expect(missing, `lost inside session ${session}, priority ${priority}`).toEqual([]);
      }
    }
  }

  #settle(outcome: Set<number> | undefined, n: number): void {
    this.#open -= 1;
    outcome?.add(n);
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
}
