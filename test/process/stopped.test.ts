/**
 * The attacker here is the kernel, or a debugger: SIGSTOP holds one side for a while. That is not death: the other side fills its lanes and
 * waits, and when the peer goes on nothing was lost. `EIPC_STOP_SECONDS=5` (`make crash`) makes the while longer.
 */
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { connect, Key, listen } from '../../src/index.js';
import type { ClientEndpoint, Priority, ServerEndpoint } from '../../src/index.js';
import { counterOf, numbered } from './fixtures/numbered.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PEER = fileURLToPath(new URL('fixtures/answerer.js', import.meta.url));
const STOP_MS = Number(process.env['EIPC_STOP_SECONDS'] ?? 0.3) * 1_000;
const LANES = [0, 1, 2, 3] as const;
/** More than fits into the lanes of any transport. */
const MOST = 2_000;
const secret = randomBytes(32);
const key = Key.fromBytes(Buffer.from(secret));
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-stopped-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Numbers what goes out and checks what comes back, lane by lane. */
class Ledger {
  readonly sent = [0, 0, 0, 0];
  readonly #received = [0, 0, 0, 0];
  readonly #endpoint: ClientEndpoint | ServerEndpoint;

  constructor(endpoint: ClientEndpoint | ServerEndpoint) {
    this.#endpoint = endpoint;
  }

  /** Sends the next message of a lane if there is room. */
  trySend(priority: Priority): boolean {
    const next = (this.sent[priority] ?? 0) + 1;
    const isSent = this.#endpoint.trySend({ type: 'features', priority, payload: numbered(next, 10_000) });
    if (isSent) this.sent[priority] = next;
    return isSent;
  }

  /** Receives until every message was answered. */
  async settle(): Promise<void> {
    for (const messages = this.#endpoint[Symbol.asyncIterator](); this.#received.join() !== this.sent.join();) {
      const next = await messages.next();
      if (next.done === true) throw new Error('the peer said goodbye');
      const { priority, bytes } = next.value;
      this.#received[priority] = (this.#received[priority] ?? 0) + 1;
      expect(counterOf(bytes)).toBe(this.#received[priority]);
    }
  }
}

async function start(role: 'listen' | 'connect', address: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [PEER, ROOT, role, address], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(secret.toString('hex'));
  if (role === 'listen') for await (const line of createInterface(child.stdout)) if (line === 'listening') break;
  return child;
}

function isStopped({ pid }: ChildProcess): boolean {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('T') === true;
}

describe.each(['shm', 'unix'])('over %s, SIGSTOP', (transport) => {
  it.each(['listen', 'connect'] as const)('of a peer that does %s is not its death and loses nothing', async (role) => {
    const address = `${transport}:${join(folder, `${transport}-${role}`)}`;
    const server =
      role === 'connect'
        ? await listen(address, { services: { peer: { key, capabilities: [] } }, router: null })
        : undefined;
    const child = await start(role, address);
    try {
      const accepted = await server?.[Symbol.asyncIterator]().next();
      const endpoint =
        (accepted?.value as ServerEndpoint | undefined) ?? (await connect(address, { serviceId: 'peer', key }));
      const ledger = new Ledger(endpoint);
      for (const priority of LANES) ledger.trySend(priority);
      await ledger.settle();

      child.kill('SIGSTOP');
      await expect.poll(() => isStopped(child)).toBe(true);
      for (const priority of LANES) while (ledger.trySend(priority)) expect(ledger.sent[priority]).toBeLessThan(MOST);
      const isOver = await Promise.race([endpoint.closed, setTimeout(STOP_MS, false)]);
      expect(isOver, 'nobody took it for dead').toBe(false);
      expect(endpoint.state).toBe('open');

      child.kill('SIGCONT');
      await ledger.settle();
      expect(Math.min(...ledger.sent)).toBeGreaterThan(10);
      await endpoint.close();
      expect(await endpoint.closed).toMatchObject({ code: 'EIPC_CLOSED', undelivered: 0 });
    } finally {
      child.kill('SIGKILL');
      await server?.close();
    }
  });
});
