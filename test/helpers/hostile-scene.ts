/**
 * A victim (test/security/fixtures/victim.js) and a hostile peer (crates/shm/examples/hostile-peer), each in a process of its
 * own, and an honest connection whose requests go on all the time: to the same server, or, for a victim that is a client,
 * from the same process.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

import { connect } from '../../src/index.js';
import type { ClientEndpoint } from '../../src/index.js';
import { makeKey } from './attack-scene.js';
import { within } from './independent-client.js';
import { grownSince, holdings } from './holdings.js';
import type { Holdings } from './holdings.js';
import { sanitizedEnvironment } from './sanitized.js';

const VICTIM = fileURLToPath(new URL('../security/fixtures/victim.js', import.meta.url));
/** `cargo test` and `cargo build --package eipc-shm --examples` make it. */
const ATTACKER = fileURLToPath(new URL('../../target/debug/examples/hostile-peer', import.meta.url));

/** Services under which the attacker connects: each key may begin 128 handshakes at once, and 64 a second. */
const ATTACKERS = 16;
const HONEST = 'eni.honest';
/** A deadline for what has to happen, never a measurement. */
const DEADLINE = 60_000;

/** One line of a victim or an attacker. */
type Line = Readonly<Record<string, unknown>>;

/** How a session of the victim ended. */
export interface Ending {
  readonly code: string;
  readonly error?: { readonly code: string; readonly text: string };
  readonly delivered: number;
  readonly corrupt: number;
}

