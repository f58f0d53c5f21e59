/** What eipc takes of a processor: nothing while nothing happens, and never everything. */
import { createHash, randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { connect, Key, listen } from '../../src/index.js';
import type { ServerEndpoint, WaitStrategy } from '../../src/index.js';
import { threadPoller } from '../../src/native.js';

const PEER = fileURLToPath(new URL('fixtures/peer.js', import.meta.url));
const QUIET = fileURLToPath(new URL('fixtures/quiet.js', import.meta.url));
const WORK = Buffer.alloc(16_384);
const secret = randomBytes(32);
const key = Key.fromBytes(Buffer.from(secret));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-quiet-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

it.each(['shm', 'unix'])('over %s, a process with an open endpoint sleeps while nothing happens', async (transport) => {
  const server = await listen(`${transport}:${join(folder, transport)}`, {
    services: { quiet: { key, capabilities: [] } },
    router: null,
  });
  try {
    const accepted = server[Symbol.asyncIterator]().next();
    const child = spawn(process.execPath, [QUIET, server.addresses[0] ?? ''], {
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    child.stdin.end(secret.toString('hex'));
    const endpoint = (await accepted).value as ServerEndpoint;
    const { payload } = await endpoint.request({ type: 'intent' }, { timeout: 20_000 });
    const { isOnLibuv } = threadPoller().stats();
    const threads = isOnLibuv || transport === 'unix' ? 0 : 1;
    expect(payload).toMatchObject({ isQuiet: true, isOnLibuv, threads });
    const gone = once(child, 'close');
    await server.close();
    await gone;
  } finally {
    await server.close();
  }
});

describe.each<WaitStrategy>(['adaptive', 'park', 'poll'])('wait: %s', (wait) => {
  it('lets timers, files and other connections go on while messages never stop', { timeout: 120_000 }, async () => {
    const services = { peer: { key, capabilities: [] } };
    // A handler takes each message where it is delivered, and for longer than sending one takes: nowhere is a pause.
    const busy = await listen(`shm:${join(folder, `busy-${wait}`)}`, { services, wait });
    let received = 0;
    busy.router?.handle('features', () => {
      createHash('sha256').update(WORK).digest();
      received += 1;
    });
    const other = await listen(`tcp://127.0.0.1:0`, { services });
    other.router?.handle('intent', ({ payload }) => payload);
    try {
      const accepted = busy[Symbol.asyncIterator]().next();
      const child = spawn(process.execPath, [PEER, 'connect', busy.addresses[0] ?? ''], {
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      child.stdin.end(secret.toString('hex'));
      const flooded = (await accepted).value as ServerEndpoint;
      const client = await connect(other.addresses[0] ?? '', { serviceId: 'peer', key });
      for (let n = 0; n < 8; n += 1) {
        const before = received;
        await setTimeout(1);
        await readFile(QUIET);
        expect((await client.request({ type: 'intent', payload: { n } })).type).toBe('ack');
        await expect.poll(() => received, { interval: 1, timeout: 10_000 }).toBeGreaterThan(before);
      }
      await client.close();
      const gone = once(child, 'close');
      child.kill('SIGKILL');
      expect(await flooded.closed).toMatchObject({ code: 'EIPC_PEER_DOWN' });
      await gone;
    } finally {
      await Promise.all([busy.close(), other.close()]);
    }
  });
});
