/**
 * Lays out what is published, ready for `npm pack` or `npm publish`: FOLDER becomes the package eipc, FOLDER/npm/PLATFORM the packages
 * with the binaries. Nothing in the repository is changed (docs/decisions/0006).
 *
 * Usage: node scripts/stage-packages.js FOLDER [--placeholders]
 *
 * A binary is taken from target/platforms/PLATFORM, otherwise from the last `make build`. Where there is none this fails; with
 * --placeholders, for tests, a text file takes its place. Prints the origin of each binary.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

const { positionals, values } = parseArgs({ allowPositionals: true, options: { placeholders: { type: 'boolean' } } });
const [folder] = positionals;
if (folder === undefined) throw new Error('Usage: node scripts/stage-packages.js FOLDER [--placeholders]');
const out = resolve(folder);
if (existsSync(out) && readdirSync(out).length > 0)
  throw new Error(`${out} is not empty: a stale file would be published`);

mkdirSync(out, { recursive: true });
const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const shipped = files.filter((file) => !file.startsWith('!'));
for (const name of ['package.json', 'README.md', 'LICENSE', ...shipped]) copy(join(ROOT, name), join(out, name));
for (const platform of readdirSync(join(ROOT, 'npm'))) stage(platform);
// Adds the platform packages to optionalDependencies, with exact versions, and refuses while a binary is missing.
execFileSync(
  join(ROOT, 'node_modules/.bin/napi'),
  ['pre-publish', '-t', 'npm', '--no-gh-release', '--skip-optional-publish'],
  { cwd: out, stdio: ['ignore', 'ignore', 'inherit'] },
);

function stage(platform) {
  const target = join(out, 'npm', platform);
  copy(join(ROOT, 'npm', platform), target);
  copy(join(ROOT, 'LICENSE'), join(target, 'LICENSE'));
  const file = `eipc.${platform}.node`;
  const candidates = [join(ROOT, 'target/platforms', platform, file), join(ROOT, file)];
  const binary = candidates.find((path) => existsSync(path));
  if (binary !== undefined) copy(binary, join(target, file));
  else if (values.placeholders === true) writeFileSync(join(target, file), `No binary for ${platform} was built.\n`);
  else throw new Error(`there is no binary for ${platform}; it was expected at ${candidates.join(' or ')}`);
  process.stdout.write(`${platform}\t${binary ?? 'placeholder'}\n`);
}

function copy(from, to) {
  cpSync(from, to, { recursive: true });
}
