/**
 * Events for whoever iterates over them. Each reader has a bounded queue: a slow one misses the oldest events, and whoever emits learns of
 * it.
 */
import { Queue } from './queue.js';

/** Events that wait for one reader. */
const MAX_EVENTS = 256;

/** One iteration. */
class Reader<Event> implements AsyncIterableIterator<Event> {
  readonly queue = new Queue<Event>();
  readonly #events: EventStream<Event>;
  #isOver = false;
  #wake: ((result: IteratorResult<Event>) => void) | undefined;

  constructor(events: EventStream<Event>) {
    this.#events = events;
  }

  put(event: Event): boolean {
    const wake = this.#wake;
    if (wake !== undefined) {
      this.#wake = undefined;
      wake({ done: false, value: event });
      return true;
    }
    const isFull = this.queue.length === MAX_EVENTS;
    if (isFull) this.queue.shift();
    this.queue.push(event);
    return !isFull;
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.({ done: true, value: undefined });
    this.#wake = undefined;
  }

  next(): Promise<IteratorResult<Event>> {
    const event = this.queue.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    if (this.#wake !== undefined)
      return Promise.reject(
        new TypeError('another next() of these events is waiting; an iterator has one reader at a time'),
      );
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  return(): Promise<IteratorResult<Event>> {
    this.#events.leave(this);
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** Events of one source. Nothing is kept while nobody reads. */
export class EventStream<Event> {
  readonly #readers = new Set<Reader<Event>>();
  readonly #onMissed: () => void;
  #hasEnded = false;

  constructor(onMissed: () => void) {
    this.#onMissed = onMissed;
  }

  /** Returns the events from now on. */
  read(): AsyncIterableIterator<Event> {
    const reader = new Reader<Event>(this);
    if (this.#hasEnded) reader.end();
    else this.#readers.add(reader);
    return reader;
  }

  /** Gives an event to every reader. */
  emit(event: Event): void {
    for (const reader of this.#readers) if (!reader.put(event)) this.#onMissed();
  }

  /** Ends every reader after the events it has. */
  end(): void {
    this.#hasEnded = true;
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  /** Takes a reader out. Only for `Reader`. */
  leave(reader: Reader<Event>): void {
    this.#readers.delete(reader);
  }
}
