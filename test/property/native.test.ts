/**
 * The attacker is a program in the same process: it calls every export of the addon with arguments of every kind, methods on what is
 * closed, gone or another's, and calls from inside of calls. Each call returns or throws an Error, and no process dies of one.
 *
 * `EIPC_PROPERTY_CALLS` says how many calls (`make property`), `EIPC_PROPERTY_SEED` begins them elsewhere.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { sanitizedEnvironment } from '../helpers/sanitized.js';

const MAIN = fileURLToPath(new URL('calls/main.js', import.meta.url));
const DECLARATIONS = fileURLToPath(new URL('../../index.d.ts', import.meta.url));
const CALLS = Number(process.env['EIPC_PROPERTY_CALLS'] ?? 5_000);
const SEED = Number(process.env['EIPC_PROPERTY_SEED'] ?? 0xe1bc);
/** Calls of one process: what it leaves open stays below the limits of a process. */
const CALLS_EACH = 2_500;
/** A deadline for a process that hangs. */
const DEADLINE = 120_000;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-property-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test('every export of the addon has a property, and no property is of something else', () => {
  expect(called().sort()).toEqual(declared().sort());
});

const PROCESSES = Math.ceil(CALLS / CALLS_EACH);

test(
  `${CALLS} calls: each returns or throws an Error, and no process dies`,
  { timeout: DEADLINE * PROCESSES },
  async () => {
    const results: { calls: number; thrown: number }[] = [];
    // Two at a time, each on from where the last began.
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let at = next++; at < PROCESSES; at = next++)
        results.push(await run(SEED + at, Math.min(CALLS_EACH, CALLS - at * CALLS_EACH)));
    };
    await Promise.all([worker(), worker()]);
    const calls = results.reduce((sum, result) => sum + result.calls, 0);
    const thrown = results.reduce((sum, result) => sum + result.thrown, 0);
    // eslint-disable-next-line no-console -- the figure of docs/security-evidence.md
    console.log(
      `${calls} calls of ${called().length} exports in ${PROCESSES} processes: ${thrown} exceptions, 0 deaths`,
    );
    expect(calls).toBe(CALLS);
    // Both kinds were there: arguments that are refused, and calls that do their work.
    expect(thrown).toBeGreaterThan(calls / 10);
    expect(calls - thrown).toBeGreaterThan(calls / 10);
  },
);

async function run(seed: number, calls: number): Promise<{ calls: number; thrown: number }> {
  const log = join(folder, `log-${seed}`);
  const cwd = mkdtempSync(join(folder, 'at-'));
  const args = ['--expose-gc', MAIN, String(seed), String(calls), log];
  const child = spawn(process.execPath, args, {
    cwd,
    env: sanitizedEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: DEADLINE,
    killSignal: 'SIGKILL',
  });
  let said = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  const last = (): string => readFileSync(log, 'utf8').trim();
  expect({ code, signal }, code === 0 ? '' : `the process ended (${signal ?? code}); ${last()}\n${errors}`).toEqual({
    code: 0,
    signal: null,
  });
  return JSON.parse(said.trim()) as { calls: number; thrown: number };
}

/** What the calls are of. */
function called(): string[] {
  return JSON.parse(execFileSync(process.execPath, [MAIN, 'names'], { encoding: 'utf8' })) as string[];
}

/** What `index.d.ts` exports that can be called. */
function declared(): string[] {
  const source = ts.createSourceFile(DECLARATIONS, readFileSync(DECLARATIONS, 'utf8'), ts.ScriptTarget.Latest, true);
  return source.statements.flatMap((statement) => {
    if (ts.isFunctionDeclaration(statement)) return statement.name?.text ?? [];
    if (ts.isClassDeclaration(statement)) {
      const name = statement.name?.text ?? '';
      const members = statement.members.flatMap((member) => {
        if (ts.isConstructorDeclaration(member)) return [];
        const isStatic =
          ts.canHaveModifiers(member) &&
          ts.getModifiers(member)?.some(({ kind }) => kind === ts.SyntaxKind.StaticKeyword);
        return `${name}${isStatic === true ? '.' : '#'}${member.name?.getText() ?? ''}`;
      });
      return [`new ${name}`, ...members];
    }
    // The functions that `calls()` returns.
    if (ts.isInterfaceDeclaration(statement))
      return statement.members.flatMap((member) =>
        ts.isPropertySignature(member) && member.type !== undefined && ts.isFunctionTypeNode(member.type)
          ? `${statement.name.text}#${member.name.getText()}`
          : [],
      );
    return [];
  });
}
