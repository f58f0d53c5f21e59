/**
 * Where messages of an endpoint without a router wait for `receive` and iteration: one bounded queue for each priority, taken from in order
 * of priority. A full queue stops its lane, so that the sender sees it.
 */
import type { DeadlineWheel } from './deadlines.js';
import { Wait } from './deadlines.js';
import type { EipcError } from './errors.js';
import { makeError } from './errors.js';
import type { Message } from './message.js';
import { Queue } from './queue.js';

/** How an inbox speaks to its endpoint. */
export interface InboxOwner {
  /** Whether a message may still be delivered; refuses and counts it otherwise. */
  mayDeliver(message: Message): boolean;
  /** A queue that had been full has room again. */
  roomAgain(): void;
}

/** How the inbox ended: `error` is what `receive` rejects with, and what iteration throws unless the end was agreed upon. */
export interface InboxEnd {
  readonly error: EipcError;
  readonly isAgreed: boolean;
}

/** Someone who waits for the next message; `undefined` stands for an agreed end. */
class Receiver extends Wait<Message | undefined> {
  readonly isIterating: boolean;

  constructor(isIterating: boolean) {
    super();
    this.isIterating = isIterating;
  }

  protected override timeoutError(): Error {
    return makeError('EIPC_TIMEOUT', 'no message came within the time given to receive()');
  }
}

/** The queues of messages that were delivered and not yet taken. */
export class Inbox {
  readonly #owner: InboxOwner;
  readonly #wheel: DeadlineWheel;
  readonly #limit: number;
  readonly #queues = [new Queue<Message>(), new Queue<Message>(), new Queue<Message>(), new Queue<Message>()] as const;
  #receiver: Receiver | undefined;
  #end: InboxEnd | undefined;

  constructor(owner: InboxOwner, wheel: DeadlineWheel, limit: number) {
    this.#owner = owner;
    this.#wheel = wheel;
    this.#limit = limit;
  }

  /** Messages that wait. */
  get length(): number {
    return this.#queues.reduce((sum, queue) => sum + queue.length, 0);
  }

  /** Messages of one priority that still fit. */
  room(lane: number): number {
    return this.#limit - (this.#queues[lane]?.length ?? 0);
  }

  /** Takes a message, for whoever waits or for later. */
  accept(message: Message): void {
    const receiver = this.#receiver;
    if (receiver === undefined || receiver.isOver) {
      this.#queues[message.priority].push(message);
    } else if (this.#owner.mayDeliver(message)) {
      this.#receiver = undefined;
      receiver.settle(message);
    }
  }

  /** Returns the next message that waits, highest priority first. */
  take(): Message | undefined {
    for (const queue of this.#queues) {
      for (let message = queue.shift(); message !== undefined; message = queue.shift()) {
        if (queue.length === Math.floor(this.#limit / 2)) this.#owner.roomAgain();
        if (this.#owner.mayDeliver(message)) return message;
      }
    }
    return undefined;
  }

  /** Resolves with the next message; rejects when there will be none. */
  async receive(timeout: number | undefined, signal: AbortSignal | undefined): Promise<Message> {
    signal?.throwIfAborted();
    const message = this.take() ?? (await this.#wait(false, timeout, signal));
    if (message === undefined) throw this.#endError();
    return message;
  }

  /** Returns an iterator over everything that comes. It ends with an agreed close and throws when the peer died. */
  iterate(): AsyncIterableIterator<Message> {
    const iterator: AsyncIterableIterator<Message> = {
      next: async () => {
        const message = this.take() ?? (await this.#wait(true, undefined, undefined));
        return message === undefined ? { done: true, value: undefined } : { done: false, value: message };
      },
      // Leaving the loop ends the iteration, not the endpoint: it may be read on.
      return: () => Promise.resolve({ done: true, value: undefined }),
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** Ends the inbox. What waits can still be taken. */
  end(end: InboxEnd): void {
    this.#end ??= end;
    const receiver = this.#receiver;
    this.#receiver = undefined;
    if (receiver === undefined) return;
    if (receiver.isIterating && end.isAgreed) receiver.settle(undefined);
    else receiver.fail(end.error);
  }

  #wait(
    isIterating: boolean,
    timeout: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Message | undefined> {
    if (this.#end !== undefined) {
      return isIterating && this.#end.isAgreed ? Promise.resolve(undefined) : Promise.reject(this.#end.error);
    }
    if (this.#receiver !== undefined && !this.#receiver.isOver) {
      throw new TypeError(
        'another receive() or iteration of this endpoint is waiting; an endpoint has one reader at a time',
      );
    }
    this.#receiver = new Receiver(isIterating);
    return this.#receiver.start(this.#wheel, timeout, signal);
  }

  #endError(): EipcError {
    return this.#end?.error ?? makeError('EIPC_CLOSED', 'the connection is closed');
  }
}
