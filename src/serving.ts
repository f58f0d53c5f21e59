/**
 * Runs a router for one endpoint: how many handlers run at once, in which order they start, which requests are being served, and where the
 * replies go. Messages whose turn has not come wait here, within bounds; a lane with messages waiting is not drained, so that the sender
 * sees it.
 */
import { Admission } from './admission.js';
import type { AdmissionOwner, Gate } from './admission.js';
import type { DeadlineWheel } from './deadlines.js';
import type { EndpointAudit } from './endpoint-audit.js';
import { makeError } from './errors.js';
import type { EipcError } from './errors.js';
import type { Message, Priority } from './message.js';
import type { Outgoing } from './outgoing.js';
import type { Peer } from './peer.js';
import { ACCEPTED } from './lanes.js';
import type { Approval } from './policy/approval.js';
import { Queue } from './queue.js';
import { errorReply, refusalOf, replyOf } from './router.js';
import type { Refusal, Route, Router } from './router.js';
import { RunContext, ServedSession } from './served-session.js';
import type { Counters } from './stats.js';

/** One slot in so many is kept for priority 0: 8 of 64. */
const RESERVED_SHARE = 8;

/** How serving speaks to its endpoint. */
export interface ServingOwner {
  /** Sends the reply to a request; the shared resolved promise when it did not have to wait. */
  reply(reply: Outgoing, request: Message): Promise<void>;
  /** A message was refused. `isRecorded`: the audit knows already. */
  refused(message: Message, refusal: Refusal, isRecorded: boolean): void;
  /** A handler failed, or its reply could not be sent. */
  failed(message: Message, error: unknown): void;
  /** A slot came free. */
  roomAgain(): void;
}

/** The bounds of one endpoint. */
export interface ServingLimits {
  readonly concurrency: number;
  /** Messages of each priority that may wait for a slot. */
  readonly waiting: number;
}

/** A message that waits for a slot, or for its type's turn. */
interface Waiting {
  readonly message: Message;
  readonly session: ServedSession;
  /** An operator's word, when it comes for the second time. */
  readonly approval: Approval | undefined;
}

/** Messages of a type that runs fewer at once than the endpoint does. */
interface LimitedRoute {
  running: number;
  readonly waiting: Queue<Waiting>;
}

/** The handlers of one endpoint. */
export class Serving implements AdmissionOwner {
  readonly #router: Router;
  readonly #owner: ServingOwner;
  readonly #wheel: DeadlineWheel;
  readonly #counters: Counters;
  readonly #limits: ServingLimits;
  readonly #audit: EndpointAudit | undefined;
  readonly #admission: Admission | undefined;
  readonly #reserved: number;
  readonly #backlog = [new Queue<Waiting>(), new Queue<Waiting>(), new Queue<Waiting>(), new Queue<Waiting>()] as const;
  /** Messages waiting, by priority: in the backlog, or for their type's turn. */
  readonly #waiting: [number, number, number, number] = [0, 0, 0, 0];
  readonly #limited = new Map<Route, LimitedRoute>();
  #session: ServedSession;
  #running = 0;
  /** How often everything that waited was forgotten. */
  #discards = 0;

  constructor(
    router: Router,
    owner: ServingOwner,
    peer: Peer,
    wheel: DeadlineWheel,
    counters: Counters,
    limits: ServingLimits,
    audit?: EndpointAudit,
    gate?: Gate,
  ) {
    this.#router = router;
    this.#session = new ServedSession(peer);
    this.#owner = owner;
    this.#wheel = wheel;
    this.#counters = counters;
    this.#limits = limits;
    this.#audit = audit;
    // A policy without a place for its records is refused where it is set (settings.ts).
    if (gate !== undefined && audit !== undefined) this.#admission = new Admission(gate, audit, this);
    this.#reserved = Math.floor(limits.concurrency / RESERVED_SHARE);
  }

  /** Handlers that have not ended. */
  get running(): number {
    return this.#running;
  }

  /** Messages that wait for a slot. */
  get waiting(): number {
    return this.#waiting[0] + this.#waiting[1] + this.#waiting[2] + this.#waiting[3];
  }

  /** Messages of one priority that may still come. */
  room(lane: number): number {
    return this.#limits.waiting - (this.#waiting[lane as Priority] ?? 0);
  }

