/**
 * The attacker here is the kernel: SIGKILL takes a peer away while doorbells that nobody has read lie on both sides. Closing a socket with
 * unread bytes is an error at the other end, which is reported before the bytes in front of it were read, and once.
 */
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { connect, Key, listen } from '../../src/index.js';
import type { ClientEndpoint, ServerEndpoint } from '../../src/index.js';

const PEER = fileURLToPath(new URL('fixtures/bell-ringer.js', import.meta.url));
const secret = randomBytes(32);
const key = Key.fromBytes(Buffer.from(secret));
let folder: string;
let child: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-bells-'));
});
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** A peer that says what happens to it, one word a line. */
class Peer {
  readonly pid: number;
  readonly #lines: AsyncIterator<string>;

  constructor(role: 'listen' | 'connect', address: string) {
    const peer = spawn(process.execPath, [PEER, role, address, join(folder, 'sent')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child = peer;
    this.pid = peer.pid ?? 0;
    this.#lines = createInterface(peer.stdout)[Symbol.asyncIterator]();
    peer.stdin.end(secret.toString('hex'));
  }

  async says(word: string): Promise<void> {
    expect(await this.#lines.next()).toMatchObject({ value: word });
  }
}

/** Waits without the event loop: whoever is awaited rings, and nobody reads it here. */
function block(what: string, isReached: () => boolean): void {
  const end = performance.now() + 20_000;
  while (!isReached()) if (performance.now() > end) throw new Error(`not in time: ${what}`);
}

function isInState(pid: number, state: string): boolean {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.toUpperCase().startsWith(state) === true;
}

/** Leaves a doorbell on both sides, takes the peer away, and returns how the survivor's connection ends. */
async function die(endpoint: ClientEndpoint | ServerEndpoint, pid: number): Promise<unknown> {
  const reading = (async () => {
    for await (const message of endpoint) void message;
  })().catch((error: unknown) => error);
  // Turns of the loop with nothing to do: this side has announced that it sleeps, and is rung for what comes.
  for (let turns = 0; turns < 3; turns += 1) await setImmediate();
  process.kill(pid, 'SIGUSR2');
  block('the peer sends', () => existsSync(join(folder, 'sent')));
  block('the peer sleeps', () => isInState(pid, 'S'));
  process.kill(pid, 'SIGSTOP');
  block('the peer is stopped', () => isInState(pid, 'T'));
  expect(endpoint.trySend({ type: 'chat', payload: {} })).toBe(true);
  process.kill(pid, 'SIGKILL');
  block('the peer is gone', () => isInState(pid, 'Z') && readdirSync(`/proc/${pid}/task`).length === 1);
  const { code } = await endpoint.closed;
  return { code, error: await reading };
}

it('a client learns of the death of its server', async () => {
  const address = `shm:${join(folder, 'socket')}`;
  const peer = new Peer('listen', address);
  await peer.says('listening');
  const endpoint = await connect(address, { serviceId: 'peer', key, wait: 'park' });
  await peer.says('open');
  expect(await die(endpoint, peer.pid)).toMatchObject({ code: 'EIPC_PEER_DOWN' });
});

it('a server learns of the death of its client', async () => {
  const address = `shm:${join(folder, 'socket')}`;
  const server = await listen(address, { services: { peer: { key, capabilities: [] } }, router: null, wait: 'park' });
  const accepted = server[Symbol.asyncIterator]().next();
  const peer = new Peer('connect', address);
  await peer.says('open');
  const next = await accepted;
  if (next.done === true) throw new Error('the server ended');
  expect(await die(next.value, peer.pid)).toMatchObject({ code: 'EIPC_PEER_DOWN' });
  await server.close();
});
