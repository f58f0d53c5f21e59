/**
 * The one door to native code. Re-exports the private boundary (`../index.js`, generated), names the numbers that cross it, and owns the
 * event-loop poller of this thread.
 *
 * No other file imports `../index.js`. Nothing here decides anything.
 */
import { Poller } from '../index.js';

export {
  errorTable,
  NativeDeframer,
  NativeKey,
  NativeServer,
  ShmSession,
  StreamSession,
  UnixListener,
  UnixSocket,
} from '../index.js';
export type { Poller } from '../index.js';
export type {
  ErrorRow,
  NativeAddress,
  NativeClientOptions,
  NativeService,
  NativeV1Client,
  NativeV1Mac,
  NativeV1Rules,
  NativeV1Server,
  Outcome,
  SessionInfo,
  ShmCalls,
  StreamCalls,
} from '../index.js';

/** Indices of the status words that a receive call writes in front of its descriptors. */
export const STATUS = {
  consumed: 0,
  slabUsed: 1,
  flags: 2,
  slabNeeded: 3,
  state: 4,
  timeout: 5,
  spaceLanes: 6,
} as const;

/** First descriptor word of the first message, and the words of one message. */
export const DESCRIPTORS_FROM = 8;
export const DESCRIPTOR_WORDS = 8;

/** Bits of `STATUS.flags`. */
export const FLAG = { transmit: 1, stateChanged: 2, slab: 4, more: 8, space: 16, peer: 32 } as const;

/** Values of `STATUS.state` and of `session.state()`. */
export const STATE = { handshaking: 0, open: 1, closing: 2, closed: 3 } as const;

/** `STATUS.timeout` when nothing has to be called later. */
export const NO_TIMEOUT = 0xffff_ffff;

/** Bytes in front of the meta of a record: room for length prefix, preamble and SecHdr (docs/wire.md, "EIPC/2 data frames"). */
export const RECORD_HEADER = 44;

let poller: Poller | undefined;

/** Returns the poller of this thread, made at the first use: a program that opens no connection gets none. */
export function threadPoller(): Poller {
  poller ??= new Poller();
  return poller;
}
