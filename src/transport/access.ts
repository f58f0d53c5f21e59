/**
 * Access to local sockets: where other users may be let in, what that makes of a socket and its folder, and who is turned away. What the
 * kernel says about a peer decides, before a byte of it is read; who a service is remains the business of its key.
 */
import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { lstat, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { AccessSettings } from '../access-settings.js';
import { makeError, nativeError, systemCode } from '../errors.js';
import { socketPath } from './address.js';
import type { Address, PathAddress } from './address.js';
import type { RawConnection } from './raw-connection.js';

/** Only its owner can connect. */
const OWN_MODE = 0o600;
/** Everybody who gets to the folder can connect; the kernel's word on who that is decides. */
const SHARED_MODE = 0o666;
/** Others pass through, and neither see nor change what is in it. */
const SHARED_FOLDER_MODE = 0o711;
const WRITABLE_BY_OTHERS = 0o022;
const ENTERED_BY_OTHERS = 0o011;

/** Where a socket goes, and who can connect to it as far as its file is concerned. */
export interface SocketPlace {
  readonly path: string;
  readonly mode: number;
}

/**
 * Refuses `access` at addresses where it cannot be kept.
 *
 * @throws RangeError naming the address and what to do
 */
export function checkAccess(address: Address, access: AccessSettings | undefined): void {
  if (access === undefined) return;
  const { transport, text } = address;
  if (transport !== 'unix' && transport !== 'shm')
    throw new RangeError(
      `${text}: access is for unix: and shm:, where the kernel says which user is at the other end; leave it out here, where the key of a service decides alone`,
    );
  if (transport === 'shm' && address.path === null)
    throw new RangeError(
      `${text}: with access the socket needs a folder that others can enter, and that of names is closed to them; give a path, such as shm:/run/eai/eai.sock`,
    );
  // A segment with a name is its owner's alone (docs/shm-abi.md, "A named segment").
  if (transport === 'shm' && process.platform !== 'linux')
    throw new RangeError(
      `${text}: on this system another user cannot open a segment of shared memory; use unix: for other users`,
    );
}

/** Tells whether the kernel names somebody at the other end who is not let in: without `access`, anybody but this user. */
export function isRefusedUser({ credentials }: RawConnection, access: AccessSettings | undefined): boolean {
  if (access !== undefined)
    return credentials === undefined || !(access.uids.has(credentials.uid) || access.gids.has(credentials.gid));
  return process.geteuid !== undefined && credentials !== undefined && credentials.uid !== process.geteuid();
}

/**
 * Returns where to listen. With `access`, the folder is made if it is missing, and is one that nobody else can change.
 *
 * @throws TransportError when the folder is not fit, RangeError when the path is too long
 */
export async function placeSocket(address: PathAddress, access: AccessSettings | undefined): Promise<SocketPlace> {
  const path = await socketPath(address, true);
  if (access === undefined) return { path, mode: OWN_MODE };
  await openFolder(dirname(path), address.text);
  return { path, mode: SHARED_MODE };
}

async function openFolder(folder: string, address: string): Promise<void> {
  let status;
  try {
    if (await makeFolder(folder)) await giveMode(folder);
    status = await lstat(folder);
  } catch (error) {
    throw nativeError(error, `${address}: the folder ${folder} cannot be made`);
  }
  const fault = folderFault(status);
  if (fault === undefined) return;
  throw makeError(
    'EIPC_TRANSPORT',
    `${address}: with access the folder ${folder} must be this user's, closed to others' changes and open to their passing (mode 0711), but ${fault}; use a folder of its own, which \`listen\` makes if it is missing`,
  );
}

/** Returns whether it was missing. */
async function makeFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { mode: SHARED_FOLDER_MODE });
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Gives a folder that was just made the mode that the umask took from it. */
async function giveMode(folder: string): Promise<void> {
  // The folder itself, and never what somebody's link in its place leads to.
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await handle.chmod(SHARED_FOLDER_MODE);
  } finally {
    await handle.close();
  }
}

/** Whoever can change the folder can put a socket of his own in the place of ours. */
function folderFault(status: Stats): string | undefined {
  if (!status.isDirectory()) return 'it is no folder or a link to one';
  if (status.uid !== process.geteuid?.()) return `it belongs to uid ${status.uid}`;
  const mode = status.mode & 0o7777;
  if ((mode & WRITABLE_BY_OTHERS) !== 0) return `others can write to it (mode ${octal(mode)})`;
  if ((mode & ENTERED_BY_OTHERS) === 0) return `nobody else can enter it (mode ${octal(mode)})`;
  return undefined;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
