/**
 * The requests of a server that wait for an operator, and the operator's word. Nothing of it outlives the process: a request whose server
 * was killed is gone with its session, and so is its approval.
 */
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';

import { checkNames } from '../check.js';
import { Deadline, DeadlineWheel } from '../deadlines.js';
import { makeError } from '../errors.js';
import type { EipcError } from '../errors.js';
import { EventStream, keepLatest } from '../event-stream.js';
import { messageDigest } from '../message-digest.js';
import type { Message, MessageType, Priority } from '../message.js';
import { Approval } from './approval.js';
import { shownPayload } from './shown-payload.js';

/** Milliseconds in which an operator may decide. */
const APPROVAL_TIME = 60_000;
/** Requests that wait at most, of all services and of one: who asks too often keeps nobody else from asking. */
const MAX_PARKED = 64;
const MAX_OF_SERVICE = 16;
/** Without the letters and digits that are mistaken for each other: 32 that stay. */
const ALPHABET = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ';
const OPERATOR = /^[\p{L}\p{N} ._@-]{1,64}$/u;

/** A request that waits for an operator. Frozen. Its texts come from the peer: escape them where they are shown. */
export interface ApprovalRequest {
  /** Names it for operators; random, and never used again. */
  readonly id: string;
  /** SHA-256 of the message: what is approved is this message and no other. */
  readonly digest: string;
  /** The authenticated peer that asks. */
  readonly peer: string;
  /** The action, as the policy calls it. */
  readonly action: string;
  /** The action as it was asked for: `action`, or an alias of it. */
  readonly asked: string;
  /** What the rule says of the action; empty when it says nothing. */
  readonly description: string;
  readonly type: MessageType;
  readonly priority: Priority;
  readonly requestId: string;
  /** The capability that the peer claims; empty when it claims none. */
  readonly capability: string;
  /** The payload as text, up to 1 024 characters; `isWhole` says whether that is all of it. */
  readonly payload: string;
  readonly isWhole: boolean;
  /** Milliseconds that were left for a decision when it was parked. */
  readonly time: number;
  /** When it was parked, in Unix milliseconds. */
  readonly parkedAt: number;
}

/** What became of a request. `void`: nobody decided in time, its requester is gone, or it was approved and not let through after all. */
export interface ApprovalEvent {
  readonly type: 'parked' | 'approved' | 'denied' | 'void';
  readonly request: ApprovalRequest;
  /** Who decided; empty when nobody did. */
  readonly by: string;
  /** Why it is void. */
  readonly reason: string;
}

/** Which request is meant: both as they were shown. */
export type ApprovalTarget = Pick<ApprovalRequest, 'id' | 'digest'>;

/** Options of `approve` and `deny`. */
export interface DecisionOptions {
  /** Who decides, for the audit: 1 to 64 letters, digits, blanks, and `. _ @ -`. Default `this process`. */
  readonly by?: string;
}

/** How the parked speak to the endpoint they came by. */
export interface Petitioner {
  /** It was approved: it goes on its way again, where the approval is redeemed. */
  approved(approval: Approval): void;
  /** It will not be. */
  refused(error: EipcError, outcome: 'denied' | 'expired'): void;
}

/** What is parked. */
export interface Petition {
  /** In memory of its own. */
  readonly message: Message;
  readonly peer: string;
  readonly action: string;
  readonly asked: string;
  readonly description: string;
  /** Milliseconds until the requester's deadline; absent when it has none. */
  readonly left: number | undefined;
}

/** A request that is parked. */
export class Parked extends Deadline {
  readonly request: ApprovalRequest;
  readonly petitioner: Petitioner;
  readonly end: number;
  readonly #approvals: Approvals;
  readonly #isOfRequester: boolean;

  constructor(approvals: Approvals, petition: Petition, petitioner: Petitioner) {
    super();
    const { message, peer, action, asked, description, left = Infinity } = petition;
    const time = Math.min(left, APPROVAL_TIME);
    this.#approvals = approvals;
    this.#isOfRequester = left < APPROVAL_TIME;
    this.petitioner = petitioner;
    this.end = performance.now() + time;
    const { type, priority, requestId, capability } = message;
    const digest = messageDigest(message);
    const [payload, isWhole] = shownPayload(message);
    const of = { peer, action, asked, description, type, priority, requestId, capability, payload, isWhole };
    this.request = Object.freeze({ id: newId(), digest, ...of, time, parkedAt: Date.now() });
  }

  override expire(): void {
    const why = this.#isOfRequester
      ? makeError('EIPC_STALE', "the requester's deadline passed before an operator decided")
      : makeError('EIPC_NOT_APPROVED', `no operator decided within ${APPROVAL_TIME / 1_000} s`);
    this.#approvals.withdraw(this, why, this.#isOfRequester ? 'expired' : 'denied');
  }
}

