/**
 * Messages that were not received: written as a record, like every message to send, and read like every message that came.
 */
import { jsonCodec } from './codec.js';
import { Message } from './message.js';
import type { MessageType } from './message.js';
import { RECORD_HEADER } from './native.js';
import { borrowBatchWriter, RECORD, returnBatchWriter, stamp } from './outgoing.js';
import type { Outgoing, RecordShape } from './outgoing.js';

/** No session yet: no limit either, which the endpoint that sends it will have. */
const ANY = Number.MAX_SAFE_INTEGER;
const SHAPE: RecordShape = {
  tailLength: 0,
  binaryMeta: true,
  codec: jsonCodec,
  maxPayload: [ANY, ANY, ANY, ANY],
  handshakeTypes: true,
};

/** Fields of a message beside type, source and payload. */
export type MessageFields = Omit<Outgoing, 'type' | 'source' | 'payload'>;

/**
 * Makes a message that can be sent, dispatched or kept: the payload is encoded now, the time of creation becomes its timestamp.
 *
 * @param source - whom it is from; a receiver believes it only of a peer that may relay
 * @throws TypeError or RangeError for an unknown type, a payload without an encoding, or a string of more than 255 bytes
 */
export function createMessage<T = unknown>(
  type: MessageType,
  source: string,
  payload: T,
  fields: MessageFields = {},
): Message<T> {
  const writer = borrowBatchWriter();
  try {
    writer.append({ ...fields, type, source, payload }, SHAPE);
    stamp(writer.buffer, 0);
    const record = Buffer.from(writer.buffer.subarray(0, writer.length));
    record.fill(0, RECORD.flags, RECORD_HEADER);
    const meta = RECORD_HEADER;
    const metaLength = record.readUInt32LE(RECORD.metaLength);
    const kinds = record.readUInt8(RECORD.type) | (record.readUInt8(meta) << 8) | (record.readUInt8(meta + 1) << 16);
    const words = [
      4,
      kinds,
      meta,
      record.readUInt32LE(meta + 2),
      meta + metaLength,
      record.readUInt32LE(RECORD.payloadLength),
      record.readUInt32BE(meta + 16),
    ];
    return new Message<T>(
      { source, sessionId: '', relays: true, codec: jsonCodec, protocol: 2 },
      record,
      new Uint32Array(words),
      0,
    );
  } finally {
    returnBatchWriter(writer);
  }
}
