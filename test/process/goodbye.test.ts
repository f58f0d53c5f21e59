/** Goodbyes that have to wait: the control socket of a busy peer is full of doorbells when the answer to its own goodbye is due. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { Key, listen } from '../../src/index.js';
import type { ServerEndpoint } from '../../src/index.js';

const LEAVER = fileURLToPath(new URL('fixtures/busy-leaver.js', import.meta.url));
/** More doorbells than a Unix socket holds. */
const MESSAGES = 1_000;

const secret = randomBytes(32);
const key = Key.fromBytes(Buffer.from(secret));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-goodbye-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

it('is answered by a goodbye that arrives, however full the socket is', async () => {
  const server = await listen(`shm:${join(folder, 'eai')}`, {
    services: { peer: { key, capabilities: [] } },
    router: null,
  });
  try {
    const accepted = server[Symbol.asyncIterator]().next();
    const child = spawn(process.execPath, [LEAVER, server.addresses[0] ?? ''], { stdio: ['pipe', 'pipe', 'inherit'] });
    const gone = once(child, 'close');
    child.stdin.end(secret.toString('hex'));
    const endpoint = (await accepted).value as ServerEndpoint;
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('busy');
    for (let n = 0; n < MESSAGES; n += 1) await endpoint.send({ type: 'features', payload: { n } });
    expect(await endpoint.closed).toEqual({ code: 'EIPC_CLOSED_BY_PEER', undelivered: 0 });
    expect((await lines.next()).value).toBe(`whole EIPC_CLOSED ${MESSAGES}`);
    await gone;
  } finally {
    await server.close();
  }
});
