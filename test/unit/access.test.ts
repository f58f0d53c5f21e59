/** The attacker of this file is another user of the machine who may write to a folder, or whom an option was meant to keep out. */
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { accessSettings } from '../../src/access-settings.js';
import { connect, Key, listen, TransportError } from '../../src/index.js';
import type { Access, Server } from '../../src/index.js';
import { checkAccess, isRefusedUser } from '../../src/transport/access.js';
import { parseAddress, requireSupported } from '../../src/transport/address.js';
import type { Credentials } from '../../src/transport/transport.js';
import { isRoot } from '../helpers/other-user.js';

const key = Key.fromBytes(randomBytes(32));
const services = { eni: { key, capabilities: [] } };
const hasUsers = process.geteuid !== undefined;
const own = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

describe('the option access', () => {
  it.each<[unknown, RegExp]>([
    [null, /access needs an options object, not null/],
    [[1_001], /access has no option '0'; its options are uids, gids/],
    [{ users: [1] }, /access has no option 'users'; its options are uids, gids/],
    [{}, /access names nobody; give uids, gids or both/],
    [{ uids: [] }, /access\.uids is empty; leave it out/],
    [{ uids: [1], gids: [] }, /access\.gids is empty/],
    [{ gids: 7 }, /access\.gids must be a list of numbers such as \[1001\], not 7/],
    [{ uids: ['1001'] }, /access\.uids has '1001' in it; give numbers, as `id -u NAME`/],
    [{ uids: [1, -1] }, /access\.uids has -1 in it; an id is a whole number from 0 to 4294967294/],
    [{ gids: [1.5] }, /access\.gids has 1\.5 in it/],
    [{ gids: [Number.NaN] }, /access\.gids has NaN in it/],
    // What the kernel answers when it has nobody to name.
    [{ uids: [0xffff_ffff] }, /access\.uids has 4294967295 in it/],
  ])('%j is refused with what would be right', (access, text) => {
    expect(() => accessSettings(access as Access)).toThrow(text);
  });

  it('is a set of users and a set of groups', () => {
    expect(accessSettings(undefined)).toBeUndefined();
    expect(accessSettings({ uids: [0, 1_001, 1_001] })).toEqual({ uids: new Set([0, 1_001]), gids: new Set() });
    expect(accessSettings({ gids: [4_294_967_294] })?.gids.has(4_294_967_294)).toBe(true);
  });

  it.each<[string, RegExp]>([
    ['tcp://127.0.0.1:0', /access is for unix: and shm:/],
    ['memory:access', /access is for unix: and shm:/],
    ['shm:eai', /give a path, such as shm:\/run\/eai\/eai\.sock/],
  ])('is refused at %s, where it cannot be kept', async (address, text) => {
    await expect(listen(address, { services, access: { uids: [1_001] } })).rejects.toThrow(text);
    await expect(listen(['memory:other', address], { services, access: { uids: [1_001] } })).rejects.toThrow(
      RangeError,
    );
  });

  it('is refused for shared memory where a segment is open to its owner only', () => {
    const { platform } = process;
    const address = requireSupported(parseAddress('shm:/run/eai/eai.sock'));
    const access = accessSettings({ uids: [1_001] });
    try {
      Object.defineProperty(process, 'platform', { value: 'darwin' });
      expect(() => checkAccess(address, access)).toThrow(/another user cannot open a segment.*use unix:/);
      expect(() => checkAccess(requireSupported(parseAddress('unix:/run/eai/eai.sock')), access)).not.toThrow();
    } finally {
      Object.defineProperty(process, 'platform', { value: platform });
    }
  });
});

describe.skipIf(!hasUsers)('who is refused', () => {
  const isRefused = (credentials: Credentials | undefined, access?: Access): boolean =>
    isRefusedUser({ credentials } as Parameters<typeof isRefusedUser>[0], accessSettings(access));

  it('without access: everybody but this user', () => {
    expect(isRefused(own)).toBe(false);
    expect(isRefused({ ...own, gid: own.gid + 1 })).toBe(false);
    expect(isRefused({ ...own, uid: own.uid + 1 })).toBe(true);
    expect(isRefused(undefined)).toBe(false); // tcp and memory: nobody is named, and the key decides
  });

  it('with access: everybody who is not named, this user and root too', () => {
    const access = { uids: [1_001], gids: [2_000] };
    expect(isRefused({ uid: 1_001, gid: 1 }, access)).toBe(false);
    expect(isRefused({ uid: 1, gid: 2_000 }, access)).toBe(false);
    // The numbers of users and of groups have nothing to do with each other.
    expect(isRefused({ uid: 2_000, gid: 1_001 }, access)).toBe(true);
    expect(isRefused(own, access)).toBe(true);
    expect(isRefused({ uid: 0, gid: 0 }, access)).toBe(true);
    expect(isRefused(undefined, access)).toBe(true);
  });
});

describe.skipIf(!hasUsers)('the folder of a socket for others', () => {
  let root: string;
  let server: Server | undefined;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'eipc-folder-'));
  });
  afterEach(async () => {
    await server?.close();
    server = undefined;
    rmSync(root, { recursive: true, force: true });
  });

  const mode = (path: string): string => (statSync(path).mode & 0o7777).toString(8);
  const serve = async (folder: string): Promise<string> => {
    server = await listen(`unix:${folder}/socket`, { services, access: { uids: [own.uid] } });
    return join(folder, 'socket');
  };

  it('is made with mode 0711, the socket with 0666, the lock with 0600, whatever the umask', async () => {
    const umask = process.umask(0o077);
    try {
      const socket = await serve(join(root, 'made'));
      expect([mode(join(root, 'made')), mode(socket), mode(`${socket}.lock`)]).toEqual(['711', '666', '600']);
      const client = await connect(`unix:${socket}`, { serviceId: 'eni', key });
      expect(client.peer.uid).toBe(own.uid);
      await client.close();
    } finally {
      process.umask(umask);
    }
  });

  it('without access is left alone, and the socket is 0600', async () => {
    chmodSync(root, 0o777);
    server = await listen(`unix:${root}/socket`, { services });
    expect([mode(root), mode(join(root, 'socket'))]).toEqual(['777', '600']);
  });

  it.each([0o711, 0o755, 0o710, 0o2711])('with mode %o is taken as it is', async (bits) => {
    chmodSync(root, bits);
    await serve(root);
    expect(mode(root)).toBe(bits.toString(8));
  });

  it.each([
    [0o777, /others can write to it \(mode 0777\)/],
    [0o1777, /others can write to it \(mode 1777\)/],
    [0o731, /others can write to it \(mode 0731\)/],
    [0o700, /nobody else can enter it \(mode 0700\)/],
  ])('with mode %o is refused', async (bits, text) => {
    chmodSync(root, bits);
    const error = await serve(root).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TransportError);
    expect(error).toMatchObject({ code: 'EIPC_TRANSPORT', message: expect.stringMatching(text) as string });
  });

  it('that is a link, or no folder, is refused', async () => {
    mkdirSync(join(root, 'real'), { mode: 0o711 });
    symlinkSync(join(root, 'real'), join(root, 'link'));
    await expect(serve(join(root, 'link'))).rejects.toThrow(/no folder or a link/);
    await expect(serve(join(root, 'missing', 'deeper'))).rejects.toThrow(/cannot be made/);
  });

  it.skipIf(!isRoot)('(as root) of another user is refused: it is his to change', async () => {
    chmodSync(root, 0o711);
    chownSync(root, 61_001, 61_001);
    await expect(serve(root)).rejects.toThrow(/it belongs to uid 61001/);
  });
});
