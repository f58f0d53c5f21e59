/**
 * Writes messages as records: the form in which they cross into native code, which seals them in place (docs/wire.md, "EIPC/2 data frames";
 * for v1, which has the same record and another frame, "Header").
 *
 * First step of the way out: `endpoint.send` → here → `Link.push`. One scratch buffer per thread is used again for every message, so that
 * sending makes no object. Not here: sequence numbers, tags, timestamps of records that go straight in (native code writes those), waiting.
 */
import { inspect } from 'node:util';

import type { Codec } from './codec.js';
import { jsonCodec, msgpackCodec } from './codec.js';
import type { MessageType, PayloadFormat, Priority } from './message.js';
import { Message, META_FIXED, messageTypeToByte, PAYLOAD_FORMATS } from './message.js';
import { RECORD_HEADER } from './native.js';
import type { IssuedId } from './request-id.js';
import { MAX_ESCAPES, refuseMaxAge, v1Format } from './v1-shape.js';
import type { V1Shape } from './v1-shape.js';

/** A message to send. A `Message` is one too: it is relayed as it is, with its source, timestamp and payload bytes. */
export interface Outgoing {
  readonly type: MessageType;
  /** Any value with a JSON form, a `Uint8Array` (sent as `bytes`) or a `Float32Array` (sent as `float32`). Copied before `send` returns. */
  readonly payload?: unknown;
  /** The lane. Default 1; for `features`, `heartbeat` and `audit` 2. */
  readonly priority?: Priority;
  /** The one capability to use; a claim narrows the rights of this connection. At most 255 bytes. */
  readonly capability?: string;
  /** Where a broker should take it. At most 255 bytes. */
  readonly route?: string;
  /** The id a reply has to carry. `request` assigns its own. At most 255 bytes. */
  readonly requestId?: string;
  /** Milliseconds after which the message is refused instead of delivered; 0 or absent: never. EIPC/2 only. */
  readonly maxAge?: number;
  /** Whom a broker relays for. At most 255 bytes. In v1 only the sender itself. */
  readonly source?: string;
  /** How to encode the payload. A `Uint8Array` under `json` or `msgpack` is taken as already encoded. v1 has these two only. */
  readonly payloadFormat?: PayloadFormat;
}

/** What of a session shapes its records. */
export interface RecordShape {
  /** Bytes to leave free behind the payload. */
  readonly tailLength: number;
  readonly binaryMeta: boolean;
  readonly codec: Codec;
  /** The largest payload by priority, in bytes. */
  readonly maxPayload: readonly [number, number, number, number];
  /** Whether the types of the v1 handshake may be written: `createMessage` makes them, a session never carries them. */
  readonly handshakeTypes: boolean;
  /** Present in sessions of v1. */
  readonly v1?: V1Shape | undefined;
}

/** What the strings of a meta may hold. */
interface TextRule {
  /** The lowest code unit. */
  readonly lowest: number;
  readonly forbidden: RegExp;
  readonly what: string;
  /** Text outside ASCII, encoded and checked once and kept: capabilities and routes repeat. Bounded; emptied when full. */
  readonly encoded: Map<string, Uint8Array>;
}

/** Offsets in the 16 bytes in front of a record that describe it. */
export const RECORD = {
  length: 0,
  metaLength: 4,
  payloadLength: 8,
  type: 12,
  metaKind: 13,
  lane: 14,
  flags: 15,
} as const;

/** Record flag: native code writes the timestamp. */
const NATIVE_TIMESTAMP = 1;

const MAX_STRING = 255;
const MAX_META = META_FIXED + 4 * MAX_STRING;
const MAX_AGE = 0xffff_ffff;
const INITIAL_SCRATCH = 65_536;
/** Exactly what the wire of EIPC/2 refuses: C0, DEL, and what has no UTF-8 form. */
const CLEAN_TEXT: TextRule = {
  lowest: 0x20,
  forbidden: /[\u0000-\u001f\u007f]|\p{Surrogate}/u,
  what: 'contains a control character or half a surrogate pair',
  encoded: new Map(),
};
/** v1 refuses NUL only: a reply has to carry the request id of its request, whatever that is. */
const V1_TEXT: TextRule = {
  lowest: 0x01,
  forbidden: /\0|\p{Surrogate}/u,
  what: 'contains NUL or half a surrogate pair',
  encoded: new Map(),
};
const MAX_ENCODED_TEXTS = 256;
const EMPTY = new Uint8Array(0);

