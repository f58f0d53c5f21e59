/** Where the binary of a platform is missing or wrong, the error says which platform, which package, and what to do. */
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
/** The addon that was built here: `eipc.PLATFORM.node`. */
const built = readdirSync(root).filter((name) => name.endsWith('.node'))[0] ?? 'no addon was built';
const platform = built.replace(/^eipc\.(.+)\.node$/, '$1');
const name = `eipc-${platform}`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-load-'));
  mkdirSync(join(folder, 'eipc'));
  copyFileSync(join(root, 'package.json'), join(folder, 'eipc/package.json'));
  cpSync(join(root, 'dist'), join(folder, 'eipc/dist'), { recursive: true });
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Puts a platform package beside eipc. */
function install(binary: Buffer): void {
  const place = join(folder, 'node_modules', name);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name, version, main: built }));
  writeFileSync(join(place, built), binary);
}

/** Loads eipc in a process of its own; `before` runs first. Returns the version of the addon, or the message of the error. */
async function load(before = ''): Promise<string> {
  const code = `${before}; import('./eipc/dist/load-addon.js')
    .then(({ loadAddon }) => 'loaded ' + loadAddon().VERSION).catch((error) => error.message).then((text) => process.stdout.write(text))`;
  return (await run(process.execPath, ['-e', code], { cwd: folder })).stdout;
}

it('the package of the platform is loaded', async () => {
  install(readFileSync(join(root, built)));
  expect(await load()).toBe(`loaded ${version}`);
});

it('without that package the error names it, the platform and the remedy', async () => {
  const said = await load();
  expect(said).toContain(`needs the package ${name}@${version} on ${platform} (Node.js ${process.version})`);
  expect(said).toMatch(/not installed[^]*npm install[^]*--omit=optional[^]*--os, --cpu and --libc/);
});

it('a platform that has no binary is named, and those that have one', async () => {
  const said = await load(`Object.defineProperty(process, 'arch', { value: 'riscv64' })`);
  expect(said).toMatch(/^eipc has no binary for \w+-riscv64.* \(Node\.js v/);
  expect(said).toContain(platform);
});

it('a binary of another machine is named with what the system says about it', async () => {
  const binary = readFileSync(join(root, built));
  binary.writeUInt16LE(0x15, 18); // e_machine: PowerPC
  install(binary);
  const said = await load();
  expect(said).toContain(`eipc cannot load ${join(folder, 'node_modules', name, built)} on ${platform}`);
  expect(said).toMatch(
    /: Error: .+\nThe file is damaged or for another platform\. Remove node_modules and run `npm install` again/,
  );
});

it('a binary of another version is refused', async () => {
  install(readFileSync(join(root, built)));
  const manifest = join(folder, 'eipc/package.json');
  writeFileSync(manifest, JSON.stringify({ ...JSON.parse(readFileSync(manifest, 'utf8')), version: '9.8.7' }));
  const said = await load();
  expect(said).toContain(
    `eipc 9.8.7 cannot use ${join(folder, 'node_modules', name, built)}, which is of version ${version}`,
  );
  expect(said).toContain('run `npm install` again');
});

it('a binary of a version that did not tell is refused too', async () => {
  const place = join(folder, 'node_modules', name);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name, main: 'index.cjs' }));
  writeFileSync(join(place, 'index.cjs'), 'module.exports = {};');
  expect(await load()).toContain('which is of version unknown');
});
