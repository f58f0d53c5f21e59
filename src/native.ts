/**
 * The one door to native code. Re-exports the private boundary (`../index.d.ts`, generated), names the numbers that cross it, and owns
 * the event-loop poller of this thread.
 *
 * Nothing here decides anything.
 */
import { setImmediate } from 'node:timers';
import type * as Addon from '../index.d.ts';
import { loadAddon } from './load-addon.js';

export type {
  AuditPosition,
  ErrorRow,
  NativeAddress,
  NativeClientOptions,
  NativeService,
  NativeV1Client,
  NativeV1Mac,
  NativeV1Rules,
  NativeV1Server,
  Outcome,
  Poller,
  SessionInfo,
  ShmCalls,
  StreamCalls,
} from '../index.d.ts';

const addon = loadAddon();

export const {
  decodeFrame,
  decodeHeader,
  decrypt,
  encodeCertificate,
  encodeFrame,
  encodeHeader,
  encrypt,
  errorTable,
  inspectFrame,
  NativeAuditChain,
  NativeAuditVerifier,
  NativeDeframer,
  NativeFileLock,
  NativeKey,
  NativeReplayWindow,
  NativeServer,
  ShmSession,
  sign,
  signableBytes,
  StreamSession,
  UnixListener,
  UnixSocket,
  verify,
} = addon;
export type NativeAuditChain = Addon.NativeAuditChain;
export type NativeAuditVerifier = Addon.NativeAuditVerifier;
export type NativeDeframer = Addon.NativeDeframer;
export type NativeFileLock = Addon.NativeFileLock;
export type NativeKey = Addon.NativeKey;
export type NativeReplayWindow = Addon.NativeReplayWindow;
export type NativeServer = Addon.NativeServer;
export type ShmSession = Addon.ShmSession;
export type StreamSession = Addon.StreamSession;
export type UnixListener = Addon.UnixListener;
export type UnixSocket = Addon.UnixSocket;

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
export const FLAG = {
  transmit: 1,
  stateChanged: 2,
  slab: 4,
  more: 8,
  space: 16,
  peer: 32,
  recognised: 64,
  urgentElsewhere: 128,
} as const;

/** Values of `STATUS.state` and of `session.state()`. */
export const STATE = { handshaking: 0, open: 1, closing: 2, closed: 3 } as const;

/** `STATUS.timeout` when nothing has to be called later. */
export const NO_TIMEOUT = 0xffff_ffff;

/** Bytes in front of the meta of a record: room for length prefix, preamble and SecHdr (docs/wire.md, "EIPC/2 data frames"). */
export const RECORD_HEADER = 44;

// Bun exports libuv's names, and ends the process when one is called.
let mayUseLibuv = process.versions['bun'] === undefined;
let poller: Addon.Poller | undefined;

/** Returns the poller of this thread, made at the first use: a program that opens no connection gets none. */
export function threadPoller(): Addon.Poller {
  if (poller === undefined) {
    const made = new addon.Poller(mayUseLibuv, () => setImmediate(turn));
    const turn = (): void => made.turn();
    poller = made;
  }
  return poller;
}

/**
 * Has this thread do without libuv's functions, as every thread does in a runtime that has none (docs/decisions/0002). For tests: call it
 * before the first connection.
 */
export function doWithoutLibuv(): void {
  mayUseLibuv = false;
}
