/**
 * Runs a router for one endpoint: how many handlers run at once, in which order they start, which requests are being served, and where the
 * replies go. Messages whose turn has not come wait here, within bounds; a lane with messages waiting is not drained, so that the sender
 * sees it.
 */
import { Deadline } from './deadlines.js';
import type { DeadlineWheel } from './deadlines.js';
import { makeError } from './errors.js';
import type { EndpointAudit } from './endpoint-audit.js';
import type { EipcError } from './errors.js';
import type { Message, Priority } from './message.js';
import type { Outgoing } from './outgoing.js';
import type { Peer } from './peer.js';
import { ACCEPTED } from './lanes.js';
import { Queue } from './queue.js';
import { errorReply, replyOf } from './router.js';
import type { HandlerContext, Refusal, Route, Router } from './router.js';
import type { Counters } from './stats.js';

/** One slot in so many is kept for priority 0: 8 of 64. */
const RESERVED_SHARE = 8;

/** How serving speaks to its endpoint. */
export interface ServingOwner {
  /** Sends the reply to a request; the shared resolved promise when it did not have to wait. */
  reply(reply: Outgoing, request: Message): Promise<void>;
  /** A message was refused. */
  refused(message: Message, refusal: Refusal): void;
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

/** The handlers of one session: their peer, and what ends with it. */
class ServedSession {
  /** In v1 without a handshake its first message says who it is, so that another takes its place here. */
  peer: Peer;
  /** Contexts whose signal somebody asked for. */
  readonly watched = new Set<RunContext>();
  /** Ids of requests whose handler has not ended. The ids of another session are another matter. */
  readonly ids = new Set<string>();
  end: EipcError | undefined;

  constructor(peer: Peer) {
    this.peer = peer;
  }
}

/** A message that waits for a slot, or for its type's turn. */
interface Waiting {
  readonly message: Message;
  readonly session: ServedSession;
}

/** Messages of a type that runs fewer at once than the endpoint does. */
interface LimitedRoute {
  running: number;
  readonly waiting: Queue<Waiting>;
}

/** The context of one run; the signal exists only if the handler asks. */
class RunContext extends Deadline implements HandlerContext {
  readonly message: Message;
  readonly session: ServedSession;
  readonly #serving: Serving;
  #controller: AbortController | undefined;

  constructor(serving: Serving, message: Message, session: ServedSession) {
    super();
    this.message = message;
    this.session = session;
    this.#serving = serving;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      this.#serving.watch(this);
    }
    return this.#controller.signal;
  }

  override expire(): void {
    this.abort(makeError('EIPC_TIMEOUT', 'the deadline of this request has passed'));
  }

  abort(reason: EipcError): void {
    this.#controller?.abort(reason);
  }
}

/** The handlers of one endpoint. */
export class Serving {
  readonly #router: Router;
  readonly #owner: ServingOwner;
  readonly #wheel: DeadlineWheel;
  readonly #counters: Counters;
  readonly #limits: ServingLimits;
  readonly #audit: EndpointAudit | undefined;
  readonly #reserved: number;
  readonly #backlog = [new Queue<Waiting>(), new Queue<Waiting>(), new Queue<Waiting>(), new Queue<Waiting>()] as const;
  /** Messages waiting, by priority: in the backlog, or for their type's turn. */
  readonly #waiting: [number, number, number, number] = [0, 0, 0, 0];
  readonly #limited = new Map<Route, LimitedRoute>();
  #session: ServedSession;
  #running = 0;

  constructor(
    router: Router,
    owner: ServingOwner,
    peer: Peer,
    wheel: DeadlineWheel,
    counters: Counters,
    limits: ServingLimits,
    audit?: EndpointAudit,
  ) {
    this.#router = router;
    this.#session = new ServedSession(peer);
    this.#owner = owner;
    this.#wheel = wheel;
    this.#counters = counters;
    this.#limits = limits;
    this.#audit = audit;
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
    const lane = message.priority;
    if (this.#backlog[lane].length > 0 || !this.#hasSlot(lane)) {
      this.#backlog[lane].push({ message, session: this.#session });
      this.#waiting[lane] += 1;
    } else {
      this.#begin(message, this.#session);
    }
  }

