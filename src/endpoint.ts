/**
 * One end of a connection: what both roles do. Sending goes `outgoing` → link, or into `lanes` while a lane is full; receiving comes by
 * `intake`. An endpoint does not know what transport it is on. At a client that reconnects one session follows another; everything else
 * stays.
 *
 * Connecting and listening are in `client.ts` and `server.ts`.
 */
import { activeSession, identified } from './active-session.js';
import type { ActiveSession } from './active-session.js';
import type { Gate } from './admission.js';
import type { CloseReason } from './close-reason.js';
import { abortReason, DeadlineWheel } from './deadlines.js';
import { EndpointAudit } from './endpoint-audit.js';
import type { EndpointEvent } from './endpoint-events.js';
import { EndpointNews } from './endpoint-news.js';
import type { EndpointSetup } from './endpoint-setup.js';
import { makeError } from './errors.js';
import { Flushes } from './flushes.js';
import { Heartbeat, heartbeatFor } from './heartbeat.js';
import { Intake } from './intake.js';
import type { IntakeOwner } from './intake.js';
import { SendLanes } from './lanes.js';
import type { LanesOwner, SendWait } from './lanes.js';
import { Key } from './key.js';
import { Lifecycle } from './lifecycle.js';
import type { EndpointState } from './lifecycle.js';
import type { Message, Priority } from './message.js';
import type { SessionInfo } from './native.js';
import type { OpenSession } from './open-session.js';
import { integer } from './check.js';
import type { CloseOptions, RequestOptions, VectorOptions, WaitOptions } from './options.js';
import { CLOSE_TIMEOUT, waitTimeout } from './settings.js';
import type { Settings } from './settings.js';
import type { Outgoing } from './outgoing.js';
import type { Peer } from './peer.js';
import { isSameShape, reshaped } from './record.js';
import { ReceivingEndpoint } from './receiving-endpoint.js';
import { Reconnector } from './reconnect.js';
import { Requests, requestWait } from './request.js';
import type { Router } from './router.js';
import { Sender } from './sender.js';
import { Counters } from './stats.js';
import type { EndpointStats } from './stats.js';
import { checkVectors } from './vector-records.js';
import { CLOSE_REASON } from './transport/transport.js';

/** One end of an authenticated connection. */
export abstract class Endpoint extends ReceivingEndpoint implements AsyncDisposable {
  /** Which end this is. */
  abstract readonly role: 'client' | 'server';
  /** The address that was connected to; at a server, that of the client where it has one (`tcp`), otherwise the one listened on. */
  readonly remoteAddress: string;
  /** Where messages go; null when they go to the inbox. */
  readonly router: Router | null;
  /** Resolves, never rejects, when the connection is over and everything that arrived was delivered. */
  readonly closed: Promise<CloseReason>;

  readonly #settings: Settings;
  readonly #isClient: boolean;
  #session: ActiveSession;
  #isReferenced = true;
  readonly #wheel = new DeadlineWheel();
  readonly #counters = new Counters();
  readonly #news: EndpointNews;
  readonly #lanes: SendLanes;
  readonly #sender: Sender;
  readonly #requests: Requests;
  readonly #intake: Intake;
  readonly #flushes: Flushes;
  readonly #sendWait: SendWait;
  readonly #lifecycle: Lifecycle;
  readonly #reconnector: Reconnector | undefined;
  readonly #heartbeat: Heartbeat | undefined;
  readonly #audit: EndpointAudit | undefined;

