/**
 * A process that writes an audit log is killed at every step it takes, and the next one goes on where it stopped: no entry that was durable
 * is lost, and the log is good. `EIPC_AUDIT_KILLS` says how often each step is tried (1; `make deep`: 20; `make audit-kills`: 100).
 */
import { spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

import { AuditLogger, Key, verifyAudit } from '../../src/index.js';

const WRITER = fileURLToPath(new URL('fixtures/audit-writer.js', import.meta.url));
const ROUNDS = Number(process.env['EIPC_AUDIT_KILLS'] ?? 1);
/** Rounds that go on at the same time. */
const AT_ONCE = 3;
const ENTRIES = 21;
/** Steps that write, and so can end half-way. */
const HALVES = /^(?:write|save) /;

interface Run {
  readonly acknowledged: string[];
  readonly steps: readonly (readonly [string, number])[];
}

interface Job {
  readonly path: string;
  readonly run: number;
  readonly step?: string;
  readonly how?: string;
  readonly occurrence?: number;
}

/** Runs the writer to its end, or to that of the job. */
async function write(job: Job, key: Buffer | undefined): Promise<Run> {
  const child = spawn(process.execPath, [WRITER, JSON.stringify({ entries: ENTRIES, ...job })], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [output, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  child.stdin.end(key?.toString('hex') ?? '');
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect([code, signal, errors], JSON.stringify(job)).toEqual(signal === null ? [0, null, ''] : [null, 'SIGKILL', '']);
  const lines = output.split('\n').slice(0, -1);
  const steps = lines.find((line) => line.startsWith('steps '));
  return {
    acknowledged: lines.filter((line) => line.startsWith('ack ')).map((line) => line.slice(4)),
    steps: steps === undefined ? [] : (JSON.parse(steps.slice(6)) as [string, number][]),
  };
}

/** The files of a log in the order they were written. */
function filesOf(path: string): string[] {
  const folder = join(path, '..');
  const rotated = readdirSync(folder).filter((name) => /^audit\.log\.\d+$/.test(name));
  return [...rotated.sort().map((name) => join(folder, name)), ...(existsSync(path) ? [path] : [])];
}

/** The request ids of the whole lines of a log. */
function idsOf(path: string): string[] {
  return filesOf(path).flatMap((file) =>
    [...readFileSync(file, 'latin1').matchAll(/"request_id":"([^"]+)".*\n/g)].map(([, id = '']) => id),
  );
}

/** A chain without a key takes the same steps, so that once is enough unless everything is tried. */
const KINDS: readonly (readonly [string, () => Buffer | undefined])[] = [
  ['with a key', () => randomBytes(32)],
  ...(ROUNDS > 1 ? ([['without', () => undefined]] as const) : []),
];

/** A log of one round, in a folder of its own: what a round costs does not grow with those before. */
class Round {
  readonly #key: Buffer | undefined;
  readonly #folder = mkdtempSync(join(tmpdir(), 'eipc-audit-'));
  readonly #path = join(this.#folder, 'audit.log');
  readonly acknowledged: string[] = [];
  kills = 0;
  #runs = 0;

  constructor(key: Buffer | undefined) {
    this.#key = key;
  }

  /** Kills a writer at each step, each way, and the next one goes on. */
  async run(): Promise<void> {
    // A log of its own tells how often each step is taken.
    const aside = join(mkdtempSync(join(this.#folder, 'aside-')), 'audit.log');
    const { steps } = await write({ path: aside, run: 0 }, this.#key);
    expect(steps.length).toBeGreaterThan(10);
    for (const [step, count] of [...steps, ['truncate log', 1] as const]) {
      for (const how of ['before', ...(HALVES.test(step) ? ['half'] : []), 'after', 'power'])
        await this.#kill(step, how, 1 + randomInt(count));
    }
    await this.#verify();
    rmSync(this.#folder, { recursive: true });
  }

  async #kill(step: string, how: string, occurrence: number): Promise<void> {
    this.#runs += 1;
    const result = await write({ path: this.#path, run: this.#runs, step, how, occurrence }, this.#key);
    if (result.steps.length === 0) this.kills += 1;
    this.acknowledged.push(...result.acknowledged);
    const ids = idsOf(this.#path);
    const seen = new Set(ids);
    expect(seen.size, `${step}, ${how}: an entry is there twice`).toBe(ids.length);
    const lost = this.acknowledged.filter((id) => !seen.has(id));
    expect(lost, `${step}, ${how}: lost, see ${this.#folder}`).toEqual([]);
  }

  async #verify(): Promise<void> {
    const made = this.#key === undefined ? undefined : Key.fromBytes(Buffer.from(this.#key));
    const logger = await AuditLogger.open(this.#path);
    await logger.log({ peer: '', action: 'test.end', decision: 'note' });
    await logger.close();
    const checkpoints = `${this.#path}.checkpoints`;
    const verdict = await verifyAudit(filesOf(this.#path), {
      checkpoints,
      ...(made === undefined ? {} : { key: made }),
    });
    expect(verdict).toMatchObject({ check: made === undefined ? 'hash' : 'key', first: 1 });
    expect(verdict.fault, this.#folder).toBeUndefined();
  }
}

describe.each(KINDS)('SIGKILL at each step of an audit log %s', (kind, makeKey) => {
  it('loses no entry that was durable, and leaves a log that is good', async () => {
    let [left, kills, acknowledged] = [ROUNDS, 0, 0];
    const work = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const round = new Round(makeKey());
        await round.run();
        kills += round.kills;
        acknowledged += round.acknowledged.length;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    process.stdout.write(`audit log ${kind}: ${kills} kills, ${acknowledged} entries acknowledged, none lost\n`);
  }, 3_600_000);
});
