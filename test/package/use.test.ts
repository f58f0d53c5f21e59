/** What was installed works: imported, required, compiled against, run, and as the README says. */
import { existsSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';

import { expectReadmeExampleTalks, writeReadmeExample } from '../helpers/readme-example.js';
import { Consumer } from './consumer.js';

let consumer: Consumer;
beforeAll(async () => {
  consumer = new Consumer();
  await consumer.npm('install', 'eipc');
});

describe('a program', () => {
  it('gets the same names by import and by require', async () => {
    consumer.write('names.mjs', `import * as eipc from 'eipc'; console.log(Object.keys(eipc).sort().join(' '));`);
    consumer.write('names.cjs', `console.log(Object.keys(require('eipc')).sort().join(' '));`);
    const [imported, required] = [await consumer.node(['names.mjs']), await consumer.node(['names.cjs'])];
    expect(imported).toMatchObject({ code: 0, stderr: '' });
    expect(imported.stdout.split(/\s/)).toEqual(expect.arrayContaining(['connect', 'listen', 'readKeyFile']));
    expect(required).toEqual(imported);
  });

  it('gets one library, whether imported or required', async () => {
    consumer.write(
      'same.mjs',
      `import { createRequire } from 'node:module'; import { Router } from 'eipc';
       console.log(createRequire(import.meta.url)('eipc').Router === Router);`,
    );
    expect(await consumer.node(['same.mjs'])).toMatchObject({ code: 0, stdout: 'true\n' });
  });

  it('reaches nothing inside the package but its package.json', async () => {
    consumer.write(
      'inside.cjs',
      `for (const name of process.argv.slice(2)) try { require(name); } catch ({ code }) { console.log(code); }`,
    );
    const { stdout } = await consumer.node([
      'inside.cjs',
      'eipc/package.json',
      'eipc/dist/native.js',
      'eipc/index.d.ts',
    ]);
    expect(stdout).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED\nERR_PACKAGE_PATH_NOT_EXPORTED\n');
  });
});

describe('TypeScript', () => {
  const program = `
    const key: Key = Key.fromBytes(new Uint8Array(32));
    const options = { services: { eni: { key, capabilities: ['ui:control'] } } } satisfies ListenOptions;
    export async function main(): Promise<void> {
      const server: Server = await listen('memory:typed', options);
      server.router?.handle('intent', (message, peer) => ({ from: peer.serviceId, payload: message.payload }));
      const client = await connect('memory:typed', { serviceId: 'eni', key });
      const reply: Message<{ from: string }> = await client.request<{ from: string }>({ type: 'intent', payload: 1 });
      const from: string = reply.payload.from;
      // @ts-expect-error the reply has no such field
      const nothing: string = reply.payload.nothing;
      // @ts-expect-error there is no such message type
      await client.send({ type: 'wish' });
      await client.close();
      await server.close();
      console.log(from, nothing);
    }`;
  const imports = `import { connect, Key, listen } from 'eipc';
    import type { ListenOptions, Message, Server } from 'eipc';`;

  beforeAll(() => {
    // The compiler and Node's types are the consumer's own; here they are those of the repository.
    const modules = join(consumer.folder, 'node_modules');
    if (!existsSync(join(modules, '@types'))) symlinkSync(resolve('node_modules/@types'), join(modules, '@types'));
    if (!existsSync(join(modules, 'undici-types')))
      symlinkSync(resolve('node_modules/undici-types'), join(modules, 'undici-types'));
  });

  it.each([
    ['nodenext', 'esm.mts', ['--module', 'nodenext']],
    ['nodenext, from CommonJS', 'cjs.cts', ['--module', 'nodenext']],
    ['bundler', 'bundled.ts', ['--module', 'esnext', '--moduleResolution', 'bundler', '--noEmit']],
  ])('compiles a program that uses the types: %s', async (_name, file, options) => {
    consumer.write(file, `${imports}\n${program}`);
    // The declarations of eipc are checked as well: no --skipLibCheck.
    const strict = [
      '--strict',
      '--exactOptionalPropertyTypes',
      '--target',
      'es2023',
      '--lib',
      'es2023,esnext.disposable',
    ];
    const tsc = resolve('node_modules/typescript/bin/tsc');
    expect(await consumer.node([tsc, ...strict, '--types', 'node', ...options, file])).toMatchObject({
      code: 0,
      stdout: '',
    });
  });
});

describe('the command line', () => {
  const eipc = (...args: string[]) => consumer.run('npx', ['--no', '--', 'eipc', ...args]);

  it('eipc --help explains itself', async () => {
    const { code, stdout } = await eipc('--help');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Usage: eipc/);
  });

  it('eipc --version is the version of the package', async () => {
    expect(await eipc('--version')).toMatchObject({ code: 0, stdout: `${inject('eipc').manifest.version}\n` });
  });

  it('eipc keygen makes a key, with which the example of the README runs', async () => {
    expect(await eipc('keygen', '--service', 'eni.min')).toMatchObject({ code: 0 });
    writeReadmeExample(consumer.folder);
    await expectReadmeExampleTalks(consumer.folder);
  });

  it('eipc demo runs two processes over shared memory and loses nothing', async () => {
    const { code, stdout, stderr } = await eipc('demo', '--json', '--speed', 'max', '--seconds', '2');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, lost: 0, rejected: 0, transport: 'shm' });
  });
});
