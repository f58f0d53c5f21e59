/**
 * Where the attacked sessions of the demo run: for each transport, the address the EAI process binds for the decoy, and the
 * address of the proxy in front of it.
 */
import { join } from 'node:path';
import type { NetConnectOpts } from 'node:net';

/** A transport the decoy is attacked on. */
export interface Place {
  readonly scheme: 'unix' | 'shm' | 'tcp';
  /** Whether sessions come about through the proxy. The segment of shared memory does not pass it. */
  readonly carriesMessages: boolean;
}

/** One line for each transport. */
export const PLACES: readonly Place[] = [
  { scheme: 'unix', carriesMessages: true },
  { scheme: 'tcp', carriesMessages: true },
  { scheme: 'shm', carriesMessages: false },
];

/** The address to bind in a folder of this run's own. */
export function decoyAddress({ scheme }: Place, folder: string): string {
  return scheme === 'tcp' ? 'tcp://127.0.0.1:0' : `${scheme}:${join(folder, `decoy-${scheme}.sock`)}`;
}

/** Where the proxy in front of it listens. */
export function proxyListen({ scheme }: Place, folder: string): { path: string } | { host: string; port: number } {
  return scheme === 'tcp' ? { host: '127.0.0.1', port: 0 } : { path: join(folder, `path-${scheme}.sock`) };
}

/** The address of that proxy, for the decoy; `port` is the one it was given. */
export function proxyAddress(place: Place, folder: string, port: number | null): string {
  const listen = proxyListen(place, folder);
  return 'path' in listen ? `${place.scheme}:${listen.path}` : `${place.scheme}://${listen.host}:${port}`;
}

/** How to connect to an address as the EAI process has bound it, without the library. Of `tls` that is what carries it. */
export function targetOf(address: string): NetConnectOpts {
  const network = /^(?:tcp|tls):\/\/(.+):(\d+)$/.exec(address);
  if (network !== null) return { host: network[1] ?? '', port: Number(network[2]) };
  return { path: address.slice(address.indexOf(':') + 1) };
}
