/** `verifyAudit`: what it is given, what it reads, and what it says. Which line it names is tried in crates/core/tests/audit.rs. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuditLogger, Key, verifyAudit } from '../../src/index.js';
import type { AuditVerdict } from '../../src/index.js';

const key = Key.fromBytes(randomBytes(32));
const other = Key.fromBytes(randomBytes(32));
let folder: string;
let path: string;
let lines: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-verify-'));
  path = join(folder, 'audit.log');
  const logger = await AuditLogger.open(path, { key });
  const entry = { peer: 'eni.min', action: 'motor.move', decision: 'allow' } as const;
  await Promise.all(Array.from({ length: 20 }, (_, at) => logger.log({ ...entry, requestId: `c${at}` })));
  await logger.close();
  lines = readFileSync(path, 'latin1').trimEnd().split('\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function verdictOf(
  changed: readonly string[],
  options: Parameters<typeof verifyAudit>[1] = { key },
): Promise<AuditVerdict> {
  const copy = join(folder, 'copy.log');
  writeFileSync(copy, changed.map((line) => `${line}\n`).join(''));
  return verifyAudit(copy, options);
}

describe('verifyAudit', () => {
  it('says what a good log is, and by what it knows', async () => {
    const facts = {
      lines: 21,
      first: 1,
      last: 21,
      recoveries: 0,
      keyId: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown,
    };
    expect(await verifyAudit(path, { key })).toEqual({
      ...facts,
      check: 'key',
      checkpoints: 0,
      hash: /"h":"(.*)"/.exec(lines[20] ?? '')?.[1],
    });
    expect(await verifyAudit([path])).toMatchObject({ ...facts, check: 'structure' });
    expect(await verifyAudit(path, { key, checkpoints: `${path}.checkpoints` })).toMatchObject({ checkpoints: 1 });
  });

  it.each([
    ['changed', 6, (all: string[]) => all.splice(5, 1, (all[5] ?? '').replace('allow', 'deny'))],
    ['deleted', 6, (all: string[]) => all.splice(5, 2)],
    ['inserted', 6, (all: string[]) => all.splice(5, 0, all[9] ?? '')],
    ['swapped', 6, (all: string[]) => all.splice(5, 2, all[6] ?? '', all[5] ?? '')],
    ['truncated', 19, (all: string[]) => all.splice(18)],
  ])('names a line that was %s', async (reason, line, tamper) => {
    const changed = [...lines];
    tamper(changed);
    const verdict = await verdictOf(changed, { key, checkpoints: `${path}.checkpoints` });
    expect(verdict).toMatchObject({
      lines: line - 1,
      fault: { file: join(folder, 'copy.log'), line, number: line, reason },
    });
  });

  it('names another key, and a log that is none', async () => {
    expect((await verifyAudit(path, { key: other })).fault).toMatchObject({ line: 1, reason: 'key' });
    expect((await verdictOf([])).fault).toMatchObject({ line: 1, reason: 'truncated' });
    expect((await verdictOf(['hello'])).fault).toMatchObject({ line: 1, reason: 'changed' });
    expect(await verdictOf(['hello'])).not.toHaveProperty('check');
  });

  it('refuses wrong arguments and files that are not there', async () => {
    for (const wrong of [undefined, 7, [], [7]])
      await expect(verifyAudit(wrong as unknown as string)).rejects.toThrow(TypeError);
    await expect(verifyAudit(path, { file: 1 } as object)).rejects.toThrow(/no option 'file'/);
    await expect(verifyAudit(path, { key: randomBytes(31) })).rejects.toThrow(RangeError);
    await expect(verifyAudit(join(folder, 'none'))).rejects.toMatchObject({ code: 'EIPC_TRANSPORT' });
    await expect(verifyAudit(path, { checkpoints: join(folder, 'none') })).rejects.toMatchObject({
      code: 'EIPC_TRANSPORT',
    });
    await expect(verifyAudit(path, { checkpoints: path })).rejects.toMatchObject({ code: 'EIPC_AUDIT_DAMAGED' });
    await expect(verifyAudit(path, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });
});
