/**
 * Routes messages to handlers by type: which handler there is, whether the peer may use it, and what its result or its error becomes as a
 * reply. How many run at once, and in which order, is the business of `serving.ts`, which runs a router for an endpoint.
 */
import { inspect } from 'node:util';

import { actionOf, hasAction } from './action.js';
import { CapabilityChecker } from './capability-checker.js';
import { EipcError, makeError, sentenceOf } from './errors.js';
import type { ErrorCode } from './errors.js';
import { Message, messageTypeToByte } from './message.js';
import type { MessageType } from './message.js';
import type { Outgoing } from './outgoing.js';
import type { Peer } from './peer.js';
import { badPayload, isSchema } from './schema.js';
import type { SchemaResult, StandardSchema } from './schema.js';

/** What a handler gets beside message and peer. */
export interface HandlerContext {
  /** Aborts when the request's deadline passes or the connection ends. Made at its first use. */
  readonly signal: AbortSignal;
}

/**
 * Handles a message. What it returns (or resolves with) becomes the reply if the sender asked for one: an object the payload of an `ack`, a
 * `Message` is sent as it is, nothing becomes a bare `ok`. What it throws becomes an error reply without internals; an `EipcError` passes
 * its code on.
 */
export type Handler<T = unknown> = (message: Message<T>, peer: Peer, context: HandlerContext) => unknown;

/** Options of `handle`. */
export interface HandleOptions {
  /**
   * The capability that the peer's effective rights must contain; or what tells, by the action of a message, which capabilities do. The latter
   * for `intent`, `tool_request`, `chat` and `complete`, which have an action.
   */
  readonly capability?: string | CapabilityChecker;
  /** How many of this type run at once for one peer, 1 … 4 096. Default: as many as the endpoint runs. 1 serialises them. */
  readonly concurrency?: number;
  /** What the payload must be, by a schema of any library (Standard Schema), such as `IntentEvent`. Otherwise: `EIPC_BAD_PAYLOAD`. */
  readonly schema?: StandardSchema;
}

/** What became of a dispatched message. */
export interface DispatchResult {
  readonly outcome: 'handled' | 'unknown' | 'denied' | 'expired' | 'failed';
  /** The reply that the sender asked for, if it did. */
  readonly reply?: Outgoing;
  /** Why it was not handled. */
  readonly error?: unknown;
}

/** A registered handler. */
export interface Route {
  readonly type: MessageType;
  readonly handler: Handler;
  readonly capability: string | CapabilityChecker | undefined;
  readonly concurrency: number;
}

const MAX_CONCURRENCY = 4_096;
/** The longest time a timer of Node can wait. */
const MAX_TIMER = 2_147_483_647;
const OPTION_NAMES = new Set(['capability', 'concurrency', 'schema']);
/** Types whose reply has the type of the request (docs/wire.md, "Requests and replies"). */
const ANSWERED_IN_KIND = new Set<MessageType>(['chat', 'complete']);
const ALWAYS_ANSWERED_IN_V1 = new Set<MessageType>(['intent', 'tool_request']);

/** Handlers by message type. One router may serve any number of endpoints. */
export class Router {
  readonly #routes = new Map<MessageType, Route>();

