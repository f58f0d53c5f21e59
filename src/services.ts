/**
 * Who may connect, checked: a key names one service and nobody else, and a service has an id of its own.
 */
import { inspect } from 'node:util';

import { checkNames, checkServiceId, later } from './check.js';
import type { Key } from './key.js';
import { nativeKey } from './key.js';
import type { NativeService } from './native.js';
import type { ServiceOptions } from './options.js';

/** Checks the services of a server. */
export function nativeServices(services: Readonly<Record<string, ServiceOptions>>, serverId: string): NativeService[] {
  if (typeof services !== 'object' || services === null)
    throw new TypeError(`services must be an object of service id → { key, capabilities }, not ${inspect(services)}`);
  const owners = new Map<string, string>();
  return Object.entries(services).map(([id, service]) => {
    checkServiceId(id, 'a service id');
    if (id === serverId)
      throw new RangeError(
        `the service id '${id}' is the serverId too; the two ends of a connection need different ids`,
      );
    checkNames(service, ['key', 'capabilities', 'protocols'], `services['${id}']`);
    if (service.protocols !== undefined && service.protocols.some((protocol) => protocol !== 2))
      throw later('protocols', service.protocols);
    if (!Array.isArray(service.capabilities))
      throw new TypeError(`services['${id}'].capabilities must be a list, not ${inspect(service.capabilities)}`);
    const keys = (isKeyList(service.key) ? service.key : [service.key]).map(nativeKey);
    if (keys.length === 0)
      throw new RangeError(`services['${id}'].key is an empty list; the service needs at least one key`);
    for (const key of keys) {
      const owner = owners.get(key.id);
      if (owner !== undefined && owner !== id)
        throw new RangeError(
          `the services '${owner}' and '${id}' have the same key, so neither could be told from the other; give each its own`,
        );
      owners.set(key.id, id);
    }
    return {
      id,
      keys,
      capabilities: service.capabilities.map((capability: unknown) => checkCapability(capability, id)),
    };
  });
}

function isKeyList(key: ServiceOptions['key']): key is readonly (Key | Uint8Array)[] {
  return Array.isArray(key);
}

function checkCapability(capability: unknown, id: string): string {
  if (typeof capability === 'string' && /^[\x21-\x7e]{1,255}$/.test(capability)) return capability;
  throw new RangeError(
    `services['${id}'] has the capability ${inspect(capability)}; a capability is 1 to 255 printable ASCII characters without blanks`,
  );
}
