/**
 * Key files: read once, checked on the opened file, wiped after the bytes are in native memory.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

import { EipcError, makeError, nativeError } from './errors.js';
import { Key, keyLengthFault } from './key.js';
import type { KeyOptions } from './key.js';
import { decodeKey } from './key-text.js';

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
    // Everything is checked on the opened descriptor: what is at the path can change between two looks at it.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw nativeError(error, `the key file ${path} cannot be opened (a symbolic link is refused)`);
  }
  const stored = Buffer.alloc(MAX_KEY_FILE + 1);
  let bytes: Buffer | undefined;
  try {
    const status = await file.stat();
    const mode = status.mode & 0o7777;
    if (!status.isFile()) throw makeError('EIPC_KEY', `${path} is not a regular file`);
    if (process.geteuid !== undefined && status.uid !== process.geteuid()) {
      throw makeError(
        'EIPC_KEY',
        `the key file ${path} belongs to uid ${status.uid}, not to this user (${process.geteuid()}); use a key file of your own`,
      );
    }
    if (process.platform !== 'win32' && mode !== 0o600 && mode !== 0o400) {
      throw makeError(
        'EIPC_KEY',
        `the key file ${path} has mode ${mode.toString(8).padStart(4, '0')}; run \`chmod 600\` on it, and replace the key if others could read it`,
      );
    }
    const { bytesRead } = await file.read(stored, 0, stored.length, 0);
    if (bytesRead > MAX_KEY_FILE)
      throw makeError('EIPC_KEY', `${path} is larger than ${MAX_KEY_FILE} bytes, so it is not a key file`);
    bytes = decodeKey(stored.subarray(0, bytesRead), `the key file ${path}`);
    const fault = keyLengthFault(bytes.length, options.protocol);
    if (fault !== undefined) throw makeError('EIPC_KEY', `${path}: ${fault}`);
    return keyOf(bytes, options, path);
  } finally {
    stored.fill(0);
    bytes?.fill(0);
    await file.close();
  }
}

/** Makes the key. Which of many files has none is the first thing to know. */
function keyOf(bytes: Uint8Array, options: KeyOptions, path: string): Key {
  try {
    return Key.fromBytes(bytes, options);
  } catch (error) {
    throw error instanceof EipcError ? nativeError(error, `the key file ${path}`) : error;
  }
}
