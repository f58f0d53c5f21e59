/**
 * Once before all package tests: stages and packs eipc and its platform packages as a release does, packs its runtime dependencies as
 * they are installed here, and offers all of them in a registry on this machine.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

import { npmEnvironment } from './npm-environment.js';
import { Registry } from './registry.js';
import type { Manifest } from './registry.js';

const run = promisify(execFile);

/** A package as `npm pack` made it. */
export interface Packed {
  readonly name: string;
  readonly manifest: Manifest;
  readonly tarball: string;
  /** Paths in the package, sorted. */
  readonly files: readonly string[];
  /** Bytes of the tarball, and of what is in it. */
  readonly size: number;
  readonly unpackedSize: number;
}

declare module 'vitest' {
  interface ProvidedContext {
    /** Where everything of this run lies. */
    readonly folder: string;
    readonly registry: string;
    readonly eipc: Packed;
    readonly platforms: readonly Packed[];
    /** Names of eipc's runtime dependencies. */
    readonly dependencies: readonly string[];
  }
}

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'eipc-package-'));
  const staged = join(folder, 'staged');
  const { stdout } = await run(process.execPath, ['scripts/stage-packages.js', staged, '--placeholders']);
  process.stdout.write(`\nBinaries in this run (a placeholder proves only that npm chooses its package):\n${stdout}\n`);

  const platformFolders = readdirSync(join(staged, 'npm')).map((platform) => join(staged, 'npm', platform));
  const { dependencies = {} } = manifestOf(staged);
  const names = Object.keys(dependencies);
  const packed = await pack(
    [staged, ...platformFolders, ...names.map((name) => resolve('node_modules', name))],
    join(folder, 'tarballs'),
  );
  const [eipc, ...others] = packed;
  if (eipc === undefined) throw new Error('nothing was packed');
  const registry = await Registry.start(packed);

  provide('folder', folder);
  provide('registry', registry.url);
  provide('eipc', eipc);
  provide('platforms', others.slice(0, platformFolders.length));
  provide('dependencies', names);
  return async () => {
    await registry.close();
    rmSync(folder, { recursive: true, force: true });
  };
}

async function pack(folders: readonly string[], destination: string): Promise<Packed[]> {
  mkdirSync(destination, { recursive: true });
  const args = ['pack', ...folders, '--json', '--ignore-scripts', '--pack-destination', destination];
  const { stdout } = await run('npm', args, { env: npmEnvironment(destination, ''), maxBuffer: 1 << 24 });
  const reports = JSON.parse(stdout) as readonly (Omit<Packed, 'files' | 'manifest' | 'tarball'> & {
    readonly filename: string;
    readonly files: readonly { readonly path: string }[];
  })[];
  return folders.map((folder) => {
    const manifest = manifestOf(folder);
    const report = reports.find(({ name }) => name === manifest.name);
    if (report === undefined) throw new Error(`npm did not pack ${folder}`);
    const { name, size, unpackedSize } = report;
    const files = report.files.map(({ path }) => path).sort();
    return { name, manifest, tarball: join(destination, report.filename), files, size, unpackedSize };
  });
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}
