/**
 * Error classes and codes. The table lives in the Rust core; this file reads it once and is the only place that turns a code into a class.
 *
 * Every error of a connection, local or answered by the peer, is an `EipcError` with a stable `code`. Wrong arguments are not errors of a
 * connection: they throw `TypeError` or `RangeError` before native code is entered.
 */
import type { Message } from './message.js';
import { errorTable } from './native.js';
import type { ErrorRow } from './native.js';

/** Every code an `EipcError` can carry, in the order of the native table. A test compares the two. */
export const ERROR_CODES = [
  'EIPC_FRAME_TOO_LARGE',
  'EIPC_FRAME_TRUNCATED',
  'EIPC_BAD_MAGIC',
  'EIPC_BAD_VERSION',
  'EIPC_UNSUPPORTED_FLAGS',
  'EIPC_TRAILING_BYTES',
  'EIPC_UNSUPPORTED_TYPE',
  'EIPC_BAD_HEADER',
  'EIPC_PROTOCOL',
  'EIPC_MESSAGE_TOO_LARGE',
  'EIPC_UNKNOWN_TYPE',
  'EIPC_DUPLICATE_REQUEST',
  'EIPC_BAD_PAYLOAD',
  'EIPC_INTEGRITY',
  'EIPC_REFLECTION',
  'EIPC_POISONED',
  'EIPC_REPLAY',
  'EIPC_SEQUENCE',
  'EIPC_HANDSHAKE_FAILED',
  'EIPC_IDENTITY',
  'EIPC_KEY',
  'EIPC_REVOKED',
  'EIPC_CAPABILITY',
  'EIPC_POLICY',
  'EIPC_POLICY_FILE',
  'EIPC_NOT_APPROVED',
  'EIPC_BACKPRESSURE',
  'EIPC_TIMEOUT',
  'EIPC_STALE',
  'EIPC_CLOSED',
  'EIPC_CLOSED_BY_PEER',
  'EIPC_EXPIRED',
  'EIPC_PEER_DOWN',
  'EIPC_TRUNCATED',
  'EIPC_TRANSPORT',
  'EIPC_ADDRESS_IN_USE',
  'EIPC_HANDLER',
  'EIPC_INTERNAL',
  'EIPC_AUDIT',
  'EIPC_AUDIT_DAMAGED',
] as const;

/** A stable name of what went wrong. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Whether a message may have reached the peer: `no` means it provably did not. */
export type Delivered = 'no' | 'unknown';

/** Facts beside the code and the text of an `EipcError`. */
export interface EipcErrorOptions {
  readonly cause?: unknown;
  /** The peer's answer, when the error came from there. */
  readonly reply?: Message;
  readonly delivered?: Delivered;
}

/** Base of all errors of connections and messages. */
export class EipcError extends Error {
  readonly code: ErrorCode;
  /** Whether the same call may succeed later without any change. */
  readonly retryable: boolean;
  /** Whether the peer answered with this error. */
  readonly remote: boolean;
  /** The peer's answer; only with `remote`. */
  declare readonly reply?: Message;
  /** Whether the message of a failed call may have reached the peer; absent when the call carried none. */
  declare readonly delivered?: Delivered;

  /**
   * Makes an error with a code of the table.
   *
   * @param code - what went wrong
   * @param message - what happened, with the values, and what to do next
   * @param options - `cause`, and for answers of the peer `reply`
   */
  constructor(code: ErrorCode, message: string, options: EipcErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.retryable = table().byName.get(code)?.retryable ?? false;
    this.remote = options.reply !== undefined;
    if (options.reply !== undefined) Object.defineProperty(this, 'reply', { value: options.reply, enumerable: false });
    if (options.delivered !== undefined) this.delivered = options.delivered;
  }
}

