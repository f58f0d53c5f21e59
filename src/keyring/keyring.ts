/**
 * The keys of services over time: made, replaced, ended, revoked. A server that takes its keys from here follows every change while it runs.
 */
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';

import { checkNames, checkServiceId, duration } from '../check.js';
import { makeError } from '../errors.js';
import type { EipcError } from '../errors.js';
import { Key } from '../key.js';
import { checkPassphrase } from '../key-box.js';
import { createKey } from '../new-key.js';
import { HeldKey, endIn } from './held-key.js';
import type { KeptKey, KeyringEntry } from './held-key.js';
import { KeyringFolder } from './keyring-folder.js';

/** Milliseconds for which a key that was replaced is still taken. */
const DEFAULT_GRACE = 60_000;
/** Milliseconds a key may last: what the monotonic clock counts without loss, some three centuries. */
const MAX_TTL = 10_000_000_000_000;

/** Options of a key that comes into a keyring. */
export interface KeyLifeOptions {
  /** Milliseconds until it ends. Default: it does not end by itself. */
  readonly ttl?: number;
  /** The one protocol it is for (`Key.fromBytes`). Default: for whichever its service speaks, by the rules of EIPC/2. */
  readonly protocol?: 1 | 2;
}

/** Options of `rotate`. */
export interface RotateOptions extends KeyLifeOptions {
  /** Milliseconds for which the old key still opens sessions, from 0. Default 60 000. */
  readonly grace?: number;
  /** The new key, where it was made elsewhere. Default: a random one. */
  readonly key?: Key | Uint8Array;
}

/** Options of `Keyring.open`. */
export interface KeyringOptions {
  /** Seals the key files (docs/keys.md). Every file of the keyring is sealed with it, or none. */
  readonly passphrase?: string | Uint8Array;
}

/**
 * Who follows the keys of a service.
 *
 * @internal
 */
export interface KeyringWatcher {
  added(key: Key, left: number | undefined): void;
  /** A key ends in so many milliseconds. */
  ended(key: Key, left: number): void;
  removed(key: Key): void;
  revoked(key: Key): void;
}

interface Watch {
  readonly serviceId: string;
  readonly watcher: KeyringWatcher;
}

/**
 * Holds keys. `new Keyring()` holds them in memory; `Keyring.open(folder)` keeps them.
 *
 * @example
 * const keys = await Keyring.open('/etc/eai/keys');
 * if (keys.lookup('eni.min') === undefined) await keys.generate('eni.min');
 * const server = await listen('shm:eai', { services: { 'eni.min': { key: keys, capabilities: ['ui:control'] } } });
 * await keys.rotate('eni.min', { grace: 3_600_000 }); // bring the new file to the client within the hour
 */
export class Keyring implements AsyncDisposable {
  #folder: KeyringFolder | undefined;
  readonly #held = new Set<HeldKey>();
  readonly #watches = new Set<Watch>();
  /** One change after the other; never rejects. */
  #changing: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /**
   * Opens a keyring that is kept in a folder of this user alone, which is made where there is none. One process has it at a time.
   *
   * @throws TypeError or RangeError for a wrong option; rejects with AuthError `EIPC_KEY` when the folder, its index or a key file is not fit to
   * be used, the passphrase is another one, or another process has it
   */
  static async open(folder: string, options: KeyringOptions = {}): Promise<Keyring> {
    if (typeof folder !== 'string' || folder === '')
      throw new TypeError(`a keyring is kept in a folder, not in ${inspect(folder)}`);
    checkNames(options, ['passphrase'], 'Keyring.open');
    if (options.passphrase !== undefined) checkPassphrase(options.passphrase);
    const opened = await KeyringFolder.open(folder, options.passphrase);
    const keyring = new Keyring();
    keyring.#folder = opened.folder;
    for (const held of opened.held) keyring.#held.add(held);
    return keyring;
  }

  /**
   * Makes the key of a service that has none.
   *
   * @throws TypeError or RangeError for a wrong argument; rejects with AuthError `EIPC_KEY` when the service has a key, which `rotate` replaces
   */
  async generate(serviceId: string, options: KeyLifeOptions = {}): Promise<KeyringEntry> {
    const bytes = createKey();
    try {
      return await this.#addFirst(serviceId, bytes, options);
    } finally {
      bytes.fill(0);
    }
  }

  /**
   * Takes a key that was made elsewhere, for a service that has none. A keyring in a folder needs its bytes, which the caller wipes
   * afterwards: a `Key` shows them to nobody.
   *
   * @throws as `generate`, and when another service has the key, or it was revoked
   */
  async store(serviceId: string, key: Key | Uint8Array, options: KeyLifeOptions = {}): Promise<KeyringEntry> {
    return this.#addFirst(serviceId, key, options);
  }

