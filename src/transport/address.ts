/**
 * Addresses: parsing them, printing them in one form, and finding the socket path behind `shm:` and `unix:`.
 *
 * All schemes are parsed here, so that a wrong address is told apart from a transport that this build does not have.
 */
import { lstat, mkdir } from 'node:fs/promises';
import { isIPv4, isIPv6 } from 'node:net';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { inspect } from 'node:util';

import { makeError, systemCode } from '../errors.js';
import { pipePath } from './pipe-path.js';

/** The ways to reach a peer. */
export type TransportName = 'shm' | 'unix' | 'tcp' | 'tls' | 'pipe' | 'memory';

/** A port of a machine. */
interface HostAndPort {
  /** A name in small letters, or an IP address in canonical form without brackets. */
  readonly host: string;
  readonly port: number;
  /** Whether nothing sent there leaves this machine: `localhost`, 127.0.0.0/8, ::1. Any other name may lead anywhere. */
  readonly isLoopback: boolean;
  readonly text: string;
}

/** A parsed address. `text` is its canonical form. */
export type Address =
  | { readonly transport: 'unix'; readonly path: string; readonly text: string }
  | { readonly transport: 'shm'; readonly path: string; readonly text: string }
  | { readonly transport: 'shm'; readonly path: null; readonly name: string; readonly text: string }
  | ({ readonly transport: 'tcp' } & HostAndPort)
  | ({ readonly transport: 'tls' } & HostAndPort)
  | { readonly transport: 'pipe'; readonly name: string; readonly text: string }
  | { readonly transport: 'memory'; readonly name: string; readonly text: string };

/** An address behind which there is the path of a socket. */
export type PathAddress = Extract<Address, { transport: 'unix' | 'shm' }>;
export type TcpAddress = Extract<Address, { transport: 'tcp' }>;
export type TlsAddress = Extract<Address, { transport: 'tls' }>;
/** An address of a port of a machine. */
export type NetworkAddress = TcpAddress | TlsAddress;
export type PipeAddress = Extract<Address, { transport: 'pipe' }>;
export type MemoryAddress = Extract<Address, { transport: 'memory' }>;

const NAME = /^[a-z0-9._-]{1,64}$/;
const SOCKET_PATH_LIMITS = { linux: 107, darwin: 103 } as const;
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?$/;
/** 127.0.0.0/8 in the canonical form of an IPv6 address that stands for an IPv4 address. */
const MAPPED_LOOPBACK = /^::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}$/;

/**
 * Parses an address.
 *
 * @throws TypeError when it is not a string, RangeError when it is no address, naming the part and the remedy
 */
export function parseAddress(text: string): Address {
  if (typeof text !== 'string') throw new TypeError(`an address is a string such as 'shm:eai', not ${inspect(text)}`);
  const colon = text.indexOf(':');
  const scheme = colon === -1 ? '' : text.slice(0, colon);
  const rest = text.slice(colon + 1);
  // A NUL would end the path early in the kernel: another socket than the one that was checked.
  if (text.includes('\0')) throw fault(text, 'contains a NUL character');
  if (text.includes('?')) throw fault(text, 'has a query string; give options to connect() or listen() instead');
  switch (scheme) {
    case 'unix':
      if (!isAbsolute(rest)) throw fault(text, 'needs an absolute path, such as unix:/run/eai.sock');
      return { transport: 'unix', path: checkSocketPath(rest), text: `unix:${rest}` };
    case 'shm':
      if (isAbsolute(rest)) return { transport: 'shm', path: checkSocketPath(rest), text: `shm:${rest}` };
      return { transport: 'shm', name: checkName(text, rest), path: null, text: `shm:${rest}` };
    case 'pipe':
    case 'memory':
      return { transport: scheme, name: checkName(text, rest), text: `${scheme}:${rest}` };
    case 'tcp':
    case 'tls':
      return parseHostPort(text, scheme, rest);
    default:
      throw fault(
        text,
        'has no scheme that is known; use shm:NAME, unix:/path, tcp://host:port, tls://host:port, pipe:NAME or memory:NAME',
      );
  }
}

/**
 * Refuses transports that this platform does not have: the one place that knows which.
 *
 * @throws TransportError naming those it has
 */
export function requireSupported(address: Address): Address {
  const isWindows = process.platform === 'win32';
  const others = isWindows
    ? 'pipe:NAME, tcp://127.0.0.1:port or tls://host:port'
    : 'shm:NAME, unix:/path, tcp://host:port or tls://host:port';
  const { transport, text } = address;
  if (isWindows && (transport === 'shm' || transport === 'unix'))
    throw makeError(
      'EIPC_TRANSPORT',
      `${text}: the transport '${transport}' is not available on Windows; use ${others}`,
    );
  if (transport === 'pipe' && pipePath(address.name) === undefined)
    throw makeError('EIPC_TRANSPORT', `${text}: named pipes are Windows' own; on this system use ${others}`);
  return address;
}

