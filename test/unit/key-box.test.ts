/** Key files under a passphrase: what opens them, and what they give away. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

import { Key, readKeyFile, writeKeyFile } from '../../src/index.js';

const folders: string[] = [];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-box-'));
  folders.push(folder);
});
afterAll(() => {
  for (const one of folders) rmSync(one, { recursive: true, force: true });
});

describe('a key file under a passphrase', () => {
  const passphrase = 'correct horse battery staple';
  const bytes = randomBytes(32);

  it('is read with it, and with nothing else', async () => {
    const file = join(folder, 'a.key');
    await writeKeyFile(file, bytes, { passphrase });
    expect((await readKeyFile(file, { passphrase })).id).toBe(Key.fromBytes(bytes).id);
    await expect(readKeyFile(file)).rejects.toThrow(/is under a passphrase; give it/);
    await expect(readKeyFile(file, { passphrase: `${passphrase} ` })).rejects.toMatchObject({ code: 'EIPC_KEY' });
    await expect(readKeyFile(file, { passphrase: 'short' })).rejects.toThrow(RangeError);
    const clear = join(folder, 'clear.key');
    await writeKeyFile(clear, bytes);
    expect(readFileSync(clear)).toEqual(bytes);
    await expect(readKeyFile(clear, { passphrase })).rejects.toThrow(/is not under a passphrase/);
    await expect(writeKeyFile(clear, bytes)).rejects.toThrow(/never overwritten/);
    await expect(writeKeyFile(join(folder, 'short.key'), bytes.subarray(1))).rejects.toThrow(RangeError);
    expect(existsSync(join(folder, 'short.key'))).toBe(false);
  });

  it('says nothing of the key, and two of the same key differ', async () => {
    const files = ['a.key', 'b.key'].map((name) => join(folder, name));
    for (const file of files) await writeKeyFile(file, bytes, { passphrase });
    const [one, two] = files.map((file) => readFileSync(file));
    expect(one?.equals(two ?? Buffer.alloc(0))).toBe(false);
  });

  it('that was changed in any byte does not open, and asks for no more than it may', async () => {
    // The attacker can write the file, and wants the key of somebody else in it, or memory and time.
    const file = join(folder, 'a.key');
    await writeKeyFile(file, bytes, { passphrase });
    const [prefix = '', base64 = ''] = readFileSync(file, 'utf8').trimEnd().split(':');
    const sealed = Buffer.from(base64, 'base64');
    const attempt = (changed: Buffer): Promise<unknown> => {
      writeFileSync(file, `${prefix}:${changed.toString('base64')}\n`, { mode: 0o600 });
      return readKeyFile(file, { passphrase }).then(
        () => 'opened',
        (error: unknown) => (error as { code: string }).code,
      );
    };
    expect(await attempt(sealed)).toBe('opened');
    const places = [4, 20, 32, sealed.length - 1];
    for (const at of places) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      expect(await attempt(changed), String(at)).toBe('EIPC_KEY');
    }
    for (const [at, value] of [
      [0, 2],
      [1, 0],
      [1, 19],
      [1, 255],
      [2, 0],
      [2, 9],
      [3, 0],
      [3, 5],
    ] as const) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(value, at);
      expect(await attempt(changed), `${at} ${value}`).toBe('EIPC_KEY');
    }
    for (const length of [0, 1, 31, 48, sealed.length - 1])
      expect(await attempt(sealed.subarray(0, length))).toBe('EIPC_KEY');
    writeFileSync(file, `${prefix}:${base64.replace(/.{3}/, '***')}\n`, { mode: 0o600 });
    await expect(readKeyFile(file, { passphrase })).rejects.toMatchObject({ code: 'EIPC_KEY' });
  });
});
