/**
 * EIPC/2 through shared memory: a native `ShmSession`, which owns the control socket, the segment, the wake-ups. This file only moves
 * batches between it and the endpoint and keeps the event loop alive between them.
 */
import type { Priority } from '../message.js';
import type { ShmCalls, ShmSession } from '../native.js';
import { FLAG, STATE } from '../native.js';
import { SessionLink } from './session-link.js';
import type { Credentials, Link, LinkObserver } from './transport.js';

const ALL_LANES = 15;
const UNLIMITED = 65_536;
/** Milliseconds that a native wait can be told. */
const MAX_BLOCK = 0xffff_ffff;

/** What a shared-memory link is made of. */
export interface ShmOptions {
  /** Makes the native session; `onEvent` means that there is something to receive or to follow. */
  readonly start: (onEvent: () => void) => ShmSession;
  readonly credentials: Credentials;
  readonly observer: LinkObserver;
}

/** A link through shared memory. */
export class ShmLink extends SessionLink implements Link {
  readonly transport = 'shm';
  readonly credentials: Credentials;
  protected readonly link = this;
  protected readonly native: ShmSession;
  readonly #calls: ShmCalls;
  #laneMask = ALL_LANES;
  #isReceiving = false;
  #willLook = false;

  constructor(options: ShmOptions) {
    super(options.observer);
    this.credentials = options.credentials;
    this.native = options.start(() => this.#receive());
    this.#calls = this.native.calls();
    const timeout = this.native.timeoutMs();
    if (timeout >= 0) this.arm(timeout);
  }

  push(batch: Buffer, length: number): number {
    const taken = this.#calls.push(batch, length);
    if (taken < 0) this.#lookLater();
    return taken;
  }

  waitForSpace(lane: Priority): boolean {
    const hasRoom = this.native.waitForSpace(lane);
    if (hasRoom && this.native.state() >= STATE.closing) this.#lookLater();
    return hasRoom;
  }

  // What `push` took is in the ring and visible to the peer.
  flush(): Promise<void> {
    return Promise.resolve();
  }

  resume(): void {
    this.#receive();
  }

  block(milliseconds: number): void {
    this.native.block(Math.min(Math.ceil(milliseconds), MAX_BLOCK));
    this.#receive();
  }

  noteDropped(lane: Priority, count: number): void {
    this.native.noteDropped(lane, count);
  }

  droppedByPeer(lane: Priority): number {
    return this.native.droppedByPeer(lane);
  }

  close(reason: number): void {
    if (this.hasClosed || this.isFinished) return;
    this.hasClosed = true;
    this.native.close(reason);
    const timeout = this.native.timeoutMs();
    if (timeout >= 0) this.arm(timeout);
    this.#receive();
  }

  destroy(): void {
    this.finish({ code: 0, byPeer: false, context: 'cut here', reason: 0 });
  }

  ref(): void {
    this.native.setReferenced(true);
  }

  unref(): void {
    this.native.setReferenced(false);
  }

  protected receiveInto(slab: Buffer, from: number, descriptors: Uint32Array): number {
    return this.#calls.receive(slab, from, descriptors, this.#laneMask);
  }

  // Native code writes to the control socket itself, and says goodbye itself once the lanes are empty.
  protected transmit(): void {}

  protected peerClosed(): void {}

  protected release(): void {
    this.native.destroy(0);
  }

  /**
   * Receives one batch. While there is more, native code comes back to this connection after it has looked at the others, so that nobody's
   * flood holds up more than itself.
   */
  #receive(): void {
    if (this.#isReceiving || this.isFinished) return;
    this.#isReceiving = true;
    const wasOver = this.state >= STATE.closing;
    let flags = this.#receiveOnce();
    // A state that was learned just now opens the lanes for what is left.
    if (!wasOver && this.state >= STATE.closing && !this.isFinished) flags = this.#receiveOnce();
    this.#isReceiving = false;
    // While the session is open there is nothing to follow, and asking would cost as much as a message.
    const isOpen = this.state === STATE.open && !this.hasClosed;
    if (!isOpen && (flags & (FLAG.more | FLAG.slab)) === 0) this.followState();
  }

  #receiveOnce(): number {
    // After the end nothing new can come: what is left is bounded by the ring, and is delivered whatever room there is.
    const isOver = this.state >= STATE.closing;
    this.#laneMask = isOver ? ALL_LANES : (this.receiver?.laneMask() ?? ALL_LANES);
    return this.receiveBatch(isOver ? UNLIMITED : (this.receiver?.room(this.#laneMask) ?? 1));
  }

  /**
   * Looks at the session in the next turn, after a send that failed or a wait that is over: what it met in the segment may have ended the
   * session, of which no event of the socket tells.
   */
  #lookLater(): void {
    if (this.#willLook) return;
    this.#willLook = true;
    setImmediate(() => {
      this.#willLook = false;
      this.#receive();
    });
  }
}
