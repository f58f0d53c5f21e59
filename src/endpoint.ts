/**
 * One end of a connection: what both roles do. Sending goes `outgoing` → link, or into `lanes` while a lane is full; receiving comes by
 * `intake`. An endpoint does not know what transport it is on.
 *
 * Connecting and listening are in `client.ts` and `server.ts`.
 */
import type { CloseReason } from './close-reason.js';
import { abortReason, DeadlineWheel, Wait } from './deadlines.js';
import { EndpointEvents, publish } from './endpoint-events.js';
import type { EndpointEvent } from './endpoint-events.js';
import { makeError } from './errors.js';
import type { EipcError } from './errors.js';
import { Intake } from './intake.js';
import type { IntakeOwner } from './intake.js';
import { SendLanes } from './lanes.js';
import type { LanesOwner, SendWait } from './lanes.js';
import { Lifecycle } from './lifecycle.js';
import { payloadLimits } from './limits.js';
import type { Message, Priority } from './message.js';
import type { SessionInfo } from './native.js';
import { integer } from './check.js';
import type { CloseOptions, LogRecord, RequestOptions, WaitOptions } from './options.js';
import { CLOSE_TIMEOUT, waitTimeout } from './settings.js';
import type { Settings } from './settings.js';
import type { Outgoing, RecordShape } from './outgoing.js';
import { makePeer } from './peer.js';
import type { Peer } from './peer.js';
import { Requests } from './request.js';
import type { Router } from './router.js';
import { Sender } from './sender.js';
import { Counters } from './stats.js';
import type { EndpointStats } from './stats.js';
import { ThreadBound } from './thread-bound.js';
import type { Link } from './transport/transport.js';
import { V1Shape } from './v1-shape.js';

export type { CloseReason } from './close-reason.js';

/** What an endpoint is made of. */
export interface EndpointSetup {
  readonly link: Link;
  readonly session: SessionInfo;
  readonly settings: Settings;
  readonly address: string;
  /** Called once, when everything is over. */
  readonly onClosed: (reason: CloseReason) => void;
  /** Takes another id for this end, before anything was sent; returns the session's new `headerRoom`. Only of v1 without a handshake. */
  readonly rename?: (ownId: string) => number;
}

/** A session that is open: what `connect` and `listen` make endpoints of, where users give a connection. */
export class Opened {
  readonly setup: EndpointSetup;

  constructor(setup: EndpointSetup) {
    this.setup = setup;
  }
}

const MAX_RECEIVE_BATCH = 65_536;

class FlushWait extends Wait<void> {
  protected override timeoutError(): Error {
    return makeError('EIPC_TIMEOUT', 'what was accepted did not reach the kernel within the time of flush()');
  }
}

/** One end of an authenticated connection. */
export abstract class Endpoint extends ThreadBound implements AsyncIterable<Message>, AsyncDisposable {
  /** Which end this is. */
  abstract readonly role: 'client' | 'server';
  /** The address that was connected to; at a server, that of the client where it has one (`tcp`), otherwise the one listened on. */
  readonly remoteAddress: string;
  /** Where messages go; null when they go to the inbox. */
  readonly router: Router | null;
  /** Resolves, never rejects, when the connection is over and everything that arrived was delivered. */
  readonly closed: Promise<CloseReason>;

