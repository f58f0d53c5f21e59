/**
 * Which capability allows which action. A router that is given one asks it for every message (`handle(type, { capability: checker }, …)`);
 * who has which capability is the server's (`rights.ts`).
 */
import { inspect } from 'node:util';

import { checkCapability } from './check.js';
import { makeError } from './errors.js';
import type { EipcError } from './errors.js';

/** The longest name of an action, in characters. */
const MAX_ACTION = 255;
const ACTION = new RegExp(`^[\\x21-\\x7e]{1,${MAX_ACTION}}$`);

/**
 * Tells which capabilities allow an action. What no capability allows is denied, to everybody.
 *
 * @example
 * const rights = new CapabilityChecker({ 'ui:control': ['ui.cursor.move', 'ui.click'], 'device:write': ['motor.move'] });
 * server.router.handle('intent', { capability: rights }, (message) => ({ status: 'ok' }));
 */
export class CapabilityChecker {
  /** The capabilities that allow an action. */
  readonly #allowing = new Map<string, Set<string>>();

  /**
   * @param map - the actions that each capability allows
   * @throws TypeError or RangeError for what is no such map
   */
  constructor(map: Readonly<Record<string, readonly string[]>> = {}) {
    if (typeof map !== 'object' || map === null)
      throw new TypeError(`a CapabilityChecker is made of { capability: [actions] }, not of ${inspect(map)}`);
    for (const [capability, actions] of Object.entries(map)) {
      if (!Array.isArray(actions))
        throw new TypeError(`the actions of '${capability}' must be a list, not ${inspect(actions)}`);
      for (const action of actions as readonly string[]) this.grant(capability, action);
    }
  }

  /**
   * Checks that one of some capabilities allows an action.
   *
   * @throws CapabilityError `EIPC_CAPABILITY` when none does, so also when there are none
   */
  check(capabilities: Iterable<string>, action: string): void {
    const allowing = this.#allowing.get(action);
    if (allowing !== undefined) for (const capability of capabilities) if (allowing.has(capability)) return;
    throw makeError('EIPC_CAPABILITY', this.#whyNot(action));
  }

  /** Has a capability allow an action, from the next message on. Returns false when it does already. */
  grant(capability: string, action: string): boolean {
    checkPair(capability, action);
    const allowing = this.#allowing.get(action);
    if (allowing === undefined) this.#allowing.set(action, new Set([capability]));
    else if (allowing.has(capability)) return false;
    else allowing.add(capability);
    return true;
  }

  /** Has a capability no longer allow an action, from the next message on. Returns false when it does not. */
  revoke(capability: string, action: string): boolean {
    checkPair(capability, action);
    const allowing = this.#allowing.get(action);
    if (allowing?.delete(capability) !== true) return false;
    if (allowing.size === 0) this.#allowing.delete(action);
    return true;
  }

  /** Returns what each capability allows now. */
  list(): Record<string, string[]> {
    const map: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
    for (const [action, allowing] of this.#allowing)
      for (const capability of allowing) (map[capability] ??= []).push(action);
    return map;
  }

  /**
   * Says why a peer may not do something; undefined when it may. Makes nothing unless it may not.
   *
   * @param granted - what the peer may do
   * @param claim - the capability of its message, which narrows that to itself; it holds it, or it is empty
   * @internal
   */
  refusal(granted: ReadonlySet<string>, claim: string, action: string | undefined): EipcError | undefined {
    if (action === undefined) return makeError('EIPC_CAPABILITY', 'a message that names no action is allowed nothing');
    const allowing = this.#allowing.get(action);
    if (allowing !== undefined) {
      if (claim !== '') {
        if (allowing.has(claim)) return undefined;
      } else {
        for (const capability of allowing) if (granted.has(capability)) return undefined;
      }
    }
    return makeError('EIPC_CAPABILITY', this.#whyNot(action));
  }

  #whyNot(action: string): string {
    const allowing = [...(this.#allowing.get(action) ?? [])].map((one) => inspect(one)).join(' or ');
    return allowing === '' ? `no capability allows ${inspect(action)}` : `${inspect(action)} needs ${allowing}`;
  }
}

function checkPair(capability: string, action: string): void {
  checkCapability(capability, 'a capability');
  if (typeof action !== 'string' || !ACTION.test(action))
    throw new RangeError(
      `${inspect(action)} is no action; an action is 1 to ${MAX_ACTION} printable ASCII characters without blanks, such as ui.click`,
    );
}