  /** @internal */
  protected constructor(setup: EndpointSetup, letter: 'c' | 's') {
    super('an endpoint');
    const { link, settings } = setup;
    this.#settings = settings;
    this.#isClient = letter === 'c';
    this.#sendWait = { timeout: settings.sendTimeout, signal: undefined };
    this.remoteAddress = setup.address;
    this.router = settings.router;
    this.#session = activeSession(setup, this, settings, this.#isClient);
    this.#audit = setup.audit === undefined ? undefined : new EndpointAudit(setup.audit, () => this.peer);
    this.#news = new EndpointNews(this, settings, this.#counters);
    this.#lifecycle = new Lifecycle(link);
    this.closed = this.#lifecycle.closed;
    this.#lanes = new SendLanes(link, settings.lanes, this.#wheel, this.#counters, this.#lanesOwner());
    this.#sender = new Sender(link, this.#lanes, this.#counters, this.#session.shape, settings, (delivered) =>
      this.#lifecycle.endError(delivered),
    );
    this.#requests = new Requests(letter, this.#wheel, () => this.#lifecycle.checkIdle());
    this.#intake = new Intake(this.#intakeOwner(setup.gate), this.#session);
    if (this.router === null)
      this.receiveFrom(this.#intake.inbox, () => {
        if (this.state === 'reconnecting') throw this.#lifecycle.endError();
        return this.#session.link;
      });
    this.#flushes = new Flushes(this.#wheel, {
      flushLink: () => this.#session.link.flush(),
      isHeld: () => this.state === 'reconnecting' || (this.#lanes.kept > 0 && this.state !== 'closed'),
    });
    this.#reconnector = this.#makeReconnector(setup.reconnect);
    this.#heartbeat = this.#makeHeartbeat();
    this.#lifecycle.attach({
      sender: this.#sender,
      lanes: this.#lanes,
      requests: this.#requests,
      intake: this.#intake,
      counters: this.#counters,
      reconnector: this.#reconnector,
      heartbeat: this.#heartbeat,
      onLost: (reason) => this.#news.lost(reason),
      onOver: (reason) => {
        this.#flushes.settle();
        this.#wheel.clear();
        this.#news.closed(reason);
        this.#audit?.ended(reason);
        setup.onClosed(reason);
      },
    });
    link.attach(this.#intake);
    this.#heartbeat?.start();
    this.#news.opened();
  }

  /**
   * Who is at the other end. A client that reconnects meets a new peer, with a new session. In v1 without a handshake its id may be empty
   * until its first message.
   */
  get peer(): Peer {
    return this.#session.peer;
  }

  /**
   * What both ends know about the session.
   *
   * @internal
   */
  protected get sessionInfo(): SessionInfo {
    return this.#session.info;
  }

  /**
   * Where in its life the connection is. `reconnecting`: what is sent waits for the next session, within its time-out. `draining`: one end said
   * goodbye; nothing can be sent any more, unless this client reconnects.
   */
  get state(): EndpointState {
    return this.#lifecycle.state;
  }

  /**
   * Sends a message. Resolves when it is accepted: in the ring, visible to the peer (shm), or in the lane's bounded queue (streams). That it
   * was received only `request` tells. The payload is copied before this returns.
   *
   * When a client loses its session and reconnects, messages of priority 2 and 3 that never left are kept and go first; those of priority 0
   * and 1 are given up: a send that still waits rejects, one that was accepted is counted (`stats().undelivered`, event `dropped`). What may
   * have been delivered is never sent again.
   *
   * @throws TypeError or RangeError at once for a wrong argument; rejects with BackpressureError when the lane stayed full, ClosedError or
   * PeerDownError when the connection is over, or was lost and did not come back in time
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
    return this.#sender.isOpen ? this.#lanes.ready(priority, wait) : Promise.reject(this.#lifecycle.endError());
  }

  /**
   * Sends messages in order, each in its lane, with few calls. Resolves when all are accepted; rejects with the first failure, after which
   * no further messages are tried.
   */
  sendBatch(messages: readonly Outgoing[], options?: WaitOptions): Promise<void> {
    return this.#sender.sendBatch(messages, this.#waitOf(options));
  }

  /**
   * Sends a block of vectors in order, each as a `features` message of format `float32`, as `sendBatch` sends messages: the fast path for streams
   * of features, together with `receiveVectors`. The block is copied, but for what has to wait for room: leave it alone until this resolves.
   *
   * @param block - one or more vectors, one behind the other
   * @param length - values of a vector
   */
  sendVectors(block: Float32Array, length: number, options?: VectorOptions): Promise<void> {
    checkVectors(block, length);
    if (block.length % length !== 0)
      throw new RangeError(`a block of ${block.length} values is not a whole number of vectors of ${length}`);
    const priority = integer('priority', options?.priority ?? 2, 0, 3) as Priority;
    return this.#sender.sendVectors(block, length, priority, this.#waitOf(options));
  }

  /**
   * Sends a message and resolves with its reply. The message's max age is the time-out unless it names one; v1 has none.
   *
   * @throws TypeError or RangeError at once for a wrong argument; rejects with the class of the peer's error (`remote` is true), TimeoutError,
   * the signal's reason, BackpressureError, or ClosedError or PeerDownError with `delivered`. Never repeated by itself.
   */
  request<T = unknown>(message: Outgoing, options?: RequestOptions): Promise<Message<T>> {
    const wait = requestWait(message, options, this.#settings.requestTimeout);
    if (wait.signal?.aborted === true) return Promise.reject(abortReason(wait.signal));
    if (!this.#sender.isOpen) return Promise.reject(this.#lifecycle.endError('no'));
    return this.#sender.request(message, this.#requests, wait) as Promise<Message<T>>;
  }

  /** Measures a round trip to the peer's endpoint, past its handlers, in microseconds. Rejects as `request` does. */
  async ping(options?: RequestOptions): Promise<number> {
    const start = performance.now();
    await this.request({ type: 'heartbeat', priority: 1 }, options);
    return (performance.now() - start) * 1_000;
  }

  /**
   * Resolves when everything accepted has reached the ring or the kernel, or the connection is over; while a client connects again it waits
   * for what is kept. Default time-out: `sendTimeout`.
   */
  flush(options?: WaitOptions): Promise<void> {
    const wait = this.#waitOf(options);
    return wait.signal?.aborted === true ? Promise.reject(abortReason(wait.signal)) : this.#flushes.wait(wait);
  }

  /**
   * Closes the connection: what was accepted is sent, then the goodbye, which is authenticated in EIPC/2. Resolves when the peer has answered
   * it or the time is over; at once while reconnecting. Idempotent: every call waits for the same end.
   */
  close(options: CloseOptions = {}): Promise<void> {
    return this.#close(options, CLOSE_REASON.normal);
  }

  /** Closes; for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Returns what happens to this endpoint from now on. A slow reader misses the oldest events (`stats().eventsMissed`). */
  events(): AsyncIterableIterator<EndpointEvent> {
    return this.#news.events.read();
  }

  /** Returns the largest payload of a priority in bytes, for each protocol the same on every transport. */
  maxPayload(priority: Priority): number {
    return this.#session.shape.maxPayload[integer('priority', priority, 0, 3) as Priority];
  }

  /** Returns a frozen copy of the counters. */
  stats(): EndpointStats {
    const { waiting, serving } = this.#intake;
    const byPeer = (lane: Priority): number => this.#session.link.droppedByPeer(lane);
    return this.#counters.snapshot({
      droppedByPeer: [byPeer(0), byPeer(1), byPeer(2), byPeer(3)],
      pendingRequests: this.#requests.size,
      waiting,
      running: serving?.running ?? 0,
    });
  }

  /** Lets this connection keep the process alive again, which is how it starts. */
  ref(): void {
    this.#setReferenced(true);
  }

  /** Lets the process end although this connection is open. */
  unref(): void {
    this.#setReferenced(false);
  }

  /**
   * Closes an endpoint because its server ends, which tells a client that connecting again is worth it.
   *
   * @internal
   */
  static shutDown(endpoint: Endpoint, options: CloseOptions): Promise<void> {
    return endpoint.#close(options, CLOSE_REASON.shutdown);
  }

  /**
   * Ends the session of an endpoint: nothing of its peer is handled from now on. Resolves when it is over.
   *
   * @param why - what the error `EIPC_REVOKED` says at this end
   * @param under - the key whose sessions end; any, when absent
   * @internal
   */
  static async revoke(endpoint: Endpoint, why: string, under?: Key): Promise<void> {
    if (under !== undefined && !endpoint.#session.link.usesKey(Key.native(under))) return;
    await endpoint.#lifecycle.revoke(makeError('EIPC_REVOKED', why));
  }

  #close({ drain = false, timeout }: CloseOptions, reason: number): Promise<void> {
    const most = waitTimeout(timeout === undefined ? undefined : { timeout }, CLOSE_TIMEOUT);
    return this.#lifecycle.close(drain, most, reason);
  }

  #setReferenced(isReferenced: boolean): void {
    this.#isReferenced = isReferenced;
    this.#reconnector?.setReferenced(isReferenced);
    if (isReferenced) this.#session.link.ref();
    else this.#session.link.unref();
  }

  #waitOf(options: WaitOptions | undefined): SendWait {
    return options === undefined
      ? this.#sendWait
      : { timeout: waitTimeout(options, this.#settings.sendTimeout), signal: options.signal };
  }

  // ── one session after the other ──

  /** Goes on in a new session. */
  #reopened(opened: OpenSession): void {
    const before = this.#session.shape;
    const session = activeSession(opened, this, this.#settings, this.#isClient);
    const { link, shape } = session;
    this.#session = session;
    this.#counters.reconnects += 1;
    if (!this.#isReferenced) link.unref();
    this.#intake.use(session);
    link.attach(this.#intake);
    this.#sender.use(link, shape);
    this.#lifecycle.reopened(link);
    this.#lanes.use(link, isSameShape(shape, before) ? undefined : (record) => reshaped(record, shape));
    this.#flushes.check();
    this.#news.reopened();
  }

  #makeReconnector(reconnect: EndpointSetup['reconnect']): Reconnector | undefined {
    if (reconnect === undefined) return undefined;
    return new Reconnector(reconnect.settings, reconnect.dial, this.peer.protocol, {
      reopened: (next) => this.#reopened(next),
      failed: (error, tries) => this.#news.reconnectFailed(error, tries),
      gaveUp: (error, tries) => this.#lifecycle.gaveUp(error, tries),
    });
  }

  #makeHeartbeat(): Heartbeat | undefined {
    const settings = heartbeatFor(this.#settings.heartbeat, this.peer);
    if (settings === undefined) return undefined;
    const { received } = this.#counters;
    return new Heartbeat(settings, {
      received: () => received[0] + received[1] + received[2] + received[3],
      isHoldingUp: () => this.#intake.isHoldingUp,
      ping: (timeout, signal) => this.request({ type: 'heartbeat', priority: 0 }, { timeout, signal }),
      silent: (error) => this.#lifecycle.cut(error),
    });
  }

  // ── what the parts ask for ──

  #lanesOwner(): LanesOwner {
    return {
      dropped: (priority, count) => this.#news.dropped(priority, count),
      settled: () => {
        this.#lifecycle.checkIdle();
        this.#flushes.check();
      },
    };
  }

  #intakeOwner(gate: Gate | undefined): IntakeOwner {
    return {
      identified: (session) => {
        this.#session = identified(this.#session, session, this, this.#isClient);
        return this.#session;
      },
      settings: this.#settings,
      audit: this.#audit,
      gate,
      wheel: this.#wheel,
      counters: this.#counters,
      requests: this.#requests,
      endError: () => this.#lifecycle.endError('no'),
      reply: (message) => {
        // Handlers that still run while this end drains may answer; a peer that said goodbye reads until ours.
        if (this.state === 'closed' || this.state === 'reconnecting')
          return Promise.reject(this.#lifecycle.endError('no'));
        return this.#sender.reply(message, this.#sendWait);
      },
      expired: (message) => this.#news.expired(message),
      handlerFailed: (message, error) => this.#news.handlerFailed(message, error),
      settled: () => this.#lifecycle.checkIdle(),
      space: (mask) => this.#lanes.pump(mask),
      closing: () => this.#lifecycle.closedByPeer(),
      ended: (outcome, unsent, cause) => this.#lifecycle.ended(outcome, unsent, cause),
    };
  }
}
