/**
 * A process that writes an audit log is killed at every step it takes, and the next one goes on where it stopped: no entry that was durable
 * is lost, and the log is good. `EIPC_AUDIT_KILLS` says how often each step is tried (1; `make deep`: 100).
 */
import { spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuditLogger, Key, verifyAudit } from '../../src/index.js';

const WRITER = fileURLToPath(new URL('fixtures/audit-writer.js', import.meta.url));
const ROUNDS = Number(process.env['EIPC_AUDIT_KILLS'] ?? 1);
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

describe.each(KINDS)('SIGKILL at each step of an audit log %s', (kind, makeKey) => {
  const key = makeKey();
  let folder: string;
  let path: string;
  const acknowledged: string[] = [];
  let run = 0;
  let kills = 0;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'eipc-audit-'));
    path = join(folder, 'audit.log');
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
    process.stdout.write(`audit log ${kind}: ${kills} kills, ${acknowledged.length} entries acknowledged, none lost\n`);
  });

  async function killed(step: string, how: string, occurrence: number): Promise<void> {
    run += 1;
    const result = await write({ path, run, step, how, occurrence }, key);
    if (result.steps.length === 0) kills += 1;
    acknowledged.push(...result.acknowledged);
    const ids = idsOf(path);
    const seen = new Set(ids);
    expect(seen.size, `${step}, ${how}: an entry is there twice`).toBe(ids.length);
    expect(
      acknowledged.filter((id) => !seen.has(id)),
      `${step}, ${how}: lost`,
    ).toEqual([]);
  }

  it('loses no entry that was durable, and leaves a log that is good', async () => {
    // A log of its own tells how often each step is taken.
    const aside = join(mkdtempSync(join(folder, 'aside-')), 'audit.log');
    const { steps } = await write({ path: aside, run: 0 }, key);
    expect(steps.length).toBeGreaterThan(10);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [step, count] of [...steps, ['truncate log', 1] as const]) {
        for (const how of ['before', ...(HALVES.test(step) ? ['half'] : []), 'after', 'power'])
          await killed(step, how, 1 + randomInt(count));
      }
      const made = key === undefined ? undefined : Key.fromBytes(key);
      const logger = await AuditLogger.open(path);
      await logger.log({ peer: '', action: 'test.end', decision: 'note', requestId: `end-${round}` });
      await logger.close();
      const checkpoints = `${path}.checkpoints`;
      const verdict = await verifyAudit(filesOf(path), { checkpoints, ...(made === undefined ? {} : { key: made }) });
      expect(verdict).toMatchObject({ check: made === undefined ? 'hash' : 'key', first: 1 });
      expect(verdict.fault).toBeUndefined();
    }
  }, 3_600_000);
});
