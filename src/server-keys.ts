/**
 * The keys of a server that come from keyrings: a change of a keyring reaches the server's handshakes at once. Sessions are the server's.
 */
import { nativeError } from './errors.js';
import type { EipcError } from './errors.js';
import { Key, nativeKey } from './key.js';
import { Keyring } from './keyring/keyring.js';
import type { NativeServer } from './native.js';
import type { Grants } from './rights.js';
import { isFor } from './services.js';
import type { LiveService } from './services.js';

/** Milliseconds after which no handshake can have been done natively, and not told of here, under a key that was revoked. */
const REMEMBERED = 60_000;

/** What became of a key. */
export type KeyChange = 'key.add' | 'key.end' | 'key.remove' | 'key.revoke';

/** How the keys speak to their server. */
export interface ServerKeysOwner {
  changed(serviceId: string, change: KeyChange, key: Key): void;
  /** A key of a keyring cannot be used here. */
  refused(serviceId: string, error: EipcError): void;
}

/** Follows keyrings. */
export class ServerKeys {
  readonly #native: NativeServer;
  readonly #grants: Grants;
  readonly #owner: ServerKeysOwner;
  readonly #unwatch: (() => void)[] = [];
  readonly #revoked = new Map<Key, number>();

  constructor(native: NativeServer, services: readonly LiveService[], grants: Grants, owner: ServerKeysOwner) {
    this.#native = native;
    this.#grants = grants;
    this.#owner = owner;
    for (const service of services) this.#follow(service);
  }

  /** Keys that were revoked a moment ago: a session under one may come to be known only now. */
  get revoked(): Iterable<Key> {
    return this.#revoked.keys();
  }

  /** Follows no more. */
  close(): void {
    for (const unwatch of this.#unwatch.splice(0)) unwatch();
  }

  #follow(service: LiveService): void {
    const { id, keyring } = service;
    for (const { key, left } of Keyring.usable(keyring, id)) if (left !== undefined) this.#end(key, left);
    this.#unwatch.push(
      Keyring.watch(keyring, id, {
        added: (key, left) => this.#add(service, key, left),
        ended: (key, left) => {
          this.#end(key, left);
          this.#owner.changed(id, 'key.end', key);
        },
        removed: (key) => {
          this.#native.removeKey(Key.native(key));
          this.#owner.changed(id, 'key.remove', key);
        },
        revoked: (key) => {
          this.#native.removeKey(Key.native(key));
          this.#remember(key);
          this.#owner.changed(id, 'key.revoke', key);
        },
      }),
    );
  }

  #add({ id, protocols, isShared }: LiveService, key: Key, left: number | undefined): void {
    try {
      const capabilities = [...this.#grants.of(id)];
      for (const protocol of protocols) {
        if (isFor(key, id, protocol, protocols, isShared))
          this.#native.addKey(id, nativeKey(key, protocol), capabilities, protocol);
      }
      if (left !== undefined) this.#end(key, left);
      this.#owner.changed(id, 'key.add', key);
    } catch (error) {
      this.#owner.refused(id, nativeError(error, `the new key of '${id}' cannot be used here`));
    }
  }

  #end(key: Key, left: number): void {
    this.#native.endKey(Key.native(key), left);
  }

  #remember(key: Key): void {
    const now = performance.now();
    for (const [other, at] of this.#revoked) if (now - at > REMEMBERED) this.#revoked.delete(other);
    this.#revoked.set(key, now);
  }
}
