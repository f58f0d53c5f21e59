/** The audit log as one process writes it: what is durable when, which files it takes, and how it goes on after a fault. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { AuditLogger, Key, verifyAudit } from '../../src/index.js';
import type { AuditEntry, AuditVerdict } from '../../src/index.js';
import { auditKeyId, readIndependently } from '../helpers/independent-audit.js';

const KEY = randomBytes(32);
const key = Key.fromBytes(KEY);
const isRoot = process.getuid?.() === 0;
const isPosix = process.platform !== 'win32';

let folder: string;
let path: string;
const opened: AuditLogger[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-audit-'));
  path = join(folder, 'audit.log');
});

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(opened.splice(0).map((one) => one.close().catch(() => undefined)));
  rmSync(folder, { recursive: true, force: true });
});

async function openLog(options: Parameters<typeof AuditLogger.open>[1] = {}): Promise<AuditLogger> {
  const logger = await AuditLogger.open(path, options);
  opened.push(logger);
  return logger;
}

function entry(number: number): AuditEntry {
  return { peer: 'eni.min', action: 'motor.move', decision: 'allow', requestId: `c${number}` };
}

/** Makes a log of so many entries, closed. */
async function written(count: number, options: Parameters<typeof AuditLogger.open>[1] = { key }): Promise<void> {
  const logger = await openLog(options);
  for (let number = 1; number <= count; number += 1) await logger.log(entry(number));
  await logger.close();
}

function text(): string {
  return readFileSync(path, 'latin1');
}

function verify(options: Parameters<typeof verifyAudit>[1] = { key }): Promise<AuditVerdict> {
  return verifyAudit(path, options);
}

/** Has a call to the disk fail as if it were full; returns what makes it work again. */
async function failing(call: 'write' | 'datasync' | 'truncate', code = 'ENOSPC'): Promise<() => void> {
  const probe = await open(process.execPath);
  const prototype = Object.getPrototypeOf(probe) as Record<string, () => Promise<unknown>>;
  await probe.close();
  const error = Object.assign(new Error(`${code}: no space left on device, ${call}`), { code });
  const spy = vi.spyOn(prototype, call).mockRejectedValue(error);
  return () => spy.mockRestore();
}

