/**
 * Key files: read once, checked on the opened file, wiped after the bytes are in native memory.
 */
import { constants } from 'node:fs';

import { makeError, nativeError } from './errors.js';
import { Key, keyLengthFault } from './key.js';
import type { KeyOptions } from './key.js';
import { decodeKey } from './key-text.js';
import { openUnfollowed, ownerFault } from './owner-file.js';

/** Most bytes read from a key file: a larger file is certainly not a key. */
const MAX_KEY_FILE = 4_096;

/**
 * Reads a key file: raw bytes, or text `hex:…` or `base64:…`, of at least 32 bytes (for v1 alone 16); readable by its owner only, owned by
 * this user, not a symbolic link.
 *
 * @throws AuthError `EIPC_KEY` when the file is not fit to hold a key, TransportError when it cannot be read
 *
 * @example
 * const key = await readKeyFile('eni.key');
 */
export async function readKeyFile(path: string, options: KeyOptions = {}): Promise<Key> {
  let file;
  try {
    file = await openUnfollowed(path, constants.O_RDONLY);
  } catch (error) {
    throw nativeError(error, `the key file ${path} cannot be opened (a symbolic link is refused)`);
  }
  const stored = Buffer.alloc(MAX_KEY_FILE + 1);
  let bytes: Buffer | undefined;
  try {
    const fault = ownerFault(await file.stat(), path);
    if (fault !== undefined)
      throw makeError('EIPC_KEY', `this is no key file: ${fault}; if others could read it, replace the key`);
    const { bytesRead } = await file.read(stored, 0, stored.length, 0);
    if (bytesRead > MAX_KEY_FILE)
      throw makeError('EIPC_KEY', `${path} is larger than ${MAX_KEY_FILE} bytes, so it is not a key file`);
    bytes = decodeKey(stored.subarray(0, bytesRead), `the key file ${path}`);
    const lengthFault = keyLengthFault(bytes.length, options.protocol);
    if (lengthFault !== undefined) throw makeError('EIPC_KEY', `${path}: ${lengthFault}`);
    return Key.fromBytes(bytes, options);
  } finally {
    stored.fill(0);
    bytes?.fill(0);
    await file.close();
  }
}
