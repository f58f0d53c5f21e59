/**
 * The approval of one request: for exactly this message, once, and not for long. It is handed from the operator's word to the place where
 * the message is let through, which redeems it there.
 */
import type { EipcError } from '../errors.js';

/** One approval. */
export class Approval {
  readonly id: string;
  /** Who gave it. */
  readonly by: string;
  /** Resolves when the handler has been started; rejects with the reason why it was not. */
  readonly started: Promise<void>;
  readonly #digest: string;
  /** When it is worth nothing any more, by the monotonic clock. */
  readonly #end: number;
  #isUsed = false;
  #resolve: () => void = () => undefined;
  #reject: (error: EipcError) => void = () => undefined;

  constructor(id: string, digest: string, by: string, end: number) {
    this.id = id;
    this.by = by;
    this.#digest = digest;
    this.#end = end;
    this.started = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Uses it up for the message with this digest. Returns why it is not good for that; undefined when it is. */
  redeem(digest: string): string | undefined {
    if (this.#isUsed) return `the approval ${this.id} was used`;
    this.#isUsed = true;
    if (digest !== this.#digest) return `the approval ${this.id} is for another message`;
    return performance.now() < this.#end ? undefined : `the approval ${this.id} has expired`;
  }

  /** The handler was started. */
  start(): void {
    this.#resolve();
  }

  /** The message was not let through after all. */
  fail(error: EipcError): void {
    this.#reject(error);
  }
}
