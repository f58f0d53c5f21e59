/**
 * `child_process.fork` starts another program with nothing of this one's: no endpoint, no descriptor, no mapping. So a peer learns the
 * death of the first process although the second lives, and the second uses eipc like any other.
 */
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { Key, listen } from '../../src/index.js';
import type { ServerEndpoint } from '../../src/index.js';
import { isAlive } from './cli/program.js';

const FORKS = fileURLToPath(new URL('fixtures/forks.js', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-fork-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

it.each([
  ['shm', 'EIPC_PEER_DOWN'],
  ['unix', 'EIPC_TRUNCATED'],
])('over %s', async (transport, code) => {
  const secret = randomBytes(32);
  const services = { forks: { key: Key.fromBytes(Buffer.from(secret)), capabilities: [] } };
  const server = await listen(`${transport}:${join(folder, transport)}`, { services, router: null });
  try {
    const endpoints = server[Symbol.asyncIterator]();
    const first = spawn(process.execPath, [FORKS, server.addresses[0] ?? ''], {
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    first.stdin.end(secret.toString('hex'));
    const firstEndpoint = (await endpoints.next()).value as ServerEndpoint;
    const { forked } = (await firstEndpoint.receive({ timeout: 10_000 })).payload as { forked: number };
    // Now, while the second waits for the first to go: after that it has a segment of its own.
    expect(readFileSync(`/proc/${forked}/maps`, 'utf8').includes('memfd:eipc')).toBe(false);

    const gone = once(first, 'close');
    first.kill('SIGKILL');
    expect(await firstEndpoint.closed).toMatchObject({ code });
    await gone;
    expect(isAlive(forked)).toBe(true);

    const secondEndpoint = (await endpoints.next()).value as ServerEndpoint;
    expect(secondEndpoint.peer.pid).toBe(forked);
    await secondEndpoint.ping();
  } finally {
    await server.close();
  }
});
