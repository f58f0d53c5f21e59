/**
 * Says at an interval that a service is alive and how it does, for a health service at the other end. (Whether the other end is still there
 * is found out by the `heartbeat` option, and on most transports by the kernel.)
 */
import { inspect } from 'node:util';

import { checkNames, duration } from './check.js';
import type { Endpoint } from './endpoint.js';
import type { HeartbeatEvent } from './events.js';

/** Options of a heartbeat sender. */
export interface HeartbeatSenderOptions {
  /** Whose heartbeat it is. */
  readonly service: string;
  /** Milliseconds from one to the next. Default 5 000. */
  readonly interval?: number;
  /** Returns how the service does. Default: it is `alive`. */
  readonly status?: () => HeartbeatEvent['status'];
  /** Told of each heartbeat that could not be sent. */
  readonly onError?: (error: unknown) => void;
}

/** What a heartbeat sender did so far. */
export interface HeartbeatSenderStats {
  /** Heartbeats that were accepted. */
  readonly sent: number;
  /** Heartbeats that were not, or whose status could not be had. */
  readonly failed: number;
}

const OPTION_NAMES = ['service', 'interval', 'status', 'onError'];
const DEFAULT_INTERVAL = 5_000;

/**
 * Sends heartbeats. Its timer does not keep the process alive, and it stops by itself when the endpoint is closed.
 *
 * @example
 * const heartbeats = new HeartbeatSender(eai, { service: 'eni.min' });
 * heartbeats.start();
 */
export class HeartbeatSender {
  readonly #endpoint: Endpoint;
  readonly #service: string;
  readonly #interval: number;
  readonly #status: () => HeartbeatEvent['status'];
  readonly #onError: (error: unknown) => void;
  readonly #counts = { sent: 0, failed: 0 };
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  #isSending = false;

  /** @throws TypeError or RangeError for a wrong option */
  constructor(endpoint: Endpoint, options: HeartbeatSenderOptions) {
    checkNames(options, OPTION_NAMES, 'HeartbeatSender');
    const { service, interval = DEFAULT_INTERVAL, status = () => 'alive', onError = () => {} } = options;
    if (typeof service !== 'string' || service === '')
      throw new TypeError(`service must be a string that is not empty, not ${inspect(service)}`);
    if (typeof status !== 'function') throw new TypeError(`status must be a function, not ${inspect(status)}`);
    if (typeof onError !== 'function') throw new TypeError(`onError must be a function, not ${inspect(onError)}`);
    this.#endpoint = endpoint;
    this.#service = service;
    this.#interval = duration('interval', interval);
    this.#status = status;
    this.#onError = onError;
    void endpoint.closed.then(() => this.stop());
  }

  /** Whether heartbeats are being sent. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Sends one now, and from now on one at each interval. Does nothing when it runs already, or the endpoint is closed. */
  start(): void {
    if (this.#isRunning || this.#endpoint.state === 'closed') return;
    this.#isRunning = true;
    if (!this.#isSending) void this.#beat();
  }

  /** Sends no more; what is waiting to be sent still is. Does nothing when it does not run. */
  stop(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  /** Returns a frozen copy of the counters. */
  stats(): HeartbeatSenderStats {
    return Object.freeze({ ...this.#counts });
  }

  /** Sends one, waits until it is accepted or its interval is over, and only then sees to the next. */
  async #beat(): Promise<void> {
    const start = performance.now();
    this.#isSending = true;
    try {
      const payload: HeartbeatEvent = { service: this.#service, status: this.#status() };
      await this.#endpoint.send({ type: 'heartbeat', payload }, { timeout: this.#interval });
      this.#counts.sent += 1;
    } catch (error) {
      this.#counts.failed += 1;
      this.#onError(error);
    } finally {
      this.#isSending = false;
      const left = Math.max(0, start + this.#interval - performance.now());
      if (this.#isRunning) this.#timer = setTimeout(() => void this.#beat(), left).unref();
    }
  }
}
