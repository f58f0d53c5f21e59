/**
 * How a session ends, and whether the endpoint ends with it: closing by its user, by its peer, by death; what is waited for, what is refused,
 * in which order it is told. A client that reconnects goes from `open` to `reconnecting` and back; every other way resolves `closed`, once.
 */
import { closeReason, endError, givenUpReason, lostError } from './close-reason.js';
import type { CloseReason } from './close-reason.js';
import type { Delivered, EipcError } from './errors.js';
import type { Heartbeat } from './heartbeat.js';
import type { Intake } from './intake.js';
import type { SendLanes } from './lanes.js';
import type { Outcome } from './native.js';
import type { Reconnector } from './reconnect.js';
import { requestIdOf, splitRecords } from './record.js';
import { CLOSE_TIMEOUT } from './settings.js';
import type { Requests } from './request.js';
import type { Sender } from './sender.js';
import type { Counters } from './stats.js';
import { CLOSE_REASON } from './transport/transport.js';
import type { Link, Unsent } from './transport/transport.js';

/** Milliseconds that a peer whose key was revoked has to answer the goodbye. */
const REVOKE_TIMEOUT = 2_000;

/** What of an endpoint has to end with a session, or with it. */
export interface LifecycleParts {
  readonly sender: Sender;
  readonly lanes: SendLanes;
  readonly requests: Requests;
  readonly intake: Intake;
  readonly counters: Counters;
  /** Absent where the end of a session is the end of the endpoint. */
  readonly reconnector: Reconnector | undefined;
  /** Absent where the kernel tells of a peer's death. */
  readonly heartbeat: Heartbeat | undefined;
  /** Called when a session is over and another is tried for. */
  readonly onLost: (reason: CloseReason) => void;
  /** Called once, when everything is over, before `closed` resolves. */
  readonly onOver: (reason: CloseReason) => void;
}

/** Where in its life an endpoint is. */
export type EndpointState = 'open' | 'reconnecting' | 'draining' | 'closed';

/** The life of one endpoint. */
export class Lifecycle {
  /** Resolves, never rejects, when everything is over. */
  readonly closed: Promise<CloseReason>;
  readonly #resolveClosed: (reason: CloseReason) => void;
  #parts: LifecycleParts | undefined;
  #link: Link;
  #state: EndpointState = 'open';
  #reason: CloseReason | undefined;
  /** Why we end the session, which the link itself does not know. */
  #verdict: CloseReason | undefined;
  #closing: Promise<void> | undefined;
  #isClosedHere = false;
  #idle: { readonly isReached: () => boolean; readonly resolve: () => void } | undefined;

  constructor(link: Link) {
    this.#link = link;
    let resolveClosed: (reason: CloseReason) => void = () => {};
    this.closed = new Promise((resolve) => {
      resolveClosed = resolve;
    });
    this.#resolveClosed = resolveClosed;
  }

  get state(): EndpointState {
    return this.#state;
  }

  /** Names the parts, which could not be made before this. */
  attach(parts: LifecycleParts): void {
    this.#parts = parts;
  }

  /** Makes the error of a call that came too late. */
  endError(delivered?: Delivered): EipcError {
    const code = this.#isClosedHere ? 'EIPC_CLOSED' : 'EIPC_CLOSED_BY_PEER';
    const reason = this.#reason ?? { code, undelivered: 0 };
    return this.#state === 'reconnecting' ? lostError(reason, delivered) : endError(reason, delivered);
  }

