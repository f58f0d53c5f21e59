/** The ways to take messages out of an endpoint that has no router. The rest of an endpoint is in `endpoint.ts`. */
import { integer } from './check.js';
import type { Inbox } from './inbox.js';
import type { Message } from './message.js';
import type { WaitOptions } from './options.js';
import { receiveSync } from './receive-sync.js';
import { waitTimeout } from './settings.js';
import { ThreadBound } from './thread-bound.js';
import type { Link } from './transport/transport.js';
import { checkVectors } from './vector-records.js';

const MAX_RECEIVE_BATCH = 65_536;

/** Where messages wait, and what brings them. */
interface InboxSide {
  readonly inbox: Inbox;
  readonly link: () => Link;
}

/** The receiving half of an endpoint. */
export abstract class ReceivingEndpoint extends ThreadBound implements AsyncIterable<Message> {
  /** Absent where a router takes the messages. */
  #side: InboxSide | undefined;

  /**
   * Has the messages of an inbox received here.
   *
   * @param link - returns the link of the session, or throws when there is none now
   * @internal
   */
  protected receiveFrom(inbox: Inbox, link: () => Link): void {
    this.#side = { inbox, link };
  }

  /**
   * Resolves with the next message of the inbox, highest priority first.
   *
   * @throws TypeError when this endpoint has a router; rejects with TimeoutError, the signal's reason, ClosedError or PeerDownError
   */
  receive(options?: WaitOptions): Promise<Message> {
    const { inbox } = this.#required();
    const timeout = waitTimeout(options, 0);
    return inbox.receive(timeout === 0 ? undefined : timeout, options?.signal);
  }

  /**
   * Returns the next message of the inbox, highest priority first, and blocks the thread until there is one: for a Worker that does nothing
   * else, over shared memory. Meanwhile nothing of the thread runs, no timer, no promise, no other connection.
   *
   * @param options - `timeout` in milliseconds; without it the wait ends with the connection at the latest
   * @throws TypeError on the main thread, on another transport than `shm`, when this endpoint has a router or another reader waits;
   * TimeoutError, ClosedError or PeerDownError
   */
  receiveSync(options?: Pick<WaitOptions, 'timeout'>): Message {
    const { inbox, link } = this.#required();
    const timeout = waitTimeout(options, 0);
    return receiveSync(inbox, link, timeout === 0 ? Infinity : timeout);
  }

  /** Resolves with 1 … `max` messages of the inbox: waits for the first, then takes what else is there. Rejects as `receive` does. */
  async receiveBatch(max: number, options?: WaitOptions): Promise<Message[]> {
    integer('max', max, 1, MAX_RECEIVE_BATCH);
    const messages = [await this.receive(options)];
    while (messages.length < max) {
      const message = this.#required().inbox.take();
      if (message === undefined) break;
      messages.push(message);
    }
    return messages;
  }

  /**
   * Takes the vectors of `features` messages of format `float32` out of the inbox into memory of yours, one behind the other: waits for the first,
   * then takes what else is there and fits. Resolves with their number. Rejects as `receive` does, and with a TypeError when the next message
   * is something else, which `receive` then brings.
   *
   * @param into - room for one vector or more
   * @param length - values of a vector
   */
  receiveVectors(into: Float32Array, length: number, options?: WaitOptions): Promise<number> {
    const { inbox } = this.#required();
    checkVectors(into, length);
    const timeout = waitTimeout(options, 0);
    return inbox.receiveVectors(into, length, timeout === 0 ? undefined : timeout, options?.signal);
  }

  /** Iterates over the inbox: ends with an agreed close, throws PeerDownError when the peer died. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message> {
    return this.#required().inbox.iterate();
  }

  #required(): InboxSide {
    if (this.#side !== undefined) return this.#side;
    throw new TypeError(
      'this endpoint has a router, so its messages go there; give `router: null` to receive them yourself',
    );
  }
}
