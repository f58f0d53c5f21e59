/**
 * Connecting again after a session was lost: which ends are worth it, when the next try is, and when it is given up. A try is a whole new
 * handshake with the server that the first one proved to be; what of the old session goes on is the business of `lifecycle.ts`.
 */
import type { OpenSession } from './open-session.js';
import type { CloseReason } from './close-reason.js';
import { classOf, EipcError, nativeError } from './errors.js';
import type { Outcome } from './native.js';
import type { ReconnectSettings } from './settings.js';
import { CLOSE_REASON } from './transport/transport.js';

/**
 * Opens a new session with the same server. `opened` is called the moment it is open, before the promise resolves.
 *
 * @throws what `connect` throws, and the signal's reason
 */
export type Dial = (signal: AbortSignal, opened: (session: OpenSession) => void) => Promise<void>;

/** How reconnecting speaks to its endpoint. */
export interface ReconnectOwner {
  reopened(session: OpenSession): void;
  /** A try failed, and another follows. */
  failed(error: EipcError, tries: number): void;
  /** There will be no other try. `error` is absent when sessions came about and ended at once. */
  gaveUp(error: EipcError | undefined, tries: number): void;
}

/** Classes of errors that pass by themselves: nobody is there, or not in time. Any other means an attack or a wrong configuration. */
const PASSING: ReadonlySet<string> = new Set(['PeerDownError', 'TransportError', 'TimeoutError', 'ClosedError']);

/** The tries of one endpoint. */
export class Reconnector {
  readonly #settings: ReconnectSettings;
  readonly #dial: Dial;
  readonly #protocol: 1 | 2;
  readonly #owner: ReconnectOwner;
  /** Tries since the last session that lasted. */
  #tries = 0;
  #delay = 0;
  #openedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #trying: AbortController | undefined;
  #isReferenced = true;

  constructor(settings: ReconnectSettings, dial: Dial, protocol: 1 | 2, owner: ReconnectOwner) {
    this.#settings = settings;
    this.#dial = dial;
    this.#protocol = protocol;
    this.#owner = owner;
  }

  /** Whether an end of a session is one after which it makes sense to connect again (docs/reconnect.md has the table). */
  isWorthwhile({ code, error }: CloseReason, { byPeer, reason }: Outcome): boolean {
    if (code === 'EIPC_EXPIRED') return true;
    // The server says that it is ending; a goodbye without that is meant for this client. In v1 a stream that ends is the only goodbye,
    // and the end of a process looks the same.
    if (error === undefined) return byPeer && (this.#protocol === 1 || reason === CLOSE_REASON.shutdown);
    return classOf(error.code) === 'PeerDownError' || classOf(error.code) === 'TransportError';
  }

  /** The session was lost: begins to try. */
  start(): void {
    // A server that accepts and closes at once is tried less and less often, like one that is not there.
    if (performance.now() - this.#openedAt > this.#delay) this.#tries = 0;
    this.#scheduleTry(undefined);
  }

  /** Stops trying. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#trying?.abort();
  }

  /** Lets waiting for the next try keep the process alive, or not. */
  setReferenced(isReferenced: boolean): void {
    this.#isReferenced = isReferenced;
    if (isReferenced) this.#timer?.ref();
    else this.#timer?.unref();
  }

  #scheduleTry(failure: EipcError | undefined): void {
    const { maxAttempts } = this.#settings;
    if (this.#tries >= maxAttempts) {
      this.#owner.gaveUp(failure, this.#tries);
      return;
    }
    this.#tries += 1;
    this.#delay = delayBefore(this.#tries, this.#settings);
    this.#timer = setTimeout(() => void this.#try(), this.#delay);
    if (!this.#isReferenced) this.#timer.unref();
  }

  async #try(): Promise<void> {
    const trying = new AbortController();
    this.#trying = trying;
    try {
      await this.#dial(trying.signal, (session) => {
        this.#openedAt = performance.now();
        this.#owner.reopened(session);
      });
    } catch (error) {
      if (trying.signal.aborted) return;
      const failure = error instanceof EipcError ? error : nativeError(error, 'connecting again failed');
      if (!PASSING.has(classOf(failure.code))) {
        this.#owner.gaveUp(failure, this.#tries);
        return;
      }
      this.#owner.failed(failure, this.#tries);
      this.#scheduleTry(failure);
    }
  }
}

/** Returns the milliseconds to wait before a try; the first is 1. */
function delayBefore(attempt: number, { initialDelay, multiplier, maxDelay, jitter }: ReconnectSettings): number {
  const delay = Math.min(maxDelay, initialDelay * multiplier ** (attempt - 1));
  return delay * (1 - jitter * Math.random());
}
