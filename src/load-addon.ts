/**
 * Finds and loads the addon for this platform. The one place that knows where binaries are, and what to say when there is none
 * (docs/decisions/0006 on why this is not the loader that @napi-rs/cli generates).
 */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type * as Addon from '../index.d.ts';

const require = createRequire(import.meta.url);

/** Platforms with a binary, as package names end: `napi.targets` of package.json in napi's other spelling. */
const PLATFORMS = [
  'linux-x64-gnu',
  'linux-x64-musl',
  'linux-arm64-gnu',
  'linux-arm64-musl',
  'linux-arm-gnueabihf',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64-msvc',
  'win32-arm64-msvc',
];

/**
 * Loads the binary that was built here, or else the one of this platform's package.
 *
 * @throws Error that names the platform, the package and the remedy
 */
export function loadAddon(): typeof Addon {
  const platform = platformName();
  const here = `${platform} (Node.js ${process.version})`;
  if (!PLATFORMS.includes(platform)) {
    throw new Error(
      `eipc has no binary for ${here}, only for ${PLATFORMS.join(', ')}; for this platform it has to be built from its repository`,
    );
  }
  const { version } = require('../package.json') as { version: string };
  const path = builtHere(platform) ?? installed(platform, version, here);
  let addon: typeof Addon;
  try {
    addon = require(path) as typeof Addon;
  } catch (cause) {
    throw new Error(
      `eipc cannot load ${path} on ${here}: ${String(cause)}\n` +
        `The file is damaged or for another platform. ${REINSTALL}`,
      { cause },
    );
  }
  if (addon.VERSION !== version) {
    throw new Error(
      `eipc ${version} cannot use ${path}, which is of version ${addon.VERSION ?? 'unknown'}: both must have the same. ${REINSTALL}`,
    );
  }
  return addon;
}

const REINSTALL =
  'Remove node_modules and run `npm install` again on this machine (in the repository of eipc: `make build`).';

/** In the repository the binary lies beside package.json; no package ships it there. */
function builtHere(platform: string): string | undefined {
  const path = fileURLToPath(new URL(`../eipc.${platform}.node`, import.meta.url));
  return existsSync(path) ? path : undefined;
}

function installed(platform: string, version: string, here: string): string {
  const name = `eipc-${platform}`;
  try {
    return require.resolve(name);
  } catch (cause) {
    throw new Error(
      `eipc needs the package ${name}@${version} on ${here}, and it is not installed.\n` +
        'It is an optional dependency of eipc, so npm goes on without it: run `npm install` again on this machine and without ' +
        '--omit=optional. If node_modules or package-lock.json came from another platform, remove both first. ' +
        'To install for another platform than the one npm runs on, give --os, --cpu and --libc.',
      { cause },
    );
  }
}

function platformName(): string {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform === 'win32') return `${name}-msvc`;
  if (process.platform !== 'linux') return name;
  if (process.arch === 'arm') return `${name}-gnueabihf`;
  return `${name}-${isMusl() ? 'musl' : 'gnu'}`;
}

/**
 * Whether this very program runs on musl. Its dynamic loader is named right behind its program headers; asking `process.report` instead
 * takes 30 ms and waits for every Worker.
 */
function isMusl(): boolean {
  const head = Buffer.alloc(4_096);
  const program = openSync('/proc/self/exe', 'r');
  try {
    readSync(program, head);
  } finally {
    closeSync(program);
  }
  return head.includes('/ld-musl-');
}
