/**
 * How a key is written where it is stored: raw bytes, or text with `hex:` or `base64:` in front. Decoded byte by byte: a string of a key could
 * not be wiped.
 */
import { makeError } from './errors.js';

const HEX = Buffer.from('hex:');
const BASE64 = Buffer.from('base64:');
const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const PADDING = 0x3d;
const NONE = -1;

/**
 * Returns the bytes of a stored key: what is behind `hex:` or `base64:` decoded, anything else as it is. The caller wipes both.
 *
 * @param where - names the place in errors, which never show what is in it
 * @throws AuthError `EIPC_KEY` for text that is not what its prefix says
 */
export function decodeKey(stored: Uint8Array, where: string): Buffer {
  if (HEX.equals(stored.subarray(0, HEX.length))) return decodeHex(text(stored, HEX.length), where, HEX.length);
  if (BASE64.equals(stored.subarray(0, BASE64.length)))
    return decodeBase64(text(stored, BASE64.length), where, BASE64.length);
  return Buffer.from(stored);
}

/** What is behind a prefix, without the line end that editors and `echo` leave. */
function text(stored: Uint8Array, from: number): Uint8Array {
  let end = stored.length;
  while (end > from && isBlank(stored[end - 1])) end -= 1;
  return stored.subarray(from, end);
}

function decodeHex(digits: Uint8Array, where: string, from: number): Buffer {
  if (digits.length % 2 !== 0)
    throw fault(
      where,
      `has ${digits.length} digits behind hex:; two digits make a byte, so one is missing or too many`,
    );
  const key = Buffer.alloc(digits.length / 2);
  for (const [at, byte] of digits.entries()) {
    const value = hexValue(byte);
    if (value === NONE) throw wiped(key, fault(where, `has no hex digit in column ${from + at + 1}`));
    key[at >> 1] = ((key[at >> 1] ?? 0) << 4) | value;
  }
  return key;
}

function decodeBase64(padded: Uint8Array, where: string, from: number): Buffer {
  let end = padded.length;
  while (end > 0 && padded.length - end < 2 && padded[end - 1] === PADDING) end -= 1;
  const characters = padded.subarray(0, end);
  if (characters.length % 4 === 1 || (end < padded.length && padded.length % 4 !== 0))
    throw fault(where, `has ${padded.length} characters behind base64:, which no bytes have; is it whole?`);
  const key = Buffer.alloc(Math.floor((characters.length * 3) / 4));
  let bits = 0;
  for (const [at, byte] of characters.entries()) {
    const value = ALPHABET.indexOf(byte);
    if (value === NONE) throw wiped(key, fault(where, `has no base64 character in column ${from + at + 1}`));
    bits = ((bits << 6) | value) & 0xff_ffff;
    // After the second, third and fourth character of four, another byte is whole.
    const rest = 6 - 2 * (at % 4);
    const whole = Math.floor(((at + 1) * 6) / 8) - 1;
    if (at % 4 !== 0) key[whole] = (bits >> rest) & 0xff;
  }
  return key;
}

function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const small = byte | 0x20;
  return small >= 0x61 && small <= 0x66 ? small - 0x57 : NONE;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

function wiped(key: Buffer, error: Error): Error {
  key.fill(0);
  return error;
}

function fault(where: string, what: string): Error {
  return makeError('EIPC_KEY', `${where} ${what}`);
}
