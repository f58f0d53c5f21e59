/**
 * The folder a keyring is kept in: a file for each key, as `readKeyFile` takes it, and an index that says whose they are and until when.
 *
 * A key is written before the index names it, and leaves the index before its file goes; the index is replaced as a whole. So after a crash
 * there may be a file that no index names, and never a key that is missing, or one that was revoked and is good again.
 */
import { lstat, mkdir, rename, rm } from 'node:fs/promises';
import { constants } from 'node:fs';
import { dirname, join } from 'node:path';

import { makeError, nativeError, systemCode } from '../errors.js';
import { readKeyFile, writeKeyFile } from '../key-file.js';
import { NativeFileLock } from '../native.js';
import { openUnfollowed, overwrite, ownerFault, syncFolder, writeNewFile } from '../owner-file.js';
import { HeldKey } from './held-key.js';
import type { KeptKey } from './held-key.js';

const INDEX = 'keyring.json';
const LOCK = 'keyring.lock';
const VERSION = 1;

/** A folder that is open. One process has it. */
export class KeyringFolder {
  readonly path: string;
  readonly #passphrase: string | Uint8Array | undefined;
  readonly #lock: NativeFileLock;

  private constructor(path: string, passphrase: string | Uint8Array | undefined, lock: NativeFileLock) {
    this.path = path;
    this.#passphrase = passphrase;
    this.#lock = lock;
  }

  /** Opens a folder, which is made where there is none, and reads its keys. */
  static async open(
    path: string,
    passphrase: string | Uint8Array | undefined,
  ): Promise<{ folder: KeyringFolder; held: HeldKey[] }> {
    await makeFolder(path);
    const lock = takeLock(join(path, LOCK));
    try {
      const folder = new KeyringFolder(path, passphrase, lock);
      const held: HeldKey[] = [];
      for (const kept of await folder.#readIndex()) held.push(await folder.#read(kept));
      return { folder, held };
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Where the file of a key lies. Ids of v1 may have characters that names of files cannot. */
  fileOf(serviceId: string, id: string): string {
    return join(this.path, `${encodeURIComponent(serviceId)}.${id}.key`);
  }

  /** Writes the file of a key. */
  write(path: string, key: Uint8Array, protocol: 1 | 2 | undefined): Promise<void> {
    return writeKeyFile(path, key, {
      ...(protocol === undefined ? {} : { protocol }),
      ...(this.#passphrase === undefined ? {} : { passphrase: this.#passphrase }),
    });
  }

  /** Removes the file of a key, overwritten. One that is gone already is no fault. */
  async erase(path: string): Promise<void> {
    try {
      const file = await openUnfollowed(path, constants.O_RDWR);
      try {
        await overwrite(file);
      } finally {
        await file.close();
      }
      await rm(path);
      await syncFolder(dirname(path));
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw nativeError(error, `the key file ${path} cannot be removed`);
    }
  }

  /** Replaces the index. */
  async writeIndex(keys: readonly KeptKey[]): Promise<void> {
    const path = join(this.path, INDEX);
    const next = `${path}.new`;
    try {
      await rm(next, { force: true });
      await writeNewFile(next, Buffer.from(`${JSON.stringify({ version: VERSION, keys }, undefined, 2)}\n`));
      await rename(next, path);
      await syncFolder(this.path);
    } catch (error) {
      throw nativeError(error, `the index ${path} cannot be written`);
    }
  }

  close(): void {
    this.#lock.release();
  }

  async #readIndex(): Promise<KeptKey[]> {
    const path = join(this.path, INDEX);
    let file;
    try {
      file = await openUnfollowed(path, constants.O_RDONLY);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw nativeError(error, `the index ${path} cannot be opened (a symbolic link is refused)`);
    }
    try {
      const fault = ownerFault(await file.stat(), path);
      if (fault !== undefined) throw makeError('EIPC_KEY', `this is no index of a keyring: ${fault}`);
      return parseIndex(await file.readFile('utf8'), path);
    } finally {
      await file.close();
    }
  }

  async #read(kept: KeptKey): Promise<HeldKey> {
    if (kept.isRevoked) return new HeldKey(kept, undefined, undefined);
    const file = this.fileOf(kept.serviceId, kept.id);
    const key = await readKeyFile(file, {
      ...(kept.protocol === undefined ? {} : { protocol: kept.protocol }),
      ...(this.#passphrase === undefined ? {} : { passphrase: this.#passphrase }),
    });
    if (key.id !== '' && key.id !== kept.id)
      throw makeError(
        'EIPC_KEY',
        `${file} has the key ${key.id}; the index says ${kept.id}. Restore the file, or delete both`,
      );
    return new HeldKey(kept, key, file);
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
      if (systemCode(error) !== 'EEXIST') throw error;
    });
    const status = await lstat(path);
    const isOwn = process.getuid === undefined || status.uid === process.getuid();
    const isClosed = process.platform === 'win32' || (status.mode & 0o077) === 0;
    if (!status.isDirectory() || !isOwn || !isClosed)
      throw makeError(
        'EIPC_KEY',
        `${path} is not a folder of this user alone; run \`chmod 700\` on it, or choose another`,
      );
  } catch (error) {
    throw nativeError(error, `the keyring ${path} cannot be opened`);
  }
}

function takeLock(path: string): NativeFileLock {
  try {
    return NativeFileLock.acquire(path);
  } catch (error) {
    const why =
      systemCode(error) === 'EBUSY' ? 'another process has this keyring open' : `the lock ${path} cannot be taken`;
    throw makeError('EIPC_KEY', why, { cause: error });
  }
}

function parseIndex(text: string, path: string): KeptKey[] {
  try {
    const index = JSON.parse(text) as { version?: unknown; keys?: unknown };
    if (index.version === VERSION && Array.isArray(index.keys) && index.keys.every(isKept)) return index.keys;
  } catch {
    // said below
  }
  throw makeError('EIPC_KEY', `${path} is not the index of a keyring, or not whole; restore it`);
}

function isKept(value: unknown): value is KeptKey {
  if (typeof value !== 'object' || value === null) return false;
  const { id, serviceId, protocol, createdAt, endsAt, isRetiring, isRevoked } = value as Partial<
    Record<string, unknown>
  >;
  return (
    typeof id === 'string' &&
    /^(?:v1-)?[0-9a-f]{16}$/.test(id) &&
    typeof serviceId === 'string' &&
    (protocol === undefined || protocol === 1 || protocol === 2) &&
    Number.isSafeInteger(createdAt) &&
    (endsAt === undefined || Number.isSafeInteger(endsAt)) &&
    typeof isRetiring === 'boolean' &&
    typeof isRevoked === 'boolean'
  );
}
