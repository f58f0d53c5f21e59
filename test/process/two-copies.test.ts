/** Two packages that bring eipc each, or two versions of it: the addon is loaded from two files, and each copy works by itself. */
import { execFile } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { copyPackage } from '../helpers/package-copy.js';

const script = fileURLToPath(new URL('fixtures/two-copies.js', import.meta.url));
let folder: string;
let copies: string[];

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'eipc-copies-')));
  copies = ['one', 'two'].map((name) => copyPackage(join(folder, name)));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

it('two copies of eipc in one process talk to each other, each with its own addon and its own poller', async () => {
  const addresses = ['shm', 'unix', 'shm', 'unix'].map((transport, n) => `${transport}:${join(folder, `socket-${n}`)}`);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, ...copies, ...addresses]);
  expect(stderr).toBe('');
  const hundred = Array.from({ length: 100 }, (_, n) => n);
  expect(JSON.parse(stdout)).toEqual({
    answers: addresses.flatMap(() => hundred),
    isOneLibrary: false,
    isOnePoller: false,
    parks: [true, true],
    loaded: [true, true],
  });
});
