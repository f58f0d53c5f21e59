/**
 * The attacker here is the kernel: SIGKILL takes one side away at any instant. The survivor must learn it from the operating system, have
 * everything that was sent before, in order and unharmed, and keep nothing of the dead connection.
 */
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Key, PeerDownError, connect, listen } from '../../src/index.js';
import type { ClientEndpoint, ServerEndpoint } from '../../src/index.js';
import { grownSince, holdings } from '../helpers/holdings.js';
import type { Holdings } from '../helpers/holdings.js';
import { counterOf } from './fixtures/numbered.js';

const PEER = fileURLToPath(new URL('fixtures/peer.js', import.meta.url));
const ENOUGH = 500;

let folder: string;
const secret = randomBytes(32);
const key = Key.fromBytes(Buffer.from(secret));

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-death-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Victim {
  readonly child: ChildProcess;
  readonly gone: Promise<unknown>;
}

/** Starts the peer and resolves when it has said `word`. */
async function start(role: 'listen' | 'connect', address: string, word: string): Promise<Victim> {
  const child = spawn(process.execPath, [PEER, role, address], { stdio: ['pipe', 'pipe', 'inherit'] });
  const gone = once(child, 'close');
  child.stdin.end(secret.toString('hex'));
  for await (const line of createInterface(child.stdout)) if (line === word) return { child, gone };
  throw new Error(`the peer ended before it said ${word}`);
}

/** Takes messages from a flooding peer, kills it after `ENOUGH` of them, and checks what the survivor must see. */
async function survive(
  endpoint: ClientEndpoint | ServerEndpoint,
  { child, gone }: Victim,
  code: string,
): Promise<void> {
  let last = 0;
  const drained = (async () => {
    for await (const message of endpoint) {
      expect(counterOf(message.bytes)).toBe(last + 1);
      last += 1;
      if (last === ENOUGH) child.kill('SIGKILL');
    }
  })();
  await expect(drained).rejects.toThrow(PeerDownError);
  expect(await endpoint.closed).toMatchObject({ code });
  expect(last).toBeGreaterThanOrEqual(ENOUGH);
  await expect(endpoint.request({ type: 'intent', payload: {} })).rejects.toThrow(PeerDownError);
  await gone;
}

describe.each([
  ['shm', 'EIPC_PEER_DOWN'],
  ['unix', 'EIPC_TRUNCATED'],
])('over %s, SIGKILL', (transport, code) => {
  const address = (name: string): string => `${transport}:${join(folder, `${transport}-${name}`)}`;

  it('of the client leaves the server its messages, the news, and nothing else', async () => {
    const server = await listen(address('server'), { services: { peer: { key, capabilities: [] } }, router: null });
    const accepted = server[Symbol.asyncIterator]();
    try {
      let before: Holdings | undefined;
      for (let round = 0; round < 3; round += 1) {
        const victim = await start('connect', server.addresses[0] ?? '', 'open');
        const next = await accepted.next();
        if (next.done === true) throw new Error('the server ended');
        await survive(next.value, victim, code);
        expect(server.endpoints.size).toBe(0);
        // The first round pays for what a process opens once.
        await expect.poll(() => holdings().segments, { timeout: 5_000 }).toBe(0);
        before ??= holdings();
        const first = before;
        await expect.poll(() => grownSince(first), { timeout: 5_000 }).toEqual([]);
      }
    } finally {
      await server.close();
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  it('of the server is known to the client, and the next server takes the address over', async () => {
    let before: Holdings | undefined;
    for (let round = 0; round < 3; round += 1) {
      const victim = await start('listen', address('client'), 'listening');
      const endpoint = await connect(address('client'), { serviceId: 'peer', key });
      await survive(endpoint, victim, code);
      await expect.poll(() => holdings().segments, { timeout: 5_000 }).toBe(0);
      before ??= holdings();
      const first = before;
      await expect.poll(() => grownSince(first), { timeout: 5_000 }).toEqual([]);
    }
    const server = await listen(address('client'), { services: { peer: { key, capabilities: [] } } });
    await server.close();
    expect(readdirSync(folder)).toEqual([]);
  });
});
