/**
 * What stream and shared-memory links have in common: receiving into slabs, following the state of the native session, its one timer, and
 * telling observer and receiver what happened, each thing once.
 */
import type { NativeKey, Outcome, SessionInfo } from '../native.js';
import { DESCRIPTOR_WORDS, DESCRIPTORS_FROM, FLAG, NO_TIMEOUT, STATE, STATUS, threadPoller } from '../native.js';
import { CLOSE_REASON, NOTHING_UNSENT } from './transport.js';
import type { Link, LinkObserver, LinkReceiver } from './transport.js';

/** What both native sessions answer. */
export interface NativeSession {
  state(): number;
  info(): SessionInfo | null;
  outcome(): Outcome | null;
  usesKey(key: NativeKey): boolean;
  timeoutMs(): number;
  handleTimeout(): void;
}

/** Messages one receive call may bring: enough to make the call cheap, few enough to let others have their turn. */
const MAX_BATCH = 256;
const FIRST_SLAB = 65_536;
const FULL_SLAB = 262_144;
/** Below this a slab is replaced rather than offered: native code would only ask for another. */
const MIN_ROOM = 8_192;

/** Memory for received messages. What was written is never written again; a slab that is used up is replaced and lives as long as its messages. */
class Slab {
  buffer = Buffer.allocUnsafeSlow(FIRST_SLAB);
  used = 0;

  replace(least: number): void {
    // Connections that carry little keep small slabs; one that filled its slab gets a larger one.
    const size = Math.max(least, Math.min(FULL_SLAB, this.buffer.length * 2));
    this.buffer = Buffer.allocUnsafeSlow(size);
    this.used = 0;
  }
}

/** What a receive call fills: messages go into the slab, what and where they are into the descriptors. */
class ReceiveMemory {
  readonly slab = new Slab();
  readonly status = new Uint32Array(DESCRIPTORS_FROM + MAX_BATCH * DESCRIPTOR_WORDS);
  /** Descriptor arrays of 1, 2, 4 … messages over one buffer: the length of the array limits what a call may bring. */
  readonly descriptors: readonly Uint32Array[] = Array.from({ length: Math.log2(MAX_BATCH) + 1 }, (_, power) =>
    this.status.subarray(0, DESCRIPTORS_FROM + 2 ** power * DESCRIPTOR_WORDS),
  );
}

/**
 * Lent to every connection in its handshake, of which nothing stays in it, so that strangers cost no memory of their own. Whoever has a
 * message in it keeps it.
 */
let lent: ReceiveMemory | undefined;

/** Base of links over a native session. */
export abstract class SessionLink {
  /** Absent where there is no handshake to watch. */
  readonly #observer: LinkObserver | undefined;
  #memory: ReceiveMemory | undefined;
  #receiver: LinkReceiver | undefined;
  #isFinished = false;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = Infinity;
  #state: number = STATE.handshaking;
  #hasToldClosing = false;
  #hasExpired = false;
  /** Whether our own goodbye was said. */
  protected hasClosed = false;
  /** Bytes of the chunk that the last receive call used. */
  protected consumed = 0;

  constructor(observer: LinkObserver | undefined) {
    this.#observer = observer;
  }

  usesKey(key: NativeKey): boolean {
    return this.native.usesKey(key);
  }

  attach(receiver: LinkReceiver): void {
    this.#receiver = receiver;
  }

  /** Set once the session is open. */
  protected get receiver(): LinkReceiver | undefined {
    return this.#receiver;
  }

  /** Whether `ended` or `failed` was called. */
  protected get isFinished(): boolean {
    return this.#isFinished;
  }

  /** The state after the last receive call. */
  protected get state(): number {
    return this.#state;
  }

  /** The link as the endpoint sees it. */
  protected abstract readonly link: Link;
  /** The native session. */
  protected abstract readonly native: NativeSession;
  /** Calls the native receive. */
  protected abstract receiveInto(slab: Buffer, from: number, descriptors: Uint32Array): number;
  /** Writes what the native session wants written now. */
  protected abstract transmit(): void;
  /** The peer said goodbye and everything before it was delivered. */
  protected abstract peerClosed(): void;
  /** Lets go of the connection's resources. */
  protected abstract release(): void;