/** The peer or this side broke the protocol, or a message does not fit it. */
export class ProtocolError extends EipcError {}
/** Identity was not proven, or a key cannot be used. */
export class AuthError extends EipcError {}
/** A tag did not verify, or shared memory was tampered with. */
export class IntegrityError extends EipcError {}
/** A frame was repeated, reordered or is missing. */
export class ReplayError extends EipcError {}
/** The peer does not hold the capability that was needed. */
export class CapabilityError extends EipcError {}
/** Policy denied the action. */
export class PolicyError extends EipcError {}
/** A lane stayed full; try again later or send less. */
export class BackpressureError extends EipcError {}
/** A deadline passed. */
export class TimeoutError extends EipcError {}
/** The connection was closed by agreement. */
export class ClosedError extends EipcError {}
/** The peer died, or its stream ended without an authenticated close. */
export class PeerDownError extends EipcError {}
/** The operating system refused; `cause` has its error. */
export class TransportError extends EipcError {}

const CLASSES: Readonly<Record<string, typeof EipcError>> = {
  EipcError,
  ProtocolError,
  AuthError,
  IntegrityError,
  ReplayError,
  CapabilityError,
  PolicyError,
  BackpressureError,
  TimeoutError,
  ClosedError,
  PeerDownError,
  TransportError,
};

// The name stands on the prototype, so that stacks begin with the class and instances carry no extra property.
for (const [name, type] of Object.entries(CLASSES)) {
  Object.defineProperty(type.prototype, 'name', { value: name, configurable: true, writable: true });
}

interface Table {
  readonly byName: ReadonlyMap<string, ErrorRow>;
  readonly byValue: ReadonlyMap<number, ErrorRow>;
}

let cachedTable: Table | undefined;

function table(): Table {
  if (cachedTable === undefined) {
    const rows = errorTable();
    cachedTable = {
      byName: new Map(rows.map((row) => [row.name, row])),
      byValue: new Map(rows.map((row) => [row.value, row])),
    };
  }
  return cachedTable;
}

function isErrorCode(name: string): name is ErrorCode {
  return table().byName.has(name);
}

/** Makes the error of a code: its class from the table, its text from the table's sentence and the context. */
export function makeError(code: ErrorCode, context: string, options?: EipcErrorOptions): EipcError {
  const row = table().byName.get(code);
  const type = CLASSES[row?.class ?? 'EipcError'] ?? EipcError;
  return new type(code, context === '' ? (row?.sentence ?? code) : context, options);
}

/** Makes the error of a native value. An unknown value is a defect of the binding and says so. */
export function errorFromValue(value: number, context: string, options?: EipcErrorOptions): EipcError {
  const row = table().byValue.get(value);
  if (row === undefined || !isErrorCode(row.name)) {
    return makeError(
      'EIPC_INTERNAL',
      `native code reported the unknown error value ${value}; please report this`,
      options,
    );
  }
  return makeError(row.name, context === '' ? row.sentence : `${row.sentence} (${context})`, options);
}

/** Makes the error that an ack of the peer stands for. A code this version does not know becomes a plain `EipcError`. */
export function errorFromReply(code: unknown, text: string, reply: Message): EipcError {
  const known = typeof code === 'string' && isErrorCode(code) ? code : 'EIPC_HANDLER';
  return makeError(known, text, { reply });
}

/** Returns the sentence of a code: a text without internals, fit for a peer. */
export function sentenceOf(code: ErrorCode): string {
  return table().byName.get(code)?.sentence ?? code;
}

/** Returns the name of the class the table gives a code. */
export function classOf(code: ErrorCode): string {
  return table().byName.get(code)?.class ?? 'EipcError';
}

/** Reads `code` of an error that native code or Node threw; empty when it has none. */
export function systemCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string')
    return error.code;
  return '';
}

/**
 * Turns what native code or an operating-system call threw into an `EipcError`: codes of the table keep their class, anything else is a
 * `TransportError` with `cause`.
 */
export function nativeError(error: unknown, what: string): EipcError {
  const code = systemCode(error);
  const text = error instanceof Error ? error.message : String(error);
  return makeError(isErrorCode(code) ? code : 'EIPC_TRANSPORT', `${what}: ${text}`, { cause: error });
}
