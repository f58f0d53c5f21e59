/** `eipc audit verify` and `eipc audit show` on real logs; what is in them was written by peers. */
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { AuditLogger } from '../../../src/index.js';
import { Program, run } from './program.js';

let cwd = '';
let keyId = '';
const audit = (...args: string[]): ReturnType<typeof run> => run(['audit', ...args], { cwd });
const lines = (name = 'audit.log'): string[] => readFileSync(join(cwd, name), 'latin1').trimEnd().split('\n');

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'eipc-audit-cli-'));
  const key = randomBytes(32);
  writeFileSync(join(cwd, 'audit.key'), key, { mode: 0o600 });
  writeFileSync(join(cwd, 'other.key'), randomBytes(32), { mode: 0o600 });
  const logger = await AuditLogger.open(join(cwd, 'audit.log'), { key });
  for (const [peer, action, decision, result] of [
    ['eni.min', 'motor.move', 'allow', ''],
    ['eni.min', 'motor.stop', 'allow', ''],
    ['nia.bad', 'system.reboot', 'deny', 'EIPC_CAPABILITY: no right to'],
    ['nia.bad', 'x\u001b[2J\u202e', 'deny', 'EIPC_UNKNOWN_TYPE'],
  ] as const)
    await logger.log({ peer, action, decision, result, requestId: 'c7', frame: 'ab'.repeat(32) });
  await logger.close();
  keyId = /key ([0-9a-f]{16})/.exec(lines()[0] ?? '')?.[1] ?? '';
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

describe('eipc audit verify', () => {
  test('says that a log is good, by what, and how long that took', async () => {
    const { code, stdout, stderr } = await audit(
      'verify',
      'audit.log',
      '--key-file',
      'audit.key',
      '--checkpoints',
      'audit.log.checkpoints',
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^audit\.log: 5 lines are good, numbers 1 to 5\n/);
    expect(stdout).toContain(`checked: every hash with the key ${keyId}\n  1 checkpoints compared\n`);
    expect(stdout).toMatch(/ {2}in \d+\.\d\d s\n$/);
  });

  test('says what it does not know without the key, and without checkpoints', async () => {
    const { code, stdout } = await audit('verify', 'audit.log');
    expect(code).toBe(0);
    expect(stdout).toMatch(/a changed text DOES NOT SHOW without the key [0-9a-f]{16} \(--key-file\)/);
    expect(stdout).toContain('a tail that was cut off would not show: that takes --checkpoints');
  });

  test('names the first bad line and why, and fails', async () => {
    writeFileSync(
      join(cwd, 'bad.log'),
      [...lines().slice(0, 2), ...lines().slice(3)].map((line) => `${line}\n`).join(''),
    );
    const { code, stdout } = await audit('verify', 'bad.log', '--key-file', 'audit.key');
    expect(code).toBe(1);
    expect(stdout).toContain('bad.log:3: deleted: line number 4 stands where 3 belongs\n  2 lines before it are good');
    const json = await audit('verify', 'bad.log', '--key-file', 'audit.key', '--json');
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({ lines: 2, fault: { file: 'bad.log', line: 3, reason: 'deleted' } });
  });

  test('finds a cut tail by a checkpoint, and the wrong key', async () => {
    writeFileSync(join(cwd, 'short.log'), lines().slice(0, 4).join('\n') + '\n');
    const cut = await audit('verify', 'short.log', '--key-file', 'audit.key', '--checkpoints', 'audit.log.checkpoints');
    expect([cut.code, cut.stdout]).toEqual([1, expect.stringMatching(/^short\.log:5: truncated: /)]);
    const other = await audit('verify', 'audit.log', '--key-file', 'other.key');
    expect([other.code, other.stdout]).toEqual([1, expect.stringMatching(/^audit\.log:1: key: /)]);
  });

  test('tells wrong usage from files that cannot be read', async () => {
    expect(await audit('verify')).toMatchObject({ code: 2 });
    expect(await audit('verify', 'none.log')).toMatchObject({ code: 3, stdout: '' });
    expect(await audit('verify', 'audit.log', '--key-file', 'none.key')).toMatchObject({ code: 3, stdout: '' });
    expect(await audit('verify', 'audit.log', '--checkpoints', 'audit.log')).toMatchObject({ code: 1, stdout: '' });
  });
});

