/** The key file: what is written, for whom, and what is refused. The attacker is another user who plants links. */
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { configurationSnippets, parseServiceId, writeKeyFile } from '../../../src/cli/commands/keygen.js';
import { EXIT } from '../../../src/cli/exit.js';
import { createKey, KEY_BYTES } from '../../../src/new-key.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-keygen-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('writeKeyFile', () => {
  test('writes 32 bytes for the owner only, different each time', async () => {
    const [one, other] = [join(folder, 'one.key'), join(folder, 'other.key')];
    await writeKeyFile(one);
    await writeKeyFile(other);
    expect(readFileSync(one).length).toBe(32);
    expect(statSync(one).mode & 0o777).toBe(0o600);
    expect(readFileSync(one).equals(readFileSync(other))).toBe(false);
  });

  test('gives the owner both rights whatever the umask is', async () => {
    const before = process.umask(0o777);
    try {
      await writeKeyFile(join(folder, 'a.key'));
    } finally {
      process.umask(before);
    }
    expect(statSync(join(folder, 'a.key')).mode & 0o777).toBe(0o600);
  });

  test('never overwrites a file', async () => {
    const file = join(folder, 'a.key');
    writeFileSync(file, 'precious');
    await expect(writeKeyFile(file)).rejects.toMatchObject({ exitCode: EXIT.refused, message: /never overwritten/ });
    expect(readFileSync(file, 'utf8')).toBe('precious');
  });

  test('does not follow a link, not even one to nowhere', async () => {
    const target = join(folder, 'target');
    symlinkSync(target, join(folder, 'a.key'));
    await expect(writeKeyFile(join(folder, 'a.key'))).rejects.toMatchObject({ exitCode: EXIT.refused });
    expect(() => statSync(target)).toThrow(/ENOENT/);
  });

  test('says which folder is missing, as a matter of the environment', async () => {
    const wrong = join(folder, 'missing', 'a.key');
    await expect(writeKeyFile(wrong)).rejects.toMatchObject({ exitCode: EXIT.environment, message: /missing/ });
  });
});

describe('createKey', () => {
  test('draws again when all bytes happen to be printable', () => {
    const draws = [Buffer.alloc(KEY_BYTES, 'a'), Buffer.alloc(KEY_BYTES, '\n'), Buffer.alloc(KEY_BYTES, 0x80)];
    const drawn = createKey(() => draws.shift() ?? Buffer.alloc(0));
    expect(drawn[0]).toBe(0x80);
    expect(draws.length).toBe(0);
  });
});

describe('parseServiceId', () => {
  test.each(['eni.min', 'a', '0-9_x', 'x'.repeat(64)])('accepts %s', (id) => {
    expect(parseServiceId(id)).toBe(id);
  });

  test.each(['', 'ENI', 'a b', 'a/b', '../a', 'x'.repeat(65), 'é', "a'b", 'a\n'])('refuses %j', (id) => {
    expect(() => parseServiceId(id)).toThrow(/1 to 64 characters/);
  });
});

describe('configurationSnippets', () => {
  test('name the service and the file on both sides', () => {
    const { listen, connect } = configurationSnippets('eni.min', 'eni.min.key');
    expect(listen).toContain("'eni.min': { key: await readKeyFile('eni.min.key')");
    expect(listen).toContain("import { listen, readKeyFile } from 'eipc';");
    expect(connect).toContain("serviceId: 'eni.min', key: await readKeyFile('eni.min.key')");
  });

  test('write any file name as a JavaScript string that means it', () => {
    for (const name of ["it's.key", 'back\\slash"quote', 'line\nbreak', 'dir\u202e/é.key', "\\'"]) {
      const literal = /readKeyFile\(('.*')\) \}\);/.exec(configurationSnippets('a', name).connect)?.[1];
      const meant: unknown = runInNewContext(literal ?? '');
      expect(meant).toBe(name);
      expect(literal).toMatch(/^[\u0020-\u007e]+$/);
    }
  });
});