/** Returns the priority that a message without one gets. */
function defaultPriority(type: MessageType): Priority {
  return type === 'features' || type === 'heartbeat' || type === 'audit' ? 2 : 1;
}

/** A growable buffer that records are written into, one behind the other. */
export class RecordWriter {
  buffer = Buffer.allocUnsafeSlow(INITIAL_SCRATCH);
  /** Bytes of whole records in `buffer`. */
  length = 0;
  #view = new DataView(this.buffer.buffer, this.buffer.byteOffset, this.buffer.length);

  /** Forgets all records. */
  clear(): void {
    this.length = 0;
  }

  /**
   * Writes one message as the only record of this writer.
   *
   * @param issued - the request id to write instead of the message's own
   * @param maxAge - what a message without a max age gets
   * @returns its lane
   */
  writeOne(message: Outgoing, shape: RecordShape, issued?: IssuedId, maxAge = 0): Priority {
    return this.#write(message, shape, issued, maxAge, true);
  }

  /** Writes one message behind the records that are there. Returns its lane. */
  append(message: Outgoing, shape: RecordShape): Priority {
    return this.#write(message, shape, undefined, 0, false);
  }

  /** Makes room for so many bytes behind the records that are there. */
  reserve(length: number): void {
    this.#reserve(this.length, length);
  }

