/** The keyring by itself: keys made, replaced, ended, revoked and kept. What servers make of it is in keyring-server.test.ts. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Key, Keyring, readKeyFile } from '../../src/index.js';

const isPosix = process.platform !== 'win32';
let folder: string;
let path: string;
const opened: Keyring[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-keyring-'));
  path = join(folder, 'keys');
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  await Promise.all(opened.splice(0).map((one) => one.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function openRing(options: Parameters<typeof Keyring.open>[1] = {}): Promise<Keyring> {
  const keyring = await Keyring.open(path, options);
  opened.push(keyring);
  return keyring;
}

/** Closes a keyring and opens it again, as the next process does. */
async function reopened(keyring: Keyring, options: Parameters<typeof Keyring.open>[1] = {}): Promise<Keyring> {
  await keyring.close();
  return openRing(options);
}

/** Lets time pass: the monotonic clock and the wall clock, or one of them. */
function pass(milliseconds: number, clock: 'both' | 'wall' = 'both'): void {
  if (!vi.isFakeTimers()) vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.now() });
  if (clock === 'both') vi.advanceTimersByTime(milliseconds);
  else vi.setSystemTime(Date.now() + milliseconds);
}

describe('a keyring', () => {
  it('makes a key for a service, which is found by the service and shown by its id', async () => {
    const keyring = new Keyring();
    expect(keyring.lookup('eni.min')).toBeUndefined();
    const entry = await keyring.generate('eni.min');
    expect(entry).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown,
      serviceId: 'eni.min',
      protocol: undefined,
      state: 'active',
      createdAt: expect.any(Date) as unknown,
    });
    expect(keyring.lookup('eni.min')?.id).toBe(entry.id);
    expect(keyring.lookup('eni.other')).toBeUndefined();
    expect((await keyring.generate('eni.other')).id).not.toBe(entry.id);
    expect(inspect(keyring)).toBe('Keyring(2 active of 2 keys)');
    expect(Object.isFrozen(keyring.list()[0])).toBe(true);
  });

  it('takes a key that was made elsewhere, with the id that handshakes show', async () => {
    const keyring = new Keyring();
    const bytes = randomBytes(32);
    const entry = await keyring.store('eni.min', bytes);
    expect(entry.id).toBe(Key.fromBytes(bytes).id);
    const v1 = await keyring.store('nia.min', Key.fromBytes(Buffer.from('a phrase of 1999'), { protocol: 1 }));
    expect(v1).toMatchObject({ id: expect.stringMatching(/^v1-[0-9a-f]{16}$/) as unknown, protocol: 1 });
    expect(keyring.list().map(({ serviceId }) => serviceId)).toEqual(['eni.min', 'nia.min']);
  });

  it('gives a service one key at a time, and a key one service', async () => {
    const keyring = new Keyring();
    const bytes = randomBytes(32);
    await keyring.store('eni.min', bytes);
    await expect(keyring.generate('eni.min')).rejects.toThrow(/has a key; rotate\(\) replaces it/);
    await expect(keyring.store('eni.other', bytes)).rejects.toThrow(/as one of 'eni\.min'/);
    await expect(keyring.store('eni.other', Buffer.concat([bytes, Buffer.alloc(3)]))).rejects.toMatchObject({
      code: 'EIPC_KEY',
    });
    await keyring.revoke('eni.min');
    await expect(keyring.store('eni.min', bytes)).rejects.toThrow(/already, revoked/);
  });

  it('replaces a key, and keeps the old one for its grace', async () => {
    const keyring = new Keyring();
    const old = await keyring.generate('eni.min');
    pass(0);
    const next = await keyring.rotate('eni.min', { grace: 1_000 });
    expect(keyring.lookup('eni.min')?.id).toBe(next.id);
    expect(keyring.listActive().map(({ id, state }) => [id, state])).toEqual([
      [old.id, 'retiring'],
      [next.id, 'active'],
    ]);
    expect(keyring.list()[0]?.endsAt).toEqual(new Date(Date.now() + 1_000));
    pass(999);
    expect(keyring.listActive()).toHaveLength(2);
    pass(1);
    expect(keyring.listActive().map(({ id }) => id)).toEqual([next.id]);
    expect(keyring.list('eni.min')[0]).toMatchObject({ id: old.id, state: 'expired' });
    expect(await keyring.cleanup()).toBe(1);
    expect(keyring.list().map(({ id }) => id)).toEqual([next.id]);
    expect(await keyring.cleanup()).toBe(0);
  });

  it('ends a key when its time is over, which the wall clock does not prolong', async () => {
    // The attacker has an old key, and may set the clock of the machine.
    const keyring = new Keyring();
    pass(0);
    await keyring.generate('eni.min', { ttl: 5_000 });
    pass(-86_400_000, 'wall');
    pass(4_999);
    expect(keyring.lookup('eni.min')).toBeDefined();
    pass(1);
    expect(keyring.lookup('eni.min')).toBeUndefined();
    await expect(keyring.rotate('eni.min')).rejects.toThrow(/no key to replace/);
    await keyring.generate('eni.min');
    expect(keyring.list().map(({ state }) => state)).toEqual(['expired', 'active']);
  });

  it('never makes a key last longer by retiring it', async () => {
    const keyring = new Keyring();
    pass(0);
    const old = await keyring.generate('eni.min', { ttl: 1_000 });
    await keyring.rotate('eni.min', { grace: 60_000 });
    pass(1_000);
    expect(keyring.list()[0]).toMatchObject({ id: old.id, state: 'expired' });
    await keyring.rotate('eni.min', { grace: 0 });
    expect(keyring.listActive()).toHaveLength(1);
  });

  it('revokes one key or all of a service, and says when there is none', async () => {
    const keyring = new Keyring();
    const old = await keyring.generate('eni.min');
    const next = await keyring.rotate('eni.min');
    await keyring.revoke('eni.min', old.id);
    expect(keyring.list().map(({ state }) => state)).toEqual(['revoked', 'active']);
    expect(keyring.lookup('eni.min')?.id).toBe(next.id);
    await expect(keyring.revoke('eni.min', old.id)).rejects.toThrow(/has no key '[0-9a-f]{16}' that could be revoked/);
    await keyring.revoke('eni.min');
    expect(keyring.lookup('eni.min')).toBeUndefined();
    await expect(keyring.revoke('eni.none')).rejects.toMatchObject({ code: 'EIPC_KEY' });
    expect(await keyring.delete('eni.min')).toBe(2);
    expect(await keyring.delete('eni.min')).toBe(0);
    expect(keyring.list()).toEqual([]);
  });

  it('refuses wrong arguments and makes nothing of them', async () => {
    const keyring = new Keyring();
    for (const wrong of ['', 'ENI', 'a b', '../a', 'x'.repeat(65)])
      await expect(keyring.generate(wrong)).rejects.toThrow(RangeError);
    for (const wrong of [7, undefined])
      await expect(keyring.generate(wrong as unknown as string)).rejects.toThrow(TypeError);
    for (const ttl of [0, -1, NaN, Infinity, 1e15])
      await expect(keyring.generate('a', { ttl })).rejects.toThrow(RangeError);
    await expect(keyring.generate('a', { ttl: '5' } as object)).rejects.toThrow(TypeError);
    await expect(keyring.generate('a', { grace: 5 } as object)).rejects.toThrow(/no option 'grace'/);
    await expect(keyring.store('a', randomBytes(31))).rejects.toThrow(RangeError);
    await expect(keyring.store('a', Buffer.from('p'.repeat(40)))).rejects.toMatchObject({ code: 'EIPC_KEY' });
    await keyring.generate('a');
    for (const grace of [-1, NaN, Infinity]) await expect(keyring.rotate('a', { grace })).rejects.toThrow(RangeError);
    expect(keyring.list()).toHaveLength(1);
    for (const wrong of [7, '']) await expect(Keyring.open(wrong as string)).rejects.toThrow(TypeError);
    for (const passphrase of [7, 'short', new Uint8Array(7)])
      await expect(Keyring.open(path, { passphrase: passphrase as string })).rejects.toThrow(/passphrase/);
    expect(existsSync(path)).toBe(false);
  });

  it('does one change after the other', async () => {
    const keyring = new Keyring();
    await keyring.generate('a');
    const rotations = await Promise.all([1, 2, 3].map(() => keyring.rotate('a')));
    expect(keyring.lookup('a')?.id).toBe(rotations[2]?.id);
    expect(keyring.listActive().map(({ state }) => state)).toEqual(['retiring', 'retiring', 'retiring', 'active']);
  });
});

