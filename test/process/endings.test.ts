/** However a process ends with endpoints open, it ends as it meant to, with its own exit code, and the peer sees the end. */
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { connect, Key, listen } from '../../src/index.js';
import type { Endpoint } from '../../src/index.js';

const ENDS = fileURLToPath(new URL('fixtures/ends.js', import.meta.url));
const secret = randomBytes(32);
const key = Key.fromBytes(Buffer.from(secret));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-endings-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Child {
  readonly child: ChildProcess;
  /** How it ended. */
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  readonly complaints: () => string;
}

function start(role: 'connect' | 'listen', address: string, way: string): Child {
  const child = spawn(process.execPath, [ENDS, role, address, way], { stdio: 'pipe' });
  child.stdin.end(secret.toString('hex'));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(child, 'close').then(([code, signal]) => ({ code: code as number, signal: signal as string }));
  return { child, ended, complaints: () => said };
}

/** Has the process answer a few requests, then end. */
async function end(endpoint: Endpoint): Promise<void> {
  for (let n = 0; n < 20; n += 1) await endpoint.request({ type: 'intent', payload: { n } });
  await endpoint.send({ type: 'intent', payload: { end: true } });
}

const CLEAN = { code: 0, signal: null };
/** The way, how the process ends, and what it says on stderr. */
const WAYS = [
  ['exit', CLEAN, /^$/],
  ['exit in a handler', CLEAN, /^$/],
  ['unref', CLEAN, /^$/],
  ['uncaught', { code: 1, signal: null }, /Error: nobody catches this/],
  ['rejected', { code: 1, signal: null }, /Error: nobody catches this/],
] as const;

describe.each([
  ['shm', 'EIPC_PEER_DOWN'],
  ['unix', 'EIPC_TRUNCATED'],
])('over %s', (transport, code) => {
  const address = (name: string): string => `${transport}:${join(folder, `${transport}-${name}`)}`;

  it.each(WAYS)('a client that ends by "%s"', async (way, outcome, complaint) => {
    const server = await listen(address('here'), { services: { ends: { key, capabilities: [] } }, router: null });
    try {
      const accepted = server[Symbol.asyncIterator]().next();
      const process = start('connect', address('here'), way);
      const endpoint = (await accepted).value as Endpoint;
      await end(endpoint);
      expect(await endpoint.closed).toMatchObject({ code });
      expect(await process.ended).toEqual(outcome);
      expect(process.complaints()).toMatch(complaint);
    } finally {
      await server.close();
    }
  });

  it.each(WAYS)('a server that ends by "%s"', async (way, outcome, complaint) => {
    const process = start('listen', address('there'), way);
    await once(process.child.stdout ?? process.child, 'data');
    const endpoint = await connect(address('there'), { serviceId: 'ends', key });
    await end(endpoint);
    expect(await endpoint.closed).toMatchObject({ code });
    expect(await process.ended).toEqual(outcome);
    expect(process.complaints()).toMatch(complaint);
    // Only an event loop that ends by itself runs what removes the socket; what is left behind is in nobody's way.
    await (await listen(address('there'), { services: { ends: { key, capabilities: [] } } })).close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('an open endpoint keeps its process alive until it is closed, then the process ends by itself', async () => {
    const server = await listen(address('here'), { services: { ends: { key, capabilities: [] } }, router: null });
    const accepted = server[Symbol.asyncIterator]().next();
    const process = start('connect', address('here'), 'nothing');
    const endpoint = (await accepted).value as Endpoint;
    // Long enough for a process that had nothing to wait for: it answers after whatever its event loop did in between.
    for (let n = 0; n < 50; n += 1) await endpoint.request({ type: 'intent', payload: { n } });
    expect(process.child.exitCode).toBeNull();
    await server.close();
    expect(await process.ended).toEqual(CLEAN);
  });
});