  /**
   * Receives one batch of at most `room` messages and delivers it.
   *
   * @returns the flags of the call
   */
  protected receiveBatch(room: number): number {
    const memory = this.#memory ?? (lent ??= new ReceiveMemory());
    const { slab, status } = memory;
    if (slab.buffer.length - slab.used < MIN_ROOM) slab.replace(FIRST_SLAB);
    const size = Math.min(31 - Math.clz32(Math.max(1, room)), memory.descriptors.length - 1);
    const descriptors = memory.descriptors[size] ?? status;
    const count = this.receiveInto(slab.buffer, slab.used, descriptors);
    const buffer = slab.buffer;
    slab.used = status[STATUS.slabUsed] ?? 0;
    const flags = status[STATUS.flags] ?? 0;
    // Delivering runs handlers, and those may do anything; what is still needed of the status is read first.
    const state = status[STATUS.state] ?? 0;
    this.#state = state;
    this.consumed = status[STATUS.consumed] ?? 0;
    const spaceLanes = status[STATUS.spaceLanes] ?? 0;
    const timeout = status[STATUS.timeout] ?? NO_TIMEOUT;
    if (memory === lent && (state === STATE.open || count > 0)) {
      lent = undefined;
      this.#memory = memory;
    }
    if ((flags & FLAG.slab) !== 0) slab.replace(Math.max(FIRST_SLAB, status[STATUS.slabNeeded] ?? 0));
    if (timeout !== NO_TIMEOUT) this.arm(timeout);
    if ((flags & FLAG.transmit) !== 0) this.transmit();
    if ((flags & FLAG.recognised) !== 0) this.#observer?.recognised(this.link);
    if (this.#receiver === undefined) {
      if (state >= STATE.open && this.#wasOpen(state, count))
        this.#tell((info) => this.#observer?.opened(this.link, info));
    } else if ((flags & FLAG.peer) !== 0) {
      this.#tell((info) => this.#receiver?.identified(info));
    }
    // A P0 message that came to another connection while this one's bulk was verified is handled before it.
    if ((flags & FLAG.urgentElsewhere) !== 0) threadPoller().deliverUrgent();
    if (count > 0) this.#receiver?.deliver(buffer, descriptors, count);
    if ((flags & FLAG.space) !== 0 && !this.#isFinished) this.#receiver?.space(spaceLanes);
    return flags;
  }

  /** Follows the session into closing and closed. Call when nothing more can be delivered before. */
  protected followState(): void {
    if (this.#isFinished) return;
    let state = this.native.state();
    if (state === STATE.closing && !this.hasClosed) {
      if (!this.#hasToldClosing) this.#receiver?.closing();
      this.#hasToldClosing = true;
      this.peerClosed();
      state = this.native.state();
    }
    if (state === STATE.closed) this.finish(this.native.outcome() ?? UNKNOWN_OUTCOME);
  }

  /** Ends the link, once: lets go of everything, then tells who watches. */
  protected finish(outcome: Outcome, unsent = NOTHING_UNSENT, cause?: unknown): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    clearTimeout(this.#timer);
    this.release();
    if (this.#receiver === undefined) this.#observer?.failed(outcome, cause);
    else
      this.#receiver.ended(
        this.#hasExpired && outcome.code === 0 ? { ...outcome, reason: CLOSE_REASON.time } : outcome,
        unsent,
        cause,
      );
  }

  /** Has `handleTimeout` called in `delay` milliseconds at the latest. One timer, moved only to an earlier time. */
  protected arm(delay: number): void {
    const due = performance.now() + delay;
    if (due >= this.#timerDue || this.#isFinished) return;
    clearTimeout(this.#timer);
    this.#timerDue = due;
    this.#timer = setTimeout(this.#handleTimeout, Math.min(delay + 1, MAX_TIMER)).unref();
  }

  /** A session that ends in the same call that opened it was open if it brought something or ended by agreement; else it only failed. */
  #wasOpen(state: number, count: number): boolean {
    return state !== STATE.closed || count > 0 || this.native.outcome()?.code === 0;
  }

  #tell(tell: (info: SessionInfo) => void): void {
    const info = this.native.info();
    if (info !== null) tell(info);
  }

  readonly #handleTimeout = (): void => {
    this.#timerDue = Infinity;
    const wasOpen = this.native.state() === STATE.open;
    this.native.handleTimeout();
    if (wasOpen && this.native.state() !== STATE.open) {
      // The session's time is over: native code said our goodbye itself. The peer's answer names no reason.
      this.hasClosed = true;
      this.#hasExpired = true;
      this.#receiver?.closing();
    }
    this.transmit();
    this.followState();
    const next = this.native.timeoutMs();
    if (next >= 0) this.arm(next);
  };
}

const MAX_TIMER = 2_147_483_647;
const UNKNOWN_OUTCOME: Outcome = { code: 0, byPeer: false, context: '', reason: 0 };
