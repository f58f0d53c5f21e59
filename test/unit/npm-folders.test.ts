/** npm/ against package.json: a platform package that says the wrong thing is skipped by npm without a word. */
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly repository: unknown;
  readonly engines: { readonly node: string };
  readonly os: readonly string[];
  readonly cpu: readonly string[];
  readonly libc?: readonly string[];
  readonly main: string;
  readonly files: readonly string[];
}

interface RootManifest extends Manifest {
  readonly napi: { readonly targets: readonly string[] };
  readonly scripts: Readonly<Record<string, string>>;
}

/** What npm compares with the machine it installs on: `os` and `cpu` are Node's names, `libc` is npm's. */
const PLATFORMS = {
  'x86_64-unknown-linux-gnu': { folder: 'linux-x64-gnu', os: ['linux'], cpu: ['x64'], libc: ['glibc'] },
  'aarch64-unknown-linux-gnu': { folder: 'linux-arm64-gnu', os: ['linux'], cpu: ['arm64'], libc: ['glibc'] },
  'x86_64-unknown-linux-musl': { folder: 'linux-x64-musl', os: ['linux'], cpu: ['x64'], libc: ['musl'] },
  'aarch64-unknown-linux-musl': { folder: 'linux-arm64-musl', os: ['linux'], cpu: ['arm64'], libc: ['musl'] },
  'armv7-unknown-linux-gnueabihf': { folder: 'linux-arm-gnueabihf', os: ['linux'], cpu: ['arm'], libc: ['glibc'] },
  'x86_64-apple-darwin': { folder: 'darwin-x64', os: ['darwin'], cpu: ['x64'], libc: undefined },
  'aarch64-apple-darwin': { folder: 'darwin-arm64', os: ['darwin'], cpu: ['arm64'], libc: undefined },
  'x86_64-pc-windows-msvc': { folder: 'win32-x64-msvc', os: ['win32'], cpu: ['x64'], libc: undefined },
  'aarch64-pc-windows-msvc': { folder: 'win32-arm64-msvc', os: ['win32'], cpu: ['arm64'], libc: undefined },
} as const;

const ROOT = new URL('../../', import.meta.url);
const root = manifestIn('.') as RootManifest;
const targets = Object.entries(PLATFORMS);

test('package.json names exactly these targets, and npm/ has a folder for each', () => {
  expect([...root.napi.targets].sort()).toEqual(targets.map(([target]) => target).sort());
  expect(readdirSync(new URL('npm/', ROOT)).sort()).toEqual(targets.map(([, { folder }]) => folder).sort());
});

describe.each(targets)('the package for %s', (_target, { folder, os, cpu, libc }) => {
  const manifest = manifestIn(`npm/${folder}`);

  it('is installed exactly where its binary runs', () => {
    expect(manifest).toMatchObject({ os, cpu });
    expect(manifest.libc).toEqual(libc);
  });

  it('holds the binary under the name by which the loader knows it, and nothing that runs at installation', () => {
    expect(manifest.name).toBe(`eipc-${folder}`);
    expect(manifest.main).toBe(`eipc.${folder}.node`);
    expect(manifest.files).toEqual([manifest.main]);
    expect(Object.keys(manifest)).not.toContain('scripts');
    expect(Object.keys(manifest)).not.toContain('dependencies');
  });

  it('takes every Node that eipc takes: npm skips one that does not', () => {
    expect(manifest.engines).toEqual(root.engines);
  });

  it('says where it comes from and what it is', () => {
    const { version, license, repository } = root;
    expect(manifest).toMatchObject({ version, license, repository });
    expect(manifest.description).toContain(folder);
    expect(readFileSync(new URL(`npm/${folder}/README.md`, ROOT), 'utf8')).toContain(`# eipc-${folder}\n`);
  });
});

describe('the version', () => {
  it('is the same in package.json, package-lock.json and Cargo.toml', () => {
    const lock = JSON.parse(readFileSync(new URL('package-lock.json', ROOT), 'utf8')) as Manifest;
    const cargo = readFileSync(new URL('Cargo.toml', ROOT), 'utf8');
    expect(lock.version).toBe(root.version);
    expect(/^\[workspace\.package\]\nversion = "(.+)"$/m.exec(cargo)?.[1]).toBe(root.version);
  });
});

describe('package.json of the repository', () => {
  it('runs nothing at installation', () => {
    const installScripts = [
      'preinstall',
      'install',
      'postinstall',
      'prepare',
      'prepublish',
      'preprepare',
      'postprepare',
    ];
    expect(Object.keys(root.scripts).filter((name) => installScripts.includes(name))).toEqual([]);
  });

  it('does not depend on the platform packages: they come in when the package is staged (docs/decisions/0006)', () => {
    expect(Object.keys(root)).not.toContain('optionalDependencies');
    expect(readFileSync(new URL('package-lock.json', ROOT), 'utf8')).not.toMatch(/"(?:node_modules\/)?eipc-/);
  });
});

function manifestIn(folder: string): Manifest {
  return JSON.parse(readFileSync(new URL(`${folder}/package.json`, ROOT), 'utf8')) as Manifest;
}
