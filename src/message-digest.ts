/**
 * The digest of a message, by which an audit line and an approval say which one they are about (docs/audit.md, "The digest of a message").
 */
import { createHash } from 'node:crypto';

import { messageTypeToByte, PAYLOAD_FORMATS } from './message.js';
import type { Message } from './message.js';

const LABEL = 'EIPC/2 audit message\0';
const FIXED = LABEL.length + 28;
/** Five texts of 256 bytes at most, each behind its length. */
const MOST = FIXED + 5 * (2 + 256);

/** Nothing of a message stays in it for longer than a call. */
const room = Buffer.alloc(MOST);
room.write(LABEL, 'latin1');

/** Returns SHA-256 of everything a message says, as 64 hex digits. */
export function messageDigest(message: Message): string {
  const { bytes } = message;
  let at = LABEL.length;
  at = room.writeUInt8(messageTypeToByte(message.type), at);
  at = room.writeUInt8(message.priority, at);
  at = room.writeUInt16BE(PAYLOAD_FORMATS.indexOf(message.payloadFormat) << 8, at);
  at = room.writeBigUInt64BE(message.sequence, at);
  at = room.writeBigInt64BE(message.timestamp, at);
  at = room.writeUInt32BE(message.maxAge, at);
  at = room.writeUInt32BE(bytes.length, at);
  for (const text of [message.source, message.sessionId, message.requestId, message.capability, message.route]) {
    const length = room.write(text, at + 2);
    room.writeUInt16BE(length, at);
    at += 2 + length;
  }
  return createHash('sha256').update(room.subarray(0, at)).update(bytes).digest('hex');
}
