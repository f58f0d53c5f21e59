/**
 * The attacker here is the kernel: SIGKILL takes one side away at each kill point of docs/shm-abi.md. The victim does it to itself, with an
 * addon of its own; the survivor uses the one that ships.
 *
 * Each point takes each role once; `EIPC_CRASH_ROUNDS=2` (`make crash`) is two rounds of every pass at every point, and a report. The bulk of
 * the deaths is between two Rust processes (crates/shm/tests/kill_points).
 */
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { connect, Key, listen, PeerDownError } from '../../src/index.js';
import type { ClientEndpoint, Message, Priority, Server, ServerEndpoint } from '../../src/index.js';
import { grownSince, holdings } from '../helpers/holdings.js';
import { copyPackage } from '../helpers/package-copy.js';
import { counterOf, numbered } from './fixtures/numbered.js';

const VICTIM = fileURLToPath(new URL('fixtures/answerer.js', import.meta.url));
const ADDON = fileURLToPath(new URL('../../target/kill-points/eipc.node', import.meta.url));
const ROUNDS = Number(process.env['EIPC_CRASH_ROUNDS'] ?? 0);
/** The most that may pass between a death and its news, in milliseconds: the requirement's own bound. */
const MOST = 1_000;
/** Bytes of a message: a lane of 256 KiB wraps after a dozen. */
const LENGTH = 20_000;

type Role = 'listen' | 'connect';

interface Death {
  readonly point: string;
  readonly pass: string;
  readonly role: Role;
}

const PASSES = ['1', '2', '100', 'wrap'];
const RING = ['p-before-reserve', 'p-reserved', 'p-mid-copy', 'p-copied', 'p-published', 'p-rung'];
RING.push('c-before-read', 'c-mid-copy', 'c-copied', 'c-released');
/** Each belongs to the role that passes it, once in a connection. */
const HAND_OVER = [
  ['s-made', 'listen'],
  ['s-sent', 'listen'],
  ['s-mapped-one', 'connect'],
] as const;

const places = [...RING.flatMap((point) => [[point, 'listen'] as const, [point, 'connect'] as const]), ...HAND_OVER];
const everyDeath = places.map(([point, role]): Death[] =>
  PASSES.slice(0, point.startsWith('s-') ? 3 : 4).map((pass) => ({ point, pass, role })),
);
const deaths =
  ROUNDS === 0
    ? everyDeath.flatMap((passes, index) => passes[index % passes.length] ?? [])
    : Array.from({ length: ROUNDS }, () => everyDeath.flat()).flat();

const secret = randomBytes(32);
const key = Key.fromBytes(Buffer.from(secret));
const latencies: number[] = [];
const children = new Set<VictimProcess>();
let folder: string;
let armed: string;
let honest: Place;
let deadly: Place;

beforeAll(async () => {
  if (!existsSync(ADDON)) throw new Error(`${ADDON} is missing; build it with: npm run build:kill-points`);
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'eipc-kill-')));
  armed = copyPackage(join(folder, 'armed'), ADDON);
  honest = await Place.make('honest');
  deadly = await Place.make('deadly');
  // Peers that live: with them new connections are tried.
  for (const role of ['listen', 'connect'] as const) {
    await honest.start(role, undefined);
    await talkAnew(role); // pays for what a process opens once
  }
});
afterAll(async () => {
  if (ROUNDS > 0) report();
  for (const child of children) child.kill('SIGKILL');
  await honest.server.close();
  await deadly.server.close();
  rmSync(folder, { recursive: true, force: true });
});

type VictimProcess = ChildProcessByStdio<Writable, Readable, Readable>;
type Survivor = ClientEndpoint | ServerEndpoint;

/** Where the survivor meets peers of one kind, in either role. */
class Place {
  readonly server: Server;
  readonly #name: string;
  readonly #accepted: AsyncIterator<ServerEndpoint>;
  #next: Promise<IteratorResult<ServerEndpoint>> | undefined;

  static async make(name: string): Promise<Place> {
    const services = { peer: { key, capabilities: [] } };
    const server = await listen(`shm:${join(folder, `${name}-here`)}`, { services, router: null, wait: 'park' });
    return new Place(name, server);
  }

  constructor(name: string, server: Server) {
    this.#name = name;
    this.server = server;
    this.#accepted = server[Symbol.asyncIterator]();
  }

  get #there(): string {
    return `shm:${join(folder, `${this.#name}-there`)}`;
  }