  /**
   * Registers the handler of a type.
   *
   * @throws TypeError when the type has one already, or an argument is of the wrong kind; RangeError when there is no such type
   *
   * @example
   * router.handle('intent', { capability: 'ui:control', schema: IntentEvent }, (message) => ({ status: 'ok' }));
   */
  handle(type: MessageType, handler: Handler): this;
  handle<T>(
    type: MessageType,
    options: HandleOptions & { readonly schema: StandardSchema<T> },
    handler: Handler<T>,
  ): this;
  handle(type: MessageType, options: HandleOptions, handler: Handler): this;
  handle(type: MessageType, optionsOrHandler: HandleOptions | Handler, handler?: Handler): this {
    messageTypeToByte(type);
    const options = typeof optionsOrHandler === 'function' ? {} : optionsOrHandler;
    const run = typeof optionsOrHandler === 'function' ? optionsOrHandler : handler;
    if (typeof run !== 'function')
      throw new TypeError(`the handler of '${type}' must be a function, not ${inspect(run)}`);
    if (this.#routes.has(type)) throw new TypeError(`'${type}' has a handler already; a router has one for each type`);
    this.#routes.set(type, checkRoute(type, options, run));
    return this;
  }

  /** Returns the handler of a type. */
  route(type: MessageType): Route | undefined {
    return this.#routes.get(type);
  }

  /**
   * Runs the handler of a message and says what became of it. Never rejects: what a handler throws is the `error` of outcome `failed`. The
   * handler's signal aborts when the message's max age is over.
   *
   * @param peer - whose rights count
   */
  async dispatch(message: Message, peer: Peer): Promise<DispatchResult> {
    const route = this.route(message.type);
    const refusal = refusalOf(message, peer, route);
    const { protocol } = peer;
    if (refusal !== undefined)
      return withReply(refusal.outcome, errorReply(message, refusal.error, protocol), refusal.error);
    const context = new DispatchContext(message);
    try {
      const value: unknown = await route?.handler(message, peer, context);
      return withReply('handled', replyOf(message, value, protocol));
    } catch (error) {
      return withReply('failed', errorReply(message, error, protocol), error);
    } finally {
      context.end();
    }
  }

  /** Dispatches messages, priority 0 first, one after the other; results are in the order of the messages given. */
  async dispatchBatch(messages: readonly Message[], peer: Peer): Promise<DispatchResult[]> {
    const order = messages
      .map((message, index) => ({ message, index }))
      .sort((left, right) => left.message.priority - right.message.priority);
    const results: DispatchResult[] = [];
    for (const { message, index } of order) results[index] = await this.dispatch(message, peer);
    return results;
  }
}

/**
 * Says why a message is not to be handled; undefined when it is.
 *
 * @param route - the handler of its type, if there is one
 */
export function refusalOf(message: Message, peer: Peer, route: Route | undefined): Refusal | undefined {
  if (route === undefined)
    return {
      outcome: 'unknown',
      error: makeError('EIPC_UNKNOWN_TYPE', `no handler for messages of type '${message.type}'`),
    };
  if (message.maxAge !== 0 && message.isExpired(Date.now())) {
    return {
      outcome: 'expired',
      error: makeError('EIPC_STALE', `this ${message.type} is older than its max age of ${message.maxAge} ms`),
    };
  }
  const error = lackOfRight(route.capability, message, peer);
  return error === undefined ? undefined : { outcome: 'denied', error };
}

/** The context of a handler that runs by itself. There is no connection whose end could abort it. */
class DispatchContext implements HandlerContext {
  readonly #message: Message;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(message: Message) {
    this.#message = message;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      const { maxAge } = this.#message;
      if (maxAge !== 0)
        this.#timer = setTimeout(
          () => controller.abort(makeError('EIPC_TIMEOUT', 'the deadline of this request has passed')),
          Math.min(Math.max(0, this.#message.sentAt() + maxAge - Date.now()), MAX_TIMER),
        ).unref();
    }
    return this.#controller.signal;
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

/** Why a message was not handled. */
export interface Refusal {
  readonly outcome: 'unknown' | 'denied' | 'expired';
  readonly error: EipcError;
}

/**
 * Says which right a peer lacks, undefined when it lacks none. Rights are granted by the server's table; a claim narrows them to itself, and
 * a claim the peer does not hold is a denial. A server holds no grants at its client, so its claims deny nothing there by themselves, and
 * give nothing either.
 */
function lackOfRight(
  required: string | CapabilityChecker | undefined,
  message: Message,
  peer: Peer,
): EipcError | undefined {
  const claim = message.capability;
  const { capabilities } = peer;
  const isUnheldClaim = claim !== '' && !capabilities.has(claim);
  if (isUnheldClaim && (required !== undefined || peer.endpoint.role === 'server'))
    return lackError(claim, message, peer);
  if (required === undefined) return undefined;
  if (typeof required !== 'string') return required.refusal(capabilities, claim, actionOf(message));
  const isEffective = capabilities.has(required) && (claim === '' || claim === required);
  return isEffective ? undefined : lackError(required, message, peer);
}

function lackError(lacking: string, message: Message, peer: Peer): EipcError {
  return makeError('EIPC_CAPABILITY', `'${peer.serviceId}' lacks ${inspect(lacking)} for this ${message.type}`);
}

/** Makes the reply to a request out of what its handler returned; undefined when the sender asked for none. */
export function replyOf(message: Message, value: unknown, protocol: 1 | 2): Outgoing | undefined {
  const { requestId, priority, type } = message;
  if (!isRequest(message, protocol)) return undefined;
  if (value instanceof Message) {
    const { source, capability, route, maxAge, payloadFormat, bytes } = value;
    return { type: value.type, source, capability, route, maxAge, payloadFormat, payload: bytes, requestId, priority };
  }
  if (ANSWERED_IN_KIND.has(type)) return { type, payload: value, requestId, priority };
  if (value instanceof Uint8Array || value instanceof Float32Array)
    return { type: 'ack', payload: value, requestId, priority };
  return { type: 'ack', payload: ackPayload(requestId, value), requestId, priority };
}

/** Makes the reply that tells a requester what went wrong, in words that tell nothing internal; undefined when it asked for none. */
export function errorReply(message: Message, error: unknown, protocol: 1 | 2): Outgoing | undefined {
  const { requestId, priority } = message;
  if (!isRequest(message, protocol)) return undefined;
  // An error that came from another peer is not this one's: what it says stays here.
  const code: ErrorCode = error instanceof EipcError && !error.remote ? error.code : 'EIPC_HANDLER';
  return {
    type: 'ack',
    payload: { request_id: requestId, status: 'error', error: sentenceOf(code), code },
    payloadFormat: 'json',
    requestId,
    priority,
  };
}

/** A request id asks for a reply; in v1 the type may be enough (docs/wire.md, "Requests and replies"). */
function isRequest({ requestId, type }: Message, protocol: 1 | 2): boolean {
  return requestId !== '' || (protocol === 1 && ALWAYS_ANSWERED_IN_V1.has(type));
}

function ackPayload(requestId: string, value: unknown): object {
  if (value === undefined) return { request_id: requestId, status: 'ok' };
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { request_id: requestId, status: 'ok', result: value };
  return { status: 'ok', ...value, request_id: requestId };
}

function withReply(
  outcome: DispatchResult['outcome'],
  reply: Outgoing | undefined,
  ...error: [] | [unknown]
): DispatchResult {
  return { outcome, ...(reply === undefined ? {} : { reply }), ...(error.length === 0 ? {} : { error: error[0] }) };
}

function checkRoute(type: MessageType, options: HandleOptions, handler: Handler): Route {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`the options of handle('${type}') must be an object, not ${inspect(options)}`);
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.has(name))
      throw new TypeError(
        `handle has no option '${name}' in this build; its options are ${[...OPTION_NAMES].join(', ')}`,
      );
  }
  const { capability, concurrency = MAX_CONCURRENCY, schema } = options;
  if (schema !== undefined && !isSchema(schema))
    throw new TypeError(`schema must be a Standard Schema, such as IntentEvent, not ${inspect(schema, { depth: 0 })}`);
  if (capability instanceof CapabilityChecker) {
    if (!hasAction(type))
      throw new TypeError(
        `messages of type '${type}' have no action that a CapabilityChecker could judge; name a capability`,
      );
  } else if (capability !== undefined && (typeof capability !== 'string' || capability === '')) {
    throw new TypeError(
      `capability must be a string that is not empty, or a CapabilityChecker, not ${inspect(capability)}`,
    );
  }
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > MAX_CONCURRENCY) {
    throw new RangeError(
      `concurrency is ${inspect(concurrency)}; it must be a whole number from 1 to ${MAX_CONCURRENCY}`,
    );
  }
  return { type, handler: schema === undefined ? handler : validated(schema, handler), capability, concurrency };
}

/** Returns a handler that runs only with payloads that fit. It sees them as they came, not as the schema may transform them. */
function validated(schema: StandardSchema, handler: Handler): Handler {
  return (message, peer, context) => {
    const run = ({ issues }: SchemaResult<unknown>): unknown => {
      if (issues === undefined) return handler(message, peer, context);
      throw badPayload(`the payload of this ${message.type}`, issues);
    };
    const result = schema['~standard'].validate(message.payload);
    return 'then' in result ? result.then(run) : run(result);
  };
}
