/**
 * The way in: takes what a link delivers, settles requests, answers pings, and hands the rest to the router or to the inbox. It also tells
 * the link how much more is welcome, which is how a slow reader becomes visible to the sender.
 */
import type { ActiveSession } from './active-session.js';
import type { Gate } from './admission.js';
import { makeError } from './errors.js';
import type { EipcError } from './errors.js';
import type { DeadlineWheel } from './deadlines.js';
import type { EndpointAudit } from './endpoint-audit.js';
import { Inbox } from './inbox.js';
import type { InboxOwner } from './inbox.js';
import { META_FIXED, Message, messageTypeToByte } from './message.js';
import type { Priority } from './message.js';
import { DESCRIPTOR_WORDS, DESCRIPTORS_FROM } from './native.js';
import type { Outcome, SessionInfo } from './native.js';
import type { Settings } from './settings.js';
import type { Outgoing } from './outgoing.js';
import type { Requests } from './request.js';
import { errorReply } from './router.js';
import type { Refusal } from './router.js';
import { Serving } from './serving.js';
import type { ServingOwner } from './serving.js';
import type { Counters } from './stats.js';
import type { LinkReceiver, Unsent } from './transport/transport.js';

const HEARTBEAT = messageTypeToByte('heartbeat');
const LANES = [0, 1, 2, 3] as const;

/** How the intake speaks to its endpoint. */
export interface IntakeOwner {
  readonly settings: Settings;
  /** Absent where nothing is recorded. */
  readonly audit: EndpointAudit | undefined;
  /** Absent where there is no policy. */
  readonly gate: Gate | undefined;
  readonly wheel: DeadlineWheel;
  readonly counters: Counters;
  readonly requests: Requests;
  /** Who the peer is came to light. Returns the session as it is now. */
  identified(session: SessionInfo): ActiveSession;
  /** Sends a reply of ours, waiting for room if it must. */
  reply(message: Outgoing): Promise<void>;
  /** Makes the error for what belongs to a session that is over. */
  endError(): EipcError;
  expired(message: Message): void;
  handlerFailed(message: Message, error: unknown): void;
  /** Handlers may have become idle. */
  settled(): void;
  space(mask: number): void;
  closing(): void;
  ended(outcome: Outcome, unsent: Unsent, cause: unknown): void;
}

/** Takes the messages of one endpoint. */
export class Intake implements LinkReceiver, InboxOwner, ServingOwner {
  readonly inbox: Inbox;
  /** Runs the router, if there is one: then the inbox stays empty. */
  readonly serving: Serving | undefined;
  /** Whether the user closed this endpoint: no handler begins any more. */
  isClosed = false;
  /** Whether the peer's key was revoked: nothing of it is handled any more. */
  isRevoked = false;
  readonly #owner: IntakeOwner;
  #session: ActiveSession;
  /** Whether the link was told that a lane has no room, and has to hear when it has. */
  #isHoldingUp = false;

  constructor(owner: IntakeOwner, session: ActiveSession) {
    this.#owner = owner;
    this.#session = session;
    const { settings, wheel, counters, audit, gate } = owner;
    this.inbox = new Inbox(this, wheel, settings.inboxLimit);
    if (settings.router !== null) {
      const limits = { concurrency: settings.concurrency, waiting: settings.inboxLimit };
      this.serving = new Serving(settings.router, this, session.peer, wheel, counters, limits, audit, gate);
    }
  }

  /** Whether messages wait at the peer because there is no room for them here. */
  get isHoldingUp(): boolean {
    return this.#isHoldingUp;
  }

  /** Messages that wait here. */
  get waiting(): number {
    return this.serving?.waiting ?? this.inbox.length;
  }

  /** Goes on with the messages of a new session. */
  use(session: ActiveSession): void {
    this.#session = session;
    this.#isHoldingUp = false;
    this.serving?.use(session.peer);
  }

  laneMask(): number {
    const { serving, inbox } = this;
    // Replies travel in the same lanes as messages: while some are awaited, a lane is drained as long as there is any room behind it.
    const isAwaiting = this.#owner.requests.size > 0;
    let mask = 0;
    for (const lane of LANES) {
      const isOpen =
        serving === undefined
          ? inbox.room(lane) > 0
          : serving.room(lane) > 0 && (isAwaiting || !serving.isHeldUp(lane));
      if (isOpen) mask |= 1 << lane;
    }
    if (mask !== ALL_LANES) this.#isHoldingUp = true;
    return mask;
  }

  room(mask: number): number {
    const keeper = this.serving ?? this.inbox;
    let least = MAX_ROOM;
    for (const lane of LANES) if ((mask & (1 << lane)) !== 0) least = Math.min(least, keeper.room(lane));
    if (least <= 0) this.#isHoldingUp = true;
    return Math.max(0, least);
  }

