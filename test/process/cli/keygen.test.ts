/** `eipc keygen` as a process. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { readKeyFile } from '../../../src/index.js';
import { run } from './program.js';

let cwd = '';
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'eipc-keygen-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

test('writes a key that readKeyFile accepts and prints both configurations, but not the key', async () => {
  const { code, stdout, stderr } = await run(['keygen'], { cwd });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const file = join(cwd, 'eni.min.key');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file).length).toBe(32);
  await readKeyFile(file);
  expect(stdout).toContain("await listen('shm:eai'");
  expect(stdout).toContain("await connect('shm:eai'");
  expect(stdout.match(/readKeyFile\('eni\.min\.key'\)/g)).toHaveLength(2);
  expect(stdout).not.toContain(readFileSync(file).toString('hex'));
  expect(stdout).not.toContain(readFileSync(file).toString('base64'));
});

test('--json prints one object', async () => {
  const { code, stdout } = await run(['keygen', '--service', 'eni.cortex', '--out', 'c.key', '--json'], { cwd });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    service: 'eni.cortex',
    bytes: 32,
    mode: '0600',
    file: join(cwd, 'c.key'),
  });
});

test('refuses to overwrite, with exit code 1, and leaves the old key as it is', async () => {
  await run(['keygen'], { cwd });
  const before = readFileSync(join(cwd, 'eni.min.key'));
  const { code, stdout, stderr } = await run(['keygen'], { cwd });
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/eni\.min\.key exists: a key is never overwritten/);
  expect(readFileSync(join(cwd, 'eni.min.key')).equals(before)).toBe(true);
});

test('a place that cannot be written is a matter of the environment: exit code 3', async () => {
  const { code, stderr } = await run(['keygen', '--out', 'missing/a.key'], { cwd });
  expect(code).toBe(3);
  expect(stderr).toMatch(/cannot write .*missing\/a\.key/);
});