describe('an audit log', () => {
  it.each([
    ['with a key', KEY],
    ['without', undefined],
  ])('%s is what the text says, read by a program that shares no code with it', async (_, bytes) => {
    const logger = await openLog(bytes === undefined ? {} : { key: bytes });
    await Promise.all([1, 2, 3].map((number) => logger.log(entry(number))));
    await logger.log({ peer: 'eni.min', action: 'x', decision: 'deny', result: 'no\n"\u202e', frame: 'ab'.repeat(32) });
    await logger.close();
    const entries = readIndependently(text(), bytes);
    expect(entries.map(({ action, request_id: id }) => [action, id])).toEqual([
      ['audit.begin', ''],
      ['motor.move', 'c1'],
      ['motor.move', 'c2'],
      ['motor.move', 'c3'],
      ['x', ''],
    ]);
    expect(entries[0]?.['result']).toBe(bytes === undefined ? 'no key' : `key ${auditKeyId(bytes)}`);
    expect(await verify(bytes === undefined ? {} : { key: bytes })).toMatchObject({
      lines: 5,
      first: 1,
      last: 5,
      check: bytes === undefined ? 'hash' : 'key',
    });
  });

  it('is its owner’s alone, with everything beside it', async () => {
    await written(1);
    const names = readdirSync(folder).sort();
    expect(names).toEqual(['audit.log', 'audit.log.checkpoints', 'audit.log.lock', 'audit.log.state']);
    for (const name of isPosix ? names : []) expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600);
  });

  it('writes what is logged in one turn at once, in order, and resolves when it is there', async () => {
    const logger = await openLog({ key });
    const { groups } = logger.stats();
    const count = 3_000;
    const entries = Array.from({ length: count }, (_, at) => logger.log(entry(at)));
    expect(logger.stats().waiting).toBe(count);
    await entries[count - 1];
    expect(logger.stats()).toMatchObject({ logged: count, waiting: 0, groups: groups + 1 });
    const ids = [...text().matchAll(/"request_id":"(c\d+)"/g)].map(([, id]) => id);
    expect(ids).toEqual(Array.from({ length: count }, (_, at) => `c${at}`));
    await logger.close();
    expect(readFileSync(`${path}.checkpoints`, 'latin1')).toMatch(
      /^\{"n":1000,"h":"[0-9a-f]{64}"\}\n\{"n":2000,.*\n\{"n":3000,.*\n\{"n":3001,.*\n$/,
    );
    expect(await verify({ key, checkpoints: `${path}.checkpoints` })).toMatchObject({ lines: 3_001, checkpoints: 4 });
  });

  it('refuses what does not fit into its queue, and says so', async () => {
    const logger = await openLog();
    const waiting = Array.from({ length: 65_536 }, () => logger.log({ peer: '', action: 'x', decision: 'note' }));
    await expect(logger.log(entry(1))).rejects.toMatchObject({ code: 'EIPC_BACKPRESSURE', retryable: true });
    await Promise.all(waiting);
    await logger.log(entry(1));
    expect(logger.stats()).toMatchObject({ logged: 65_537, refused: 1 });
  });

  it('closes once, with what waits written, and takes nothing after that', async () => {
    const logger = await openLog();
    const last = logger.log(entry(1));
    const closing = logger.close();
    expect(logger.close()).toBe(closing);
    await Promise.all([last, closing]);
    await expect(logger.log(entry(2))).rejects.toMatchObject({ code: 'EIPC_CLOSED' });
    await expect(logger.rotate()).rejects.toMatchObject({ code: 'EIPC_CLOSED' });
    expect(readIndependently(text(), undefined)).toHaveLength(2);
  });

  it('refuses wrong options and entries at once', async () => {
    for (const wrong of [7, '']) await expect(AuditLogger.open(wrong as string)).rejects.toThrow(TypeError);
    await expect(openLog({ maxBytes: 100 })).rejects.toThrow(RangeError);
    await expect(openLog({ checkpoints: '' })).rejects.toThrow(TypeError);
    await expect(openLog({ key: randomBytes(31) })).rejects.toThrow(RangeError);
    await expect(openLog({ rotate: true } as object)).rejects.toThrow(/no option 'rotate'/);
    expect(readdirSync(folder)).toEqual([]);
    const logger = await openLog();
    expect(() => logger.log({ peer: '', action: 'x', decision: 'perhaps' } as unknown as AuditEntry)).toThrow(
      RangeError,
    );
    expect(logger.stats()).toMatchObject({ logged: 0, refused: 0 });
  });

  it('takes the key it began with, another one never, and none to go on', async () => {
    await written(1);
    await expect(openLog({ key: randomBytes(32) })).rejects.toMatchObject({ code: 'EIPC_KEY' });
    await expect(
      openLog({ key: Key.fromBytes(Buffer.from('a phrase of the original'), { protocol: 1 }) }),
    ).rejects.toThrow(RangeError);
    await written(1, {});
    await written(1, { key });
    expect(await verify()).toMatchObject({ lines: 4, check: 'key' });
    expect(readIndependently(text(), KEY)).toHaveLength(4);
  });

  it('of a chain without a key is not continued with one', async () => {
    await written(1, {});
    await expect(openLog({ key })).rejects.toMatchObject({ code: 'EIPC_KEY' });
  });
});

describe('an audit log has one writer:', () => {
  it('another one is refused until it is closed', async () => {
    const logger = await openLog();
    await expect(openLog()).rejects.toThrow(/a log has one writer/);
    await expect(openLog()).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    await logger.log(entry(1));
    await logger.close();
    await written(1, {});
    expect(await verify({})).toMatchObject({ lines: 3 });
  });

  it('also in another process', async () => {
    await openLog();
    const script = `import { AuditLogger } from '${new URL('../../dist/index.js', import.meta.url).href}';
      await AuditLogger.open(process.argv[1]).catch((error) => console.log(error.code));`;
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script, path], { encoding: 'utf8' });
    expect(output).toBe('EIPC_AUDIT\n');
  });
});

