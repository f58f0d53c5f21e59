import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Key, readKeyFile } from '../../src/index.js';

const BYTES = new Uint8Array(32).map((_, index) => index * 7 + 129);

describe('a key file', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'eipc-key-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  async function file(name: string, content: Uint8Array | string, mode: number): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, content);
    await chmod(path, mode);
    return path;
  }

  it('for its owner alone is read, with the id of its bytes', async () => {
    for (const mode of [0o600, 0o400])
      expect((await readKeyFile(await file(`good-${mode}`, BYTES, mode))).id).toBe(Key.fromBytes(BYTES).id);
  });

  it('that others can read is refused with the remedy', async () => {
    for (const mode of [0o640, 0o604, 0o644, 0o700]) {
      await expect(readKeyFile(await file(`open-${mode}`, BYTES, mode))).rejects.toThrow(/chmod 600/);
    }
  });

  it('behind a symbolic link is refused', async () => {
    await symlink(await file('target', BYTES, 0o600), join(folder, 'link'));
    await expect(readKeyFile(join(folder, 'link'))).rejects.toMatchObject({ code: 'EIPC_TRANSPORT' });
  });

  it('that is missing, short, huge, a phrase or a folder is refused', async () => {
    await expect(readKeyFile(join(folder, 'missing'))).rejects.toMatchObject({ code: 'EIPC_TRANSPORT' });
    await expect(readKeyFile(await file('short', BYTES.subarray(1), 0o600))).rejects.toThrow(/31 bytes/);
    await expect(readKeyFile(await file('huge', new Uint8Array(5_000), 0o600))).rejects.toThrow(/4096/);
    await expect(readKeyFile(await file('phrase', 'a'.repeat(40), 0o600))).rejects.toMatchObject({ code: 'EIPC_KEY' });
    expect(await readKeyFile(join(folder, 'phrase'), { dangerousPassphrase: true })).toBeInstanceOf(Key);
    await expect(readKeyFile(folder)).rejects.toMatchObject({ code: 'EIPC_KEY' });
  });
});