  /** Whether messages of one priority wait because no slot was free. */
  isHeldUp(lane: number): boolean {
    return (this.#backlog[lane as Priority]?.length ?? 0) > 0;
  }

  /** Takes a message: its handler starts now, or when its turn has come. */
  accept(message: Message): void {
    this.#take(message, this.#session, undefined);
  }

  /** Takes a message again that an operator approved. Only for `Admission`. */
  resume(message: Message, session: ServedSession, approval: Approval): void {
    this.#take(message, session, approval);
  }

  /** Refuses a message. Only for `Admission`. */
  refuse(message: Message, refusal: Refusal, isRecorded: boolean): void {
    this.#owner.refused(message, refusal, isRecorded);
  }

  /** Tells a requester that its request waits for an operator. Only for `Admission`. */
  tell(result: Outgoing, request: Message): void {
    if (request.requestId !== '') void this.#sendReply(request, result);
  }

  /** Ends the session for the handlers that run: their signals abort. What waits is still handled, except for an operator. */
  end(reason: EipcError): void {
    const session = this.#session;
    session.end ??= reason;
    for (const context of session.watched) context.abort(reason);
    this.#admission?.withdraw(session, reason);
  }

  /** Goes on in a new session. Handlers of the old one keep their slots until they end. */
  use(peer: Peer): void {
    this.#session = new ServedSession(peer);
  }

  /** Who the peer of this session is came to light. */
  identified(peer: Peer): void {
    this.#session.peer = peer;
  }

  /** Forgets what waits. Returns how many messages that were. */
  discard(): number {
    const discarded = this.waiting;
    this.#discards += 1;
    const over = makeError('EIPC_CLOSED', 'the connection was closed before it was handled');
    const forget = (queue: Queue<Waiting>): void => {
      for (let turn = queue.shift(); turn !== undefined; turn = queue.shift()) turn.approval?.fail(over);
    };
    for (const queue of this.#backlog) forget(queue);
    for (const { waiting } of this.#limited.values()) forget(waiting);
    this.#waiting.fill(0);
    this.#admission?.withdraw(this.#session, over);
    return discarded;
  }

  /** Has a context's signal abort at the request's deadline and at the end of the connection. */
  readonly #watch = (context: RunContext): void => {
    const { message, session } = context;
    session.watched.add(context);
    if (session.end !== undefined) context.abort(session.end);
    else if (message.maxAge !== 0)
      this.#wheel.add(context, Math.max(0, message.sentAt() + message.maxAge - Date.now()));
  };

  #hasSlot(lane: Priority): boolean {
    return this.#running < (lane === 0 ? this.#limits.concurrency : this.#limits.concurrency - this.#reserved);
  }

  #take(message: Message, session: ServedSession, approval: Approval | undefined): void {
    const lane = message.priority;
    if (this.#backlog[lane].length > 0 || !this.#hasSlot(lane)) {
      this.#backlog[lane].push({ message, session, approval });
      this.#waiting[lane] += 1;
    } else {
      this.#begin(message, session, approval);
    }
  }

