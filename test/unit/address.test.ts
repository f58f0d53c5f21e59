import { chmod, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { parseAddress, requireSupported, socketPath } from '../../src/transport/address.js';

describe('addresses', () => {
  it('of every scheme are parsed to their canonical form', () => {
    expect(parseAddress('shm:eai')).toEqual({ transport: 'shm', name: 'eai', path: null, text: 'shm:eai' });
    expect(parseAddress('shm:/run/eai.sock')).toEqual({
      transport: 'shm',
      path: '/run/eai.sock',
      text: 'shm:/run/eai.sock',
    });
    expect(parseAddress('unix:/run/eai.sock')).toEqual({
      transport: 'unix',
      path: '/run/eai.sock',
      text: 'unix:/run/eai.sock',
    });
    expect(parseAddress('tcp://host:80')).toMatchObject({ transport: 'tcp', host: 'host', port: 80 });
    expect(parseAddress('tls://[::1]:0')).toMatchObject({ host: '::1', port: 0, text: 'tls://[::1]:0' });
    expect(parseAddress('tcp://:9090')).toMatchObject({ host: '127.0.0.1', text: 'tcp://127.0.0.1:9090' });
    expect(parseAddress('pipe:eai')).toMatchObject({ transport: 'pipe', name: 'eai' });
    expect(parseAddress('memory:test')).toMatchObject({ transport: 'memory', name: 'test' });
  });

  it('that are none are refused with the part that is wrong', () => {
    const wrong = [
      '',
      'eai',
      'http://x',
      'shm:',
      'shm:.',
      'shm:..',
      'shm:Eai',
      'shm:a/b',
      `shm:${'a'.repeat(65)}`,
      'shm:eai?x=1',
      'unix:relative',
      'unix:/a\0b',
      'tcp://host',
      'tcp://host:65536',
      'tcp://host:-1',
      'tcp://::1:80',
      'tcp:host:80',
      'tcp://user@host:80',
      'memory:',
      'tcp://[127.0.0.1]:1',
      'tcp://[::1:1',
      'tcp://[:::]:1',
      'tcp://[fe80::1%eth0]:1',
      'tcp://a..b:1',
      'tcp://a#b:1',
      `tcp://${'a'.repeat(254)}:1`,
    ];
    for (const text of wrong) expect(() => parseAddress(text), text).toThrow(RangeError);
    expect(() => parseAddress(5 as never)).toThrow(TypeError);
  });

  it('with a socket path that is too long name both limits', () => {
    expect(() => parseAddress(`unix:/${'a'.repeat(107)}`)).toThrow(/107 on Linux and 103 on macOS/);
    if (process.platform === 'linux') expect(parseAddress(`unix:/${'a'.repeat(106)}`)).toBeDefined();
  });

  it('of transports this platform has are taken', () => {
    for (const text of ['shm:x', 'unix:/x', 'tcp://:1', 'tls://:1', 'memory:x'])
      expect(requireSupported(parseAddress(text)).text).toBeDefined();
  });

  it('of hosts are written in one way only', () => {
    expect(parseAddress('tcp://LocalHost:080')).toMatchObject({ host: 'localhost', text: 'tcp://localhost:80' });
    expect(parseAddress('tcp://[0:0:0::0001]:1')).toMatchObject({ host: '::1', text: 'tcp://[::1]:1' });
    expect(parseAddress('tcp://[FE80::1:0:0:0]:1')).toMatchObject({ host: 'fe80::1:0:0:0' });
  });

  it.each([
    ['localhost', true],
    ['127.0.0.1', true],
    ['127.255.255.254', true],
    ['[::1]', true],
    ['[::ffff:127.0.0.1]', true],
    ['0.0.0.0', false],
    ['[::]', false],
    ['10.0.0.1', false],
    ['[::ffff:10.0.0.1]', false],
    ['[fe80::1]', false],
    ['example.org', false],
    // The attacker owns a domain that looks like loopback; nothing unencrypted may be sent there.
    ['127.example.org', false],
    ['127.0.0.1.example.org', false],
    ['localhost.example.org', false],
  ])('%s is loopback: %s', (host, isLoopback) => {
    expect(parseAddress(`tcp://${host}:1`)).toMatchObject({ isLoopback });
  });
});

describe('the folder of shm names', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'eipc-test-'));
    vi.stubEnv('XDG_RUNTIME_DIR', folder);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true });
  });

  const path = (create: boolean) => socketPath({ transport: 'shm', name: 'eai', path: null, text: 'shm:eai' }, create);

  it('is made by a server for this user alone, and found by a client', async () => {
    await expect(path(false)).rejects.toThrow(/no server listens on shm:eai/);
    expect(await path(true)).toBe(join(folder, 'eipc', 'eai'));
    expect(await path(true)).toBe(join(folder, 'eipc', 'eai'));
    expect(await path(false)).toBe(join(folder, 'eipc', 'eai'));
  });

  it('is refused when others may use it', async () => {
    await mkdir(join(folder, 'eipc'), { mode: 0o700 });
    await chmod(join(folder, 'eipc'), 0o755);
    await expect(path(true)).rejects.toThrow(/mode 755/);
    await expect(path(false)).rejects.toMatchObject({ code: 'EIPC_TRANSPORT' });
  });

  it('is refused when it is a link', async () => {
    await mkdir(join(folder, 'other'), { mode: 0o700 });
    await symlink(join(folder, 'other'), join(folder, 'eipc'));
    await expect(path(true)).rejects.toThrow(/no folder/);
  });
});