  #write(
    message: Outgoing,
    shape: RecordShape,
    issued: IssuedId | undefined,
    defaultMaxAge: number,
    alone: boolean,
  ): Priority {
    // Everything that can run the user's code (getters, toJSON, a codec) comes first: it may send on another endpoint, which uses this buffer.
    const relayed = message instanceof Message;
    const { type, source = '', capability = '', route = '' } = message;
    const { v1 } = shape;
    const id = message.requestId ?? '';
    const typeByte = messageTypeToByte(type);
    if (!shape.handshakeTypes) refuseHandshakeType(type);
    const priority = checkPriority(message.priority ?? defaultPriority(type));
    const ownMaxAge = checkMaxAge(message.maxAge ?? 0);
    if (v1 !== undefined) refuseMaxAge(ownMaxAge);
    const maxAge = ownMaxAge === 0 && v1 === undefined ? checkMaxAge(defaultMaxAge) : ownMaxAge;
    const value = relayed ? message.bytes : message.payload;
    const timestamp = relayed ? message.timestamp : 0n;
    const named = message.payloadFormat;
    const format = PAYLOAD_FORMATS.indexOf(
      v1 === undefined ? (named ?? formatOf(value, shape.codec)) : v1Format(named, value, shape.codec),
    );
    const payload = format === 0 && shape.codec === jsonCodec ? jsonText(value) : marshal(value, format, shape.codec);
    const most = typeof payload === 'string' ? payload.length * 3 : payload.byteLength;
    if (typeof payload !== 'string') checkPayloadLength(payload.byteLength, priority, shape);

    const start = alone ? 0 : this.length;
    v1?.claim(source);
    this.#reserve(start, RECORD_HEADER + MAX_META + most + shape.tailLength + (v1 === undefined ? 0 : MAX_ESCAPES));
    const buffer = this.buffer;
    const view = this.#view;
    const meta = start + RECORD_HEADER;
    const sourceAt = meta + META_FIXED;
    const text = v1 === undefined ? CLEAN_TEXT : V1_TEXT;
    const idAt = sourceAt + this.#text(source, sourceAt, 'source', text);
    const capabilityAt =
      idAt + (issued === undefined ? this.#text(id, idAt, 'requestId', text) : this.#issued(issued, idAt));
    const routeAt = capabilityAt + this.#text(capability, capabilityAt, 'capability', text);
    const metaEnd = routeAt + this.#text(route, routeAt, 'route', text);
    const tailLength =
      shape.tailLength + (v1 === undefined ? 0 : v1.escapes(buffer, idAt, capabilityAt, routeAt, metaEnd));
    view.setUint32(meta, priority | (format << 8) | ((idAt - sourceAt) << 16) | ((capabilityAt - idAt) << 24), true);
    view.setUint32(meta + 4, (routeAt - capabilityAt) | ((metaEnd - routeAt) << 8), true);
    view.setUint32(meta + 8, 0);
    view.setUint32(meta + 12, 0);
    view.setUint32(meta + 16, maxAge);
    view.setUint32(meta + 20, 0);
    if (timestamp !== 0n) view.setBigInt64(meta + 8, timestamp);

    let payloadLength = most;
    if (typeof payload === 'string') {
      payloadLength = buffer.write(payload, metaEnd, 'utf8');
      checkPayloadLength(payloadLength, priority, shape);
    } else {
      buffer.set(bytesOf(payload), metaEnd);
    }
    const recordLength = metaEnd - start + payloadLength + tailLength;
    view.setUint32(start + RECORD.length, recordLength, true);
    view.setUint32(start + RECORD.metaLength, metaEnd - meta, true);
    view.setUint32(start + RECORD.payloadLength, payloadLength, true);
    view.setUint32(
      start + RECORD.type,
      typeByte | (1 << 8) | (priority << 16) | ((timestamp === 0n ? NATIVE_TIMESTAMP : 0) << 24),
      true,
    );
    this.length = start + recordLength;
    if (!shape.binaryMeta) {
      this.#rewriteAsJson(start, tailLength, {
        source,
        id: buffer.toString('utf8', idAt, capabilityAt),
        capability,
        route,
      });
    }
    return priority;
  }

  /** Writes a string of the meta and returns its length in bytes. ASCII is written byte by byte: faster than a call for short strings. */
  #text(text: string, at: number, field: string, rule: TextRule): number {
    const length = text.length;
    if (length > MAX_STRING) throw textError(field, text, `is longer than ${MAX_STRING} bytes`);
    const buffer = this.buffer;
    for (let index = 0; index < length; index += 1) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7e) {
        const bytes = encodedText(text, field, rule);
        buffer.set(bytes, at);
        return bytes.length;
      }
      if (unit < rule.lowest) throw textError(field, text, rule.what);
      buffer[at + index] = unit;
    }
    return length;
  }

  /** Writes an id of ours and returns its length. */
  #issued(id: IssuedId, at: number): number {
    const from = id.bytes.length - id.length;
    for (let index = 0; index < id.length; index += 1) this.buffer[at + index] = id.bytes[from + index] ?? 0;
    return id.length;
  }

  /** Replaces the binary meta of the record at `start` by a JSON one, for a peer that did not accept binary meta. Rare, so made of objects. */
  #rewriteAsJson(
    start: number,
    tailLength: number,
    text: { source: string; id: string; capability: string; route: string },
  ): void {
    const view = this.#view;
    const meta = start + RECORD_HEADER;
    const payloadAt = meta + view.getUint32(start + RECORD.metaLength, true);
    const payload = Buffer.from(
      this.buffer.subarray(payloadAt, payloadAt + view.getUint32(start + RECORD.payloadLength, true)),
    );
    stamp(this.buffer, start);
    const json = Buffer.from(
      JSON.stringify({
        priority: view.getUint8(meta),
        payload_format: view.getUint8(meta + 1),
        source: text.source,
        request_id: text.id,
        capability: text.capability,
        route: text.route,
        timestamp_ns: String(view.getBigInt64(meta + 8)),
        max_age_ms: view.getUint32(meta + 16),
      }),
    );
    this.#reserve(start, RECORD_HEADER + json.length + payload.length + tailLength);
    this.buffer.set(json, meta);
    this.buffer.set(payload, meta + json.length);
    this.#view.setUint32(start + RECORD.length, RECORD_HEADER + json.length + payload.length + tailLength, true);
    this.#view.setUint32(start + RECORD.metaLength, json.length, true);
    this.#view.setUint8(start + RECORD.metaKind, 0);
    this.length = start + RECORD_HEADER + json.length + payload.length + tailLength;
  }

  #reserve(start: number, length: number): void {
    if (start + length <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(start + length, this.buffer.length * 2));
    this.buffer.copy(larger, 0, 0, Math.max(start, this.length));
    this.buffer = larger;
    this.#view = new DataView(larger.buffer, larger.byteOffset, larger.length);
  }
}

/** The scratch of this thread for single messages: written and handed on without anything in between. */
export const scratch = new RecordWriter();

let idleBatchWriter: RecordWriter | undefined;

/** Borrows a writer for a batch: the user's code runs between its messages, so it cannot be the scratch. */
export function borrowBatchWriter(): RecordWriter {
  const writer = idleBatchWriter ?? new RecordWriter();
  idleBatchWriter = undefined;
  writer.clear();
  return writer;
}

/** Gives a borrowed writer back. */
export function returnBatchWriter(writer: RecordWriter): void {
  idleBatchWriter = writer;
}

/**
 * Writes the time into a record that has to wait here, so that its age counts from now. Does nothing when it carries a time already.
 *
 * @param at - offset of the record
 */
