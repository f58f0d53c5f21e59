/**
 * How an endpoint ends: closing by its user, by its peer, by death; what is waited for, what is refused, in which order it is told. Every
 * way leads through `ended` once and resolves `closed`.
 */
import { closeReason, endError } from './close-reason.js';
import type { CloseReason } from './close-reason.js';
import type { Delivered, EipcError } from './errors.js';
import type { Intake } from './intake.js';
import type { SendLanes } from './lanes.js';
import type { Outcome } from './native.js';
import { CLOSE_TIMEOUT } from './settings.js';
import type { Requests } from './request.js';
import type { Sender } from './sender.js';
import type { Counters } from './stats.js';
import { CLOSE_REASON } from './transport/transport.js';
import type { Link } from './transport/transport.js';

/** What of an endpoint has to end with it. */
export interface LifecycleParts {
  readonly link: Link;
  readonly sender: Sender;
  readonly lanes: SendLanes;
  readonly requests: Requests;
  readonly intake: Intake;
  readonly counters: Counters;
  /** Called once, when everything is over, before `closed` resolves. */
  readonly onOver: (reason: CloseReason) => void;
}

/** The end of one endpoint. */
export class Lifecycle {
  /** Resolves, never rejects, when everything is over. */
  readonly closed: Promise<CloseReason>;
  readonly #resolveClosed: (reason: CloseReason) => void;
  #parts: LifecycleParts | undefined;
  #state: 'open' | 'draining' | 'closed' = 'open';
  #reason: CloseReason | undefined;
  #closing: Promise<void> | undefined;
  #isClosedHere = false;
  #wakeWhenIdle: (() => void) | undefined;

  constructor() {
    let resolveClosed: (reason: CloseReason) => void = () => {};
    this.closed = new Promise((resolve) => {
      resolveClosed = resolve;
    });
    this.#resolveClosed = resolveClosed;
  }

  get state(): 'open' | 'draining' | 'closed' {
    return this.#state;
  }

  /** Whether the user of this end closed it. */
  get isClosedHere(): boolean {
    return this.#isClosedHere;
  }

  /** Names the parts, which could not be made before this. */
  attach(parts: LifecycleParts): void {
    this.#parts = parts;
  }

  /** Makes the error of a call that came too late. */
  endError(delivered?: Delivered): EipcError {
    const code = this.#isClosedHere ? 'EIPC_CLOSED' : 'EIPC_CLOSED_BY_PEER';
    return endError(this.#reason ?? { code, undelivered: 0 }, delivered);
  }

  /** Closes. Every call waits for the same end. */
  close(drain: boolean, timeout: number): Promise<void> {
    if (this.#parts === undefined) return Promise.resolve();
    this.#closing ??= this.#close(this.#parts, drain, timeout);
    return this.#closing;
  }

  /** The peer said goodbye: nothing that is sent now would be read. */
  closedByPeer(): void {
    if (this.#state !== 'open') return;
    this.#state = 'draining';
    if (this.#parts !== undefined) this.#parts.sender.isOpen = false;
  }

  /** The connection is over, and everything that arrived was handed to the intake. */
  ended(outcome: Outcome, unsent: number, cause: unknown): void {
    const parts = this.#parts;
    if (parts === undefined) return;
    // Whoever says goodbye first has closed; the other end's answer changes nothing.
    const reason = closeReason(this.#isClosedHere ? { ...outcome, byPeer: false } : outcome, unsent, cause);
    this.#reason = reason;
    this.#state = 'closed';
    parts.sender.isOpen = false;
    this.#failCalls(parts);
    parts.intake.inbox.end({ error: endError(reason), isAgreed: outcome.code === 0 });
    parts.intake.serving?.end(endError(reason));
    void this.#finish(parts, reason);
  }

  /** Something ended that a draining close may wait for. */
  checkIdle(): void {
    if (this.#wakeWhenIdle === undefined || this.#parts === undefined || !isIdle(this.#parts)) return;
    this.#wakeWhenIdle();
    this.#wakeWhenIdle = undefined;
  }

  async #close(parts: LifecycleParts, drain: boolean, timeout: number): Promise<void> {
    if (this.#state === 'closed') return;
    this.#isClosedHere = this.#state === 'open';
    this.#state = 'draining';
    parts.sender.isOpen = false;
    const { overdue, stop } = startTimer(timeout);
    if (drain) await Promise.race([this.#idle(parts), overdue, this.closed]);
    parts.counters.discarded += parts.intake.serving?.discard() ?? 0;
    this.#failCalls(parts);
    parts.link.close(CLOSE_REASON.normal);
    await Promise.race([this.closed, overdue]);
    stop();
    parts.link.destroy();
    await this.closed;
  }

  #failCalls({ requests, lanes }: LifecycleParts): void {
    requests.failAll((request) => this.endError(request.delivered));
    lanes.failAll(() => this.endError('no'));
  }

  #idle(parts: LifecycleParts): Promise<void> {
    if (isIdle(parts)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wakeWhenIdle = resolve;
    });
  }

  /** What arrived and waits for a handler still gets it, for a limited time; then it is over. */
  async #finish(parts: LifecycleParts, reason: CloseReason): Promise<void> {
    const { serving } = parts.intake;
    if (serving !== undefined && serving.waiting > 0) {
      const { overdue, stop } = startTimer(CLOSE_TIMEOUT);
      await Promise.race([this.#idle(parts), overdue]);
      stop();
      parts.counters.discarded += serving.discard();
    }
    parts.onOver(reason);
    this.#resolveClosed(reason);
  }
}

function isIdle({ requests, lanes, intake: { serving } }: LifecycleParts): boolean {
  const isServing = serving !== undefined && (serving.running > 0 || serving.waiting > 0);
  return requests.size === 0 && lanes.waiting === 0 && !isServing;
}

function startTimer(delay: number): { overdue: Promise<void>; stop: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, delay);
  });
  return { overdue, stop: () => clearTimeout(timer) };
}