  /** Ends the session for the handlers that run: their signals abort. What waits is still handled. */
  end(reason: EipcError): void {
    const session = this.#session;
    session.end ??= reason;
    for (const context of session.watched) context.abort(reason);
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
    for (const queue of this.#backlog) while (queue.shift() !== undefined);
    for (const { waiting } of this.#limited.values()) while (waiting.shift() !== undefined);
    this.#waiting.fill(0);
    return discarded;
  }

  /** Has a context's signal abort at the request's deadline and at the end of the connection. Only for `RunContext`. */
  watch(context: RunContext): void {
    const { message, session } = context;
    session.watched.add(context);
    if (session.end !== undefined) context.abort(session.end);
    else if (message.maxAge !== 0)
      this.#wheel.add(context, Math.max(0, message.sentAt() + message.maxAge - Date.now()));
  }

  #hasSlot(lane: Priority): boolean {
    return this.#running < (lane === 0 ? this.#limits.concurrency : this.#limits.concurrency - this.#reserved);
  }

  /** Checks a message whose slot is free, and runs it unless its type has to wait. */
  #begin(message: Message, session: ServedSession): void {
    const refusal = this.#router.refusal(message, session.peer);
    const route = this.#router.route(message.type);
    if (refusal !== undefined || route === undefined) {
      if (refusal !== undefined) this.#owner.refused(message, refusal);
      return;
    }
    if (route.concurrency >= this.#limits.concurrency) {
      this.#run(message, session, route, undefined);
      return;
    }
    const limited = this.#limitedRoute(route);
    if (limited.running < route.concurrency && limited.waiting.length === 0) {
      this.#run(message, session, route, limited);
    } else {
      limited.waiting.push({ message, session });
      this.#waiting[message.priority] += 1;
    }
  }

  #limitedRoute(route: Route): LimitedRoute {
    let limited = this.#limited.get(route);
    if (limited === undefined) {
      limited = { running: 0, waiting: new Queue<Waiting>() };
      this.#limited.set(route, limited);
    }
    return limited;
  }

  #run(message: Message, session: ServedSession, route: Route, limited: LimitedRoute | undefined): void {
    if (session.ids.size > 0 && session.ids.has(message.requestId)) {
      this.#counters.duplicates += 1;
      const error = makeError('EIPC_DUPLICATE_REQUEST', 'this request id is being served');
      this.#audit?.refused(message, error);
      void this.#sendReply(message, errorReply(message, error, session.peer.protocol));
      return;
    }
    const context = new RunContext(this, message, session);
    this.#audit?.allowed(message, route);
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
    const lost = (error: unknown): void => {
      this.#counters.repliesLost += 1;
      this.#owner.failed(message, error);
    };
    try {
      const sent = this.#owner.reply(reply, message);
      return sent === ACCEPTED ? undefined : sent.catch(lost);
    } catch (error) {
      lost(error);
      return undefined;
    }
  }

  /** Starts what waits and may: types whose turn has come, then the backlog, priority 0 first. */
  #pump(): void {
    for (const [route, limited] of this.#limited) {
      for (let next = limited.waiting.peek(); next !== undefined; next = limited.waiting.peek()) {
        const { message, session } = next;
        if (limited.running >= route.concurrency || !this.#hasSlot(message.priority)) break;
        limited.waiting.shift();
        this.#waiting[message.priority] -= 1;
        const refusal = this.#router.refusal(message, session.peer);
        if (refusal === undefined) this.#run(message, session, route, limited);
        else this.#owner.refused(message, refusal);
      }
    }
    for (const lane of [0, 1, 2, 3] as const) {
      while (this.#backlog[lane].length > 0 && this.#hasSlot(lane)) {
        const next = this.#backlog[lane].shift();
        if (next === undefined) break;
        this.#waiting[lane] -= 1;
        this.#begin(next.message, next.session);
      }
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
