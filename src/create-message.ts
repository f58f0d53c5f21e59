/**
 * Messages that were not received: written as a record, like every message to send, and read like every message that came.
 */
import { jsonCodec } from './codec.js';
import type { Message, MessageType } from './message.js';
import type { Outgoing } from './outgoing.js';
import { FREE_SHAPE, messageOf, writeRecord } from './record.js';

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
  const record = writeRecord({ ...fields, type, source, payload }, FREE_SHAPE);
  return messageOf(record, { source, sessionId: '', relays: true, codec: jsonCodec, protocol: 2 });
}
