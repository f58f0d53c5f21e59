/**
 * Draws new keys: for key files, for keyrings, and for the demo's single run. Needs no native module.
 */
import { randomBytes } from 'node:crypto';

export const KEY_BYTES = 32;

/** Makes a key that no reader can mistake for text: one that is all printable (chance 10^-14) is drawn again. */
export function createKey(draw: (bytes: number) => Buffer = randomBytes): Buffer {
  for (;;) {
    const key = draw(KEY_BYTES);
    if (key.some((byte) => !isTextByte(byte))) return key;
  }
}

function isTextByte(byte: number): boolean {
  return (byte >= 0x20 && byte <= 0x7e) || (byte >= 0x09 && byte <= 0x0d);
}
