/**
 * Builds an addon for tests: the shipped one with a cargo feature (`vectors`, `kill-points`), in the profile that `cargo test` uses. It goes to
 * target/FEATURE/, never beside the shipped one, and without `napi build`, whose index.d.ts knows the shipped one only.
 *
 * Usage: node scripts/build-test-addon.js FEATURE
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, renameSync } from 'node:fs';

const [feature] = process.argv.slice(2);
if (feature === undefined) throw new Error('Usage: node scripts/build-test-addon.js FEATURE');
const FOLDER = new URL(`../target/${feature}/`, import.meta.url);
const BUILD = ['build', '--package', 'eipc-node', '--features', feature, '--message-format', 'json-render-diagnostics'];

const { status, error, stdout } = spawnSync('cargo', BUILD, {
  cwd: new URL('..', import.meta.url),
  stdio: ['ignore', 'pipe', 'inherit'],
  encoding: 'utf8',
  maxBuffer: 64 << 20,
});
if (error !== undefined) throw error;
if (status !== 0) process.exit(status ?? 1);

const library = stdout
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line))
  .filter(({ reason, target }) => reason === 'compiler-artifact' && target.name === 'eipc_node')
  .flatMap(({ filenames }) => filenames)
  .find((name) => /\.(so|dylib|dll)$/.test(name));
if (library === undefined) throw new Error('cargo built eipc-node and named no library');

// By renaming: a process that has loaded the old file keeps it whole.
mkdirSync(FOLDER, { recursive: true });
copyFileSync(library, new URL('new.node', FOLDER));
renameSync(new URL('new.node', FOLDER), new URL('eipc.node', FOLDER));
