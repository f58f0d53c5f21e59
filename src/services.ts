/**
 * Who may connect, checked: a key names one service and nobody else, is for one protocol, and a service has an id of its own.
 */
import { inspect } from 'node:util';

import { checkCapability, checkNames, checkServiceId, flag } from './check.js';
import { Key, nativeKey } from './key.js';
import { Keyring } from './keyring/keyring.js';
import type { NativeKey, NativeService } from './native.js';
import type { ServiceOptions } from './options.js';
import { Grants } from './rights.js';

/** Keys of v1 at most: each is tried on a stranger's first frame (docs/wire.md, "Identity"). */
const MAX_V1_KEYS = 64;

/** The services of a server, by what they may speak. */
export interface Services {
  readonly eipc2: NativeService[];
  readonly v1: NativeService[];
  /** Those whose keys come from a keyring, and change with it. */
  readonly live: LiveService[];
  /** What each may do. */
  readonly grants: Grants;
}

/** A service whose keys come from a keyring. */
export interface LiveService {
  readonly id: string;
  readonly keyring: Keyring;
  readonly protocols: readonly Protocol[];
  readonly isShared: boolean;
}

type Protocol = 1 | 2;

/** A key and whose it is. */
interface Owned {
  readonly id: string;
  readonly key: NativeKey;
}

/**
 * Checks the services of a server.
 *
 * @param fallback - the protocol of services that do not list theirs
 */
export function nativeServices(
  services: Readonly<Record<string, ServiceOptions>>,
  serverId: string,
  fallback: Protocol,
): Services {
  if (typeof services !== 'object' || services === null)
    throw new TypeError(`services must be an object of service id → { key, capabilities }, not ${inspect(services)}`);
  const made: Omit<Services, 'grants'> = { eipc2: [], v1: [], live: [] };
  const granted: [string, string[]][] = [];
  const owned: Record<Protocol, Owned[]> = { 1: [], 2: [] };
  for (const [id, service] of Object.entries(services)) {
    checkNames(service, ['key', 'capabilities', 'protocols', 'dangerousSharedKey'], `services['${id}']`);
    const protocols = checkProtocols(service.protocols ?? [fallback], id);
    checkServiceId(id, 'a service id', protocols.includes(2) ? 2 : 1);
    if (id === serverId)
      throw new RangeError(
        `the service id '${id}' is the serverId too; the two ends of a connection need different ids`,
      );
    if (!Array.isArray(service.capabilities))
      throw new TypeError(`services['${id}'].capabilities must be a list, not ${inspect(service.capabilities)}`);
    const capabilities = service.capabilities.map((capability: unknown) =>
      checkCapability(capability, `a capability of services['${id}']`),
    );
    granted.push([id, capabilities]);
    const isShared = flag(`services['${id}'].dangerousSharedKey`, service.dangerousSharedKey);
    const { key } = service;
    const keyring = key instanceof Keyring ? key : undefined;
    if (keyring !== undefined) made.live.push({ id, keyring, protocols, isShared });
    const given = key instanceof Keyring ? Keyring.usable(key, id).map((one) => one.key) : isKeyList(key) ? key : [key];
    for (const protocol of protocols) {
      const keys = keysFor(given, id, protocol, protocols, isShared);
      // A keyring may get its first key while the server runs.
      if (keys.length === 0 && keyring === undefined) throw noKeyError(id, protocol);
      (protocol === 1 ? made.v1 : made.eipc2).push({ id, keys, capabilities });
      owned[protocol].push(...keys.map((key) => ({ id, key })));
    }
  }
  checkOwners(owned);
  return { ...made, grants: new Grants(granted) };
}

function checkProtocols(protocols: readonly Protocol[], id: string): readonly Protocol[] {
  const isList = Array.isArray(protocols) && protocols.length > 0;
  if (isList && protocols.every((one) => one === 1 || one === 2)) return [...new Set<Protocol>(protocols)];
  throw new RangeError(
    `services['${id}'].protocols is ${inspect(protocols)}; it must be a list of 1 (v1), 2 (EIPC/2) or both`,
  );
}

/** The keys of a service for one protocol: those made for it, and those made for neither. */
function keysFor(
  given: readonly (Key | Uint8Array)[],
  id: string,
  protocol: Protocol,
  protocols: readonly Protocol[],
  isShared: boolean,
): NativeKey[] {
  const fit: NativeKey[] = [];
  for (const one of given) {
    // Bytes are made into a key here, for the one protocol or for both.
    const key = one instanceof Key ? one : Key.fromBytes(one, protocols.length === 1 ? { protocol } : {});
    if (isFor(key, id, protocol, protocols, isShared)) fit.push(nativeKey(key, protocol));
  }
  return fit;
}

/**
 * Tells whether a key of a service is used in one of its protocols.
 *
 * @throws RangeError for a key that was made for neither, where the service speaks both
 */
export function isFor(
  key: Key,
  id: string,
  protocol: Protocol,
  protocols: readonly Protocol[],
  isShared: boolean,
): boolean {
  if (protocols.length === 1) return true;
  if (key.protocol !== undefined) return key.protocol === protocol;
  if (isShared) return true;
  throw new RangeError(
    `services['${id}'] speaks both protocols, and its key was made for neither; give it a key for each (\`Key.fromBytes(bytes, { protocol: 1 })\`), or write dangerousSharedKey: true`,
  );
}

function noKeyError(id: string, protocol: Protocol): RangeError {
  return new RangeError(
    `services['${id}'] has no key for protocol ${protocol}; the service needs at least one (\`Key.fromBytes(bytes, { protocol: ${protocol} })\`)`,
  );
}

/** A key that two services have tells neither from the other; one that a service lists twice for v1 is a mistake. */
function checkOwners(owned: Readonly<Record<Protocol, readonly Owned[]>>): void {
  if (owned[1].length > MAX_V1_KEYS)
    throw new RangeError(
      `${owned[1].length} keys for v1 are too many: a stranger's first frame is compared with each, so that ${MAX_V1_KEYS} is the most`,
    );
  const owners = new Map<string, string>();
  for (const { id, key } of owned[2]) {
    const owner = owners.get(key.id);
    if (owner !== undefined && owner !== id) throw sharedError(owner, id);
    owners.set(key.id, id);
  }
  for (const [at, one] of owned[1].entries()) {
    for (const other of [...owned[1].slice(0, at), ...owned[2]]) {
      if (!one.key.isSame(other.key)) continue;
      if (one.id !== other.id) throw sharedError(other.id, one.id);
      if (!owned[2].includes(other))
        throw new RangeError(
          `services['${one.id}'] has the same key twice, perhaps padded with zeros or hashed; leave one out`,
        );
    }
  }
}

function sharedError(one: string, other: string): RangeError {
  return new RangeError(
    `the services '${one}' and '${other}' have the same key, so neither could be told from the other; give each its own`,
  );
}

function isKeyList(key: Key | Uint8Array | readonly (Key | Uint8Array)[]): key is readonly (Key | Uint8Array)[] {
  return Array.isArray(key);
}
