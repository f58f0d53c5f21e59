/**
 * Where messages of an endpoint without a router wait for `receive` and iteration: one bounded queue for each priority, taken from in order
 * of priority. A full queue stops its lane, so that the sender sees it.
 */
import type { DeadlineWheel } from './deadlines.js';
import { abortReason } from './deadlines.js';
import type { Message } from './message.js';
import { Queue } from './queue.js';
import { DONE, IteratingReceiver, SingleReceiver, VectorReceiver } from './receivers.js';
import type { InboxEnd, Receiver } from './receivers.js';

/** How an inbox speaks to its endpoint. */
export interface InboxOwner {
  /** Whether a message may still be delivered; refuses and counts it otherwise. */
  mayDeliver(message: Message): boolean;
  /** A queue that had been full has room again. */
  roomAgain(): void;
}

/** The queues of messages that were delivered and not yet taken. */
export class Inbox {
  readonly #owner: InboxOwner;
  readonly #wheel: DeadlineWheel;
  readonly #limit: number;
  readonly #queues = [new Queue<Message>(), new Queue<Message>(), new Queue<Message>(), new Queue<Message>()] as const;
  #receiver: SingleReceiver | IteratingReceiver | VectorReceiver | undefined;
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

  /** Who waits for vectors now. */
  get vectors(): VectorReceiver | undefined {
    return this.#receiver instanceof VectorReceiver ? this.#receiver : undefined;
  }

  /** Takes a message, for whoever waits or for later. */
  accept(message: Message): void {
    const receiver = this.#receiver;
    if (receiver === undefined || receiver.isOver) this.#queues[message.priority].push(message);
    else if (this.#owner.mayDeliver(message) && !receiver.accept(message)) this.#queues[message.priority].push(message);
  }

  /** Returns the next message that waits, highest priority first; none when the first is not wanted. */
  take(isWanted: (message: Message) => boolean = always): Message | undefined {
    for (const queue of this.#queues) {
      for (let message = queue.peek(); message !== undefined; message = queue.peek()) {
        const isDue = this.#owner.mayDeliver(message);
        if (isDue && !isWanted(message)) return undefined;
        queue.shift();
        if (queue.length === Math.floor(this.#limit / 2)) this.#owner.roomAgain();
        if (isDue) return message;
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

  /** Resolves with how many vectors were taken into `into`: what waits, or what the next delivery brings. */
  receiveVectors(
    into: Float32Array,
    length: number,
    timeout: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    if (signal?.aborted === true) return Promise.reject(abortReason(signal));
    const receiver = new VectorReceiver(into, length);
    let next: Message | undefined;
    const isWanted = (message: Message): boolean => {
      next = message;
      return receiver.takes(message);
    };
    for (let message = this.take(isWanted); message !== undefined; message = this.take(isWanted)) {
      next = undefined;
      receiver.take(message as Message<Float32Array>);
      if (receiver.isFull) break;
    }
    if (receiver.count > 0) return Promise.resolve(receiver.count);
    return next === undefined ? this.#wait(receiver, timeout, signal) : Promise.reject(receiver.refusal(next));
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

  #wait<T, R extends Receiver<T> & (SingleReceiver | IteratingReceiver | VectorReceiver)>(
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

function anotherReader(): TypeError {
  return new TypeError(
    'another receive() or iteration of this endpoint is waiting; an endpoint has one reader at a time',
  );
}

function always(): boolean {
  return true;
}
