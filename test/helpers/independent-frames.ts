/** Data and control frames of suite 1, sealed and strictly opened, from the text of docs/wire.md alone (see independent-preamble.ts). */
import { timingSafeEqual } from 'node:crypto';

import type { ClientSession } from './independent-hellos.js';
import { nextMaster, trafficKeys, type Direction, type Plane } from './independent-keys.js';
import { readBinaryMeta, readJsonMeta, type Meta } from './independent-meta.js';
import {
  FLAG_TAG,
  MAX_FRAME_SIZE,
  PREAMBLE_SIZE,
  Refusal,
  TAG_SIZE,
  hmac,
  preamble,
  readPreamble,
} from './independent-preamble.js';

const SEC_HEADER_SIZE = 24;
const SUITE_HMAC = 1;
const DATA_TYPES = 'iftaphucC';
const CONTROL_TYPES = 'XES';

export interface FrameFields {
  readonly type: string;
  readonly sessionId: bigint;
  readonly sequence: bigint;
  readonly epoch?: number;
  readonly suite?: number;
  readonly reserved?: number;
  readonly metaKind: number;
  readonly meta: Uint8Array;
  readonly payload: Uint8Array;
}

/** A sealed data or control frame of suite 1, without stream prefix. */
export function buildFrame(fields: FrameFields, key: Uint8Array): Buffer {
  const header = Buffer.alloc(SEC_HEADER_SIZE);
  header.writeBigUInt64BE(fields.sessionId, 0);
  header.writeBigUInt64BE(fields.sequence, 8);
  header.writeUInt16BE(fields.epoch ?? 0, 16);
  header.writeUInt8(fields.suite ?? SUITE_HMAC, 18);
  header.writeUInt8(fields.metaKind, 19);
  header.writeUInt32BE(fields.reserved ?? 0, 20);
  const first = preamble(fields.type, FLAG_TAG, SEC_HEADER_SIZE + fields.meta.length, fields.payload.length);
  const open = Buffer.concat([first, header, fields.meta, fields.payload]);
  return Buffer.concat([open, hmac(key, open)]);
}

/** seq = lane << 62 | counter. */
export function sequenceOf(lane: number, counter: bigint): bigint {
  return (BigInt(lane) << 62n) | counter;
}

/** The payload of an `X` frame. */
export function closePayload(reason: number, lastCounter: bigint, lanes: readonly bigint[] = []): Buffer {
  const payload = Buffer.alloc(16 + 8 * lanes.length);
  payload.writeUInt8(reason, 0);
  payload.writeUInt8(lanes.length, 1);
  payload.writeBigUInt64BE(lastCounter, 8);
  lanes.forEach((counter, i) => payload.writeBigUInt64BE(counter, 16 + 8 * i));
  return payload;
}

/** The payload of an `E` frame: 1 handshake refused, 2 session error. */
export function alertPayload(code: number): Buffer {
  return Buffer.from([code, 0, 0, 0]);
}

/** The untagged `E` of the time before SessionAccept. */
export function plainAlert(code: number): Buffer {
  return Buffer.concat([preamble('E', 0, 0, 4), alertPayload(code)]);
}

export interface OpenFrame {
  readonly type: string;
  readonly lane: number;
  readonly counter: bigint;
  readonly epoch: number;
  readonly metaKind: number;
  readonly meta: Required<Meta>;
  readonly payload: Buffer;
}

/** One direction and plane of a session, seen by its receiver: checks in the order of wire.md, state after the tag. */
export class Opener {
  readonly #sessionId: bigint;
  readonly #plane: Plane;
  readonly #direction: Direction;
  readonly #binaryMeta: boolean;
  readonly #types: string;
  readonly #masters: Buffer[];
  readonly #lanes = [0, 1, 2, 3].map(() => ({ counter: 0n, epoch: 0 }));

  constructor(session: Pick<ClientSession, 'sessionId' | 'features' | 'master'>, plane: Plane, direction: Direction) {
    this.#sessionId = session.sessionId;
    this.#plane = plane;
    this.#direction = direction;
    this.#binaryMeta = (session.features & 4) !== 0;
    this.#types = plane === 'stream' ? DATA_TYPES + CONTROL_TYPES : DATA_TYPES;
    this.#masters = [session.master];
  }

  /** @throws Refusal with the first failing check; the session is over then. `accept` also admits the first `R`. */
  open(frame: Buffer, accept = false): OpenFrame {
    const refuse = (code: string, detail: string): never => {
      throw new Refusal(code, detail);
    };
    const { type, headerLength, payloadLength } = readPreamble(frame, FLAG_TAG, MAX_FRAME_SIZE);
    if (headerLength < SEC_HEADER_SIZE) refuse('INTEGRITY', 'header shorter than SecHdr');
    const header = frame.subarray(PREAMBLE_SIZE, PREAMBLE_SIZE + headerLength);
    const sequence = header.readBigUInt64BE(8);
    const epoch = header.readUInt16BE(16);
    const lane = this.#lanes[Number(sequence >> 62n)] ?? refuse('SEQUENCE', 'no such lane');
    if (epoch !== lane.epoch && epoch !== lane.epoch + 1) refuse('INTEGRITY', `epoch ${epoch}`);
    const end = frame.length - TAG_SIZE;
    const { key } = trafficKeys(this.#master(epoch), this.#plane, this.#direction);
    if (!timingSafeEqual(hmac(key, frame.subarray(0, end)), frame.subarray(end))) refuse('INTEGRITY', 'tag');

    const metaKind = header.readUInt8(19);
    if (header.readBigUInt64BE(0) !== this.#sessionId) refuse('BAD_HEADER', 'session_id');
    if (header.readUInt8(18) !== SUITE_HMAC) refuse('BAD_HEADER', 'suite');
    if (header.readUInt32BE(20) !== 0) refuse('BAD_HEADER', 'reserved');
    const counter = sequence & ((1n << 62n) - 1n);
    const laneIndex = Number(sequence >> 62n);
    if (this.#plane === 'stream' && laneIndex !== 0) refuse('SEQUENCE', `lane ${laneIndex} on the stream`);
    if (counter !== lane.counter + 1n) refuse('SEQUENCE', `counter ${counter} after ${lane.counter}`);
    if (!(accept ? type === 'R' : this.#types.includes(type))) refuse('UNSUPPORTED_TYPE', type);
    const bytes = header.subarray(SEC_HEADER_SIZE);
    const control = accept || CONTROL_TYPES.includes(type);
    if (control && (metaKind !== 0 || bytes.toString() !== '{}')) refuse('BAD_HEADER', 'meta of a control frame');
    if (metaKind > 1 || (metaKind === 1 && !this.#binaryMeta)) refuse('BAD_HEADER', `meta_kind ${metaKind}`);
    const meta = metaKind === 1 ? readBinaryMeta(bytes) : readJsonMeta(bytes);
    if (this.#plane === 'shm' && meta.priority !== laneIndex) refuse('BAD_HEADER', 'priority is not the lane');
    lane.counter = counter;
    lane.epoch = epoch;
    const payload = frame.subarray(PREAMBLE_SIZE + headerLength, PREAMBLE_SIZE + headerLength + payloadLength);
    return { type, lane: laneIndex, counter, epoch, metaKind, meta, payload };
  }

  #master(epoch: number): Buffer {
    let master = this.#masters[epoch];
    while (master === undefined) {
      this.#masters.push(nextMaster(this.#masters.at(-1) ?? Buffer.alloc(0)));
      master = this.#masters[epoch];
    }
    return master;
  }
}
