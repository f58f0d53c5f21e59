/**
 * Keys, held. The bytes go into native memory at once and never come back; what stays here prints only its id.
 */
import { inspect } from 'node:util';

import { nativeError } from './errors.js';
import { NativeKey } from './native.js';

/** Fewest bytes of a key (docs/wire.md, "Keys"). */
const MIN_KEY_LENGTH = { 1: 16, 2: 32 } as const;

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
    const fault = keyLengthFault(bytes.length, protocol);
    if (fault !== undefined) throw new RangeError(fault);
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

/**
 * Returns what signs and verifies single frames of v1: bytes of any length from 1, or a key that may be used in v1.
 *
 * @throws TypeError for anything else, RangeError for an empty key and one of EIPC/2
 */
export function frameKey(key: Key | Uint8Array): NativeKey | Uint8Array {
  if (key instanceof Key) return nativeKey(key, 1);
  if (!(key instanceof Uint8Array)) throw new TypeError('a key is a Key of readKeyFile() or a Uint8Array');
  if (key.length === 0) throw new RangeError('the key is empty; everybody could sign with it');
  return key;
}

/** Says what is wrong with the length of a key, if something is. */
export function keyLengthFault(length: number, protocol: 1 | 2 | undefined): string | undefined {
  if (length >= MIN_KEY_LENGTH[protocol ?? 2]) return undefined;
  if (protocol === 1) return `a key of ${length} bytes is too short; v1 needs at least ${MIN_KEY_LENGTH[1]}`;
  return `a key of ${length} bytes is too short; EIPC/2 needs at least ${MIN_KEY_LENGTH[2]} random bytes (\`eipc keygen\` makes them)`;
}
