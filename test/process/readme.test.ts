/** The example of the README runs as it stands there: two files, a key made by the command line, two processes. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, it } from 'vitest';

import { expectReadmeExampleTalks, writeReadmeExample } from '../helpers/readme-example.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-readme-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'eipc'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeReadmeExample(folder);
  const keygen = [join(root, 'dist/cli/main.js'), 'keygen', '--service', 'eni.min'];
  await promisify(execFile)(process.execPath, keygen, { cwd: folder });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

it('ENI and EAI of the README talk, and EAI stops the actuator when ENI has gone', () =>
  expectReadmeExampleTalks(folder));