/** A process that says lines of JSON and words. */
class Speaker {
  readonly pid: number;
  readonly said: (Line | string)[] = [];
  readonly ended: Promise<unknown>;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #watchers = new Set<() => void>();
  #errors = '';
  #hasEnded = false;

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
    this.pid = this.#child.pid ?? 0;
    this.#child.stdin.on('error', () => undefined);
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    createInterface(this.#child.stdout).on('line', (line) => {
      this.said.push(line.startsWith('{') ? (JSON.parse(line) as Line) : line);
      for (const look of this.#watchers) look();
    });
    this.ended = once(this.#child, 'close').then(() => {
      this.#hasEnded = true;
      for (const look of this.#watchers) look();
    });
  }

  write(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  end(): void {
    this.#child.stdin.end();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** What went wrong with it, as it says itself; empty while all is well. */
  get errors(): string {
    const { exitCode, signalCode } = this.#child;
    const how = signalCode ?? (exitCode === null || exitCode === 0 ? '' : `status ${exitCode}`);
    return [how, this.#errors].filter((text) => text !== '').join(': ');
  }

  /** Waits for something it says, from the line `from` on. */
  async until<T>(find: (line: Line | string) => T | undefined, from = 0): Promise<T> {
    const found = await within(
      new Promise<T | undefined>((resolve) => {
        let at = from;
        const look = (): void => {
          let value: T | undefined;
          while (value === undefined && at < this.said.length) value = find(this.said[at++] ?? '');
          if (value === undefined && !this.#hasEnded) return;
          this.#watchers.delete(look);
          resolve(value);
        };
        this.#watchers.add(look);
        look();
      }),
      'a line of the other process',
      DEADLINE,
    );
    if (found === undefined) throw new Error(`it ended without a word: ${this.errors}`);
    return found;
  }
}

/** One attack that goes on or is over. */
export class Attack {
  readonly #speaker: Speaker;

  constructor(speaker: Speaker) {
    this.#speaker = speaker;
  }

  /** It has a session and the segment. */
  async mapped(): Promise<void> {
    await this.#speaker.until((line) => (line === 'mapped' ? true : undefined));
  }

  /** It listens. */
  async listening(): Promise<void> {
    await this.#speaker.until((line) => (line === 'listening' ? true : undefined));
  }

  /** What it did. */
  async report(): Promise<Readonly<Record<string, number>>> {
    const report = await this.#speaker.until((line) => (typeof line === 'string' ? undefined : line));
    await this.#speaker.ended;
    return report as Record<string, number>;
  }

  /** Ends a case that waits for the test. */
  end(): void {
    this.#speaker.end();
  }

  kill(): void {
    this.#speaker.kill();
  }
}

export class HostileScene implements AsyncDisposable {
  readonly #folder: string;
  readonly #role: 'server' | 'client';
  readonly #victim: Speaker;
  readonly #keys: ReadonlyMap<string, Buffer>;
  readonly #honest: ClientEndpoint;
  readonly #attacks: Attack[] = [];
  #next = 0;
  /** Answers the honest client got, and what went wrong with it. */
  #answers = 0;
  #failure: unknown;
  #isOver = false;
  #before: Holdings;
  #answersBefore = 0;

  /** @param role what the victim is */
  static async make(role: 'server' | 'client'): Promise<HostileScene> {
    if (!existsSync(ATTACKER)) throw new Error(`${ATTACKER} is missing: run \`cargo build -p eipc-shm --examples\``);
    const folder = await mkdtemp(join(tmpdir(), 'eipc-hostile-'));
    const names = Array.from({ length: ATTACKERS }, (_, at) => `eni.hostile${at}`);
    const keys = new Map([HONEST, ...names].map((id) => [id, makeKey()]));
    const victim = new Speaker(process.execPath, [VICTIM], sanitizedEnvironment());
    const services = Object.fromEntries([...keys].map(([id, key]) => [id, key.toString('hex')]));
    victim.write(JSON.stringify({ listen: `shm:${join(folder, 'victim')}`, services }));
    await victim.until((line) => (typeof line !== 'string' && line['ready'] === true ? true : undefined));
    const honest = await connect(`shm:${join(folder, 'victim')}`, {
      serviceId: HONEST,
      key: keys.get(HONEST) ?? makeKey(),
    });
    return new HostileScene(folder, role, victim, keys, honest);
  }

  private constructor(
    folder: string,
    role: 'server' | 'client',
    victim: Speaker,
    keys: ReadonlyMap<string, Buffer>,
    honest: ClientEndpoint,
  ) {
    this.#folder = folder;
    this.#role = role;
    this.#victim = victim;
    this.#keys = keys;
    this.#honest = honest;
    this.#before = holdings(victim.pid);
    void this.#ask();
  }

  get pid(): number {
    return this.#victim.pid;
  }

  /** Starts an attack by its name. */
  async attack(name: string, count = 0): Promise<Attack> {
    const at = this.#next++;
    const id = `eni.hostile${at % ATTACKERS}`;
    const socket = this.#role === 'server' ? join(this.#folder, 'victim') : join(this.#folder, `hostile-${at}`);
    const role = this.#role === 'server' ? 'client' : 'server';
    const speaker = new Speaker(ATTACKER, [role, socket, id, name, String(count), String(0x5eed + at)]);
    speaker.write((this.#keys.get(id) ?? makeKey()).toString('hex'));
    const attack = new Attack(speaker);
    this.#attacks.push(attack);
    if (role === 'server') {
      await attack.listening();
      this.#victim.write(JSON.stringify({ connect: `shm:${socket}`, serviceId: id }));
    }
    return attack;
  }

  /** How many lines the victim has said: what comes behind is about what is done now. */
  get mark(): number {
    return this.#victim.said.length;
  }

  /** How the next session of an attacker ended, but for those that ended by `but`. */
  ending(mark: number, but?: string): Promise<Ending> {
    const find = (line: Line | string): Ending | undefined =>
      typeof line !== 'string' && 'ended' in line && line['code'] !== but ? (line as unknown as Ending) : undefined;
    return this.#victim.until(find, mark);
  }

  /** All of them so far. */
  endings(mark: number): readonly Ending[] {
    return this.#victim.said
      .slice(mark)
      .filter((line) => typeof line !== 'string' && 'ended' in line) as unknown as Ending[];
  }

  /** Why the next connection to an attacker failed. */
  failure(mark: number): Promise<{ readonly code: string; readonly text: string }> {
    const find = (line: Line | string): { code: string; text: string } | undefined =>
      typeof line === 'string' ? undefined : (line['failed'] as { code: string; text: string } | undefined);
    return this.#victim.until(find, mark);
  }

  /** Waits for any line with this field. */
  news(field: string, mark: number): Promise<unknown> {
    return this.#victim.until((line) => (typeof line === 'string' ? undefined : line[field]), mark);
  }

  /** Codes of the victim's sends that failed. */
  unsent(mark: number): readonly string[] {
    const lines = this.#victim.said.slice(mark).filter((line) => typeof line !== 'string');
    return lines.flatMap(({ unsent }) => (unsent === undefined ? [] : (unsent as { code: string }).code));
  }

  /** Codes of sessions, handshakes and calls of `connect` that ended by a fault: from the log, and what `connect` threw. */
  faults(mark: number): readonly string[] {
    const lines = this.#victim.said.slice(mark).filter((line) => typeof line !== 'string');
    return lines.flatMap(({ event, code, failed }) => {
      if (failed !== undefined) return (failed as { code: string }).code;
      return (event === 'closed' || event === 'handshake-failed') && typeof code === 'string' ? [code] : [];
    });
  }

  /**
   * The victim lives and keeps nothing; the honest client has got its answers, and gets more. Everything counts since the
   * last call.
   */
  async expectUnharmed(): Promise<void> {
    const before = this.#answersBefore;
    const now = this.#answers;
    await expect.poll(() => this.#failure ?? this.#answers > now + 5, { interval: 2, timeout: DEADLINE }).toBe(true);
    expect(this.#victim.errors).toBe('');
    await expect.poll(() => grownSince(this.#before, this.#victim.pid), { interval: 10, timeout: 10_000 }).toEqual([]);
    expect(now, 'the honest client was served during the attack').toBeGreaterThan(before);
    this.#answersBefore = this.#answers;
  }

  /** The honest client gets answers while an attack goes on. */
  async expectServed(): Promise<void> {
    const now = this.#answers;
    await expect.poll(() => this.#failure ?? this.#answers > now + 20, { interval: 2, timeout: DEADLINE }).toBe(true);
    expect(this.#victim.errors).toBe('');
  }

  /** Bytes that the victim has in memory. */
  memory(): number {
    const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.#victim.pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes) * 1_024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    for (const attack of this.#attacks) attack.kill();
    await this.#honest.close();
    this.#victim.write('');
    await this.#victim.ended;
    await rm(this.#folder, { recursive: true, force: true });
    expect(this.#victim.errors).toBe('');
  }

  async #ask(): Promise<void> {
    while (!this.#isOver) {
      try {
        const payload = { asked: this.#answers };
        const { payload: answer } = await this.#honest.request<{ echo: unknown }>(
          { type: 'intent', payload },
          { timeout: 20_000 },
        );
        expect(answer.echo).toEqual(payload);
        this.#answers += 1;
      } catch (error) {
        if (!this.#isOver) this.#failure = error;
        return;
      }
      // Thousands a second would be an attack of its own.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}
