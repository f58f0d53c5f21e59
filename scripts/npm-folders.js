/**
 * Writes npm/: one folder for each of `napi.targets` in package.json, which becomes the package with that platform's binary. Run it after
 * changing the version, the targets, or what the folders repeat of package.json; the result is committed.
 *
 * `napi create-npm-dirs` does most of it. What it does not know is completed here.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../', import.meta.url);
const NPM = new URL('npm/', ROOT);

rmSync(NPM, { recursive: true, force: true });
execFileSync('npx', ['napi', 'create-npm-dirs'], { cwd: fileURLToPath(ROOT), stdio: ['ignore', 'ignore', 'inherit'] });
for (const platform of readdirSync(NPM)) complete(platform);

function complete(platform) {
  const file = new URL(`${platform}/package.json`, NPM);
  const { keywords: _keywords, ...manifest } = JSON.parse(readFileSync(file, 'utf8'));
  // Somebody who finds this package in a search is looking for the other one.
  manifest.description = `The binary of eipc for ${platform}. Install eipc: it depends on this package where it fits.`;
  manifest.type = 'commonjs'; // a binary is loaded by require
  // Without `libc` npm would install the glibc binary beside musl, where it cannot be loaded.
  if (platform.endsWith('-gnueabihf')) manifest.libc = ['glibc'];
  writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(
    new URL(`${platform}/README.md`, NPM),
    `# ${manifest.name}\n\nThe binary of [eipc](https://www.npmjs.com/package/eipc) for ${platform}. Install \`eipc\`: it depends on this package where it fits.\n`,
  );
}