  /** Checks a message whose slot is free, and runs it unless its type has to wait. */
  #begin(message: Message, session: ServedSession, approval: Approval | undefined): void {
    const route = this.#router.route(message.type);
    const refusal = refusalOf(message, session.peer, route);
    if (refusal !== undefined || route === undefined) {
      if (refusal !== undefined) this.#refuse(message, refusal, approval);
      return;
    }
    if (route.concurrency >= this.#limits.concurrency) {
      this.#run(message, session, approval, route, undefined);
      return;
    }
    const limited = this.#limitedRoute(route);
    if (limited.running < route.concurrency && limited.waiting.length === 0) {
      this.#run(message, session, approval, route, limited);
    } else {
      limited.waiting.push({ message, session, approval });
      this.#waiting[message.priority] += 1;
    }
  }

  #refuse(message: Message, refusal: Refusal, approval: Approval | undefined): void {
    approval?.fail(refusal.error);
    this.#owner.refused(message, refusal, false);
  }

  #limitedRoute(route: Route): LimitedRoute {
    let limited = this.#limited.get(route);
    if (limited === undefined) {
      limited = { running: 0, waiting: new Queue<Waiting>() };
      this.#limited.set(route, limited);
    }
    return limited;
  }

  /** Starts a handler, or leaves it to the policy when. */
  #run(
    message: Message,
    session: ServedSession,
    approval: Approval | undefined,
    route: Route,
    limited: LimitedRoute | undefined,
  ): void {
    if (session.ids.size > 0 && session.ids.has(message.requestId)) {
      this.#counters.duplicates += 1;
      const error = makeError('EIPC_DUPLICATE_REQUEST', 'this request id is being served');
      approval?.fail(error);
      this.#audit?.refused(message, error);
      void this.#sendReply(message, errorReply(message, error, session.peer.protocol));
      return;
    }
    if (this.#admission === undefined) {
      this.#audit?.allowed(message, route);
    } else {
      const admitted = this.#admission.admit(message, session, approval, route);
      if (admitted === false) return;
      if (admitted !== true) {
        const context = new RunContext(message, session, this.#watch);
        void this.#hold(context, limited, this.#runWhen(admitted, context, approval, route));
        return;
      }
      approval?.start();
    }
    const context = new RunContext(message, session, this.#watch);
    let result: unknown;
    try {
      result = route.handler(message, session.peer, context);
    } catch (error) {
      this.#failed(context, route, error);
      this.#release(context);
      return;
    }
    if (!isThenable(result)) {
      this.#release(context);
      const sent = this.#sendReply(message, replyOf(message, result, session.peer.protocol));
      if (sent !== undefined) void this.#hold(context, limited, sent);
      return;
    }
    void this.#hold(context, limited, this.#settle(context, route, result));
  }

  /** Runs a handler when its message is admitted, if it still may then. Never rejects. */
  async #runWhen(
    admitted: Promise<void>,
    context: RunContext,
    approval: Approval | undefined,
    route: Route,
  ): Promise<void> {
    const { message, session } = context;
    const discards = this.#discards;
    try {
      await admitted;
    } catch (error) {
      // Admission rejects with nothing else.
      this.#refuse(message, { outcome: 'denied', error: error as EipcError }, approval);
      return;
    }
    // What was true before the record was written need not be true any more.
    if (discards !== this.#discards || (approval !== undefined && session.end !== undefined)) {
      const error = makeError('EIPC_CLOSED', 'the session ended before the handler was started');
      approval?.fail(error);
      this.#counters.discarded += 1;
      this.#audit?.decided(message, 'deny', `${error.code}: ${error.message}`);
      return;
    }
    const refusal = this.#admission?.objection(message, session, approval) ?? refusalOf(message, session.peer, route);
    if (refusal !== undefined) {
      this.#refuse(message, refusal, approval);
      return;
    }
    approval?.start();
    await this.#settle(context, route, invoke(route, context));
  }

  /** Keeps a slot until something has ended. */
  async #hold({ message, session }: RunContext, limited: LimitedRoute | undefined, end: Promise<void>): Promise<void> {
    const id = message.requestId;
    this.#running += 1;
    if (limited !== undefined) limited.running += 1;
    if (id !== '') session.ids.add(id);
    await end;
    this.#running -= 1;
    if (limited !== undefined) limited.running -= 1;
    if (id !== '') session.ids.delete(id);
    this.#pump();
    this.#owner.roomAgain();
  }

  /** Waits for a handler and for its reply to be accepted. Never rejects. */
  async #settle(context: RunContext, route: Route, result: PromiseLike<unknown>): Promise<void> {
    const { message, session } = context;
    let reply;
    try {
      reply = replyOf(message, await result, session.peer.protocol);
    } catch (error) {
      this.#counters.failed += 1;
      this.#owner.failed(message, error);
      this.#audit?.failed(message, route, error);
      reply = errorReply(message, error, session.peer.protocol);
    }
    this.#release(context);
    await this.#sendReply(message, reply);
  }

  #failed({ message, session }: RunContext, route: Route, error: unknown): void {
    this.#counters.failed += 1;
    this.#owner.failed(message, error);
    this.#audit?.failed(message, route, error);
    void this.#sendReply(message, errorReply(message, error, session.peer.protocol));
  }

  #release(context: RunContext): void {
    if (!context.session.watched.delete(context)) return;
    this.#wheel.cancel(context);
  }

  /** Sends a reply. Returns a promise that never rejects while it has to wait, and undefined when it is sent or there is none. */
  #sendReply(message: Message, reply: Outgoing | undefined): Promise<void> | undefined {
    if (reply === undefined) return undefined;
    try {
      const sent = this.#owner.reply(reply, message);
      return sent === ACCEPTED ? undefined : sent.catch((error: unknown) => this.#replyLost(message, error));
    } catch (error) {
      this.#replyLost(message, error);
      return undefined;
    }
  }

  #replyLost(message: Message, error: unknown): void {
    this.#counters.repliesLost += 1;
    this.#owner.failed(message, error);
  }

  /** Starts what waits and may: types whose turn has come, then the backlog, priority 0 first. */
  #pump(): void {
    for (const [route, limited] of this.#limited) {
      for (let next = limited.waiting.peek(); next !== undefined; next = limited.waiting.peek()) {
        const { message, session, approval } = next;
        if (limited.running >= route.concurrency || !this.#hasSlot(message.priority)) break;
        limited.waiting.shift();
        this.#waiting[message.priority] -= 1;
        const refusal = refusalOf(message, session.peer, route);
        if (refusal === undefined) this.#run(message, session, approval, route, limited);
        else this.#refuse(message, refusal, approval);
      }
    }
    for (const lane of [0, 1, 2, 3] as const) {
      while (this.#backlog[lane].length > 0 && this.#hasSlot(lane)) {
        const next = this.#backlog[lane].shift();
        if (next === undefined) break;
        this.#waiting[lane] -= 1;
        this.#begin(next.message, next.session, next.approval);
      }
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** Starts a handler at once; what it throws becomes a rejection. */
async function invoke({ handler }: Route, context: RunContext): Promise<unknown> {
  return handler(context.message, context.session.peer, context);
}
