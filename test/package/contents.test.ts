/** What the packages contain: exactly the files of the committed lists, nothing that runs at installation, no more bytes than agreed. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { describe, expect, inject, it } from 'vitest';

const eipc = inject('eipc');
const platforms = inject('platforms');

const SOURCES = new URL('../../src/', import.meta.url);
const DOCUMENTS = ['CHANGELOG.md', 'LICENSE', 'README.md', 'index.d.ts', 'package.json'];

const require = createRequire(import.meta.url);
const ATTW = require.resolve('@arethetypeswrong/cli/package.json');

/** Bytes. Raise one only for a reason that the change log can give. */
const BUDGET = {
  eipc: { size: 400_000, unpackedSize: 1_400_000 },
  platform: { size: 1_000_000, unpackedSize: 2_500_000 },
};

/** npm runs these at installation, and builds by itself where it finds a binding.gyp. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish', 'preprepare', 'postprepare'];

describe('eipc', () => {
  it('ships each module of src/ compiled, with its types where it can be imported, a few documents, and no other file', () => {
    const modules = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((file) =>
      /(?<!\.d)\.ts$/.test(file),
    );
    const compiled = modules.flatMap((file) => {
      const base = `dist/${file.slice(0, -'.ts'.length)}`;
      return file.startsWith('cli/') ? [`${base}.js`] : [`${base}.js`, `${base}.d.ts`];
    });
    expect(new Set(eipc.files)).toEqual(new Set([...DOCUMENTS, ...compiled]));
  });

  it('runs nothing at installation', () => {
    expect(Object.keys(eipc.manifest.scripts ?? {}).filter((name) => INSTALL_SCRIPTS.includes(name))).toEqual([]);
    expect(eipc.files).not.toContain('binding.gyp');
  });

  it('depends on each platform package, optionally and by exact version', () => {
    const { version, optionalDependencies } = eipc.manifest;
    expect(optionalDependencies).toEqual(Object.fromEntries(platforms.map(({ name }) => [name, version])));
    expect(platforms.map(({ manifest }) => manifest.version)).toEqual(platforms.map(() => version));
  });

  it('depends on exact versions at run time', () => {
    for (const range of Object.values(eipc.manifest.dependencies ?? {})) expect(range).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it(`stays below ${BUDGET.eipc.size} bytes packed and ${BUDGET.eipc.unpackedSize} unpacked`, () => {
    expect(eipc.size).toBeLessThanOrEqual(BUDGET.eipc.size);
    expect(eipc.unpackedSize).toBeLessThanOrEqual(BUDGET.eipc.unpackedSize);
  });

  it('has nothing wrong in it: publint', async () => {
    expect(await complaints(eipc.tarball)).toEqual([]);
  });

  it('gives types to everybody who can load it: attw', async () => {
    // All but one rule: that require() gets a module is what Node itself does from 20.19 on.
    const args = [eipc.tarball, '--no-definitely-typed', '--ignore-rules', 'cjs-resolves-to-esm', '--no-color'];
    const attw = execFile(process.execPath, [join(dirname(ATTW), 'dist/index.js'), ...args]);
    let said = '';
    attw.stdout?.on('data', (text: string) => (said += text));
    const [code] = (await once(attw, 'close')) as [number];
    expect(code, said).toBe(0);
  });
});

describe.each(platforms.map((platform) => [platform.name, platform] as const))('%s', (_name, platform) => {
  it('ships its binary, what it is, and the licence', () => {
    expect(platform.files).toEqual(['LICENSE', 'README.md', platform.manifest.main, 'package.json']);
  });

  it(`stays below ${BUDGET.platform.size} bytes packed and ${BUDGET.platform.unpackedSize} unpacked`, () => {
    expect(platform.size).toBeLessThanOrEqual(BUDGET.platform.size);
    expect(platform.unpackedSize).toBeLessThanOrEqual(BUDGET.platform.unpackedSize);
  });

  it('runs nothing at installation and depends on nothing', () => {
    expect(platform.manifest.scripts).toBeUndefined();
    expect(platform.manifest.dependencies).toBeUndefined();
  });

  it('has nothing wrong in it: publint', async () => {
    expect(await complaints(platform.tarball)).toEqual([]);
  });
});

async function complaints(tarball: string): Promise<(string | undefined)[]> {
  const bytes = readFileSync(tarball);
  const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(bytes).buffer }, strict: true });
  return messages.map((message) => formatMessage(message, pkg, { color: false }));
}
