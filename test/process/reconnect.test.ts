/**
 * The attacker here is the kernel: SIGKILL takes the server away at any instant, SIGSTOP leaves it there and silent, and another process takes
 * its place. The client finds it by itself; what it had sent is late, lost or refused as the rules say, and nothing arrives twice.
 */
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { connect, Key } from '../../src/index.js';
import type { ClientEndpoint, ConnectOptions, Priority } from '../../src/index.js';
import { Ledger } from '../helpers/gaps.js';
import type { Arrival } from '../helpers/gaps.js';
import { Dice } from '../helpers/scene.js';

const COLLECTOR = fileURLToPath(new URL('fixtures/collector.js', import.meta.url));
const LANES = [0, 1, 2, 3] as const;
const secret = randomBytes(32);
const key = Key.fromBytes(Buffer.from(secret));
const children = new Set<ChildProcess>();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-reconnect-'));
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A server process that is killed and started again. */
class Collector {
  readonly file: string;
  address: string;
  #child: ChildProcess | undefined;

  constructor(address: string, file: string) {
    this.address = address;
    this.file = file;
    writeFileSync(file, '');
  }

  /** Starts it and resolves when it listens. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [COLLECTOR, this.address, this.file], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    children.add(child);
    child.once('close', () => children.delete(child));
    child.stdin.end(secret.toString('hex'));
    for await (const line of createInterface(child.stdout)) {
      if (!line.startsWith('listening ')) continue;
      this.address = line.slice('listening '.length);
      return;
    }
    throw new Error('the server ended before it listened');
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }

  /** Returns what its handlers got so far. */
  arrivals(): Arrival[] {
    const sessions: string[] = [];
    // The last line may be half written.
    return readFileSync(this.file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const [session = '', priority, n] = line.split(' ');
        if (!sessions.includes(session)) sessions.push(session);
        return { session: sessions.indexOf(session), priority: Number(priority) as Priority, n: Number(n) };
      });
  }
}

async function dial(collector: Collector, options: Partial<ConnectOptions> = {}): Promise<ClientEndpoint> {
  const reconnect = { initialDelay: 5, maxDelay: 100, maxAttempts: 10_000 };
  return connect(collector.address, { serviceId: 'peer', key, reconnect, sendTimeout: 30_000, ...options });
}

/** Reads what comes until the connection is closed. */
async function discard(client: ClientEndpoint): Promise<void> {
  for await (const message of client) expect(message.type).toBe('chat');
}

describe.each(['shm', 'unix', 'tcp'])('over %s, a server that is killed and started again', (transport) => {
  const newCollector = (name: string): Collector =>
    new Collector(
      transport === 'tcp' ? 'tcp://127.0.0.1:0' : `${transport}:${join(folder, `${transport}-${name}`)}`,
      join(folder, `${transport}-${name}.log`),
    );

  it('is found again each time; nothing arrives twice, late control not at all', async () => {
    const dice = new Dice(transport.length);
    const collector = newCollector('killed');
    await collector.start();
    const client = await dial(collector);
    const ledger = new Ledger();
    const counts: number[] = [];
    const reading = (async () => {
      for await (const message of client) counts.push((message.payload as { n: number }).n);
    })();
    let isSending = true;
    const sending = (async () => {
      while (isSending) {
        for (const priority of LANES)
          for (let count = dice.below(8); count > 0 && ledger.open < 400; count -= 1)
            ledger.send(client, priority, 'x'.repeat(dice.below(2_000)));
        await setImmediate();
      }
    })();
    const kills = 6;
    for (let round = 0; round < kills; round += 1) {
      const enough = collector.arrivals().length + dice.below(1_000);
      await expect.poll(() => collector.arrivals().length, { timeout: 20_000, interval: 5 }).toBeGreaterThan(enough);
      await collector.kill();
      await expect.poll(() => client.state, { timeout: 10_000 }).toBe('reconnecting');
      await collector.start();
      await expect.poll(() => client.stats().reconnects, { timeout: 20_000 }).toBe(round + 1);
    }
    isSending = false;
    await sending;
    for (const priority of LANES) ledger.send(client, priority);
    await expect.poll(() => ledger.open, { timeout: 20_000 }).toBe(0);
    const lastOf = (lane: number) => collector.arrivals().findLast(({ priority }) => priority === lane)?.n;
    await expect.poll(() => LANES.map(lastOf), { timeout: 20_000 }).toEqual(LANES.map((lane) => ledger.last(lane)));
    ledger.check(collector.arrivals());
    expect(ledger.rejected.map((lane) => lane.size).slice(2)).toEqual([0, 0]);
    // What it received: every session counts from 0 without a hole, and the loop over them all never ended.
    const starts = counts.filter((n) => n === 0).length;
    expect(starts).toBeGreaterThan(1);
    expect(starts).toBeLessThanOrEqual(kills + 1);
    for (const [index, n] of counts.entries()) expect(n === 0 || n === (counts[index - 1] ?? 0) + 1).toBe(true);
    await client.close();
    await reading;
    await collector.kill();
  });
});

describe('over tcp, a server that is stopped, not killed', () => {
  it('is noticed by its silence, and the client goes to the next', async () => {
    const collector = new Collector('tcp://127.0.0.1:0', join(folder, 'stopped.log'));
    await collector.start();
    const client = await dial(collector, { heartbeat: { interval: 100, timeout: 1_000 } });
    // What the collector sends would fill the inbox, and on a stream replies wait behind it.
    const reading = discard(client);
    const events = client.events();
    const reply = client.request<{ pid: number }>({ type: 'intent' });
    const { pid } = (await reply).payload;
    collector.signal('SIGSTOP');
    const lost = await events.next();
    expect(lost.value).toMatchObject({
      type: 'reconnecting',
      reason: { code: 'EIPC_PEER_DOWN', error: { message: expect.stringMatching(/heartbeat/) as string } },
    });
    await collector.kill();
    await collector.start();
    await expect.poll(() => client.state, { timeout: 20_000 }).toBe('open');
    expect((await client.request<{ pid: number }>({ type: 'intent' })).payload.pid).not.toBe(pid);
    await client.close();
    await reading;
    await collector.kill();
  });

  it('keeps its client when nobody asked for heartbeats on a transport that does without', async () => {
    const collector = new Collector(`unix:${join(folder, 'patient')}`, join(folder, 'patient.log'));
    await collector.start();
    const client = await dial(collector);
    collector.signal('SIGSTOP');
    await expect(client.request({ type: 'intent' }, { timeout: 300 })).rejects.toMatchObject({ code: 'EIPC_TIMEOUT' });
    expect(client.state).toBe('open');
    collector.signal('SIGCONT');
    expect((await client.request({ type: 'intent' })).payload).toHaveProperty('pid');
    await client.close();
    await collector.kill();
  });
});
