/**
 * The preamble of an EIPC/2 frame, the refusals of its reader, and the MAC, from the text of docs/wire.md alone.
 * The independent-*.ts files share no code with the package and use node:crypto only, so that an error in the
 * package's reading of the text cannot hide on both sides of a test. Suites 2 and 3 are not here.
 */
import { createHmac } from 'node:crypto';

export const PREAMBLE_SIZE = 16;
export const TAG_SIZE = 32;
export const FLAG_TAG = 0x01;
export const MAX_FRAME_SIZE = 1_048_576;
export const HANDSHAKE_LIMIT = 4_096;

const MAX_HEADER_SIZE = 4_096;
const MAGIC = Buffer.from('EIPC', 'latin1');

/** A refusal with the code of wire.md's receiver table. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: string;

  constructor(code: string, detail: string) {
    super(`${code}: ${detail}`);
    this.code = code;
  }
}

export function preamble(type: string, flags: number, headerLength: number, payloadLength: number): Buffer {
  const bytes = Buffer.alloc(PREAMBLE_SIZE);
  bytes.set(MAGIC, 0);
  bytes.writeUInt16BE(2, 4);
  bytes.writeUInt8(type.charCodeAt(0), 6);
  bytes.writeUInt8(flags, 7);
  bytes.writeUInt32BE(headerLength, 8);
  bytes.writeUInt32BE(payloadLength, 12);
  return bytes;
}

/** Checks magic, version, flags, limits and the exact length, in that order. */
export function readPreamble(
  frame: Buffer,
  flags: number,
  limit: number,
): { type: string; headerLength: number; payloadLength: number } {
  if (frame.length < PREAMBLE_SIZE) throw new Refusal('TRUNCATED', `${frame.length} bytes`);
  if (!frame.subarray(0, 4).equals(MAGIC)) throw new Refusal('BAD_MAGIC', frame.toString('hex', 0, 4));
  if (frame.readUInt16BE(4) !== 2) throw new Refusal('BAD_VERSION', String(frame.readUInt16BE(4)));
  const set = frame.readUInt8(7);
  if ((set & ~flags) !== 0) throw new Refusal('UNSUPPORTED_FLAGS', String(set));
  if ((set & flags) !== flags) throw new Refusal('INTEGRITY', 'a required flag is clear');
  const headerLength = frame.readUInt32BE(8);
  const payloadLength = frame.readUInt32BE(12);
  const total = PREAMBLE_SIZE + headerLength + payloadLength + ((flags & FLAG_TAG) === 0 ? 0 : TAG_SIZE);
  if (headerLength > MAX_HEADER_SIZE || total > limit) throw new Refusal('FRAME_TOO_LARGE', String(total));
  if (frame.length < total) throw new Refusal('TRUNCATED', `${frame.length} of ${total} bytes`);
  if (frame.length > total) throw new Refusal('TRAILING_BYTES', `${frame.length} of ${total} bytes`);
  return { type: String.fromCharCode(frame.readUInt8(6)), headerLength, payloadLength };
}

export function hmac(key: Uint8Array, bytes: Uint8Array): Buffer {
  return createHmac('sha256', key).update(bytes).digest();
}

/** The frame as it goes on a stream. */
export function withPrefix(frame: Uint8Array): Buffer {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(frame.length, 0);
  return Buffer.concat([prefix, frame]);
}