/** The approvals of one server. */
export class Approvals implements AsyncIterable<ApprovalEvent> {
  readonly #parked = new Map<string, Parked>();
  readonly #wheel = new DeadlineWheel();
  readonly #events = new EventStream<ApprovalEvent>(keepLatest(() => undefined));

  /** Returns the requests that wait now, the oldest first. */
  list(): readonly ApprovalRequest[] {
    return [...this.#parked.values()].map(({ request }) => request);
  }

  /**
   * Approves a request. Resolves when its approval is durable in the audit and its handler has been started.
   *
   * @param target - an entry of `list()`, or its id and digest: an approval is for exactly the message that was shown
   * @throws TypeError at once for a wrong argument; rejects with PolicyError `EIPC_NOT_APPROVED` when no such request waits any more, or
   * another one has this id, and with the reason why it was not let through after all
   */
  async approve(target: ApprovalTarget, options: DecisionOptions = {}): Promise<void> {
    const by = decider(options);
    const parked = this.#take(target);
    const { id, digest } = parked.request;
    const approval = new Approval(id, digest, by, parked.end);
    parked.petitioner.approved(approval);
    try {
      await approval.started;
      this.#emit('approved', parked, by, '');
    } catch (error) {
      this.#emit('void', parked, by, error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  /** Denies a request. Its requester is told. Throws and rejects as `approve` does. */
  async deny(target: ApprovalTarget, options: DecisionOptions = {}): Promise<void> {
    const by = decider(options);
    const parked = this.#take(target);
    this.#emit('denied', parked, by, '');
    const { id } = parked.request;
    parked.petitioner.refused(makeError('EIPC_NOT_APPROVED', `denied by '${by}' as ${id}`), 'denied');
  }

  /** Iterates over what happens from now on; ends when the server has closed. A slow reader misses the oldest events, never what `list()` says. */
  [Symbol.asyncIterator](): AsyncIterableIterator<ApprovalEvent> {
    return this.#events.read();
  }

  /**
   * Parks a request. Returns undefined when as many wait as may.
   *
   * @internal
   */
  park(petition: Petition, petitioner: Petitioner): Parked | undefined {
    if (this.#parked.size >= MAX_PARKED) return undefined;
    let ofService = 0;
    for (const { request } of this.#parked.values()) if (request.peer === petition.peer) ofService += 1;
    if (ofService >= MAX_OF_SERVICE) return undefined;
    const parked = new Parked(this, petition, petitioner);
    this.#parked.set(parked.request.id, parked);
    this.#wheel.add(parked, parked.request.time);
    this.#emit('parked', parked, '', '');
    return parked;
  }

  /**
   * Takes a request away that cannot be approved any more. Nothing happens when it was decided.
   *
   * @internal
   */
  withdraw(parked: Parked, error: EipcError, outcome: 'denied' | 'expired'): void {
    if (!this.#parked.delete(parked.request.id)) return;
    this.#wheel.cancel(parked);
    this.#emit('void', parked, '', error.message);
    parked.petitioner.refused(error, outcome);
  }

  /**
   * Ends the iterations. The sessions have ended by now, and with them whatever waited.
   *
   * @internal
   */
  close(): void {
    this.#events.end();
  }

  /** Takes the request that is meant, so that nobody decides on it again. */
  #take({ id, digest }: ApprovalTarget): Parked {
    if (typeof id !== 'string' || typeof digest !== 'string')
      throw new TypeError(`a request is named by its id and its digest, not by ${inspect({ id, digest })}`);
    const parked = this.#parked.get(id);
    if (parked === undefined)
      throw makeError(
        'EIPC_NOT_APPROVED',
        `no request ${inspect(id)} waits for an operator: it was decided, it expired, or its requester is gone; list them again`,
      );
    if (parked.request.digest !== digest)
      throw makeError('EIPC_NOT_APPROVED', `the request ${id} is another one than was shown; list them again`);
    this.#parked.delete(id);
    this.#wheel.cancel(parked);
    return parked;
  }

  #emit(type: ApprovalEvent['type'], { request }: Parked, by: string, reason: string): void {
    this.#events.emit(Object.freeze({ type, request, by, reason }));
  }
}

function decider(options: DecisionOptions): string {
  checkNames(options, ['by'], 'a decision');
  const { by = 'this process' } = options;
  if (typeof by === 'string' && OPERATOR.test(by)) return by;
  throw new TypeError(`by is ${inspect(by)}; it must be 1 to 64 letters, digits, blanks, and . _ @ -`);
}

/** Forty random bits. */
function newId(): string {
  let bits = BigInt(`0x${randomBytes(5).toString('hex')}`);
  let id = '';
  for (let place = 0; place < 8; place += 1) {
    id += `${place === 4 ? '-' : ''}${ALPHABET[Number(bits & 31n)] ?? ''}`;
    bits >>= 5n;
  }
  return id;
}
