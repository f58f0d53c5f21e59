/** Iterating over the endpoints of a server as they authenticate. */
import { Queue } from './queue.js';
import type { ServerEndpoint } from './server-endpoint.js';

/** One iteration over new endpoints. Holds only open ones, so that the connection limit bounds it. */
export class EndpointReader implements AsyncIterableIterator<ServerEndpoint> {
  readonly #readers: Set<EndpointReader>;
  readonly #queue = new Queue<ServerEndpoint>();
  #isOver = false;
  #wake: ((result: IteratorResult<ServerEndpoint>) => void) | undefined;

  constructor(readers: Set<EndpointReader>) {
    this.#readers = readers;
  }

  put(endpoint: ServerEndpoint): void {
    const wake = this.#wake;
    this.#wake = undefined;
    if (wake !== undefined) {
      wake({ done: false, value: endpoint });
      return;
    }
    for (let count = this.#queue.length; count > 0; count -= 1) {
      const queued = this.#queue.shift();
      if (queued !== undefined && queued.state === 'open') this.#queue.push(queued);
    }
    this.#queue.push(endpoint);
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.({ done: true, value: undefined });
    this.#wake = undefined;
  }

  next(): Promise<IteratorResult<ServerEndpoint>> {
    const endpoint = this.#queue.shift();
    if (endpoint !== undefined) return Promise.resolve({ done: false, value: endpoint });
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    if (this.#wake !== undefined)
      return Promise.reject(
        new TypeError('another next() of this iteration is waiting; an iterator has one reader at a time'),
      );
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  return(): Promise<IteratorResult<ServerEndpoint>> {
    this.#readers.delete(this);
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
