/**
 * Bytes encrypted for storage or for carriers of their own, in the original's layout: `[nonce 12][ciphertext][tag 16]`, AES-256-GCM.
 * Messages need none of this: EIPC/2 encrypts by its suites.
 */
import { inspect } from 'node:util';

import { nativeError } from './errors.js';
import { Key } from './key.js';
import * as native from './native.js';

/** Bytes of a key. */
const KEY_SIZE = 32;

/**
 * Encrypts bytes under a nonce of their own, drawn at random: one key is good for 2^32 calls.
 *
 * @param key - 32 random bytes that serve no other purpose
 * @throws TypeError or RangeError for anything else
 */
export function encrypt(key: Uint8Array, plaintext: Uint8Array): Uint8Array {
  check(key, 'plaintext', plaintext);
  try {
    return native.encrypt(key, plaintext);
  } catch (error) {
    throw nativeError(error, 'this cannot be encrypted');
  }
}

/**
 * Verifies and decrypts what `encrypt` made.
 *
 * @throws IntegrityError when it was made with another key, or changed, or cut; TypeError or RangeError for a key that is none
 */
export function decrypt(key: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  check(key, 'ciphertext', ciphertext);
  try {
    return native.decrypt(key, ciphertext);
  } catch (error) {
    throw nativeError(error, 'this cannot be decrypted');
  }
}

function check(key: Uint8Array, name: string, bytes: Uint8Array): void {
  // Its bytes are not kept, only what its protocol made of them; and a key has one purpose.
  if (key instanceof Key)
    throw new TypeError('a Key is for connections; encryption takes the 32 bytes of a key of its own');
  if (!(key instanceof Uint8Array)) throw new TypeError('a key for encryption is a Uint8Array of 32 random bytes');
  if (key.length !== KEY_SIZE)
    throw new RangeError(`a key for encryption has ${KEY_SIZE} bytes (AES-256); this one has ${key.length}`);
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`${name} must be a Uint8Array, not ${inspect(bytes)}`);
}
