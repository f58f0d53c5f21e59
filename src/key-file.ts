/**
 * Key files: read once, checked on the opened file, wiped after the bytes are in native memory.
 */
import { constants } from 'node:fs';

import { EipcError, makeError, nativeError, systemCode } from './errors.js';
import { Key, keyLengthFault } from './key.js';
import type { KeyOptions } from './key.js';
import { checkPassphrase, isSealed, openKey, sealKey } from './key-box.js';
import { decodeKey } from './key-text.js';
import { openUnfollowed, ownerFault, writeNewFile } from './owner-file.js';

/** Most bytes read from a key file: a larger file is certainly not a key. */
const MAX_KEY_FILE = 4_096;

/** Options of reading a key file. */
export interface KeyFileOptions extends KeyOptions {
  /** What the file is sealed with (docs/keys.md). A file that is not sealed is refused then, one that is sealed is refused without. */
  readonly passphrase?: string | Uint8Array;
}

/**
 * Reads a key file: raw bytes, or text `hex:…` or `base64:…`, of at least 32 bytes (for v1 alone 16); readable by its owner only, owned by
 * this user, not a symbolic link.
 *
 * @throws AuthError `EIPC_KEY` when the file is not fit to hold a key, TransportError when it cannot be read
 *
 * @example
 * const key = await readKeyFile('eni.key');
 */
export async function readKeyFile(path: string, options: KeyFileOptions = {}): Promise<Key> {
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
    bytes = await openStored(stored.subarray(0, bytesRead), `the key file ${path}`, options.passphrase);
    const lengthFault = keyLengthFault(bytes.length, options.protocol);
    if (lengthFault !== undefined) throw makeError('EIPC_KEY', `${path}: ${lengthFault}`);
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

/** Returns the bytes of a key as it is stored, sealed or not, which have to be as the reader expects. */
async function openStored(
  stored: Uint8Array,
  where: string,
  passphrase: string | Uint8Array | undefined,
): Promise<Buffer> {
  if (passphrase === undefined) {
    if (isSealed(stored)) throw makeError('EIPC_KEY', `${where} is under a passphrase; give it (option passphrase)`);
    return decodeKey(stored, where);
  }
  checkPassphrase(passphrase);
  if (isSealed(stored)) return openKey(stored, passphrase, where);
  throw makeError(
    'EIPC_KEY',
    `${where} is not under a passphrase; seal it (writeKeyFile), or leave the passphrase out`,
  );
}

/**
 * Writes a key file for its owner alone, durably, under a passphrase if one is given. The caller wipes its copy of the key.
 *
 * @param key - at least 32 bytes, made by a key generator; with `protocol: 1` at least 16
 * @throws TypeError or RangeError for a key or a passphrase that is none; rejects with AuthError `EIPC_KEY` where a file is already, which is
 * never overwritten, and with TransportError when it cannot be written
 *
 * @example
 * await writeKeyFile('eni.key', randomBytes(32), { passphrase: 'correct horse battery staple' });
 */
export async function writeKeyFile(path: string, key: Uint8Array, options: KeyFileOptions = {}): Promise<void> {
  const { passphrase, ...rest } = options;
  Key.fromBytes(key, rest); // what could not be read again is not written
  const stored = passphrase === undefined ? Buffer.from(key) : await sealKey(key, passphrase);
  try {
    await writeNewFile(path, stored);
  } catch (error) {
    if (systemCode(error) === 'EEXIST')
      throw makeError('EIPC_KEY', `${path} exists; a key is never overwritten, move it away first`, { cause: error });
    throw nativeError(error, `the key file ${path} cannot be written`);
  } finally {
    stored.fill(0);
  }
}