export function stamp(buffer: Buffer, at: number): void {
  if (((buffer[at + RECORD.flags] ?? 0) & NATIVE_TIMESTAMP) === 0) return;
  buffer[at + RECORD.flags] = 0;
  // Unix nanoseconds need 61 bits and a double has 53: the product is made in two halves of 2^16 milliseconds, without a BigInt.
  const milliseconds = Date.now();
  const upper = Math.floor(milliseconds / 65_536) * 1_000_000;
  const lower = (upper % 65_536) * 65_536 + (milliseconds % 65_536) * 1_000_000;
  const meta = at + RECORD_HEADER;
  buffer.writeUInt32BE(Math.floor(upper / 65_536) + Math.floor(lower / 0x1_0000_0000), meta + 8);
  buffer.writeUInt32BE(lower % 0x1_0000_0000, meta + 12);
}

function refuseHandshakeType(type: MessageType): void {
  if (type === 'auth' || type === 'challenge' || type === 'auth_response') {
    throw new RangeError(`messages of type '${type}' belong to the handshake of v1 and cannot be sent in a session`);
  }
}

function formatOf(value: unknown, codec: Codec): PayloadFormat {
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Float32Array) return 'float32';
  return codec.format;
}

function jsonText(value: unknown): string | Uint8Array {
  if (value === undefined) return EMPTY;
  if (value instanceof Uint8Array) return value;
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined)
    throw new TypeError(
      `a payload of type ${typeof value} has no JSON form; give an object, a string, a number, a Uint8Array or a Float32Array`,
    );
  return text;
}

function marshal(value: unknown, format: number, codec: Codec): Uint8Array | Float32Array {
  if (value instanceof Uint8Array && format !== -1) return value;
  switch (PAYLOAD_FORMATS[format]) {
    case 'json':
    case 'msgpack': {
      if (value === undefined) return EMPTY;
      const name = PAYLOAD_FORMATS[format];
      return (codec.format === name ? codec : name === 'json' ? jsonCodec : msgpackCodec).marshal(value);
    }
    case 'float32':
      if (value instanceof Float32Array) return value;
      throw new TypeError(`payloadFormat 'float32' needs a Float32Array, not ${inspect(value, { depth: 0 })}`);
    case 'bytes':
      throw new TypeError(`payloadFormat 'bytes' needs a Uint8Array, not ${inspect(value, { depth: 0 })}`);
    default:
      throw new RangeError(`no such payloadFormat; the formats are ${PAYLOAD_FORMATS.join(', ')}`);
  }
}

/** The bytes of a vector as they lie in memory: every platform here is little-endian, as the format is. */
function bytesOf(payload: Uint8Array | Float32Array): Uint8Array {
  return payload instanceof Uint8Array
    ? payload
    : new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
}

function checkPriority(priority: Priority): Priority {
  if (priority === 0 || priority === 1 || priority === 2 || priority === 3) return priority;
  throw new RangeError(`priority ${inspect(priority)} does not exist; use 0 (control-critical), 1, 2 or 3 (bulk)`);
}

function checkMaxAge(maxAge: number): number {
  if (Number.isInteger(maxAge) && maxAge >= 0 && maxAge <= MAX_AGE) return maxAge;
  throw new RangeError(`maxAge ${inspect(maxAge)} must be a whole number of milliseconds from 0 (never) to ${MAX_AGE}`);
}

function checkPayloadLength(length: number, priority: Priority, shape: RecordShape): void {
  const most = shape.maxPayload[priority];
  if (length <= most) return;
  const error = new RangeError(
    `a payload of ${length} bytes is larger than priority ${priority} takes (${most}); send it with a higher number or in parts`,
  );
  throw Object.assign(error, { code: 'EIPC_MESSAGE_TOO_LARGE' });
}

function textError(field: string, text: string, fault: string): RangeError {
  return new RangeError(`${field} ${inspect(text.slice(0, 64))} ${fault}`);
}

function encodedText(text: string, field: string, { encoded, forbidden, what }: TextRule): Uint8Array {
  const known = encoded.get(text);
  if (known !== undefined) return known;
  if (forbidden.test(text)) throw textError(field, text, what);
  const bytes = Buffer.from(text);
  if (bytes.length > MAX_STRING) throw textError(field, text, `is longer than ${MAX_STRING} bytes`);
  if (encoded.size >= MAX_ENCODED_TEXTS) encoded.clear();
  encoded.set(text, bytes);
  return bytes;
}