  /** Returns the key that a service should use now; undefined when it has none. */
  lookup(serviceId: string): Key | undefined {
    return this.#active(serviceId)?.key;
  }

  /**
   * Gives a service a new key. The old one opens sessions for `grace` milliseconds more; sessions that are open go on.
   *
   * @throws TypeError or RangeError for a wrong argument; rejects with AuthError `EIPC_KEY` when there is no key to replace
   */
  async rotate(serviceId: string, options: RotateOptions = {}): Promise<KeyringEntry> {
    checkNames(options, ['ttl', 'protocol', 'grace', 'key'], 'rotate');
    const { grace = DEFAULT_GRACE, key, ...life } = options;
    if (grace !== 0) checkSpan('grace', grace);
    const bytes = key ?? createKey();
    try {
      return await this.#change(serviceId, async () => {
        const old = this.#active(serviceId);
        if (old === undefined) throw makeError('EIPC_KEY', `'${serviceId}' has no key to replace; generate one`);
        const made = this.#make(serviceId, bytes, { protocol: old.protocol, ...life });
        const end = endIn(grace);
        const retired = old.keptRetired(end);
        await this.#keep(
          made,
          bytes,
          this.#kept().map((one) => (one.id === old.id ? retired : one)),
        );
        old.retire(end);
        this.#admit(made);
        if (old.key !== undefined)
          this.#tell(serviceId, (watcher, oldKey) => watcher.ended(oldKey, old.left ?? grace), old.key);
        return made.entry();
      });
    } finally {
      if (key === undefined && bytes instanceof Uint8Array) bytes.fill(0);
    }
  }

  /**
   * Revokes every key of a service, or one of them: at once no session is opened with it any more, and sessions that are open with it are
   * closed (`EIPC_REVOKED`). Its file is overwritten and removed.
   *
   * @throws AuthError `EIPC_KEY` when there is no such key; another EipcError when it could not be written down, in which case it is revoked
   * nevertheless, until this process ends
   */
  async revoke(serviceId: string, id?: string): Promise<void> {
    const found = this.#find(serviceId, id).filter((held) => held.state !== 'revoked');
    if (found.length === 0) throw this.#noSuchKey(serviceId, id);
    // What protects comes first; the disk may be slow, or full.
    for (const held of found) {
      held.revoke();
      if (held.key !== undefined) this.#tell(serviceId, (watcher, key) => watcher.revoked(key), held.key);
    }
    await this.#change(serviceId, async () => {
      await this.#folder?.writeIndex(this.#kept());
      for (const { file } of found) if (file !== undefined) await this.#folder?.erase(file);
    });
  }

  /**
   * Forgets every key of a service, or one of them, with its file. Unlike after `revoke`, sessions that are open go on.
   *
   * @returns how many keys those were
   */
  delete(serviceId: string, id?: string): Promise<number> {
    return this.#forget(serviceId, () => this.#find(serviceId, id));
  }

  /** Returns every key, or those of a service, also such as are expired or revoked and not cleaned up. */
  list(serviceId?: string): KeyringEntry[] {
    return [...this.#held]
      .filter((held) => serviceId === undefined || held.serviceId === serviceId)
      .map((held) => held.entry());
  }

  /** Returns the keys with which sessions may be opened. */
  listActive(serviceId?: string): KeyringEntry[] {
    return this.list(serviceId).filter(({ state }) => state === 'active' || state === 'retiring');
  }

  /**
   * Forgets keys that are expired or revoked, with their files.
   *
   * @returns how many keys those were
   */
  cleanup(): Promise<number> {
    return this.#forget('', () => [...this.#held].filter((held) => !held.isUsable));
  }

  /** Lets go of the folder. Servers keep the keys they have. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#changing;
    this.#folder?.close();
  }

  /** Closes; for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Shows how many keys there are. */
  [inspect.custom](): string {
    return `Keyring(${this.listActive().length} active of ${this.#held.size} keys)`;
  }

  /**
   * Follows the keys of a service. Returns what ends that.
   *
   * @internal
   */
  static watch(keyring: Keyring, serviceId: string, watcher: KeyringWatcher): () => void {
    const watch = { serviceId, watcher };
    keyring.#watches.add(watch);
    return () => keyring.#watches.delete(watch);
  }

  /**
   * Returns the keys with which sessions of a service may be opened, and how long.
   *
   * @internal
   */
  static usable(keyring: Keyring, serviceId: string): { readonly key: Key; readonly left: number | undefined }[] {
    return [...keyring.#held].flatMap((held) =>
      held.serviceId === serviceId && held.isUsable && held.key !== undefined ? { key: held.key, left: held.left } : [],
    );
  }

  #addFirst(serviceId: string, key: Key | Uint8Array, options: KeyLifeOptions): Promise<KeyringEntry> {
    checkNames(options, ['ttl', 'protocol'], 'a key');
    return this.#change(serviceId, async () => {
      if (this.#active(serviceId) !== undefined)
        throw makeError('EIPC_KEY', `'${serviceId}' has a key; rotate() replaces it, revoke() or delete() ends it`);
      const made = this.#make(serviceId, key, options);
      await this.#keep(made, key, this.#kept());
      this.#admit(made);
      return made.entry();
    });
  }

  /** Makes what is held of a key, and checks that it may be this service's. */
  #make(
    serviceId: string,
    given: Key | Uint8Array,
    { ttl, protocol }: { ttl?: number; protocol?: 1 | 2 | undefined },
  ): HeldKey {
    if (ttl !== undefined) checkSpan('ttl', ttl);
    if (given instanceof Key && this.#folder !== undefined)
      throw new TypeError('a keyring in a folder needs the bytes of a key; a Key shows them to nobody');
    const key = given instanceof Key ? given : Key.fromBytes(given, protocol === undefined ? {} : { protocol });
    checkServiceId(serviceId, 'serviceId', key.protocol === 1 ? 1 : 2);
    const id = key.id === '' ? `v1-${randomBytes(8).toString('hex')}` : key.id;
    for (const other of this.#held) {
      const isSame = other.id === id || (other.key !== undefined && Key.native(other.key).isSame(Key.native(key)));
      if (isSame)
        throw makeError(
          'EIPC_KEY',
          `this key is in the keyring already, ${other.state}, as one of '${other.serviceId}'; make another one`,
        );
    }
    const kept = {
      id,
      serviceId,
      protocol: key.protocol,
      createdAt: Date.now(),
      endsAt: ttl === undefined ? undefined : endIn(ttl).at,
      isRetiring: false,
      isRevoked: false,
    };
    return new HeldKey(kept, key, this.#folder?.fileOf(serviceId, id));
  }

  /** Has a new key on the disk, and then in the index beside the others. */
  async #keep(made: HeldKey, given: Key | Uint8Array, others: readonly KeptKey[]): Promise<void> {
    const folder = this.#folder;
    if (folder === undefined || made.file === undefined || given instanceof Key) return;
    await folder.write(made.file, given, made.protocol);
    try {
      await folder.writeIndex([...others, made.kept()]);
    } catch (error) {
      await folder.erase(made.file).catch(() => undefined);
      throw error;
    }
  }

  #admit(made: HeldKey): void {
    this.#held.add(made);
    if (made.key !== undefined) this.#tell(made.serviceId, (watcher, key) => watcher.added(key, made.left), made.key);
  }

  #forget(serviceId: string, which: () => readonly HeldKey[]): Promise<number> {
    return this.#change(serviceId, async () => {
      const found = which();
      for (const held of found) {
        this.#held.delete(held);
        if (held.key !== undefined) this.#tell(held.serviceId, (watcher, key) => watcher.removed(key), held.key);
      }
      if (found.length > 0) await this.#folder?.writeIndex(this.#kept());
      for (const { file } of found) if (file !== undefined) await this.#folder?.erase(file);
      return found.length;
    });
  }

  #kept(): KeptKey[] {
    return [...this.#held].map((held) => held.kept());
  }

  #active(serviceId: string): HeldKey | undefined {
    return [...this.#held].findLast((held) => held.serviceId === serviceId && held.state === 'active');
  }

  #find(serviceId: string, id: string | undefined): HeldKey[] {
    return [...this.#held].filter((held) => held.serviceId === serviceId && (id === undefined || held.id === id));
  }

  #noSuchKey(serviceId: string, id: string | undefined): EipcError {
    const which = id === undefined ? `'${serviceId}' has no key` : `'${serviceId}' has no key ${inspect(id)}`;
    return makeError('EIPC_KEY', `${which} that could be revoked`);
  }

  #tell(serviceId: string, tell: (watcher: KeyringWatcher, key: Key) => void, key: Key): void {
    for (const watch of this.#watches) if (watch.serviceId === serviceId) tell(watch.watcher, key);
  }

  /** Runs a change when those before it are done. */
  #change<T>(serviceId: string, change: () => Promise<T>): Promise<T> {
    if (typeof serviceId !== 'string') throw new TypeError(`serviceId must be a string, not ${inspect(serviceId)}`);
    if (this.#isClosed) return Promise.reject(makeError('EIPC_CLOSED', 'the keyring is closed'));
    const changed = this.#changing.then(change);
    this.#changing = changed.catch(() => undefined);
    return changed;
  }
}

function checkSpan(name: string, value: number): void {
  if (typeof value === 'number' && value > 0 && value <= MAX_TTL) return;
  if (typeof value !== 'number') duration(name, value);
  throw new RangeError(`${name} is ${value}; it must be from above 0 to ${MAX_TTL} milliseconds`);
}
