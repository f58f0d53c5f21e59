import { randomBytes } from 'node:crypto';
import { chown, chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';

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

  it.skipIf(process.geteuid?.() !== 0)(
    '(as root) of another user is refused: he can put another key there',
    async () => {
      const path = await file('theirs', BYTES, 0o600);
      await chown(path, 61_001, 61_001);
      await expect(readKeyFile(path)).rejects.toMatchObject({
        code: 'EIPC_KEY',
        message: expect.stringContaining('belongs to uid 61001, not to this user (0)') as string,
      });
    },
  );

  it('behind a symbolic link is refused', async () => {
    await symlink(await file('target', BYTES, 0o600), join(folder, 'link'));
    await expect(readKeyFile(join(folder, 'link'))).rejects.toMatchObject({ code: 'EIPC_TRANSPORT' });
  });

  it('that is missing, short, huge, a phrase or a folder is refused', async () => {
    await expect(readKeyFile(join(folder, 'missing'))).rejects.toMatchObject({ code: 'EIPC_TRANSPORT' });
    await expect(readKeyFile(await file('short', BYTES.subarray(1), 0o600))).rejects.toThrow(/31 bytes/);
    await expect(readKeyFile(await file('huge', new Uint8Array(5_000), 0o600))).rejects.toThrow(/4096/);
    await expect(readKeyFile(await file('phrase', 'a'.repeat(40), 0o600))).rejects.toMatchObject({
      code: 'EIPC_KEY',
      message: expect.stringMatching(
        /the key file \S+phrase: .*printable characters only.*32 random bytes.*hex: or base64: in front/,
      ) as string,
    });
    expect(await readKeyFile(join(folder, 'phrase'), { dangerousPassphrase: true })).toBeInstanceOf(Key);
    await expect(readKeyFile(folder)).rejects.toMatchObject({ code: 'EIPC_KEY' });
  });

  it('in hex or base64 is the same key as its bytes, whatever ends the line', async () => {
    const bytes = Buffer.from(BYTES);
    const { id } = Key.fromBytes(BYTES);
    const base64 = bytes.toString('base64');
    const texts = [bytes.toString('hex'), bytes.toString('hex').toUpperCase()].map((digits) => `hex:${digits}`);
    for (const text of [...texts, `base64:${base64}`, `base64:${base64.replaceAll('=', '')}`])
      for (const end of ['', '\n', '\r\n', ' \n\n'])
        expect((await readKeyFile(await file('text', `${text}${end}`, 0o600))).id).toBe(id);
  });

  it('in base64 is decoded whatever its length', async () => {
    for (let length = 32; length < 40; length += 1) {
      const bytes = randomBytes(length);
      const path = await file('text', `base64:${bytes.toString('base64')}\n`, 0o600);
      expect((await readKeyFile(path)).id).toBe(Key.fromBytes(bytes).id);
    }
  });

  it('in hex or base64 that is cut or damaged is refused, and the error shows nothing of it', async () => {
    const digits = Buffer.from(BYTES).toString('hex');
    const base64 = Buffer.from(BYTES).toString('base64');
    for (const [text, said] of [
      [`hex:${digits.slice(1)}`, /63 digits behind hex:/],
      [`hex:${digits.slice(0, 10)}x${digits.slice(11)}`, /no hex digit in column 15/],
      [`hex:${digits.slice(0, 62)}`, /31 bytes is too short/],
      [`hex:`, /0 bytes is too short/],
      [`base64:${base64.slice(0, 41)}`, /41 characters behind base64:/],
      [`base64:${base64.slice(0, 20)}-${base64.slice(21)}`, /no base64 character in column 28/],
      [`base64:${base64.replace('=', '==')}`, /45 characters behind base64:/],
      [`base64:${base64.slice(0, 40)}`, /30 bytes is too short/],
    ] as const) {
      const error: unknown = await readKeyFile(await file('text', text, 0o600)).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'EIPC_KEY' });
      expect((error as Error).message).toMatch(said);
      for (const secret of [digits.slice(0, 8), base64.slice(0, 8)]) expect(inspect(error)).not.toContain(secret);
    }
  });

  it('with text of printable bytes behind its prefix is a phrase all the same', async () => {
    const path = await file('phrase', `hex:${Buffer.from('a'.repeat(40)).toString('hex')}`, 0o600);
    await expect(readKeyFile(path)).rejects.toMatchObject({ code: 'EIPC_KEY' });
    expect((await readKeyFile(path, { protocol: 1 })).protocol).toBe(1);
  });

  it('without a prefix is taken byte for byte, its line end included', async () => {
    const raw = await readKeyFile(await file('raw', Buffer.concat([BYTES, Buffer.from('\n')]), 0o600));
    expect(raw.id).toBe(Key.fromBytes(Buffer.concat([BYTES, Buffer.from('\n')])).id);
  });
});