/**
 * Returns the path of the socket behind an address. For `shm:NAME` that is a file in a folder of this user's, which is made if `create`
 * says so, and must be a real folder, ours, and closed to others (docs/shm-abi.md, "Names").
 *
 * @throws TransportError when the folder is not fit, RangeError when the path is too long
 */
export async function socketPath(address: PathAddress, create: boolean): Promise<string> {
  if (address.path !== null) return address.path;
  const folder = runtimeFolder();
  const path = checkSocketPath(join(folder, address.name));
  if (create) await mkdir(folder, { mode: 0o700, recursive: false }).catch(ignoreExisting);
  await checkFolder(folder, address.text);
  return path;
}

function runtimeFolder(): string {
  const runtime = process.env['XDG_RUNTIME_DIR'];
  if (runtime !== undefined && isAbsolute(runtime)) return join(runtime, 'eipc');
  return join(tmpdir(), `eipc-${process.geteuid?.() ?? 'user'}`);
}

async function checkFolder(folder: string, address: string): Promise<void> {
  let status;
  try {
    status = await lstat(folder);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') {
      throw makeError(
        'EIPC_TRANSPORT',
        `no server listens on ${address}: the folder ${folder} does not exist; start the server first, as the same user`,
        { cause },
      );
    }
    throw makeError('EIPC_TRANSPORT', `${address}: the folder ${folder} cannot be looked at`, { cause });
  }
  const uid = process.geteuid?.();
  const mode = status.mode & 0o777;
  const fit = status.isDirectory() && (uid === undefined || (status.uid === uid && mode === 0o700));
  if (!fit) {
    throw makeError(
      'EIPC_TRANSPORT',
      `${address}: ${folder} must be a folder of this user with mode 0700, but it is ${status.isDirectory() ? `uid ${status.uid}, mode ${mode.toString(8)}` : 'no folder'}; somebody else may have put it there`,
    );
  }
}

function ignoreExisting(error: unknown): void {
  if (systemCode(error) !== 'EEXIST')
    throw makeError('EIPC_TRANSPORT', 'the folder for shm names cannot be made', { cause: error });
}

function checkSocketPath(path: string): string {
  const limit = process.platform === 'darwin' ? SOCKET_PATH_LIMITS.darwin : SOCKET_PATH_LIMITS.linux;
  const length = Buffer.byteLength(path);
  if (length > limit) {
    throw new RangeError(
      `the socket path ${path} has ${length} bytes; the system takes ${SOCKET_PATH_LIMITS.linux} on Linux and ${SOCKET_PATH_LIMITS.darwin} on macOS: use a shorter one`,
    );
  }
  return path;
}

function checkName(text: string, name: string): string {
  if (NAME.test(name) && name !== '.' && name !== '..') return name;
  throw fault(text, 'needs a name of 1 to 64 characters out of a-z 0-9 . _ - (or, for shm, an absolute path)');
}

/** Prints a machine and a port as an address. */
export function hostAndPort(transport: 'tcp' | 'tls', host: string, port: number): string {
  return `${transport}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function parseHostPort(text: string, transport: 'tcp' | 'tls', rest: string): Address {
  const match = /^\/\/(?:\[([^\]]*)\]|([^:[\]/@\s]*)):(\d{1,5})$/.exec(rest);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw fault(text, `needs the form ${transport}://host:port, with IPv6 in brackets and a port from 0 to 65535`);
  const host = checkHost(text, match[1], match[2] ?? '');
  const isLoopback =
    host === 'localhost' ||
    host === '::1' ||
    // 127.example.org is a name like any other.
    (isIPv4(host) && host.startsWith('127.')) ||
    MAPPED_LOOPBACK.test(host);
  return { transport, host, port, isLoopback, text: hostAndPort(transport, host, port) };
}

/** Returns a host in canonical form: small letters, the shortest form of an IPv6 address. */
function checkHost(text: string, ipv6: string | undefined, name: string): string {
  if (ipv6 !== undefined) {
    // A zone (fe80::1%eth0) is refused with the rest: URL knows none.
    if (!isIPv6(ipv6) || ipv6.includes('%')) throw fault(text, 'has no IPv6 address between its brackets');
    return new URL(`http://[${ipv6}]`).hostname.slice(1, -1);
  }
  // Without a host: loopback, never all interfaces.
  if (name === '') return '127.0.0.1';
  const host = name.toLowerCase();
  if (!HOST_NAME.test(host))
    throw fault(text, 'needs a host name of letters, digits, dots and hyphens, or an IP address');
  return host;
}

function fault(text: string, what: string): RangeError {
  return new RangeError(`the address ${inspect(text)} ${what}`);
}
