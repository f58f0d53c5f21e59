/**
 * Records read again: those of messages that were made here, and those that a link had accepted and did not send, which may have to go to a
 * session that shapes its records differently. Writing them is the business of `outgoing.ts`.
 */
import { jsonCodec } from './codec.js';
import { META_FIXED, Message, messageTypeFromByte, PAYLOAD_FORMATS } from './message.js';
import type { Origin, Priority } from './message.js';
import { RECORD_HEADER } from './native.js';
import { borrowBatchWriter, RECORD, returnBatchWriter, stamp } from './outgoing.js';
import type { Outgoing, RecordShape } from './outgoing.js';

/** No session: no limit either, which the one that carries it will have. */
const ANY = Number.MAX_SAFE_INTEGER;
/** The shape of a record that belongs to no session. */
export const FREE_SHAPE: RecordShape = {
  tailLength: 0,
  binaryMeta: true,
  codec: jsonCodec,
  maxPayload: [ANY, ANY, ANY, ANY],
  handshakeTypes: true,
};

const BINARY_META = 1;
const NOBODY: Origin = { source: '', sessionId: '', relays: true, codec: jsonCodec, protocol: 2 };

/** What a JSON meta says (docs/wire.md, "EIPC/2 data frames"). */
interface JsonMeta {
  readonly payload_format: number;
  readonly priority: Priority;
  readonly source: string;
  readonly request_id: string;
  readonly capability: string;
  readonly route: string;
  readonly timestamp_ns: string;
  readonly max_age_ms: number;
}

/** Writes a message as a record in memory of its own, with the time of now unless it has one. */
export function writeRecord(message: Outgoing, shape: RecordShape): Buffer {
  const writer = borrowBatchWriter();
  try {
    writer.append(message, shape);
    stamp(writer.buffer, 0);
    return Buffer.from(writer.buffer.subarray(0, writer.length));
  } finally {
    returnBatchWriter(writer);
  }
}

/** Returns the records of a batch, as views. */
export function splitRecords(batch: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < batch.length;) {
    const length = batch.readUInt32LE(at + RECORD.length);
    records.push(batch.subarray(at, at + length));
    at += length;
  }
  return records;
}

/** Returns the lane of a record. */
export function laneOf(record: Buffer, at = 0): Priority {
  return ((record[at + RECORD.lane] ?? 0) & 3) as Priority;
}

/** Returns the request id of a record as its bytes; empty when it has none. */
export function requestIdOf(record: Buffer): Buffer {
  if (record[RECORD.metaKind] !== BINARY_META) return Buffer.from(jsonMeta(record).request_id);
  const meta = RECORD_HEADER;
  const at = meta + META_FIXED + record.readUInt8(meta + 2);
  return record.subarray(at, at + record.readUInt8(meta + 3));
}

/** Makes the message of a record with binary meta, over the record's own memory. */
export function messageOf<T>(record: Buffer, origin: Origin): Message<T> {
  record.fill(0, RECORD.flags, RECORD_HEADER);
  const meta = RECORD_HEADER;
  const kinds = record.readUInt8(RECORD.type) | (record.readUInt8(meta) << 8) | (record.readUInt8(meta + 1) << 16);
  const words = [
    4,
    kinds,
    meta,
    record.readUInt32LE(meta + 2),
    meta + record.readUInt32LE(RECORD.metaLength),
    record.readUInt32LE(RECORD.payloadLength),
    record.readUInt32BE(meta + 16),
  ];
  return new Message<T>(origin, record, record.buffer, new Uint32Array(words), 0);
}

/** Whether records of one shape can go where the other is wanted. */
export function isSameShape(one: RecordShape, other: RecordShape): boolean {
  return (
    one.tailLength === other.tailLength &&
    one.binaryMeta === other.binaryMeta &&
    one.maxPayload.every((most, lane) => most === other.maxPayload[lane])
  );
}

/**
 * Writes a record again in another shape. Its timestamp stays.
 *
 * @throws RangeError when its payload is too large for that shape
 */
export function reshaped(record: Buffer, shape: RecordShape): Buffer {
  const free = record[RECORD.metaKind] === BINARY_META ? Buffer.from(record) : freeRecord(record);
  return writeRecord(messageOf(free, NOBODY), shape);
}

/** Turns a record with JSON meta into one with binary meta. */
function freeRecord(record: Buffer): Buffer {
  const meta = jsonMeta(record);
  const from = RECORD_HEADER + record.readUInt32LE(RECORD.metaLength);
  const free = writeRecord(
    {
      type: messageTypeFromByte(record.readUInt8(RECORD.type)),
      payload: record.subarray(from, from + record.readUInt32LE(RECORD.payloadLength)),
      payloadFormat: PAYLOAD_FORMATS[meta.payload_format] ?? 'bytes',
      priority: meta.priority,
      source: meta.source,
      requestId: meta.request_id,
      capability: meta.capability,
      route: meta.route,
      maxAge: meta.max_age_ms,
    },
    FREE_SHAPE,
  );
  free.writeBigInt64BE(BigInt(meta.timestamp_ns), RECORD_HEADER + 8);
  return free;
}

function jsonMeta(record: Buffer): JsonMeta {
  // Written by `outgoing.ts`, so of this form.
  const text = record.toString('utf8', RECORD_HEADER, RECORD_HEADER + record.readUInt32LE(RECORD.metaLength));
  return JSON.parse(text) as JsonMeta;
}