  deliver(slab: Buffer, descriptors: Uint32Array, count: number): void {
    const { counters } = this.#owner;
    const { origin } = this.#session;
    const memory = slab.buffer;
    const vectors = this.isRevoked ? undefined : this.inbox.vectors;
    const values = vectors === undefined ? undefined : new Float32Array(memory, slab.byteOffset, slab.length >> 2);
    const end = DESCRIPTORS_FROM + count * DESCRIPTOR_WORDS;
    for (let at = DESCRIPTORS_FROM; at < end; at += DESCRIPTOR_WORDS) {
      const kinds = descriptors[at + 1] ?? 0;
      const lengths = descriptors[at + 3] ?? 0;
      counters.received[((kinds >>> 8) & 3) as Priority] += 1;
      counters.receivedBytes += descriptors[at + 5] ?? 0;
      if (values !== undefined && vectors?.fill(values, descriptors, at) === true) continue;
      const message = new Message(origin, slab, memory, descriptors, at);
      const idLength = (lengths >>> 8) & 0xff;
      if (idLength !== 0) {
        const idAt = (descriptors[at + 2] ?? 0) + META_FIXED + (lengths & 0xff);
        const verdict = this.#owner.requests.settle(message, kinds & 0xff, slab, idAt, idLength);
        if (verdict === 'late') counters.lateReplies += 1;
        if (verdict !== 'not-a-reply') continue;
        if ((kinds & 0xff) === HEARTBEAT) {
          this.#answerPing(message);
          continue;
        }
      } else if ((kinds & 0xff) === HEARTBEAT && (descriptors[at + 5] ?? 0) === 0 && origin.protocol === 2) {
        continue; // the session's own, by which a silent lane changes its keys (docs/wire.md, "Epochs")
      }
      this.#hand(message);
    }
    vectors?.flush();
  }

  identified(session: SessionInfo): void {
    this.#session = this.#owner.identified(session);
    this.serving?.identified(this.#session.peer);
  }

  space(mask: number): void {
    this.#owner.space(mask);
  }

  closing(): void {
    this.#owner.closing();
  }

  ended(outcome: Outcome, unsent: Unsent, cause: unknown): void {
    this.#owner.ended(outcome, unsent, cause);
  }

  // ── what inbox and serving ask for ──

  mayDeliver(message: Message): boolean {
    if (message.maxAge === 0 || !message.isExpired(Date.now())) return true;
    this.refused(message, { outcome: 'expired', error: makeError('EIPC_STALE', 'older than its max age') });
    return false;
  }

  roomAgain(): void {
    this.#owner.settled();
    if (!this.#isHoldingUp) return;
    this.#isHoldingUp = false;
    this.#session.link.resume();
  }

  reply(reply: Outgoing, request: Message): Promise<void> {
    // Whoever asked in another session is not there any more; the ids of two sessions may be the same.
    if (!request.isFrom(this.#session.origin)) return Promise.reject(this.#owner.endError());
    return this.#owner.reply(reply);
  }

  refused(message: Message, refusal: Refusal, isRecorded = false): void {
    const { counters, audit } = this.#owner;
    if (!isRecorded) audit?.refused(message, refusal.error);
    switch (refusal.outcome) {
      case 'unknown':
        counters.unhandled += 1;
        break;
      case 'denied':
        counters.denied += 1;
        break;
      case 'expired':
        counters.expired += 1;
        this.#owner.expired(message);
        break;
    }
    const reply = errorReply(message, refusal.error, this.#session.peer.protocol);
    if (reply !== undefined) this.#answer(reply, message);
  }

  failed(message: Message, error: unknown): void {
    this.#owner.handlerFailed(message, error);
  }

  #hand(message: Message): void {
    const { serving } = this;
    if (this.isRevoked || (this.isClosed && serving !== undefined)) this.#owner.counters.discarded += 1;
    else if (serving === undefined) this.inbox.accept(message);
    else serving.accept(message);
  }

  /** A heartbeat that wants a reply is a ping: answered here, so that it measures the way and not the handlers. */
  #answerPing(message: Message): void {
    const { requestId, priority } = message;
    const payload = { request_id: requestId, status: 'ok' };
    this.#answer({ type: 'ack', payload, payloadFormat: 'json', requestId, priority }, message);
  }

  #answer(reply: Outgoing, request: Message): void {
    this.reply(reply, request).catch(() => {
      this.#owner.counters.repliesLost += 1;
    });
  }
}

const ALL_LANES = 15;
const MAX_ROOM = 65_536;
