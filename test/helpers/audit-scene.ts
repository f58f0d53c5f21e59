/** What the tests of the audit log share: a folder with a log in it, which is made, written, read and made to fail. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';

import { AuditLogger, Key, verifyAudit } from '../../src/index.js';
import type { AuditEntry, AuditLoggerOptions, AuditVerdict, VerifyAuditOptions } from '../../src/index.js';

/** The key of the logs, as bytes and as a key. */
export const KEY = randomBytes(32);
export const key = Key.fromBytes(KEY);

/** A log that every test begins anew. */
export class AuditScene {
  folder = '';
  path = '';
  readonly #opened: AuditLogger[] = [];

  constructor() {
    beforeEach(() => {
      this.folder = mkdtempSync(join(tmpdir(), 'eipc-audit-'));
      this.path = join(this.folder, 'audit.log');
    });
    afterEach(async () => {
      vi.restoreAllMocks();
      await Promise.all(this.#opened.splice(0).map((one) => one.close().catch(() => undefined)));
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  async open(options: AuditLoggerOptions = {}): Promise<AuditLogger> {
    const logger = await AuditLogger.open(this.path, options);
    this.#opened.push(logger);
    return logger;
  }

  /** Makes a log of so many entries, or goes on with it, and closes it. */
  async written(count: number, options: AuditLoggerOptions = { key }): Promise<void> {
    const logger = await this.open(options);
    for (let number = 1; number <= count; number += 1) await logger.log(entry(number));
    await logger.close();
  }

  text(): string {
    return readFileSync(this.path, 'latin1');
  }

  verify(options: VerifyAuditOptions = { key }): Promise<AuditVerdict> {
    return verifyAudit(this.path, options);
  }

  /** Names of files that were put aside. */
  rotated(): string[] {
    return readdirSync(this.folder)
      .filter((name) => /^audit\.log\.\d+$/.test(name))
      .sort();
  }
}

export function entry(number: number): AuditEntry {
  return { peer: 'eni.min', action: 'motor.move', decision: 'allow', requestId: `c${number}` };
}

/** Has a call to the disk fail as if it were full; returns what makes it work again. */
export async function failing(call: 'write' | 'datasync' | 'truncate', code = 'ENOSPC'): Promise<() => void> {
  const probe = await open(process.execPath);
  const prototype = Object.getPrototypeOf(probe) as Record<string, () => Promise<unknown>>;
  await probe.close();
  const error = Object.assign(new Error(`${code}: no space left on device, ${call}`), { code });
  const spy = vi.spyOn(prototype, call).mockRejectedValue(error);
  return () => spy.mockRestore();
}