  /** Starts a peer; one that listens does when this resolves. */
  async start(role: Role, order: string | undefined): Promise<VictimProcess> {
    const address = role === 'listen' ? this.#there : (this.server.addresses[0] ?? '');
    const child = spawn(process.execPath, [VICTIM, armed, role, address], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, EIPC_KILL: order },
    });
    children.add(child);
    child.once('close', () => children.delete(child));
    child.stdin.end(secret.toString('hex'));
    if (role === 'connect') return child;
    for await (const line of createInterface(child.stdout)) if (line === 'listening') return child;
    throw new Error(`the peer ended before it listened: ${await text(child.stderr)}`);
  }

  /** Waits until a peer that connects again has done so: what this process holds does not change by itself then. */
  async settle(): Promise<void> {
    await (this.#next ??= this.#accepted.next());
  }

  /** Opens a connection with the peer; undefined if that is over before. */
  async open(role: Role, over: Promise<undefined>): Promise<Survivor | undefined> {
    if (role === 'listen') {
      return connect(this.#there, { serviceId: 'peer', key, wait: 'park' }).catch((error: unknown) => {
        expect(error).toMatchObject({
          code: 'EIPC_TRANSPORT',
          message: expect.stringMatching(/during the handshake/) as string,
        });
        return undefined;
      });
    }
    this.#next ??= this.#accepted.next();
    const next = await Promise.race([this.#next, over]);
    if (next === undefined) return undefined;
    this.#next = undefined;
    return next.value as ServerEndpoint;
  }
}

/** Checks what comes from a peer: a prefix of what it numbers, lane by lane, each whole, in order, once. */
class Arrivals {
  count = 0;
  readonly #last = [0, 0, 0, 0];

  add({ priority, bytes }: Message): void {
    const expected = (this.#last[priority] ?? 0) + 1;
    this.#last[priority] = expected;
    expect(counterOf(bytes)).toBe(expected);
    this.count += 1;
  }
}

/** Exchanges messages, one to eight at a time, `rounds` times or until the peer is gone. */
async function converse(endpoint: Survivor, rounds: number): Promise<Arrivals> {
  const arrivals = new Arrivals();
  const sent = [0, 0, 0, 0];
  const reader = endpoint[Symbol.asyncIterator]();
  const receive = async (): Promise<void> => {
    const next = await reader.next();
    if (next.done === true) throw new Error('the peer said goodbye');
    arrivals.add(next.value);
  };
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (let at = 0; at <= round % 8; at += 1) {
        const priority = ((round + at) % 4) as Priority;
        sent[priority] = (sent[priority] ?? 0) + 1;
        await endpoint.send({ type: 'features', priority, payload: numbered(sent[priority], LENGTH) });
      }
      for (let at = 0; at <= round % 8; at += 1) await receive();
    }
  } catch (error) {
    expect(error).toBeInstanceOf(PeerDownError);
    // A send that came too late says so; what arrived before is still there.
    while ((await receive().catch((end: unknown) => end)) === undefined);
  }
  return arrivals;
}

/** A new connection with a peer that lives, and a message each way. */
async function talkAnew(role: Role): Promise<void> {
  const endpoint = await honest.open(role, NEVER);
  if (endpoint === undefined) throw new Error('no new connection');
  expect((await converse(endpoint, 1)).count).toBe(1);
  await endpoint.close();
  if (role === 'connect') await honest.settle();
}

const NEVER = new Promise<undefined>(() => {});

/** How many messages of the victim arrive, where its passes say so: each that was published, and none that was not. */
function expectedArrivals({ point, pass }: Death): number | undefined {
  if (pass === 'wrap') return undefined;
  if (point === 'p-published') return Number(pass);
  return ['p-reserved', 'p-mid-copy', 'p-copied'].includes(point) ? Number(pass) - 1 : undefined;
}

it('the addon of the victims is one that no gate lets through', () => {
  expect(readFileSync(ADDON).includes('EIPC_KILL')).toBe(true);
});

it.each(deaths)('at $point, pass $pass, of a peer that does $role', async (death) => {
  const { point, pass, role } = death;
  const before = holdings();
  const victim = await deadly.start(role, `${point}:${pass}`);
  const words = text(victim.stderr);
  const closed = once(victim, 'close');
  const over = closed.then(() => undefined);
  let news: bigint | undefined;
  if (RING.includes(point)) {
    const endpoint = await deadly.open(role, over);
    if (endpoint === undefined) throw new Error(`it died before: ${await words}`);
    const known = endpoint.closed.then((reason) => ({ at: process.hrtime.bigint(), reason }));
    const { count } = await converse(endpoint, 10_000);
    const { at, reason } = await known;
    expect(reason).toMatchObject({ code: 'EIPC_PEER_DOWN' });
    expect(count).toBe(expectedArrivals(death) ?? count);
    news = at;
  } else {
    let hasAnswered = true;
    while (hasAnswered) {
      const endpoint = await deadly.open(role, over);
      hasAnswered = endpoint !== undefined && (await converse(endpoint, 1)).count === 1;
      await endpoint?.close();
    }
    if (role === 'listen') news = process.hrtime.bigint();
  }
  expect(await closed).toEqual([null, 'SIGKILL']);
  const [, died] = new RegExp(`^EIPC_KILL ${point}:${pass} (\\d+)\n$`).exec(await words) ?? [];
  expect(died, `it died where it was to, and said ${await words}`).toBeDefined();
  if (news !== undefined) {
    const latency = Number(news - BigInt(died ?? 0)) / 1e6;
    latencies.push(latency);
    expect(latency).toBeLessThan(MOST);
  }
  await expect.poll(() => grownSince(before), { timeout: 5_000 }).toEqual([]);
  await talkAnew(role);
});

/** What `make crash` prints. */
function report(): void {
  const kills = new Map<string, Record<Role, number>>();
  for (const { point, role } of deaths) {
    const row = kills.get(point) ?? { connect: 0, listen: 0 };
    row[role] += 1;
    kills.set(point, row);
  }
  const line = (name: string, clients: unknown, servers: unknown): string =>
    `${name.padEnd(18)} ${String(clients).padStart(8)} ${String(servers).padStart(8)}\n`;
  latencies.sort((left, right) => left - right);
  const percentile = (share: number): string =>
    (latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? NaN).toFixed(2);
  process.stdout.write(
    [
      line('point', 'clients', 'servers'),
      ...[...kills].map(([point, { connect: clients, listen: servers }]) => line(point, clients, servers)),
      `${deaths.length} kills of Node processes; death to its news in ms: p50 ${percentile(0.5)}, p99 ${percentile(0.99)}, `,
      `max ${percentile(1)} (load average ${loadavg()[0]?.toFixed(2) ?? ''})\n`,
    ].join(''),
  );
}
