/**
 * Turns the outcome of a native session into what users see of the end of a connection: one code of its class, and the precise error.
 */
import { classOf, errorFromValue, makeError } from './errors.js';
import type { Delivered, EipcError, EipcErrorOptions, ErrorCode } from './errors.js';
import type { Outcome } from './native.js';
import { CLOSE_REASON } from './transport/transport.js';

/** How a connection ended. */
export interface CloseReason {
  /** The kind of end; `error` has the precise code. */
  readonly code:
    | 'EIPC_CLOSED'
    | 'EIPC_CLOSED_BY_PEER'
    | 'EIPC_PEER_DOWN'
    | 'EIPC_TRUNCATED'
    | 'EIPC_PROTOCOL'
    | 'EIPC_INTEGRITY'
    | 'EIPC_REPLAY'
    | 'EIPC_POISONED'
    | 'EIPC_REVOKED'
    | 'EIPC_EXPIRED';
  /** What went wrong; absent when the two ends agreed to close. */
  readonly error?: EipcError;
  /** Messages that `send` had accepted and that provably never left this process, since the endpoint was made. */
  readonly undelivered: number;
}

/** Codes that are kinds of their own. */
const OWN_KIND: Partial<Record<ErrorCode, CloseReason['code']>> = {
  EIPC_CLOSED: 'EIPC_CLOSED',
  EIPC_CLOSED_BY_PEER: 'EIPC_CLOSED_BY_PEER',
  EIPC_TRUNCATED: 'EIPC_TRUNCATED',
  EIPC_POISONED: 'EIPC_POISONED',
  EIPC_REVOKED: 'EIPC_REVOKED',
  EIPC_EXPIRED: 'EIPC_EXPIRED',
};

/** Other codes by their class. What is left (the operating system, a defect) ended the connection without a word. */
const KIND_OF_CLASS: Readonly<Record<string, CloseReason['code']>> = {
  ProtocolError: 'EIPC_PROTOCOL',
  AuthError: 'EIPC_PROTOCOL',
  IntegrityError: 'EIPC_INTEGRITY',
  ReplayError: 'EIPC_REPLAY',
};

/** Makes the reason of the end of a session. */
export function closeReason(outcome: Outcome, undelivered: number, cause: unknown): CloseReason {
  if (outcome.code !== 0) {
    const error = errorFromValue(outcome.code, outcome.context, cause === undefined ? undefined : { cause });
    return { code: kindOf(error), error, undelivered };
  }
  switch (outcome.reason) {
    case CLOSE_REASON.time:
      return {
        code: 'EIPC_EXPIRED',
        error: makeError('EIPC_EXPIRED', 'the time of this session is over; connect again'),
        undelivered,
      };
    case CLOSE_REASON.revoked:
      return {
        code: 'EIPC_REVOKED',
        error: makeError('EIPC_REVOKED', 'the key of this session was revoked'),
        undelivered,
      };
    default:
      return { code: outcome.byPeer ? 'EIPC_CLOSED_BY_PEER' : 'EIPC_CLOSED', undelivered };
  }
}

/**
 * Makes the reason of an end that comes from not getting a new session.
 *
 * @param lost - why the last session ended
 * @param error - why the last try failed; absent when it did not, but its session did
 */
export function givenUpReason(lost: CloseReason, error: EipcError | undefined, tries: number): CloseReason {
  const { undelivered } = lost;
  if (error !== undefined && KIND_OF_CLASS[classOf(error.code)] !== undefined)
    return { code: kindOf(error), error, undelivered };
  const kind = lost.error === undefined ? 'EIPC_PEER_DOWN' : lost.code;
  const last = error === undefined ? 'its sessions ended at once' : error.message;
  const text = `${whyLost(lost)}, and ${tries} tries to connect again did not help: ${last}`;
  const cause = error ?? lost.error;
  return { code: kind, error: makeError(kind, text, cause === undefined ? {} : { cause }), undelivered };
}

/** Makes the error that a call fails with because its session is over, while a new one is tried for. */
export function lostError(lost: CloseReason, delivered?: Delivered): EipcError {
  const kind = lost.code === 'EIPC_TRUNCATED' ? lost.code : 'EIPC_PEER_DOWN';
  return makeError(kind, `${whyLost(lost)}; connecting again`, errorOptions(lost, delivered));
}

/** Makes the error that a call on a connection that ended fails with. */
export function endError(reason: CloseReason, delivered?: Delivered): EipcError {
  const options = errorOptions(reason, delivered);
  if (reason.error !== undefined) return makeError(reason.error.code, reason.error.message, options);
  if (reason.code === 'EIPC_CLOSED_BY_PEER')
    return makeError('EIPC_CLOSED_BY_PEER', 'the peer closed the connection', options);
  return makeError('EIPC_CLOSED', 'this connection was closed here', options);
}

function kindOf({ code }: EipcError): CloseReason['code'] {
  return OWN_KIND[code] ?? KIND_OF_CLASS[classOf(code)] ?? 'EIPC_PEER_DOWN';
}

function whyLost({ error }: CloseReason): string {
  return error === undefined ? 'the server ended' : `the session was lost (${error.message})`;
}

function errorOptions({ error }: CloseReason, delivered: Delivered | undefined): EipcErrorOptions {
  return {
    ...(error === undefined ? {} : { cause: error }),
    ...(delivered === undefined ? {} : { delivered }),
  };
}
