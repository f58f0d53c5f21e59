/**
 * Keys: loading them and holding them. The bytes go into native memory at once and never come back; what stays here prints only its id.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { inspect } from 'node:util';

import { makeError, nativeError } from './errors.js';
import { NativeKey } from './native.js';

/** Fewest bytes of a key (docs/wire.md, "Keys"). */
const MIN_KEY_LENGTH = { 1: 16, 2: 32 } as const;
/** Most bytes read from a key file: a larger file is certainly not a key. */
const MAX_KEY_FILE = 4_096;

/** Options of making a key. */
export interface KeyOptions {
  /**
   * Accepts a key of printable characters only. The first message of a connection lets anybody who sees it test guesses of a phrase
   * offline, so that a phrase needs as much chance as a random key.
   */
  readonly dangerousPassphrase?: boolean;
  /**
   * The one protocol that the key is for. 1 takes what the original has: 16 bytes or more, text too. Absent: by the rules of 2, for
   * either, but no service of a server may use it for both (`dangerousSharedKey`).
   */
  readonly protocol?: 1 | 2;
}

/** A shared key inside native memory. Opaque: it shows its id and nothing else. */
export class Key {
  /** The one protocol it was made for. */
  readonly protocol: 1 | 2 | undefined;
  readonly #native: NativeKey;

  private constructor(native: NativeKey, protocol: 1 | 2 | undefined) {
    this.#native = native;
    this.protocol = protocol;
  }

  /**
   * Makes a key of bytes. The caller should overwrite its bytes afterwards.
   *
   * @param bytes - at least 32, made by a key generator; for v1 alone at least 16 of any kind
   * @throws TypeError when it is not a Uint8Array, RangeError when it is too short, AuthError `EIPC_KEY` when it is a phrase
   */
  static fromBytes(bytes: Uint8Array, options: KeyOptions = {}): Key {
    if (!(bytes instanceof Uint8Array))
      throw new TypeError('a key is a Key of readKeyFile() or a Uint8Array of at least 32 random bytes');
    const { protocol } = options;
    if (protocol !== undefined && protocol !== 1 && protocol !== 2)
      throw new RangeError(`protocol is ${inspect(protocol)}; a key is for 1 or for 2`);
    if (bytes.length < MIN_KEY_LENGTH[protocol ?? 2]) throw new RangeError(tooShort(bytes.length, protocol));
    try {
      const native =
        protocol === 1 ? NativeKey.forV1(bytes) : NativeKey.fromBytes(bytes, options.dangerousPassphrase === true);
      return new Key(native, protocol);
    } catch (error) {
      throw nativeError(error, 'this key cannot be used');
    }
  }

  /** The key id that the handshake names: sixteen hex digits, no secret. Empty for a key of v1, which a phrase could be guessed by. */
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
    return `Key(${this.id === '' ? 'v1' : this.id})`;
  }

  /** Shows the id. */
  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Returns the native key of what a user gave as a key for one protocol.
 *
 * @throws RangeError when it was made for the other
 */
export function nativeKey(key: Key | Uint8Array, protocol: 1 | 2): NativeKey {
  const made = key instanceof Key ? key : Key.fromBytes(key, { protocol });
  if (made.protocol !== undefined && made.protocol !== protocol)
    throw new RangeError(
      `this key was made for protocol ${made.protocol} and cannot be used in protocol ${protocol}; use a key of its own, which attacks on one protocol say nothing about`,
    );
  return Key.native(made);
}

function tooShort(length: number, protocol: 1 | 2 | undefined): string {
  if (protocol === 1) return `a key of ${length} bytes is too short; v1 needs at least ${MIN_KEY_LENGTH[1]}`;
  return `a key of ${length} bytes is too short; EIPC/2 needs at least ${MIN_KEY_LENGTH[2]} random bytes (\`eipc keygen\` makes them)`;
}

/**
 * Reads a key file: raw bytes, at least 32 (for v1 alone 16), readable by its owner only and owned by this user, not a symbolic link.
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
    if (bytesRead < MIN_KEY_LENGTH[options.protocol ?? 2])
      throw makeError('EIPC_KEY', `${path}: ${tooShort(bytesRead, options.protocol)}`);
    return Key.fromBytes(bytes.subarray(0, bytesRead), options);
  } finally {
    bytes.fill(0);
    await file.close();
  }
}
