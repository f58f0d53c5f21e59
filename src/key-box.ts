/**
 * Keys at rest under a passphrase: scrypt makes a key of the passphrase, AES-256-GCM seals the key with it (docs/keys.md, "Under a
 * passphrase"). Both are OpenSSL's, by `node:crypto` (docs/decisions/0014).
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { inspect } from 'node:util';

import { makeError } from './errors.js';

const PREFIX = 'eipc-key-scrypt:';
const VERSION = 1;
const SALT = 16;
const NONCE = 12;
const TAG = 16;
const HEAD = 4 + SALT + NONCE;
/** scrypt with 2^17 blocks of 8 × 128 bytes: 128 MiB for each guess. */
const COST = { log2N: 17, r: 8, p: 1 } as const;
/** What a file may ask for, so that one that was tampered with costs no more than this: 256 MiB, four times. */
const MAX_COST = { log2N: 18, r: 8, p: 4 } as const;
const MIN_PASSPHRASE = 8;

/** Whether a stored key is under a passphrase. */
export function isSealed(stored: Uint8Array): boolean {
  return Buffer.from(PREFIX).equals(stored.subarray(0, PREFIX.length));
}

/**
 * Seals a key; returns a line of text.
 *
 * @throws TypeError or RangeError for a passphrase that is none
 */
export async function sealKey(key: Uint8Array, passphrase: string | Uint8Array): Promise<Buffer> {
  const { log2N, r, p } = COST;
  const head = Buffer.concat([Buffer.from([VERSION, log2N, r, p]), randomBytes(SALT + NONCE)]);
  const cipher = createCipheriv('aes-256-gcm', await derive(passphrase, head), head.subarray(4 + SALT));
  cipher.setAAD(Buffer.concat([Buffer.from(PREFIX), head]));
  const sealed = Buffer.concat([head, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
  return Buffer.from(`${PREFIX}${sealed.toString('base64')}\n`);
}

/**
 * Opens a sealed key. The caller wipes what it gets.
 *
 * @param where - names the place in errors
 * @throws AuthError `EIPC_KEY` when it is damaged or the passphrase is another
 */
export async function openKey(stored: Uint8Array, passphrase: string | Uint8Array, where: string): Promise<Buffer> {
  const text = Buffer.from(stored.subarray(PREFIX.length)).toString('latin1').trimEnd();
  const sealed = /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0);
  const [version = 0, log2N = 0, r = 0, p = 0] = sealed;
  const isWhole = sealed.length > HEAD + TAG && version === VERSION && log2N > 0 && r > 0 && p > 0;
  if (!isWhole || log2N > MAX_COST.log2N || r > MAX_COST.r || p > MAX_COST.p)
    throw makeError('EIPC_KEY', `${where} is no whole key under a passphrase; restore it, or make another key`);
  const head = sealed.subarray(0, HEAD);
  const decipher = createDecipheriv('aes-256-gcm', await derive(passphrase, head), head.subarray(4 + SALT));
  decipher.setAAD(Buffer.concat([Buffer.from(PREFIX), head]));
  decipher.setAuthTag(sealed.subarray(-TAG));
  const key = decipher.update(sealed.subarray(HEAD, -TAG));
  try {
    decipher.final();
    return key;
  } catch (cause) {
    key.fill(0);
    throw makeError('EIPC_KEY', `${where} does not open: the passphrase is another one, or the file was changed`, {
      cause,
    });
  }
}

/** Checks a passphrase before anything is done with it. */
export function checkPassphrase(passphrase: unknown): void {
  if (typeof passphrase !== 'string' && !(passphrase instanceof Uint8Array))
    throw new TypeError(`a passphrase is a string or a Uint8Array, not ${inspect(typeof passphrase)}`);
  const length = typeof passphrase === 'string' ? Buffer.byteLength(passphrase) : passphrase.length;
  if (length < MIN_PASSPHRASE)
    throw new RangeError(
      `a passphrase of ${length} bytes is too short to protect a key; take at least ${MIN_PASSPHRASE}`,
    );
}

async function derive(passphrase: string | Uint8Array, head: Buffer): Promise<Buffer> {
  checkPassphrase(passphrase);
  const [, log2N = 0, r = 0, p = 0] = head;
  const cost = { N: 2 ** log2N, r, p, maxmem: 128 * 2 ** log2N * r + 2 ** 25 };
  return new Promise((resolve, reject) => {
    scrypt(passphrase, head.subarray(4, 4 + SALT), 32, cost, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}
