/**
 * Finds out that a peer is gone where the kernel does not tell: a machine that lost its power or its network closes no connection. Costs
 * nothing while messages come; in silence the peer is pinged.
 */
import { setMaxListeners } from 'node:events';

import { makeError } from './errors.js';
import type { EipcError } from './errors.js';
import type { Peer } from './peer.js';
import { DEFAULT_HEARTBEAT } from './settings.js';
import type { HeartbeatSettings } from './settings.js';

/**
 * Says how often a session is to have signs of life; undefined for one that needs none.
 *
 * @param asked - what the options say, if anything
 */
export function heartbeatFor(
  asked: HeartbeatSettings | false | undefined,
  { transport, protocol }: Pick<Peer, 'transport' | 'protocol'>,
): HeartbeatSettings | undefined {
  const isOnNetwork = transport === 'tcp' || transport === 'tls';
  // Programs of the original answer no heartbeat: by default nobody is cut for that.
  const settings = asked ?? (isOnNetwork && protocol === 2 ? DEFAULT_HEARTBEAT : false);
  return settings === false ? undefined : settings;
}

/** How a heartbeat speaks to its endpoint. */
export interface HeartbeatOwner {
  /** Messages received so far. */
  received(): number;
  /** Whether messages may be waiting at the peer because there is no room for them here: then silence says nothing. */
  isHoldingUp(): boolean;
  /** Asks the peer for a sign of life. */
  ping(timeout: number, signal: AbortSignal): Promise<unknown>;
  /** The peer counts as gone. */
  silent(error: EipcError): void;
}

/** The heartbeat of one endpoint. Its one timer sleeps for whole intervals, unlike the wheel's, which would turn for it every second. */
export class Heartbeat {
  readonly #settings: HeartbeatSettings;
  readonly #owner: HeartbeatOwner;
  #timer: NodeJS.Timeout | undefined;
  /** Messages received when this was looked at last. */
  #received = 0;
  /** Since when the peer owes a sign of life. */
  #askedAt: number | undefined;
  /** Ends the pings of this session that have no answer. */
  #pings = new AbortController();

  constructor(settings: HeartbeatSettings, owner: HeartbeatOwner) {
    this.#settings = settings;
    this.#owner = owner;
  }

  /** Begins, with a session. */
  start(): void {
    this.#pings = new AbortController();
    setMaxListeners(0, this.#pings.signal);
    this.#heard();
  }

  /** Ends, with the session. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#pings.abort();
  }

  #heard(): void {
    this.#received = this.#owner.received();
    this.#askedAt = undefined;
    this.#sleep(this.#settings.interval);
  }

  #sleep(delay: number): void {
    this.#timer = setTimeout(this.#look, delay).unref();
  }

  readonly #look = (): void => {
    if (this.#hasSign()) return;
    const { interval, timeout } = this.#settings;
    const now = performance.now();
    this.#askedAt ??= now;
    const left = this.#askedAt + timeout - now;
    if (left > 0) {
      // More than one: each is a sign of life of our own, for a peer that has no room for messages and so cannot answer.
      this.#owner.ping(timeout, this.#pings.signal).catch(() => {});
      this.#sleep(Math.min(interval, left));
    } else {
      // When this process itself was stopped, the sign of life is there and has not been read. That comes first.
      setImmediate(this.#judge);
    }
  };

  readonly #judge = (): void => {
    if (this.#pings.signal.aborted || this.#hasSign()) return;
    const { interval, timeout } = this.#settings;
    this.#owner.silent(
      makeError(
        'EIPC_PEER_DOWN',
        `the peer was silent for ${interval} ms and did not answer a heartbeat within ${timeout} ms: it is gone, stopped, or cannot be reached`,
      ),
    );
  };

  /** Starts over if something came, or could not have come. */
  #hasSign(): boolean {
    if (this.#owner.isHoldingUp()) {
      // The peer may be waiting for us in the same way, and should know that we are there.
      this.#owner.ping(this.#settings.timeout, this.#pings.signal).catch(() => {});
    } else if (this.#owner.received() === this.#received) {
      return false;
    }
    this.#heard();
    return true;
  }
}
