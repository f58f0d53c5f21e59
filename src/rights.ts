/**
 * What the services of a server may do, as of now. A session does not copy its rights: its peer has the set of its service, so that a change
 * holds for every session and every message that waits, and asking costs what asking a set costs.
 */
import { inspect } from 'node:util';

import { checkCapability } from './check.js';

/** The most capabilities a service can have: what a client of EIPC/2 lets itself be told (docs/wire.md, "SessionAccept"). */
const MAX_CAPABILITIES = 256;

/** The capabilities of one service. Only `Grants` changes it: whoever is given it, a handler for one, reads it. */
export class Rights extends Set<string> {
  constructor(capabilities: Iterable<string>) {
    super();
    for (const capability of capabilities) super.add(capability);
  }

  /** @throws TypeError always */
  override add(capability: string): never {
    throw notHere('add', capability);
  }

  /** @throws TypeError always */
  override delete(capability: string): never {
    throw notHere('delete', capability);
  }

  /** @throws TypeError always */
  override clear(): never {
    throw new TypeError('the capabilities of a peer are not changed here; use server.revoke(serviceId, capability)');
  }
}

/** Those of who has none. */
export const NO_RIGHTS: ReadonlySet<string> = new Rights([]);

/** The rights of all services of one server. */
export class Grants {
  readonly #rights = new Map<string, Rights>();

  /** @throws RangeError when a service has more capabilities than a client can be told */
  constructor(services: Iterable<readonly [string, readonly string[]]>) {
    for (const [serviceId, capabilities] of services) {
      const rights = new Rights(capabilities);
      checkCount(serviceId, rights.size);
      this.#rights.set(serviceId, rights);
    }
  }

  /** Returns what a service may do: now, and in this set also later. Nothing, for an id that is no service's. */
  of(serviceId: string): ReadonlySet<string> {
    return this.#rights.get(serviceId) ?? NO_RIGHTS;
  }

  /**
   * Gives a service a capability.
   *
   * @param tell - called with all of them before it counts; nothing changes when it throws
   * @returns whether it did not have it
   * @throws RangeError for a service that there is not, for what is no capability, and for too many of them
   */
  grant(serviceId: string, capability: string, tell: (capabilities: string[]) => void = () => {}): boolean {
    const rights = this.#known(serviceId, capability);
    if (rights.has(capability)) return false;
    checkCount(serviceId, rights.size + 1);
    tell([...rights, capability]);
    Set.prototype.add.call(rights, capability);
    return true;
  }

  /**
   * Takes a capability from a service: from here on nothing begins that needs it.
   *
   * @param tell - called with those that are left
   * @returns whether it had it
   * @throws RangeError for a service that there is not, and for what is no capability
   */
  revoke(serviceId: string, capability: string, tell: (capabilities: string[]) => void = () => {}): boolean {
    const rights = this.#known(serviceId, capability);
    if (!Set.prototype.delete.call(rights, capability)) return false;
    tell([...rights]);
    return true;
  }

  #known(serviceId: string, capability: string): Rights {
    checkCapability(capability, 'a capability');
    const rights = this.#rights.get(serviceId);
    if (rights !== undefined) return rights;
    const known = [...this.#rights.keys()].map((id) => `'${id}'`).join(', ');
    throw new RangeError(`${inspect(serviceId)} is no service here; there are ${known === '' ? 'none' : known}`);
  }
}

function checkCount(serviceId: string, count: number): void {
  if (count > MAX_CAPABILITIES)
    throw new RangeError(
      `'${serviceId}' would have ${count} capabilities; a service can have ${MAX_CAPABILITIES}, so let one stand for several`,
    );
}

function notHere(what: string, capability: string): TypeError {
  return new TypeError(
    `the capabilities of a peer are not changed here (${what} ${inspect(capability)}); use server.grant and server.revoke`,
  );
}
