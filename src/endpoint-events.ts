/**
 * What happens to an endpoint apart from its messages, for `endpoint.events()` and `node:diagnostics_channel`. Each reader has a bounded
 * queue: a slow one misses the oldest events, and how many is counted.
 */
import { channel } from 'node:diagnostics_channel';

import type { CloseReason, Endpoint } from './endpoint.js';
import type { Message, Priority } from './message.js';
import type { Peer } from './peer.js';
import { Queue } from './queue.js';

/** Something that happened to an endpoint. */
export type EndpointEvent =
  | { readonly type: 'dropped'; readonly priority: Priority; readonly count: number }
  | { readonly type: 'expired'; readonly message: Message }
  /** The session was lost for this reason, and another is tried for. */
  | { readonly type: 'reconnecting'; readonly reason: CloseReason }
  | { readonly type: 'reconnected'; readonly peer: Peer }
  | { readonly type: 'closed'; readonly reason: CloseReason };

const MAX_EVENTS = 256;

const CHANNELS = {
  connected: channel('eipc:connected'),
  dropped: channel('eipc:dropped'),
  expired: channel('eipc:expired'),
  reconnecting: channel('eipc:reconnecting'),
  reconnected: channel('eipc:reconnected'),
  closed: channel('eipc:closed'),
  'peer-down': channel('eipc:peer-down'),
} as const;

/** Publishes on the diagnostics channel `eipc:NAME`. What subscribers throw is Node's affair. */
export function publish(name: keyof typeof CHANNELS, endpoint: Endpoint, detail: object): void {
  const target = CHANNELS[name];
  if (target.hasSubscribers) target.publish({ endpoint, ...detail });
}

class Reader implements AsyncIterableIterator<EndpointEvent> {
  readonly queue = new Queue<EndpointEvent>();
  readonly #events: EndpointEvents;
  #isOver = false;
  #wake: ((result: IteratorResult<EndpointEvent>) => void) | undefined;

  constructor(events: EndpointEvents) {
    this.#events = events;
  }

  put(event: EndpointEvent): boolean {
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

  next(): Promise<IteratorResult<EndpointEvent>> {
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

  return(): Promise<IteratorResult<EndpointEvent>> {
    this.#events.leave(this);
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** The events of one endpoint. Nothing is kept while nobody reads. */
export class EndpointEvents {
  readonly #readers = new Set<Reader>();
  readonly #onMissed: () => void;
  #hasEnded = false;

  constructor(onMissed: () => void) {
    this.#onMissed = onMissed;
  }

  /** Returns the events from now on. */
  read(): AsyncIterableIterator<EndpointEvent> {
    const reader = new Reader(this);
    if (this.#hasEnded) reader.end();
    else this.#readers.add(reader);
    return reader;
  }

  /** Gives an event to every reader. */
  emit(event: EndpointEvent): void {
    for (const reader of this.#readers) if (!reader.put(event)) this.#onMissed();
  }

  /** Ends every reader after the events it has. */
  end(): void {
    this.#hasEnded = true;
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  /** Takes a reader out. Only for `Reader`. */
  leave(reader: Reader): void {
    this.#readers.delete(reader);
  }
}
