/** The example of the README runs as it stands there: two files, a key made by the command line, two processes. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-readme-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'eipc'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const examples = [...readme.matchAll(/```js\n\/\/ (\w+\.js)\n([\s\S]*?)```/g)];
  expect(examples.map(([, name]) => name)).toEqual(['eai.js', 'eni.js']);
  for (const [, name = '', code = ''] of examples) writeFileSync(join(folder, name), code);
  await run(process.execPath, [join(root, 'dist/cli/main.js'), 'keygen', '--service', 'eni.min'], { cwd: folder });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

it('ENI and EAI of the README talk, and EAI stops the actuator when ENI has gone', async () => {
  // A control socket of its own, whatever else runs on this machine.
  const options = { cwd: folder, env: { ...process.env, XDG_RUNTIME_DIR: folder } };
  const eai = spawn(process.execPath, ['eai.js'], { ...options, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  eai.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  try {
    await expect
      .poll(() => run(process.execPath, ['eni.js'], options).then(({ stdout }) => stdout, String), { timeout: 20_000 })
      .toMatch(/status: 'ok'/);
    await expect.poll(() => said, { timeout: 5_000 }).toMatch(/actuator stopped: EIPC_CLOSED_BY_PEER/);
    expect(said).toMatch(/features Float32Array\(2\)/);
    expect(said).toMatch(/eni\.min wants move_left/);
  } finally {
    eai.kill('SIGTERM');
    await once(eai, 'close');
  }
});
