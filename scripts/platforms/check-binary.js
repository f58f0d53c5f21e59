/**
 * The gate of a release binary: for the right machine, loadable on every system that its platform package promises, without symbols
 * for debugging and without what only tests have, and small. Reads the file itself, because the tools that could tell know only the machine they run on.
 *
 * Usage: node scripts/platforms/check-binary.js PLATFORM FILE
 * Prints what was found and each fault on a line of its own; ends with 1 if there is one.
 */
import { readFileSync } from 'node:fs';

import { elfMachine, elfSections, neededLibraries, neededVersions } from './elf.js';

/**
 * Bytes. The largest was 1,553,800 (linux-x64-gnu). The rest is room to grow in small steps; what exceeds it is another kind of thing,
 * such as an async runtime, a second crypto library or symbols, and is to be decided on.
 */
const SIZE_BUDGET = 1_600_000;
/** From 2012; RHEL 7 and everything newer has it. */
const NEWEST_GLIBC = '2.17';
/** What glibc and musl consist of. libgcc_s is not among it: a system need not have it. */
const LIBRARIES = {
  glibc: /^(?:lib(?:c|m|dl|rt|pthread|util)\.so\.\d+|ld-linux.*\.so\.\d+)$/,
  musl: /^libc\.so$/,
};
const SYMBOL_TABLE = 2;
/** What a binary for tests contains, and the cargo feature that puts it there. */
const TEST_MARKERS = { EIPC_KILL: 'kill-points' };

/** What reads the machine from a file of each system, and the numbers of the machines there. */
const FORMATS = {
  linux: { read: elfMachine, machines: { x64: 62, arm64: 183, arm: 40 } },
  darwin: { read: machMachine, machines: { x64: 0x0100_0007, arm64: 0x0100_000c } },
  win32: { read: peMachine, machines: { x64: 0x8664, arm64: 0xaa64 } },
};

const [platform = '', path] = process.argv.slice(2);
const [system, machine, abi] = platform.split('-');
const format = FORMATS[system];
const expected = format?.machines[machine];
if (path === undefined || expected === undefined)
  throw new Error('Usage: node scripts/platforms/check-binary.js PLATFORM FILE, for example linux-x64-gnu');

const file = readFileSync(path);
const { size, faults, notes } = check();
process.stdout.write(`${[`${platform}: ${size} bytes`, ...notes].join(', ')}\n`);
for (const fault of faults) process.stderr.write(`${path}: ${fault}\n`);
process.exitCode = faults.length === 0 ? 0 : 1;

function check() {
  const faults = file.length > SIZE_BUDGET ? [`${file.length} bytes, the budget is ${SIZE_BUDGET}`] : [];
  for (const [marker, feature] of Object.entries(TEST_MARKERS))
    if (file.includes(marker))
      faults.push(`contains ${marker}: it was built with the feature ${feature}, which is for tests`);
  const actual = format.read(file);
  if (actual !== expected)
    return {
      size: file.length,
      notes: [],
      faults: [...faults, `not for ${platform}: its machine is ${actual}, not ${expected}`],
    };
  const linux = system === 'linux' ? checkLinux(abi === 'musl' ? 'musl' : 'glibc') : { notes: [], faults: [] };
  return { size: file.length, notes: linux.notes, faults: [...faults, ...linux.faults] };
}

function checkLinux(libc) {
  const sections = elfSections(file);
  const symbols = sections.filter(({ name, type }) => type === SYMBOL_TABLE || /^\.z?debug/.test(name));
  const libraries = neededLibraries(file, sections);
  const foreign = libraries.filter((library) => !LIBRARIES[libc].test(library));
  const glibc = neededVersions(file, sections)
    .flatMap((version) => /^GLIBC_([\d.]+)$/.exec(version)?.[1] ?? [])
    .sort(compareVersions)
    .at(-1);

  const faults = symbols.map(({ name }) => `has the section ${name}: it is not stripped`);
  if (!libraries.some((library) => library.startsWith('libc.so')))
    faults.push('does not use the libc of the program that loads it');
  for (const library of foreign) faults.push(`needs ${library}, which not every ${platform} system has`);
  if (libc === 'musl' && glibc !== undefined) faults.push(`needs glibc ${glibc}`);
  if (libc === 'glibc' && glibc !== undefined && compareVersions(glibc, NEWEST_GLIBC) > 0)
    faults.push(`needs glibc ${glibc}, the newest allowed is ${NEWEST_GLIBC}`);
  return { faults, notes: [`glibc ${glibc ?? 'not needed'}`, `needs ${libraries.join(' ')}`] };
}

function compareVersions(a, b) {
  const [x, y] = [a, b].map((version) => version.split('.').map(Number));
  const differs = x.findIndex((number, at) => number !== y[at]);
  return differs === -1 ? x.length - y.length : x[differs] - (y[differs] ?? -1);
}

function machMachine(file) {
  return file.length >= 8 && file.readUInt32LE(0) === 0xfeed_facf ? file.readUInt32LE(4) : undefined;
}

function peMachine(file) {
  if (file.length < 64 || file.toString('latin1', 0, 2) !== 'MZ') return undefined;
  const header = file.readUInt32LE(60);
  return file.toString('latin1', header, header + 4) === 'PE\0\0' ? file.readUInt16LE(header + 4) : undefined;
}
