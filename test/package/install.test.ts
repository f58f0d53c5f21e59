/** What npm installs: eipc, its runtime dependencies, and the binary of one platform. Without scripts and without the network. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';

import { Consumer } from './consumer.js';
import { platformOfThisMachine } from './this-platform.js';

const eipc = ['eipc', ...inject('dependencies')];

describe('npm install eipc', () => {
  it('installs eipc, its dependencies and the binary of this platform, and npm ci repeats it from the lockfile', async () => {
    const first = new Consumer();
    await first.npm('install', 'eipc');
    expect(first.installed()).toEqual([...eipc, `eipc-${platformOfThisMachine}`].sort());

    const second = new Consumer();
    for (const name of ['package.json', 'package-lock.json'])
      copyFileSync(join(first.folder, name), join(second.folder, name));
    await second.npm('ci');
    expect(second.installed()).toEqual(first.installed());
  });

  it.each(inject('platforms').map((platform) => [platform.name, platform.manifest] as const))(
    'installs exactly %s where npm is told that platform',
    async (name, { os, cpu, libc }) => {
      const consumer = new Consumer();
      const flags = Object.entries({ os, cpu, libc }).flatMap(
        ([flag, values]) => values?.map((v) => `--${flag}=${v}`) ?? [],
      );
      await consumer.npm('install', 'eipc', ...flags);
      expect(consumer.installed()).toEqual([...eipc, name].sort());
    },
  );

  it('installs no binary where there is none', async () => {
    const consumer = new Consumer();
    await consumer.npm('install', 'eipc', '--os=linux', '--cpu=riscv64', '--libc=glibc');
    expect(consumer.installed()).toEqual([...eipc].sort());
  });
});

it('npm ci in a fresh clone finds package.json and package-lock.json in agreement, without a platform package in any registry', async () => {
  const clone = new Consumer();
  for (const name of ['package.json', 'package-lock.json']) copyFileSync(name, join(clone.folder, name));
  await clone.npm('ci', '--dry-run', '--offline');
});
