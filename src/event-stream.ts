/** Events for whoever iterates over them: what happens to an endpoint, endpoints that arrive at a server. */
import { Queue } from './queue.js';

/** Events that wait for one reader, at most, where the latest ones are kept. */
const MAX_EVENTS = 256;

/** Takes from what waits for a reader that is behind, so that one more event has room: each stream has to be bounded by something. */
type MakeRoom<Event> = (waiting: Queue<Event>) => void;

/** Keeps the latest events: a slow reader misses the oldest ones, and `onMissed` learns of each. */
export function keepLatest(onMissed: () => void): MakeRoom<unknown> {
  return (waiting) => {
    if (waiting.length < MAX_EVENTS) return;
    waiting.shift();
    onMissed();
  };
}

/** One iteration. */
class Reader<Event> implements AsyncIterableIterator<Event> {
  readonly #waiting = new Queue<Event>();
  readonly #events: EventStream<Event>;
  #isOver = false;
  #wake: ((result: IteratorResult<Event>) => void) | undefined;

  constructor(events: EventStream<Event>) {
    this.#events = events;
  }

  put(event: Event, makeRoom: MakeRoom<Event>): void {
    const wake = this.#wake;
    if (wake !== undefined) {
      this.#wake = undefined;
      wake({ done: false, value: event });
      return;
    }
    makeRoom(this.#waiting);
    this.#waiting.push(event);
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.({ done: true, value: undefined });
    this.#wake = undefined;
  }

  next(): Promise<IteratorResult<Event>> {
    const event = this.#waiting.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    if (this.#wake !== undefined)
      return Promise.reject(
        new TypeError('another next() of this iteration is waiting; an iterator has one reader at a time'),
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
  readonly #makeRoom: MakeRoom<Event>;
  #hasEnded = false;

  constructor(makeRoom: MakeRoom<Event>) {
    this.#makeRoom = makeRoom;
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
    for (const reader of this.#readers) reader.put(event, this.#makeRoom);
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