describe('a keyring in a folder', () => {
  it('is there in the next process: keys, ends, and what was revoked', async () => {
    let keyring = await openRing();
    await keyring.generate('eni.min');
    const next = await keyring.rotate('eni.min', { grace: 3_600_000 });
    const gone = await keyring.generate('eni.gone');
    await keyring.revoke('eni.gone');
    const v1 = await keyring.store('NIA min/1', Buffer.from('a phrase of 1999'), { protocol: 1, ttl: 9_000_000 });
    const before = keyring.list();
    keyring = await reopened(keyring);
    expect(keyring.list()).toEqual(before);
    expect(keyring.lookup('eni.min')?.id).toBe(next.id);
    expect(keyring.lookup('eni.gone')).toBeUndefined();
    expect(keyring.lookup('NIA min/1')?.protocol).toBe(1);
    expect(before.find(({ id }) => id === v1.id)?.file).toBe(join(path, `NIA%20min%2F1.${v1.id}.key`));
    expect(existsSync(join(path, `eni.gone.${gone.id}.key`))).toBe(false);
    await keyring.cleanup();
    keyring = await reopened(keyring);
    expect(keyring.list().map(({ serviceId }) => serviceId)).toEqual(['eni.min', 'eni.min', 'NIA min/1']);
  });

  it('writes down the ends it tells, whatever the clock does meanwhile and whatever part of a millisecond is asked for', async () => {
    let keyring = await openRing();
    let time = Date.now();
    vi.spyOn(Date, 'now').mockImplementation(() => (time += 7));
    await keyring.generate('eni.min', { ttl: 3_600_000.5 });
    await keyring.rotate('eni.min', { grace: 60_000.25, ttl: 7_200_000 });
    await keyring.rotate('eni.min', { grace: 0.75 });
    const before = keyring.list();
    keyring = await reopened(keyring);
    const ends = (entries: typeof before) => entries.map(({ id, endsAt }) => [id, endsAt]);
    expect(ends(keyring.list())).toEqual(ends(before));
  });

  it('has key files as `eipc keygen` makes them, to be brought to the client', async () => {
    const keyring = await openRing();
    const { file = '', id } = await keyring.generate('eni.min');
    expect(readFileSync(file)).toHaveLength(32);
    expect((await readKeyFile(file)).id).toBe(id);
    if (isPosix) {
      expect(statSync(path).mode & 0o777).toBe(0o700);
      for (const name of readdirSync(path)) expect(statSync(join(path, name)).mode & 0o777, name).toBe(0o600);
    }
    expect(readFileSync(join(path, 'keyring.json'), 'utf8')).not.toContain(
      readFileSync(file).toString('hex').slice(0, 8),
    );
  });

  it('counts an end by the wall clock between processes', async () => {
    let keyring = await openRing();
    await keyring.generate('eni.min', { ttl: 10_000 });
    await keyring.close();
    pass(10_001, 'wall');
    keyring = await openRing();
    expect(keyring.lookup('eni.min')).toBeUndefined();
    expect(keyring.list()[0]?.state).toBe('expired');
  });

  it('overwrites the file of a key that is revoked, deleted or cleaned up', async () => {
    const keyring = await openRing();
    const files = [];
    for (const id of ['a', 'b']) files.push((await keyring.generate(id)).file ?? '');
    const handles = await Promise.all(files.map((file) => open(file)));
    await keyring.revoke('a');
    await keyring.delete('b');
    for (const [at, handle] of handles.entries()) {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(64), 0, 64, 0);
      expect(buffer.subarray(0, bytesRead)).toEqual(Buffer.alloc(32));
      await handle.close();
      expect(existsSync(files[at] ?? '')).toBe(false);
    }
  });

  it('is one process’s at a time, and closes once', async () => {
    const keyring = await openRing();
    await expect(openRing()).rejects.toThrow(/another process has this keyring open/);
    await keyring.close();
    await keyring.close();
    await expect(keyring.generate('a')).rejects.toMatchObject({ code: 'EIPC_CLOSED' });
    await openRing();
  });

  it('under a passphrase has no key in clear text, and opens with it alone', async () => {
    const passphrase = 'correct horse battery staple';
    let keyring = await openRing({ passphrase });
    const bytes = randomBytes(32);
    const { file = '', id } = await keyring.store('eni.min', bytes);
    for (const name of readdirSync(path)) expect(readFileSync(join(path, name)).includes(bytes), name).toBe(false);
    expect(readFileSync(file, 'utf8')).toMatch(/^eipc-key-scrypt:[A-Za-z0-9+/]+={0,2}\n$/);
    keyring = await reopened(keyring, { passphrase: Buffer.from(passphrase) });
    expect(keyring.lookup('eni.min')?.id).toBe(id);
    await keyring.close();
    await expect(openRing({ passphrase: 'correct horse battery stable' })).rejects.toThrow(/passphrase is another one/);
    await expect(openRing()).rejects.toThrow(/is under a passphrase/);
    expect((await readKeyFile(file, { passphrase })).id).toBe(id);
  });

  it.skipIf(!isPosix)('is refused when others can get at it, or something is in the place of its files', async () => {
    // The attacker is another user of this machine.
    const keyring = await openRing();
    const { file = '' } = await keyring.generate('eni.min');
    await keyring.close();
    const refused = async (why: RegExp): Promise<void> => {
      await expect(openRing()).rejects.toThrow(why);
    };
    chmodSync(path, 0o750);
    await refused(/chmod 700/);
    chmodSync(path, 0o700);
    for (const name of [file, join(path, 'keyring.json')]) {
      chmodSync(name, 0o640);
      await refused(/chmod 600/);
      chmodSync(name, 0o600);
    }
    const index = readFileSync(join(path, 'keyring.json'));
    rmSync(join(path, 'keyring.json'));
    symlinkSync(file, join(path, 'keyring.json'));
    await refused(/symbolic link/);
    rmSync(join(path, 'keyring.json'));
    const text = index.toString();
    for (const wrong of [
      '',
      '{}',
      text.replace('"version": 1', '"version": 2'),
      text.replace('false', '0'),
      text.slice(1),
    ]) {
      writeFileSync(join(path, 'keyring.json'), wrong, { mode: 0o600 });
      await refused(/not the index of a keyring/);
    }
    writeFileSync(join(path, 'keyring.json'), index, { mode: 0o600 });
    writeFileSync(file, randomBytes(32), { mode: 0o600 });
    await refused(/the index says/);
    rmSync(file);
    await refused(/cannot be opened/);
    path = join(folder, 'file');
    writeFileSync(path, '', { mode: 0o600 });
    await refused(/not a folder of this user alone/);
  });

  it('that cannot be written changes nothing, and revokes nevertheless', async () => {
    const keyring = await openRing();
    const old = await keyring.generate('eni.min');
    mkdirSync(join(path, 'keyring.json.new'));
    await expect(keyring.rotate('eni.min')).rejects.toMatchObject({ code: 'EIPC_TRANSPORT' });
    await expect(keyring.generate('eni.other')).rejects.toMatchObject({ code: 'EIPC_TRANSPORT' });
    expect(keyring.list()).toHaveLength(1);
    expect(keyring.lookup('eni.min')?.id).toBe(old.id);
    expect(readdirSync(path).filter((name) => name.endsWith('.key'))).toHaveLength(1);
    await expect(keyring.revoke('eni.min')).rejects.toMatchObject({ code: 'EIPC_TRANSPORT' });
    expect(keyring.lookup('eni.min')).toBeUndefined();
  });

  it('goes on after a crash between a key file and its index', async () => {
    let keyring = await openRing();
    const { id } = await keyring.generate('eni.min');
    await keyring.close();
    const index = join(path, 'keyring.json');
    const before = readFileSync(index);
    // The next index was half written, and the file of a key that it would have named is there.
    writeFileSync(`${index}.new`, before.subarray(0, 20), { mode: 0o600 });
    writeFileSync(join(path, 'eni.min.0123456789abcdef.key'), randomBytes(32), { mode: 0o600 });
    keyring = await openRing();
    expect(keyring.list().map((entry) => entry.id)).toEqual([id]);
    const next = await keyring.rotate('eni.min');
    keyring = await reopened(keyring);
    expect(keyring.lookup('eni.min')?.id).toBe(next.id);
    // A revocation is written down before the file goes: the file alone brings nothing back.
    const [old] = keyring.list();
    const stolen = readFileSync(old?.file ?? '');
    await keyring.revoke('eni.min', old?.id);
    writeFileSync(join(path, `eni.min.${old?.id}.key`), stolen, { mode: 0o600 });
    keyring = await reopened(keyring);
    expect(keyring.list('eni.min').map(({ state }) => state)).toEqual(['revoked', 'active']);
  });

  it('takes the bytes of a key, since a Key shows them to nobody', async () => {
    const keyring = await openRing();
    await expect(keyring.store('eni.min', Key.fromBytes(randomBytes(32)))).rejects.toThrow(/needs the bytes/);
    await keyring.generate('eni.min');
    await expect(keyring.rotate('eni.min', { key: Key.fromBytes(randomBytes(32)) })).rejects.toThrow(TypeError);
    const bytes = randomBytes(32);
    await keyring.rotate('eni.min', { key: bytes });
    expect(keyring.lookup('eni.min')?.id).toBe(Key.fromBytes(bytes).id);
  });
});
