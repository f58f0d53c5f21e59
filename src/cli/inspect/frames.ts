/**
 * Finds the frames in what somebody recorded: raw bytes or hex digits, frames with the length that streams have in front, or without it. What
 * is in a frame is the library's to say.
 */
import { quoteValue } from '../escape.js';
import { CliError, EXIT } from '../exit.js';

/** A frame and where it begins in the bytes that were given. */
export interface FoundFrame {
  readonly at: number;
  readonly bytes: Uint8Array;
  /** The length that stood in front. */
  readonly prefix?: number;
}

const MAGIC = Buffer.from('EIPC');
const PREFIX = 4;
const PREAMBLE = 16;
/** Bytes of a tag by the flag that announces it (docs/wire.md, "Preamble"). */
const TAGS = [
  [0x04, 16],
  [0x01, 32],
] as const;

/**
 * Returns the bytes that were given: text of nothing but hex digits and blanks is decoded.
 *
 * @throws {CliError} `usage` for an odd number of digits
 */
export function decodeInput(input: Uint8Array): Buffer {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  const text = bytes.toString('latin1');
  if (!/^[\s0-9a-f]+$/i.test(text) || !/\S/.test(text)) return bytes;
  return decodeHex(text);
}

/**
 * Decodes hex digits with blanks between them.
 *
 * @throws {CliError} `usage` for anything else
 */
export function decodeHex(text: string): Buffer {
  const digits = text.replace(/\s+/g, '');
  const wrong = /[^0-9a-f]/i.exec(digits)?.[0];
  if (wrong !== undefined) throw new CliError(EXIT.usage, `${quoteValue(wrong)} is no hex digit`);
  if (digits.length % 2 !== 0)
    throw new CliError(
      EXIT.usage,
      `${digits.length} hex digits are no whole number of bytes; is the last one missing?`,
    );
  return Buffer.from(digits, 'hex');
}

/** Cuts bytes into frames. Bytes that no frame begins with belong to the frame before them, or are one that is bad. */
export function findFrames(bytes: Buffer): FoundFrame[] {
  const frames: FoundFrame[] = [];
  for (let at = 0; at < bytes.length;) {
    const rest = bytes.subarray(at);
    if (!begins(rest) && begins(rest.subarray(PREFIX))) {
      const prefix = rest.readUInt32BE(0);
      const length = Math.min(prefix, rest.length - PREFIX);
      frames.push({ at: at + PREFIX, bytes: rest.subarray(PREFIX, PREFIX + length), prefix });
      at += PREFIX + length;
      continue;
    }
    const length = bareLength(rest);
    frames.push({ at, bytes: rest.subarray(0, length) });
    at += length;
  }
  return frames;
}

/** How many bytes the frame at the front takes, where no length stands in front of it. */
function bareLength(rest: Buffer): number {
  if (!begins(rest) || rest.length < PREAMBLE) return rest.length;
  const flags = rest.readUInt8(7);
  const tag = TAGS.find(([flag]) => (flags & flag) !== 0)?.[1] ?? 0;
  const length = PREAMBLE + rest.readUInt32BE(8) + rest.readUInt32BE(12) + tag;
  const next = rest.subarray(length);
  return begins(next) || begins(next.subarray(PREFIX)) ? length : rest.length;
}

function begins(bytes: Buffer): boolean {
  return MAGIC.equals(bytes.subarray(0, MAGIC.length));
}