// The attacker is another user of this machine, who puts something in the place of a file, or reads along.
describe.skipIf(!isPosix)('an audit log is refused when', () => {
  const NAMES = ['', '.state', '.checkpoints', '.lock'] as const;
  const refused = async (why: RegExp): Promise<void> => {
    await expect(openLog()).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    await expect(openLog()).rejects.toThrow(why);
  };

  it.each(NAMES)('audit.log%s is a symbolic link', async (name) => {
    await written(1, {});
    renameSync(`${path}${name}`, join(folder, 'elsewhere'));
    symlinkSync(join(folder, 'elsewhere'), `${path}${name}`);
    await refused(/symbolic link|ELOOP/);
  });

  it.each(NAMES)('audit.log%s would be made through a dangling link', async (name) => {
    symlinkSync(join(folder, 'elsewhere'), `${path}${name}`);
    await refused(/symbolic link|ELOOP/);
    expect(existsSync(join(folder, 'elsewhere'))).toBe(false);
  });

  it.each(NAMES)('audit.log%s can be read or written by others', async (name) => {
    await written(1, {});
    for (const mode of [0o640, 0o620, 0o604, 0o666]) {
      chmodSync(`${path}${name}`, mode);
      await refused(name === '.lock' ? /permission denied/ : /chmod 600/);
    }
  });

  it.each(['', '.checkpoints', '.lock'])('audit.log%s has another name', async (name) => {
    await written(1, {});
    linkSync(`${path}${name}`, join(folder, 'other'));
    await refused(name === '.lock' ? /permission denied/ : /2 names/);
  });

  it.each(NAMES)('audit.log%s is a folder or a pipe', async (name) => {
    mkdirSync(`${path}${name}`);
    await refused(/./);
    rmSync(`${path}${name}`, { recursive: true });
    execFileSync('mkfifo', ['-m', '600', `${path}${name}`]);
    await refused(/./);
  });

  it.skipIf(!isRoot).each(NAMES)('audit.log%s is another user’s (tried as root only)', async (name) => {
    await written(1, {});
    chownSync(`${path}${name}`, 65_534, 65_534);
    await refused(name === '.lock' ? /permission denied/ : /belongs to uid 65534/);
  });
});

describe('an audit log that was changed while it was closed', () => {
  const damaged = async (why: RegExp): Promise<void> => {
    const before = existsSync(path) ? readFileSync(path) : undefined;
    await expect(openLog()).rejects.toMatchObject({ code: 'EIPC_AUDIT_DAMAGED' });
    await expect(openLog()).rejects.toThrow(why);
    expect(existsSync(path) ? readFileSync(path) : undefined).toEqual(before);
  };

  it('is not continued when its end is cut off', async () => {
    await written(3);
    truncateSync(path, text().trimEnd().lastIndexOf('\n') + 1);
    await damaged(/its end was cut off/);
  });

  it('is not continued when its last line is another', async () => {
    await written(3);
    const last = text().length - 10;
    const bytes = readFileSync(path);
    bytes[last] = bytes[last] === 0x30 ? 0x31 : 0x30;
    writeFileSync(path, bytes);
    await damaged(/has another line 4/);
  });

  it('is not begun anew when it is gone, or its state', async () => {
    await written(3);
    const [log, state] = [readFileSync(path), readFileSync(`${path}.state`)];
    rmSync(path);
    await damaged(/is gone/);
    writeFileSync(path, log, { mode: 0o600 });
    rmSync(`${path}.state`);
    await damaged(/no state file/);
    for (const wrong of [
      state.subarray(1),
      Buffer.concat([state, state]),
      Buffer.alloc(0),
      randomBytes(state.length),
    ]) {
      writeFileSync(`${path}.state`, wrong, { mode: 0o600 });
      await damaged(/state file is not one/);
    }
    writeFileSync(`${path}.state`, state, { mode: 0o600 });
    await written(1, {});
    expect(await verify()).toMatchObject({ lines: 5 });
  });

  it('is not continued with the state of another log', async () => {
    await written(3);
    const state = readFileSync(`${path}.state`);
    path = join(folder, 'other.log');
    await written(3);
    writeFileSync(`${path}.state`, state);
    await damaged(/has another line 4|cut off/);
  });
});

