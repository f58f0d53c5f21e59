/** The gate of release binaries: whatever would not load somewhere, or does not belong into a package, is refused. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, test } from 'vitest';

import { elfFile } from '../helpers/elf-file.js';
import type { ElfFile } from '../helpers/elf-file.js';

const folder = mkdtempSync(join(tmpdir(), 'eipc-gate-'));
afterAll(() => rmSync(folder, { recursive: true }));

const GOOD: ElfFile = {
  machine: 62,
  bits: 64,
  libraries: ['libc.so.6', 'libpthread.so.0', 'ld-linux-x86-64.so.2'],
  versions: ['GLIBC_2.2.5', 'GLIBC_2.17', 'GLIBC_2.3.4'],
  sections: [{ name: '.text', type: 1 }],
};

function check(platform: string, bytes: Buffer): { status: number | null; faults: string[]; found: string } {
  const path = join(folder, `${platform}.node`);
  writeFileSync(path, bytes);
  const run = spawnSync(process.execPath, ['scripts/platforms/check-binary.js', platform, path], { encoding: 'utf8' });
  const faults = run.stderr.split('\n').filter((line) => line !== '');
  return { status: run.status, faults: faults.map((line) => line.replace(`${path}: `, '')), found: run.stdout };
}

test.each([
  ['linux-x64-gnu', GOOD],
  ['linux-arm64-gnu', { ...GOOD, machine: 183 }],
  ['linux-arm-gnueabihf', { ...GOOD, machine: 40, bits: 32 }],
  ['linux-x64-musl', { ...GOOD, libraries: ['libc.so'], versions: [] }],
] as const)('a good binary for %s passes', (platform, file) => {
  expect(check(platform, elfFile(file))).toMatchObject({ status: 0, faults: [] });
});

it('says what it found', () => {
  const bytes = elfFile(GOOD);
  const expected = `linux-x64-gnu: ${bytes.length} bytes, glibc 2.17, needs libc.so.6 libpthread.so.0 ld-linux-x86-64.so.2\n`;
  expect(check('linux-x64-gnu', bytes).found).toBe(expected);
});

test.each<[string, string, Partial<ElfFile>, string]>([
  [
    'newer glibc',
    'linux-x64-gnu',
    { versions: ['GLIBC_2.18', 'GLIBC_2.4'] },
    'needs glibc 2.18, the newest allowed is 2.17',
  ],
  [
    'glibc of three numbers',
    'linux-x64-gnu',
    { versions: ['GLIBC_2.17.1'] },
    'needs glibc 2.17.1, the newest allowed is 2.17',
  ],
  [
    'newer glibc on 32 bits',
    'linux-arm-gnueabihf',
    { machine: 40, bits: 32, versions: ['GLIBC_2.34'] },
    'needs glibc 2.34',
  ],
  ['symbol table', 'linux-x64-gnu', { sections: [{ name: '.symtab', type: 2 }] }, 'has the section .symtab'],
  ['debug section', 'linux-x64-gnu', { sections: [{ name: '.debug_info', type: 1 }] }, 'has the section .debug_info'],
  ['library of its own', 'linux-x64-gnu', { libraries: ['libc.so.6', 'libgcc_s.so.1'] }, 'needs libgcc_s.so.1'],
  ['libc of its own', 'linux-x64-gnu', { libraries: ['libm.so.6'] }, 'does not use the libc'],
  ['glibc on musl', 'linux-x64-musl', { libraries: ['libc.so'] }, 'needs glibc 2.17'],
  ['other machine', 'linux-arm64-gnu', {}, 'not for linux-arm64-gnu: its machine is 62, not 183'],
])('a binary with a %s is refused', (_fault, platform, change, message) => {
  const { status, faults } = check(platform, elfFile({ ...GOOD, ...change }));
  expect(status).toBe(1);
  expect(faults).toEqual([expect.stringContaining(message)]);
});

it('refuses a binary that dies on order', () => {
  const bytes = Buffer.concat([elfFile(GOOD), Buffer.from('EIPC_KILL')]);
  expect(check('linux-x64-gnu', bytes)).toMatchObject({
    status: 1,
    faults: [expect.stringContaining('built with the feature kill-points')],
  });
});

it('refuses a binary above the budget of bytes', () => {
  const large = Buffer.concat([elfFile(GOOD), Buffer.alloc(2_000_000)]);
  expect(check('linux-x64-gnu', large)).toMatchObject({
    status: 1,
    faults: [expect.stringContaining('the budget is')],
  });
});

test.each(['linux-x64-gnu', 'darwin-arm64', 'win32-x64-msvc'])('a text is no binary for %s', (platform) => {
  const { status, faults } = check(platform, Buffer.from('No binary.\n'.repeat(100)));
  expect(status).toBe(1);
  expect(faults).toEqual([expect.stringContaining(`not for ${platform}: its machine is undefined`)]);
});

test.each<[string, number]>([
  ['darwin-x64', 0x0100_0007],
  ['darwin-arm64', 0x0100_000c],
])('a Mach-O file passes for %s when it is for that machine', (platform, machine) => {
  const file = Buffer.alloc(64);
  file.writeUInt32LE(0xfeed_facf);
  file.writeUInt32LE(machine, 4);
  expect(check(platform, file)).toMatchObject({ status: 0, faults: [] });
});

test.each<[string, number]>([
  ['win32-x64-msvc', 0x8664],
  ['win32-arm64-msvc', 0xaa64],
])('a PE file passes for %s when it is for that machine', (platform, machine) => {
  const file = Buffer.alloc(128);
  file.write('MZ');
  file.writeUInt32LE(64, 60);
  file.write('PE', 64);
  file.writeUInt16LE(machine, 68);
  expect(check(platform, file)).toMatchObject({ status: 0, faults: [] });
});