  #peer: Peer;
  readonly #link: Link;
  readonly #settings: Settings;
  readonly #maxPayload: RecordShape['maxPayload'];
  readonly #wheel = new DeadlineWheel();
  readonly #counters = new Counters();
  readonly #events = new EndpointEvents(() => {
    this.#counters.eventsMissed += 1;
  });
  readonly #lanes: SendLanes;
  readonly #sender: Sender;
  readonly #requests: Requests;
  readonly #intake: Intake;
  readonly #sendWait: SendWait;
  readonly #lifecycle = new Lifecycle();

  /** @internal */
  protected constructor(setup: EndpointSetup, letter: 'c' | 's') {
    super('an endpoint');
    const { link, session, settings } = setup;
    this.#link = link;
    this.#settings = settings;
    this.#sendWait = { timeout: settings.sendTimeout, signal: undefined };
    this.remoteAddress = setup.address;
    this.router = settings.router;
    this.#peer = makePeer(setup, this, letter === 'c');
    this.#maxPayload = payloadLimits(session);
    this.closed = this.#lifecycle.closed;
    this.#lanes = new SendLanes(link, settings.lanes, this.#wheel, this.#counters, this.#lanesOwner());
    const shape = recordShape(setup, letter, this.#maxPayload);
    this.#sender = new Sender(link, this.#lanes, this.#counters, shape, settings, (delivered) =>
      this.#lifecycle.endError(delivered),
    );
    this.#requests = new Requests(letter, this.#wheel, () => this.#lifecycle.checkIdle());
    const { protocol } = this.#peer;
    this.#intake = new Intake(this.#intakeOwner(setup, letter), {
      source: this.#peer.serviceId,
      sessionId: session.sessionId,
      // A client chose its server by key and address, so it believes whom the server relays for; a server believes no client. In v1 the
      // source was compared with the authenticated id before it got here, unless an option says that it may be another.
      relays: letter === 'c' || protocol === 1,
      codec: settings.codec,
      protocol,
    });
    this.#lifecycle.attach({
      link,
      sender: this.#sender,
      lanes: this.#lanes,
      requests: this.#requests,
      intake: this.#intake,
      counters: this.#counters,
      onOver: (reason) => {
        this.#over(reason);
        setup.onClosed(reason);
      },
    });
    link.attach(this.#intake);
    publish('connected', this, { peer: this.#peer });
  }

  /** Who is at the other end. In v1 without a handshake its id may be empty until its first message. */
  get peer(): Peer {
    return this.#peer;
  }

  /** Where in its life the connection is. `draining`: one end said goodbye; nothing can be sent any more. */
  get state(): 'open' | 'draining' | 'closed' {
    return this.#lifecycle.state;
  }

  /**
   * Sends a message. Resolves when it is accepted: in the ring, visible to the peer (shm), or in the lane's bounded queue (streams). That it
   * was received only `request` tells. The payload is copied before this returns.
   *
   * @throws TypeError or RangeError at once for a wrong argument; rejects with BackpressureError when the lane stayed full, ClosedError or
   * PeerDownError when the connection is over
   */
  send(message: Outgoing, options?: WaitOptions): Promise<void> {
    return this.#sender.send(message, this.#waitOf(options));
  }

  /**
   * Sends a message if its lane has room now, and says whether it did. Then `ready(priority)` tells when to try again.
   *
   * @throws ClosedError or PeerDownError when the connection is over
   */
  trySend(message: Outgoing): boolean {
    return this.#sender.trySend(message);
  }

  /** Resolves when the lane of a priority has room; rejects as `send` does. */
  ready(priority: Priority = 1, options?: WaitOptions): Promise<void> {
    integer('priority', priority, 0, 3);
    const wait = this.#waitOf(options);
    return this.state === 'open' ? this.#lanes.ready(priority, wait) : Promise.reject(this.#lifecycle.endError());
  }

  /**
   * Sends messages in order, each in its lane, with few calls. Resolves when all are accepted; rejects with the first failure, after which
   * no further messages are tried.
   */
  sendBatch(messages: readonly Outgoing[], options?: WaitOptions): Promise<void> {
    return this.#sender.sendBatch(messages, this.#waitOf(options));
  }

  /**
   * Sends a message and resolves with its reply. The message's max age is the time-out unless it names one; v1 has none.
   *
   * @throws TypeError or RangeError at once for a wrong argument; rejects with the class of the peer's error (`remote` is true), TimeoutError,
   * the signal's reason, BackpressureError, or ClosedError or PeerDownError with `delivered`. Never repeated by itself.
   */
  request<T = unknown>(message: Outgoing, options?: RequestOptions): Promise<Message<T>> {
    const timeout = waitTimeout(options, this.#settings.requestTimeout);
    const signal = options?.signal;
    if (message.requestId !== undefined && message.requestId !== '') {
      throw new TypeError(
        `request() assigns the request id; the message has ${JSON.stringify(message.requestId)} already: use send() for it`,
      );
    }
    if (signal?.aborted === true) return Promise.reject(abortReason(signal));
    if (this.state !== 'open') return Promise.reject(this.#lifecycle.endError('no'));
    return this.#sender.request(message, this.#requests, { timeout, signal }) as Promise<Message<T>>;
  }

  /**
   * Resolves with the next message of the inbox, highest priority first.
   *
   * @throws TypeError when this endpoint has a router; rejects with TimeoutError, the signal's reason, ClosedError or PeerDownError
   */
  receive(options?: WaitOptions): Promise<Message> {
    this.#requireInbox();
    const timeout = waitTimeout(options, 0);
    return this.#intake.inbox.receive(timeout === 0 ? undefined : timeout, options?.signal);
  }

  /** Resolves with 1 … `max` messages of the inbox: waits for the first, then takes what else is there. Rejects as `receive` does. */
  async receiveBatch(max: number, options?: WaitOptions): Promise<Message[]> {
    integer('max', max, 1, MAX_RECEIVE_BATCH);
    const messages = [await this.receive(options)];
    while (messages.length < max) {
      const message = this.#intake.inbox.take();
      if (message === undefined) break;
      messages.push(message);
    }
    return messages;
  }

  /** Iterates over the inbox: ends with an agreed close, throws PeerDownError when the peer died. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message> {
    this.#requireInbox();
    return this.#intake.inbox.iterate();
  }

  /** Measures a round trip to the peer's endpoint, past its handlers, in microseconds. Rejects as `request` does. */
  async ping(options?: RequestOptions): Promise<number> {
    const start = performance.now();
    await this.request({ type: 'heartbeat', priority: 1 }, options);
    return (performance.now() - start) * 1_000;
  }

  /** Resolves when everything accepted has reached the ring or the kernel, or the connection is over. Default time-out: `sendTimeout`. */
  flush(options?: WaitOptions): Promise<void> {
    const { timeout, signal } = this.#waitOf(options);
    if (signal?.aborted === true) return Promise.reject(abortReason(signal));
    const wait = new FlushWait();
    const promise = wait.start(this.#wheel, timeout, signal);
    void this.#link.flush().then(() => wait.settle());
    return promise;
  }

  /**
   * Closes the connection: what was accepted is sent, then the goodbye, which is authenticated in EIPC/2. Resolves when the peer has answered
   * it or the time is over. Idempotent: every call waits for the same end.
   */
  close(options: CloseOptions = {}): Promise<void> {
    const { drain = false } = options;
    const timeout = waitTimeout(
      options.timeout === undefined ? undefined : { timeout: options.timeout },
      CLOSE_TIMEOUT,
    );
    return this.#lifecycle.close(drain, timeout);
  }

  /** Closes; for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Returns what happens to this endpoint from now on. A slow reader misses the oldest events (`stats().eventsMissed`). */
  events(): AsyncIterableIterator<EndpointEvent> {
    return this.#events.read();
  }

  /** Returns the largest payload of a priority in bytes, for each protocol the same on every transport. */
  maxPayload(priority: Priority): number {
    return this.#maxPayload[integer('priority', priority, 0, 3) as Priority];
  }

  /** Returns a frozen copy of the counters. */
  stats(): EndpointStats {
    const { serving, inbox } = this.#intake;
    const byPeer = (lane: Priority): number => this.#link.droppedByPeer(lane);
    return this.#counters.snapshot({
      droppedByPeer: [byPeer(0), byPeer(1), byPeer(2), byPeer(3)],
      pendingRequests: this.#requests.size,
      waiting: serving?.waiting ?? inbox.length,
      running: serving?.running ?? 0,
    });
  }

  /** Lets this connection keep the process alive again, which is how it starts. */
  ref(): void {
    this.#link.ref();
  }

  /** Lets the process end although this connection is open. */
  unref(): void {
    this.#link.unref();
  }

  #waitOf(options: WaitOptions | undefined): SendWait {
    return options === undefined
      ? this.#sendWait
      : { timeout: waitTimeout(options, this.#settings.sendTimeout), signal: options.signal };
  }

  #requireInbox(): void {
    if (this.router !== null)
      throw new TypeError(
        'this endpoint has a router, so its messages go there; give `router: null` to receive them yourself',
      );
  }

  // ── what the parts ask for ──

  #lanesOwner(): LanesOwner {
    return {
      dropped: (priority, count) => {
        publish('dropped', this, { priority, count });
        this.#events.emit({ type: 'dropped', priority, count });
      },
      settled: () => this.#lifecycle.checkIdle(),
    };
  }

  #intakeOwner(setup: EndpointSetup, letter: 'c' | 's'): IntakeOwner {
    const isClosed = (): boolean => this.#lifecycle.isClosedHere;
    const peer = (): Peer => this.#peer;
    return {
      get peer() {
        return peer();
      },
      identified: (session) => {
        this.#peer = makePeer({ ...setup, session }, this, letter === 'c');
      },
      settings: this.#settings,
      wheel: this.#wheel,
      counters: this.#counters,
      requests: this.#requests,
      link: this.#link,
      get isClosed() {
        return isClosed();
      },
      reply: (message) => {
        // Handlers that still run while this end drains may answer; a peer that said goodbye reads until ours.
        if (this.state === 'closed') return Promise.reject(this.#lifecycle.endError('no'));
        return this.#sender.reply(message, this.#sendWait);
      },
      expired: (message) => {
        publish('expired', this, { message });
        this.#events.emit({ type: 'expired', message });
      },
      handlerFailed: (message, error) => {
        this.#log('error', 'handler-failed', `the handler of a ${message.type} failed: ${String(error)}`);
      },
      settled: () => this.#lifecycle.checkIdle(),
      space: (mask) => this.#lanes.pump(mask),
      closing: () => this.#lifecycle.closedByPeer(),
      ended: (outcome, unsent, cause) => this.#lifecycle.ended(outcome, unsent, cause),
    };
  }

  /** Tells everybody who watches, except `closed`, that this is over. */
  #over(reason: CloseReason): void {
    this.#wheel.clear();
    const text = `connection with '${this.#peer.serviceId}' ended: ${reason.code}`;
    this.#log(reason.error === undefined ? 'info' : 'warn', 'closed', text, reason.error);
    if (reason.code === 'EIPC_PEER_DOWN' || reason.code === 'EIPC_TRUNCATED') publish('peer-down', this, { reason });
    publish('closed', this, { reason });
    this.#events.emit({ type: 'closed', reason });
    this.#events.end();
  }

  #log(level: LogRecord['level'], event: string, text: string, error?: EipcError): void {
    this.#settings.logger?.({
      level,
      event,
      text,
      address: this.remoteAddress,
      serviceId: this.#peer.serviceId,
      ...(error === undefined ? {} : { error }),
    });
  }
}

/** What every record of a session has to be like. */
function recordShape(
  { session, settings, rename }: EndpointSetup,
  letter: 'c' | 's',
  maxPayload: RecordShape['maxPayload'],
): RecordShape {
  const { tailLength, binaryMeta, headerRoom } = session;
  const ownId = letter === 'c' ? session.serviceId : session.serverId;
  const v1 = session.protocol === 1 ? new V1Shape(ownId, headerRoom, rename) : undefined;
  return { tailLength, binaryMeta, codec: settings.codec, maxPayload, handshakeTypes: false, v1 };
}
