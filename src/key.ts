/**
 * Keys: loading them and holding them. The bytes go into native memory at once and never come back; what stays here prints only its id.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { inspect } from 'node:util';

import { makeError, nativeError } from './errors.js';
import { NativeKey } from './native.js';

/** Fewest bytes of a key of EIPC/2 (docs/wire.md, "Preamble"). */
const MIN_KEY_LENGTH = 32;
/** Most bytes read from a key file: a larger file is certainly not a key. */
const MAX_KEY_FILE = 4_096;

/** Options of making a key. */
export interface KeyOptions {
  /**
   * Accepts a key of printable characters only. The first message of a connection lets anybody who sees it test guesses of a phrase
   * offline, so that a phrase needs as much chance as a random key.
   */
  readonly dangerousPassphrase?: boolean;
}

/** A shared key inside native memory. Opaque: it shows its id and nothing else. */
export class Key {
  readonly #native: NativeKey;

  private constructor(native: NativeKey) {
    this.#native = native;
  }

  /**
   * Makes a key of bytes. The caller should overwrite its bytes afterwards.
   *
   * @param bytes - at least 32, made by a key generator
   * @throws TypeError when it is not a Uint8Array, RangeError when it is too short, AuthError `EIPC_KEY` when it is a phrase
   */
  static fromBytes(bytes: Uint8Array, options: KeyOptions = {}): Key {
    if (!(bytes instanceof Uint8Array))
      throw new TypeError('a key is a Key of readKeyFile() or a Uint8Array of at least 32 random bytes');
    if (bytes.length < MIN_KEY_LENGTH) {
      throw new RangeError(
        `a key of ${bytes.length} bytes is too short; EIPC/2 needs at least ${MIN_KEY_LENGTH} random bytes (\`eipc keygen\` makes them)`,
      );
    }
    try {
      return new Key(NativeKey.fromBytes(bytes, options.dangerousPassphrase === true));
    } catch (error) {
      throw nativeError(error, 'this key cannot be used');
    }
  }

  /** The key id that the handshake names: sixteen hex digits, no secret. */
  get id(): string {
    return this.#native.id;
  }

  /**
   * Reads the native key out of a `Key`, which only this package needs.
   *
   * @internal
   */
  static native(key: Key): NativeKey {
    return key.#native;
  }

  /** Shows the id. */
  toString(): string {
    return `Key(${this.id})`;
  }

  /** Shows the id. */
  [inspect.custom](): string {
    return this.toString();
  }
}

/** Returns the native key of what a user gave as a key. */
export function nativeKey(key: Key | Uint8Array): NativeKey {
  return Key.native(key instanceof Key ? key : Key.fromBytes(key));
}

/**
 * Reads a key file: raw bytes, at least 32, readable by its owner only and owned by this user, not a symbolic link.
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
  const bytes = Buffer.alloc(MAX_KEY_FILE + 1);
  try {
    const status = await file.stat();
    const mode = status.mode & 0o7777;
    if (!status.isFile()) throw makeError('EIPC_KEY', `${path} is not a regular file`);
    if (process.getuid !== undefined && status.uid !== process.getuid()) {
      throw makeError(
        'EIPC_KEY',
        `the key file ${path} belongs to uid ${status.uid}, not to this user (${process.getuid()}); use a key file of your own`,
      );
    }
    if (process.platform !== 'win32' && mode !== 0o600 && mode !== 0o400) {
      throw makeError(
        'EIPC_KEY',
        `the key file ${path} has mode ${mode.toString(8).padStart(4, '0')}; run \`chmod 600\` on it, and replace the key if others could read it`,
      );
    }
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    if (bytesRead > MAX_KEY_FILE)
      throw makeError('EIPC_KEY', `${path} is larger than ${MAX_KEY_FILE} bytes, so it is not a key file`);
    if (bytesRead < MIN_KEY_LENGTH) {
      throw makeError(
        'EIPC_KEY',
        `${path} holds ${bytesRead} bytes; a key needs at least ${MIN_KEY_LENGTH} random ones (\`eipc keygen\` makes them)`,
      );
    }
    return Key.fromBytes(bytes.subarray(0, bytesRead), options);
  } finally {
    bytes.fill(0);
    await file.close();
  }
}
