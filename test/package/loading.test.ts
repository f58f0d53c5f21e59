/** Without the binary of this platform: the error says what is missing and what to do, and what needs no binary works. */
import { beforeAll, describe, expect, inject, it } from 'vitest';

import { Consumer } from './consumer.js';
import { platformOfThisMachine } from './this-platform.js';

const { version } = inject('eipc').manifest;
const expected = `eipc needs the package eipc-${platformOfThisMachine}@${version} on ${platformOfThisMachine} (Node.js ${process.version})`;
const foreign = inject('platforms').find(({ manifest }) => manifest.cpu?.includes(process.arch) === false)?.manifest;

describe.each([
  ['optional dependencies were left out', ['--omit=optional']],
  [
    'the packages were installed for another machine',
    [`--os=${foreign?.os?.[0]}`, `--cpu=${foreign?.cpu?.[0]}`, `--libc=${foreign?.libc?.[0] ?? 'glibc'}`],
  ],
])('where %s', (_why, flags) => {
  let consumer: Consumer;
  beforeAll(async () => {
    consumer = new Consumer();
    await consumer.npm('install', 'eipc', ...flags);
    consumer.write('import.mjs', `import('eipc').catch((error) => console.log(error.message));`);
    consumer.write('require.cjs', `try { require('eipc'); } catch (error) { console.log(error.message); }`);
  });

  it.each(['import.mjs', 'require.cjs'])('%s learns the platform, the package and the remedy', async (program) => {
    const { stdout } = await consumer.node([program]);
    expect(stdout).toContain(expected);
    expect(stdout).toMatch(/run `npm install` again on this machine and without --omit=optional/);
  });

  it('eipc --help and keygen work, and eipc demo says the same and ends with 3', async () => {
    const eipc = (...args: string[]) => consumer.run('npx', ['--no', '--', 'eipc', ...args]);
    expect(await eipc('--help')).toMatchObject({ code: 0 });
    expect(await eipc('keygen', '--service', 'eni.min')).toMatchObject({ code: 0 });
    const demo = await eipc('demo', '--seconds', '2', '--speed', 'max', '--json');
    expect(demo.code).toBe(3);
    expect(demo.stderr).toContain(expected);
  });
});
