/** Requests that wait for their reply. */
import { inspect } from 'node:util';

import { Wait } from './deadlines.js';
import type { DeadlineWheel } from './deadlines.js';
import type { EipcError } from './errors.js';
import { errorFromReply, makeError } from './errors.js';
import type { SendWait } from './lanes.js';
import type { Message, MessageType } from './message.js';
import { messageTypeToByte } from './message.js';
import type { RequestOptions } from './options.js';
import type { Outgoing } from './outgoing.js';
import { IssuedId, readIssuedId } from './request-id.js';
import { waitTimeout } from './settings.js';

const ACK = messageTypeToByte('ack');
const POLICY_RESULT = messageTypeToByte('policy_result');
const CHAT = messageTypeToByte('chat');
const COMPLETE = messageTypeToByte('complete');
/** Longest text of a peer that goes into an error. */
const MAX_PEER_TEXT = 256;

type OnPending = NonNullable<RequestOptions['onPending']>;

/** How a request waits. */
export interface RequestWait extends SendWait {
  readonly onPending: OnPending | undefined;
}

/** What an incoming message with a request id turned out to be. */
export type ReplyVerdict = 'settled' | 'late' | 'not-a-reply';

/**
 * Reads what a request may be told.
 *
 * @param timeout - the default, in milliseconds
 * @throws TypeError or RangeError for what it may not
 */
export function requestWait(message: Outgoing, options: RequestOptions | undefined, timeout: number): RequestWait {
  if (message.requestId !== undefined && message.requestId !== '') {
    throw new TypeError(
      `request() assigns the request id; the message has ${JSON.stringify(message.requestId)} already: use send() for it`,
    );
  }
  const onPending = options?.onPending;
  if (onPending !== undefined && typeof onPending !== 'function')
    throw new TypeError(`onPending must be a function, not ${inspect(onPending)}`);
  return { timeout: waitTimeout(options, timeout), signal: options?.signal, onPending };
}

/** A request on its way. */
export class PendingRequest extends Wait<Message> {
  readonly number: number;
  readonly type: MessageType;
  /** Called when it waits for an operator. */
  readonly onPending: OnPending | undefined;
  /** Whether its record was taken by the transport, so that it may have been delivered. */
  isSent = false;
  readonly #requests: Requests;

  constructor(number: number, type: MessageType, onPending: OnPending | undefined, requests: Requests) {
    super();
    this.number = number;
    this.type = type;
    this.onPending = onPending;
    this.#requests = requests;
  }

  /** Whether the peer may have got it. */
  get delivered(): 'no' | 'unknown' {
    return this.isSent ? 'unknown' : 'no';
  }

  protected override timeoutError(): Error {
    const { delivered } = this;
    const text = delivered === 'no' ? 'it could not be sent' : 'no reply came';
    return makeError('EIPC_TIMEOUT', `${text} within the time of this ${this.type} request`, { delivered });
  }

  protected override ended(): void {
    this.#requests.forget(this);
  }
}

/** The pending requests of one endpoint. */
export class Requests {
  readonly id: IssuedId;
  readonly #letter: number;
  readonly #wheel: DeadlineWheel;
  readonly #pending = new Map<number, PendingRequest>();
  readonly #onSettled: () => void;
  #issued = 0;

  /** @param role - whose ids these are: `c` for the client's, `s` for the server's */
  constructor(role: 'c' | 's', wheel: DeadlineWheel, onSettled: () => void) {
    this.#letter = role.charCodeAt(0);
    this.id = new IssuedId(this.#letter);
    this.#wheel = wheel;
    this.#onSettled = onSettled;
  }

  /** Requests that wait. */
  get size(): number {
    return this.#pending.size;
  }

  /** Makes a new id the current one. */
  issue(): void {
    this.#issued += 1;
    this.id.next();
  }

  /** Waits for the reply to the id that was issued last. */
  wait(
    type: MessageType,
    { timeout, signal, onPending }: RequestWait,
  ): { pending: PendingRequest; reply: Promise<Message> } {
    const pending = new PendingRequest(this.#issued, type, onPending, this);
    this.#pending.set(this.#issued, pending);
    return { pending, reply: pending.start(this.#wheel, timeout, signal) };
  }

  /**
   * Looks whether a message is a reply, and settles its request if so.
   *
   * @param slab - where its request id lies, at `at`, `length` bytes long
   */
  settle(message: Message, typeByte: number, slab: Buffer, at: number, length: number): ReplyVerdict {
    const number = readIssuedId(this.#letter, slab, at, length);
    const pending = number === -1 ? undefined : this.#pending.get(number);
    const isReplyType = typeByte === ACK || typeByte === POLICY_RESULT;
    if (pending !== undefined && (isReplyType || messageTypeToByte(pending.type) === typeByte)) {
      settlePending(pending, message, typeByte);
      return 'settled';
    }
    // chat and complete are answered by their own type, so that only the id tells a late answer from a new request.
    const isOurs = number !== -1 && number <= this.#issued && (typeByte === CHAT || typeByte === COMPLETE);
    return isReplyType || isOurs ? 'late' : 'not-a-reply';
  }

  /**
   * Takes note that a record which was accepted never left. Returns whether it was a request of ours: its caller learns of its end, or has.
   *
   * @param id - the record's request id
   */
  recall(id: Buffer): boolean {
    const number = readIssuedId(this.#letter, id, 0, id.length);
    const pending = this.#pending.get(number);
    if (pending !== undefined) pending.isSent = false;
    return number !== -1 && number <= this.#issued;
  }

  /** Ends every request. */
  failAll(makeReason: (request: PendingRequest) => EipcError): void {
    for (const pending of this.#pending.values()) pending.fail(makeReason(pending));
  }

  /** Takes a request out that ended. Only for `PendingRequest`. */
  forget(pending: PendingRequest): void {
    this.#pending.delete(pending.number);
    this.#onSettled();
  }
}

function settlePending(pending: PendingRequest, message: Message, typeByte: number): void {
  if (typeByte === POLICY_RESULT && isStillPending(pending, message)) return;
  if (typeByte !== ACK || (message.payloadFormat !== 'json' && message.payloadFormat !== 'msgpack')) {
    pending.settle(message);
    return;
  }
  let payload: unknown;
  try {
    payload = message.payload;
  } catch (error) {
    pending.fail(error);
    return;
  }
  if (typeof payload === 'object' && payload !== null && 'status' in payload && payload.status === 'error') {
    const code = 'code' in payload ? payload.code : undefined;
    const text =
      'error' in payload && typeof payload.error === 'string' ? payload.error : 'the peer answered with an error';
    pending.fail(errorFromReply(code, text.slice(0, MAX_PEER_TEXT), message));
    return;
  }
  pending.settle(message);
}

/** Tells whether a result of the policy only says that the request waits for an operator, and passes that on. */
function isStillPending(pending: PendingRequest, message: Message): boolean {
  try {
    const { payload } = message;
    if (typeof payload !== 'object' || payload === null || !('pending' in payload) || payload.pending !== true)
      return false;
    const { approval, action, expires_ms: time } = payload as Partial<Record<string, unknown>>;
    pending.onPending?.({
      approval: typeof approval === 'string' ? approval.slice(0, MAX_PEER_TEXT) : '',
      action: typeof action === 'string' ? action.slice(0, MAX_PEER_TEXT) : '',
      time: typeof time === 'number' ? time : 0,
    });
  } catch (error) {
    pending.fail(error);
  }
  return true;
}
