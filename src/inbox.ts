/**
 * Where messages of an endpoint without a router wait for `receive` and iteration: one bounded queue for each priority, taken from in order
 * of priority. A full queue stops its lane, so that the sender sees it.
 */
import type { DeadlineWheel } from './deadlines.js';
import { abortReason, Wait } from './deadlines.js';
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

/** Someone who waits for the next message. */
abstract class Receiver<T> extends Wait<T> {
  /** Takes the message. */
  abstract accept(message: Message): void;
  /** There will be none. */
  abstract end(end: InboxEnd): void;

  protected override timeoutError(): Error {
    return noMessage();
  }
}

/** Who called `receive`. */
class SingleReceiver extends Receiver<Message> {
  override accept(message: Message): void {
    this.settle(message);
  }

  override end({ error }: InboxEnd): void {
    this.fail(error);
  }
}

/** Who iterates. Its promise is the one the loop awaits: another one around it would cost a turn of the microtasks for each message. */
class IteratingReceiver extends Receiver<IteratorResult<Message, undefined>> {
  override accept(message: Message): void {
    this.settle({ done: false, value: message });
  }

  override end({ error, isAgreed }: InboxEnd): void {
    if (isAgreed) this.settle(DONE);
    else this.fail(error);
  }
}

const DONE: IteratorResult<Message, undefined> = { done: true, value: undefined };

/** The queues of messages that were delivered and not yet taken. */
export class Inbox {
  readonly #owner: InboxOwner;
  readonly #wheel: DeadlineWheel;
  readonly #limit: number;
  readonly #queues = [new Queue<Message>(), new Queue<Message>(), new Queue<Message>(), new Queue<Message>()] as const;
  #receiver: SingleReceiver | IteratingReceiver | undefined;
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
      receiver.accept(message);
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
  receive(timeout: number | undefined, signal: AbortSignal | undefined): Promise<Message> {
    if (signal?.aborted === true) return Promise.reject(abortReason(signal));
    const message = this.take();
    return message === undefined ? this.#wait(new SingleReceiver(), timeout, signal) : Promise.resolve(message);
  }

  /**
   * Returns the next message, or what ends the waiting for it. Whoever blocks the thread calls this after each wait.
   *
   * @throws what `receive` rejects with when there will be none; TypeError while another reader waits
   */
  poll(): Message | undefined {
    if (this.#receiver !== undefined && !this.#receiver.isOver) throw anotherReader();
    const message = this.take();
    if (message === undefined && this.#end !== undefined) throw this.#end.error;
    return message;
  }

  /** Returns an iterator over everything that comes. It ends with an agreed close and throws when the peer died. */
  iterate(): AsyncIterableIterator<Message> {
    const iterator: AsyncIterableIterator<Message, undefined> = {
      next: () => {
        const message = this.take();
        return message === undefined
          ? this.#wait(new IteratingReceiver(), undefined, undefined)
          : Promise.resolve({ done: false, value: message });
      },
      // Leaving the loop ends the iteration, not the endpoint: it may be read on.
      return: () => Promise.resolve(DONE),
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** Ends the inbox. What waits can still be taken. */
  end(end: InboxEnd): void {
    this.#end ??= end;
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.end(end);
  }

  #wait<T, R extends Receiver<T> & (SingleReceiver | IteratingReceiver)>(
    receiver: R,
    timeout: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    if (this.#receiver !== undefined && !this.#receiver.isOver) return Promise.reject(anotherReader());
    const message = receiver.start(this.#wheel, timeout, signal);
    if (this.#end === undefined) this.#receiver = receiver;
    else receiver.end(this.#end);
    return message;
  }
}

/** Makes the error of a wait that was too long. */
export function noMessage(): EipcError {
  return makeError('EIPC_TIMEOUT', 'no message came within the time given to receive()');
}

function anotherReader(): TypeError {
  return new TypeError(
    'another receive() or iteration of this endpoint is waiting; an endpoint has one reader at a time',
  );
}
