/**
 * Who of this machine's other users may connect: the option `access`, checked. What it is applied to is in `transport/access.ts`.
 */
import { inspect } from 'node:util';

import { checkNames } from './check.js';
import type { Access } from './options.js';

/** Users and groups that may connect. */
export interface AccessSettings {
  readonly uids: ReadonlySet<number>;
  readonly gids: ReadonlySet<number>;
}

/** The largest id there is. The number above it is how the kernel says "nobody in particular". */
const MAX_ID = 4_294_967_294;

/** Checks the option `access`; absent, this server's own user is all there is. */
export function accessSettings(access: Access | undefined): AccessSettings | undefined {
  if (access === undefined) return undefined;
  checkNames(access, ['uids', 'gids'], 'access');
  const { uids, gids } = access;
  if (uids === undefined && gids === undefined)
    throw new TypeError('access names nobody; give uids, gids or both, or leave it out for your own user alone');
  return { uids: ids('access.uids', uids), gids: ids('access.gids', gids) };
}

function ids(name: string, list: readonly number[] | undefined): ReadonlySet<number> {
  if (list === undefined) return new Set();
  if (!Array.isArray(list))
    throw new TypeError(`${name} must be a list of numbers such as [1001], not ${inspect(list)}`);
  if (list.length === 0) throw new RangeError(`${name} is empty; leave it out, or name who may connect`);
  for (const id of list as readonly unknown[]) {
    if (typeof id !== 'number')
      throw new TypeError(
        `${name} has ${inspect(id)} in it; give numbers, as \`id -u NAME\` and \`id -g NAME\` print them`,
      );
    if (!Number.isInteger(id) || id < 0 || id > MAX_ID)
      throw new RangeError(`${name} has ${id} in it; an id is a whole number from 0 to ${MAX_ID}`);
  }
  return new Set(list);
}