describe('eipc audit show', () => {
  test('shows every entry in one line, escaped', async () => {
    const { code, stdout, stderr } = await audit('show', 'audit.log');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^[ -~…\n]+$/);
    const rows = stdout.trimEnd().split('\n');
    expect(rows).toHaveLength(5);
    expect(rows[0]).toMatch(
      /^\d{4}-.*Z {2}#1 {2}note {2}- {2}audit\.begin {2}sha256 [0-9a-f]{12}… {2}key [0-9a-f]{16}$/,
    );
    expect(rows[3]).toMatch(
      /#4 {2}deny {2}nia\.bad {2}system\.reboot {2}request c7 .* {2}EIPC_CAPABILITY: no right to$/,
    );
    expect(rows[4]).toContain(String.raw`x\x1b[2J\u{202e}`);
  });

  test.each([
    [
      ['--peer', 'nia.bad'],
      [4, 5],
    ],
    [
      ['--action', 'motor.*'],
      [2, 3],
    ],
    [['--action', 'motor.move'], [2]],
    [['--decision', 'deny', '--result', 'CAPABILITY'], [4]],
    [
      ['--since', '1h'],
      [1, 2, 3, 4, 5],
    ],
    [['--until', '2020-01-01'], []],
    [['--since', '2020-01-01', '--peer', 'eni.min', '--action', '*stop'], []],
  ])('filters by %j', async (options, numbers) => {
    const { code, stdout } = await audit('show', 'audit.log', '--json', ...options);
    expect(code).toBe(0);
    const shown = stdout.split('\n').filter((line) => line !== '');
    expect(shown.map((line) => (JSON.parse(line) as { i: number }).i)).toEqual(numbers);
    for (const line of shown) expect(lines()).toContain(line);
  });

  test('shows what is no audit line as such, and fails', async () => {
    writeFileSync(join(cwd, 'mixed.log'), `${lines()[0] ?? ''}\n\u001b]0;owned\u0007\n{"i":2}\n${lines()[1] ?? ''}`);
    const { code, stdout, stderr } = await audit('show', 'mixed.log');
    expect(code).toBe(1);
    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(stderr).toBe(
      String.raw`eipc: this is no audit line: "\x1b]0;owned\x07"` + '\neipc: this is no audit line: "{"i":2}"\n',
    );
  });

  test('follows what is written from now on, through a rotation, and ends by a signal', async () => {
    const path = join(cwd, 'live.log');
    const logger = await AuditLogger.open(path);
    const program = new Program(['audit', 'show', 'live.log', '--follow', '--action', 'a*'], { cwd });
    await program.until(/audit\.begin/);
    await logger.log({ peer: '', action: 'a.one', decision: 'note' });
    await program.until(/#2 .*a\.one\n/);
    await logger.rotate();
    await logger.log({ peer: '', action: 'b.two', decision: 'note' });
    await logger.log({ peer: '', action: 'a.three', decision: 'note' });
    await program.until(/#5 .*a\.three\n/);
    appendFileSync(path, '{"i":6,');
    await logger.close();
    program.child.kill('SIGINT');
    const { code, stdout } = await program.ended;
    expect(code).toBe(130);
    expect([...stdout.matchAll(/#(\d)/g)].map(([, number]) => number)).toEqual(['1', '2', '3', '5']);
  });

  test('tells wrong usage from a file that cannot be read', async () => {
    for (const wrong of [
      ['--since', 'yesterday'],
      ['--decision', 'maybe'],
      ['--until', '12:00'],
    ])
      expect(await audit('show', 'audit.log', ...wrong)).toMatchObject({ code: 2, stdout: '' });
    expect(await audit('show', 'none.log')).toMatchObject({ code: 3, stdout: '' });
  });
});