  /**
   * Closes. Every call waits for the same end.
   *
   * @param reason - what the peer is told (`CLOSE_REASON`)
   */
  close(drain: boolean, timeout: number, reason: number): Promise<void> {
    if (this.#parts === undefined) return Promise.resolve();
    this.#closing ??= this.#close(this.#parts, drain, timeout, reason);
    return this.#closing;
  }

  /** Ends the session because of something that the link cannot see. */
  cut(error: EipcError): void {
    this.#verdict = { code: 'EIPC_PEER_DOWN', error, undelivered: 0 };
    this.#link.destroy();
  }

  /** Ends the session because its key is good no more: nothing of the peer is handled from now on, and it is told so. */
  async revoke(error: EipcError): Promise<void> {
    if (this.#parts === undefined || this.#state === 'closed') return;
    const verdict: CloseReason = { code: 'EIPC_REVOKED', error, undelivered: 0 };
    this.#verdict = verdict;
    this.#reason = verdict;
    this.#parts.intake.isRevoked = true;
    this.#parts.intake.serving?.end(error);
    // Nor what waits for its turn, or for its record in the audit.
    this.#parts.counters.discarded += this.#parts.intake.serving?.discard() ?? 0;
    // Whoever is closing already is not waited for any longer.
    if (this.#closing !== undefined) this.#link.destroy();
    await this.close(false, REVOKE_TIMEOUT, CLOSE_REASON.revoked);
  }

  /** The peer said goodbye: nothing that is sent now would be read. */
  closedByPeer(): void {
    const parts = this.#parts;
    if (this.#state !== 'open' || parts === undefined) return;
    this.#state = 'draining';
    // Whether this session is followed by another is known when it is over.
    if (parts.reconnector === undefined) parts.sender.isOpen = false;
    else this.#hold(parts);
  }

  /** The session is over, and everything that arrived was handed to the intake. */
  ended(outcome: Outcome, unsent: Unsent, cause: unknown): void {
    const parts = this.#parts;
    if (parts === undefined) return;
    parts.heartbeat?.stop();
    // Requests that never left can say so.
    const records = unsent.batches
      .flatMap(splitRecords)
      .filter((record) => !parts.requests.recall(requestIdOf(record)));
    parts.counters.undelivered += unsent.lost;
    // Whoever says goodbye first has closed; the other end's answer changes nothing.
    const seen = this.#isClosedHere ? { ...outcome, byPeer: false } : outcome;
    const reason = this.#verdict ?? closeReason(seen, 0, cause);
    this.#verdict = undefined;
    if (this.#closing === undefined && parts.reconnector?.isWorthwhile(reason, seen) === true) {
      this.#lose(parts, reason, records);
      return;
    }
    parts.counters.undelivered += records.length;
    this.#end(parts, reason, reason.error === undefined);
  }

  /** A new session is open. The parts use it already. */
  reopened(link: Link): void {
    this.#link = link;
    this.#reason = undefined;
    this.#state = 'open';
    this.#parts?.heartbeat?.start();
  }

  /** There will be no new session. */
  gaveUp(error: EipcError | undefined, tries: number): void {
    if (this.#parts === undefined || this.#reason === undefined) return;
    this.#end(this.#parts, givenUpReason(this.#reason, error, tries), false);
  }

  /** Something ended that a close may wait for. */
  checkIdle(): void {
    if (this.#idle === undefined || !this.#idle.isReached()) return;
    this.#idle.resolve();
    this.#idle = undefined;
  }

  async #close(parts: LifecycleParts, drain: boolean, timeout: number, reason: number): Promise<void> {
    if (this.#state === 'closed') return;
    this.#isClosedHere = this.#state === 'open' || this.#state === 'reconnecting';
    parts.intake.isClosed = this.#isClosedHere;
    parts.sender.isOpen = false;
    if (this.#state === 'reconnecting') {
      // There is nobody to say goodbye to, and nothing that waiting would bring.
      parts.reconnector?.stop();
      parts.counters.discarded += parts.intake.serving?.discard() ?? 0;
      this.#end(parts, { code: 'EIPC_CLOSED', undelivered: 0 }, true);
      await this.closed;
      return;
    }
    this.#state = 'draining';
    // Its pings are nothing to wait for; the close has a time-out of its own.
    parts.heartbeat?.stop();
    const { overdue, stop } = startTimer(timeout);
    // What an old session had accepted is as good as sent; of the rest only a draining close waits for anything.
    const isReached = drain ? () => isIdle(parts) : () => parts.lanes.kept === 0;
    if (!isReached()) await Promise.race([this.#reached(isReached), overdue, this.closed]);
    parts.counters.discarded += parts.intake.serving?.discard() ?? 0;
    this.#failCalls(parts);
    this.#link.close(reason);
    await Promise.race([this.closed, overdue]);
    stop();
    this.#link.destroy();
    await this.closed;
  }

  /** Lets everything wait that is sent from now on. */
  #hold({ sender, lanes }: LifecycleParts): void {
    sender.hold();
    lanes.hold(() => this.endError('no'));
  }

  /** Goes from `open` to `reconnecting`: calls end that belong to the old session, the rest waits for the next. */
  #lose(parts: LifecycleParts, reason: CloseReason, records: readonly Buffer[]): void {
    this.#reason = reason;
    this.#state = 'reconnecting';
    this.#hold(parts);
    parts.requests.failAll((request) => this.endError(request.delivered));
    parts.lanes.takeBack(records, () => this.endError('no'));
    parts.intake.serving?.end(this.endError());
    this.#reason = { ...reason, undelivered: parts.counters.undelivered };
    parts.onLost(this.#reason);
    parts.reconnector?.start();
  }

  #end(parts: LifecycleParts, reason: CloseReason, isAgreed: boolean): void {
    this.#reason = reason;
    this.#state = 'closed';
    parts.sender.isOpen = false;
    this.#failCalls(parts);
    const final = { ...reason, undelivered: parts.counters.undelivered };
    this.#reason = final;
    parts.intake.inbox.end({ error: endError(final), isAgreed });
    parts.intake.serving?.end(endError(final));
    void this.#finish(parts, final);
  }

  #failCalls({ requests, lanes }: LifecycleParts): void {
    requests.failAll((request) => this.endError(request.delivered));
    lanes.failAll(() => this.endError('no'));
  }

  #reached(isReached: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#idle = { isReached, resolve };
    });
  }

  /** What arrived and waits for a handler still gets it, for a limited time; then it is over. */
  async #finish(parts: LifecycleParts, reason: CloseReason): Promise<void> {
    const { serving } = parts.intake;
    if (serving !== undefined && serving.waiting > 0) {
      const { overdue, stop } = startTimer(CLOSE_TIMEOUT);
      await Promise.race([this.#reached(() => isIdle(parts)), overdue]);
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