describe('after a crash, an audit log', () => {
  it('cuts a torn line off, says so, and goes on', async () => {
    await written(3);
    const torn = '{"i":5,"t":"2026-11-05T12:';
    appendFileSync(path, torn);
    expect((await verify()).fault).toMatchObject({ line: 5, number: 5, reason: 'torn' });
    await written(1);
    const entries = readIndependently(text(), KEY);
    expect(entries[4]).toMatchObject({
      action: 'audit.recovered',
      decision: 'note',
      result: `${torn.length} bytes behind line 4 were no whole line and are cut off`,
      frame: createHash('sha256').update(torn).digest('hex'),
    });
    expect(entries[5]).toMatchObject({ request_id: 'c1' });
    expect(await verify()).toMatchObject({ lines: 6, recoveries: 1 });
  });

  it('takes whole lines that its state does not know, and none that was made up', async () => {
    const logger = await openLog({ key });
    await logger.log(entry(1));
    const state = await settledState();
    for (const number of [2, 3]) await logger.log(entry(number));
    await logger.close();
    const log = text();
    writeFileSync(`${path}.state`, state);
    // The attacker has no key, and writes a line of his own behind them.
    appendFileSync(path, log.slice(log.lastIndexOf('{"i":4')).replace('{"i":4', '{"i":5'));
    await written(1, {});
    const ids = readIndependently(text(), KEY).map((one) => one['request_id']);
    expect(ids).toEqual(['', 'c1', 'c2', 'c3', '', 'c1']);
    expect(await verify()).toMatchObject({ recoveries: 1 });
  });

  it('finds a rotation that did not come to its end, wherever it stopped', async () => {
    await written(3);
    const logger = await openLog();
    const mend = await failing('write');
    await expect(logger.rotate()).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    const state = readFileSync(`${path}.state`);
    mend();
    await logger.close();
    expect(rotated()).toEqual([]);
    for (const left of ['old', 'none', 'empty', 'torn'] as const) {
      const line = left === 'old' ? '' : text();
      writeFileSync(`${path}.state`, state);
      if (left === 'none') rmSync(path);
      else if (left !== 'old') writeFileSync(path, left === 'empty' ? '' : line.slice(0, 100));
      await written(1, {});
      expect(rotated(), left).toEqual(['audit.log.000000000004']);
      const verdict = await verifyAudit([`${path}.000000000004`, path], { key });
      expect(verdict, left).toMatchObject({ first: 1, last: left === 'torn' ? 7 : 6 });
      expect(verdict.fault, left).toBeUndefined();
      expect(text().split('\n')[0], left).toContain('"action":"audit.rotate"');
    }
  });

  it('does not take another file for the one it begins', async () => {
    await written(3);
    const logger = await openLog();
    const mend = await failing('write');
    await expect(logger.rotate()).rejects.toThrow();
    mend();
    await logger.close();
    const log = text();
    writeFileSync(path, log.replace('"c3"', '"c4"').replace(/[0-9a-f]{8}"\}\n$/, '00000000"}\n'));
    const changed = readFileSync(path);
    await expect(openLog()).rejects.toMatchObject({ code: 'EIPC_AUDIT_DAMAGED' });
    expect(readFileSync(path)).toEqual(changed);
  });

  /** The state when it has caught up with what was logged. */
  async function settledState(): Promise<Buffer> {
    const size = BigInt(statSync(path).size);
    await expect.poll(() => readFileSync(`${path}.state`).readBigUInt64BE(32)).toBe(size);
    return readFileSync(`${path}.state`);
  }
});

/** Names of files that were put aside. */
function rotated(): string[] {
  return readdirSync(folder)
    .filter((name) => /^audit\.log\.\d+$/.test(name))
    .sort();
}

describe('an audit log that is rotated', () => {
  it('goes on in a file whose first line links to the last one of the file before', async () => {
    const logger = await openLog({ key });
    for (const number of [1, 2]) await logger.log(entry(number));
    await logger.rotate();
    await logger.log(entry(3));
    await logger.rotate();
    await logger.close();
    expect(rotated()).toEqual(['audit.log.000000000003', 'audit.log.000000000005']);
    const files = [...rotated().map((name) => join(folder, name)), path];
    for (const file of files) if (isPosix) expect(statSync(file).mode & 0o777).toBe(0o600);
    const all = files.map((file) => readFileSync(file, 'latin1')).join('');
    expect(readIndependently(all, KEY).map(({ action }) => action)).toEqual([
      'audit.begin',
      'motor.move',
      'motor.move',
      'audit.rotate',
      'motor.move',
      'audit.rotate',
    ]);
    expect(await verifyAudit(files, { key, checkpoints: `${path}.checkpoints` })).toMatchObject({ lines: 6, last: 6 });
    for (const [file, first] of files.map((name, at) => [name, [1, 4, 6][at]] as const))
      expect(await verifyAudit(file, { key })).toMatchObject({ first, check: 'key' });
    const [one = '', two = ''] = files;
    expect((await verifyAudit([one, path], { key })).fault).toMatchObject({ file: path, line: 1, reason: 'deleted' });
    expect((await verifyAudit([two, one], { key })).fault).toMatchObject({ file: one, line: 1 });
  });

  it('rotates by itself when it is large enough, and never between an entry and its promise', async () => {
    const logger = await openLog({ key, maxBytes: 65_536 });
    for (let group = 0; group < 12; group += 1)
      await Promise.all(Array.from({ length: 100 }, (_, at) => logger.log(entry(group * 100 + at))));
    await logger.close();
    expect(rotated().length).toBeGreaterThanOrEqual(3);
    const files = [...rotated().map((name) => join(folder, name)), path];
    const verdict = await verifyAudit(files, { key });
    expect(verdict).toMatchObject({ lines: 1_201 + rotated().length });
    expect(verdict.fault).toBeUndefined();
  });

  it('overwrites no file that has the name, and goes on when it is moved away', async () => {
    const logger = await openLog({ key });
    await logger.log(entry(1));
    writeFileSync(`${path}.000000000002`, 'mine');
    await expect(logger.rotate()).rejects.toThrow(/000000000002 exists/);
    await expect(logger.log(entry(2))).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    renameSync(`${path}.000000000002`, join(folder, 'mine'));
    await logger.log(entry(3));
    await logger.close();
    expect(readFileSync(join(folder, 'mine'), 'utf8')).toBe('mine');
    const all = readFileSync(`${path}.000000000002`, 'latin1') + text();
    expect(readIndependently(all, KEY).map(({ action }) => action)).toEqual([
      'audit.begin',
      'motor.move',
      'audit.rotate',
      'audit.resumed',
      'motor.move',
    ]);
  });
});

describe('an audit log that cannot be written', () => {
  it.each(['write', 'datasync'] as const)(
    'rejects while %s fails, and says afterwards what is missing',
    async (call) => {
      const logger = await openLog({ key });
      await logger.log(entry(1));
      const mend = await failing(call);
      const results = await Promise.allSettled([2, 3].map((number) => logger.log(entry(number))));
      for (const result of results)
        expect(result).toMatchObject({
          status: 'rejected',
          reason: { code: 'EIPC_AUDIT', retryable: false, cause: { code: 'ENOSPC' } },
        });
      await expect(logger.log(entry(4))).rejects.toThrow(/cannot be written.*denied.*no space left/);
      expect(logger.stats()).toMatchObject({ logged: 1, refused: 3, waiting: 0 });
      mend();
      await logger.log(entry(5));
      await logger.close();
      const entries = readIndependently(text(), KEY);
      expect(entries.map(({ action, request_id: id }) => [action, id])).toEqual([
        ['audit.begin', ''],
        ['motor.move', 'c1'],
        ['audit.resumed', ''],
        ['motor.move', 'c5'],
      ]);
      expect(entries[2]?.['result']).toMatch(/^3 entries were refused: .*ENOSPC/);
      expect((await verify()).fault).toBeUndefined();
    },
  );

  it('leaves nothing of a group that was written in part', async () => {
    const logger = await openLog({ key });
    await logger.log(entry(1));
    const whole = text();
    const probe = await open(process.execPath);
    const prototype = Object.getPrototypeOf(probe) as {
      write(buffer: Buffer, from: number, length: number, at?: number): Promise<{ bytesWritten: number }>;
    };
    await probe.close();
    const write: typeof prototype.write = Reflect.get(prototype, 'write');
    let calls = 0;
    const spy = vi.spyOn(prototype, 'write').mockImplementation(function part(this: unknown, buffer, from, length, at) {
      calls += 1;
      if (calls > 1) return Promise.reject(Object.assign(new Error('ENOSPC: full'), { code: 'ENOSPC' }));
      return write.call(this as typeof prototype, buffer, from, Math.min(length, 100), at);
    });
    await expect(logger.log(entry(2))).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    expect(calls).toBe(2);
    spy.mockRestore();
    expect(text()).toBe(whole);
    await logger.log(entry(3));
    await logger.close();
    expect(readIndependently(text(), KEY)).toHaveLength(4);
  });

  it('cuts the part off later when the disk refuses that too', async () => {
    const logger = await openLog({ key });
    await logger.log(entry(1));
    const mends = [await failing('datasync'), await failing('truncate', 'EIO')];
    await expect(logger.log(entry(2))).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    expect(text()).toContain('"c2"');
    await expect(logger.log(entry(3))).rejects.toMatchObject({ cause: { code: 'EIO' } });
    for (const mend of mends) mend();
    await logger.log(entry(4));
    await logger.close();
    expect(readIndependently(text(), KEY).map((one) => one['request_id'])).toEqual(['', 'c1', '', 'c4']);
  });

  it('is one whose state cannot be written either: the key of a written line would stay on the disk', async () => {
    const logger = await openLog({ key });
    const blocked = `${path}.state.new`;
    mkdirSync(blocked);
    await logger.log(entry(1));
    await expect
      .poll(() =>
        logger.log(entry(2)).then(
          () => 'written',
          () => 'refused',
        ),
      )
      .toBe('refused');
    await expect(logger.log(entry(3))).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    rmSync(blocked, { recursive: true });
    await logger.log(entry(4));
    await logger.close();
    expect((await verify()).fault).toBeUndefined();
    expect(text()).toMatch(/audit\.resumed.*\n.*"c4"/);
  });

  it('cannot be opened where nothing can be written', async () => {
    path = join(folder, 'missing', 'audit.log');
    await expect(openLog()).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    mkdirSync(join(folder, 'missing'));
    const mend = await failing('write');
    await expect(openLog({ key })).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    mend();
    const logger = await openLog({ key });
    await logger.log(entry(1));
    expect(readIndependently(text(), KEY)).toHaveLength(2);
  });
});

describe('an audit log of a machine that was taken over', () => {
  it('cannot be rewritten with what lies there: the state leads to the next line only', async () => {
    // The attacker has every file of the machine, at a time when the log has six lines; the key is elsewhere.
    const logger = await openLog({ key });
    for (const number of [1, 2, 3, 4, 5]) await logger.log(entry(number));
    await logger.close();
    const state = readFileSync(`${path}.state`);
    const keys = lineKeys(7);
    const where = keys.map((one) => state.indexOf(one));
    expect(where.slice(0, 6)).toEqual([-1, -1, -1, -1, -1, -1]);
    expect(where[6]).toBe(112);
    for (const name of readdirSync(folder)) {
      const bytes = readFileSync(join(folder, name));
      for (const one of [KEY, ...keys.slice(0, 6)]) expect(bytes.indexOf(one), name).toBe(-1);
    }
  });

  it('has the key of no earlier line in the memory of its old state file', async () => {
    const logger = await openLog({ key });
    const old = await open(`${path}.state`);
    await logger.log(entry(1));
    await logger.close();
    const { buffer, bytesRead } = await old.read(Buffer.alloc(1_024), 0, 1_024, 0);
    await old.close();
    expect(buffer.subarray(0, bytesRead).every((byte) => byte === 0)).toBe(true);
  });

  /** The keys of the first lines, from the text of docs/audit.md. */
  function lineKeys(count: number): Buffer[] {
    const hmac = (secret: string | Buffer, data: Buffer): Buffer => createHmac('sha256', secret).update(data).digest();
    const keys = [hmac('EIPC/2 audit key', KEY)];
    while (keys.length < count)
      keys.push(hmac(keys.at(-1) ?? '', Buffer.concat([Buffer.from('EIPC/2 audit evolve'), Buffer.from([1])])));
    return keys;
  }
});
