/** The audit log as one process writes it: what is durable when, which files it takes, and what it does when it cannot be written. */
import { createHmac, randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';

import { AuditLogger, Key } from '../../src/index.js';
import type { AuditEntry } from '../../src/index.js';
import { AuditScene, entry, failing, KEY, key } from '../helpers/audit-scene.js';
import { auditKeyId, readIndependently } from '../helpers/independent-audit.js';

const isRoot = process.getuid?.() === 0;
const isPosix = process.platform !== 'win32';
const scene = new AuditScene();

describe('an audit log', () => {
  it.each([
    ['with a key', KEY],
    ['without', undefined],
  ])('%s is what the text says, read by a program that shares no code with it', async (_, bytes) => {
    const logger = await scene.open(bytes === undefined ? {} : { key: bytes });
    await Promise.all([1, 2, 3].map((number) => logger.log(entry(number))));
    await logger.log({ peer: 'eni.min', action: 'x', decision: 'deny', result: 'no\n"\u202e', frame: 'ab'.repeat(32) });
    await logger.close();
    const entries = readIndependently(scene.text(), bytes);
    expect(entries.map(({ action, request_id: id }) => [action, id])).toEqual([
      ['audit.begin', ''],
      ['motor.move', 'c1'],
      ['motor.move', 'c2'],
      ['motor.move', 'c3'],
      ['x', ''],
    ]);
    expect(entries[0]?.['result']).toBe(bytes === undefined ? 'no key' : `key ${auditKeyId(bytes)}`);
    expect(await scene.verify(bytes === undefined ? {} : { key: bytes })).toMatchObject({
      lines: 5,
      first: 1,
      last: 5,
      check: bytes === undefined ? 'hash' : 'key',
    });
  });

  it('is its owner’s alone, with everything beside it', async () => {
    await scene.written(1);
    const names = readdirSync(scene.folder).sort();
    expect(names).toEqual(['audit.log', 'audit.log.checkpoints', 'audit.log.lock', 'audit.log.state']);
    for (const name of isPosix ? names : []) expect(statSync(join(scene.folder, name)).mode & 0o777, name).toBe(0o600);
  });

  it('writes what is logged in one turn at once, in order, and resolves when it is there', async () => {
    const logger = await scene.open({ key });
    const { groups } = logger.stats();
    const count = 3_000;
    const entries = Array.from({ length: count }, (_, at) => logger.log(entry(at)));
    expect(logger.stats().waiting).toBe(count);
    await entries[count - 1];
    expect(logger.stats()).toMatchObject({ logged: count, waiting: 0, groups: groups + 1 });
    const ids = [...scene.text().matchAll(/"request_id":"(c\d+)"/g)].map(([, id]) => id);
    expect(ids).toEqual(Array.from({ length: count }, (_, at) => `c${at}`));
    await logger.close();
    expect(readFileSync(`${scene.path}.checkpoints`, 'latin1')).toMatch(
      /^\{"n":1000,"h":"[0-9a-f]{64}"\}\n\{"n":2000,.*\n\{"n":3000,.*\n\{"n":3001,.*\n$/,
    );
    expect(await scene.verify({ key, checkpoints: `${scene.path}.checkpoints` })).toMatchObject({
      lines: 3_001,
      checkpoints: 4,
    });
  });

  it('refuses what does not fit into its queue, and says so', async () => {
    const logger = await scene.open();
    const waiting = Array.from({ length: 65_536 }, () => logger.log({ peer: '', action: 'x', decision: 'note' }));
    await expect(logger.log(entry(1))).rejects.toMatchObject({ code: 'EIPC_BACKPRESSURE', retryable: true });
    await Promise.all(waiting);
    await logger.log(entry(1));
    expect(logger.stats()).toMatchObject({ logged: 65_537, refused: 1 });
    const resumed = /"action":"audit\.resumed","decision":"note","result":"([^"]*)"/.exec(scene.text())?.[1];
    expect(resumed).toMatch(/^1 entries were refused: 65536 entries wait to be written/);
  });

  it('closes once, with what waits written, and takes nothing after that', async () => {
    const logger = await scene.open();
    const last = logger.log(entry(1));
    const closing = logger.close();
    expect(logger.close()).toBe(closing);
    await Promise.all([last, closing]);
    await expect(logger.log(entry(2))).rejects.toMatchObject({ code: 'EIPC_CLOSED' });
    await expect(logger.rotate()).rejects.toMatchObject({ code: 'EIPC_CLOSED' });
    expect(readIndependently(scene.text(), undefined)).toHaveLength(2);
  });

  it('refuses wrong options and entries at once', async () => {
    for (const wrong of [7, '']) await expect(AuditLogger.open(wrong as string)).rejects.toThrow(TypeError);
    await expect(scene.open({ maxBytes: 100 })).rejects.toThrow(RangeError);
    await expect(scene.open({ checkpoints: '' })).rejects.toThrow(TypeError);
    await expect(scene.open({ key: randomBytes(31) })).rejects.toThrow(RangeError);
    await expect(scene.open({ rotate: true } as object)).rejects.toThrow(/no option 'rotate'/);
    expect(readdirSync(scene.folder)).toEqual([]);
    const logger = await scene.open();
    expect(() => logger.log({ peer: '', action: 'x', decision: 'perhaps' } as unknown as AuditEntry)).toThrow(
      RangeError,
    );
    expect(logger.stats()).toMatchObject({ logged: 0, refused: 0 });
  });

  it('takes the key it began with, another one never, and none to go on', async () => {
    await scene.written(1);
    await expect(scene.open({ key: randomBytes(32) })).rejects.toMatchObject({ code: 'EIPC_KEY' });
    await expect(
      scene.open({ key: Key.fromBytes(Buffer.from('a phrase of the original'), { protocol: 1 }) }),
    ).rejects.toThrow(RangeError);
    await scene.written(1, {});
    await scene.written(1, { key });
    expect(await scene.verify()).toMatchObject({ lines: 4, check: 'key' });
    expect(readIndependently(scene.text(), KEY)).toHaveLength(4);
  });

  it('of a chain without a key is not continued with one', async () => {
    await scene.written(1, {});
    await expect(scene.open({ key })).rejects.toMatchObject({ code: 'EIPC_KEY' });
  });
});

describe('an audit log has one writer:', () => {
  it('another one is refused until it is closed', async () => {
    const logger = await scene.open();
    await expect(scene.open()).rejects.toThrow(/a log has one writer/);
    await expect(scene.open()).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    await logger.log(entry(1));
    await logger.close();
    await scene.written(1, {});
    expect(await scene.verify({})).toMatchObject({ lines: 3 });
  });

  it('also in another process', async () => {
    await scene.open();
    const script = `import { AuditLogger } from '${new URL('../../dist/index.js', import.meta.url).href}';
      await AuditLogger.open(process.argv[1]).catch((error) => console.log(error.code));`;
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script, scene.path], {
      encoding: 'utf8',
    });
    expect(output).toBe('EIPC_AUDIT\n');
  });
});

// The attacker is another user of this machine, who puts something in the place of a file, or reads along.
describe.skipIf(!isPosix)('an audit log is refused when', () => {
  const NAMES = ['', '.state', '.checkpoints', '.lock'] as const;
  const refused = async (why: RegExp): Promise<void> => {
    await expect(scene.open()).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    await expect(scene.open()).rejects.toThrow(why);
  };

  it.each(NAMES)('audit.log%s is a symbolic link', async (name) => {
    await scene.written(1, {});
    renameSync(`${scene.path}${name}`, join(scene.folder, 'elsewhere'));
    symlinkSync(join(scene.folder, 'elsewhere'), `${scene.path}${name}`);
    await refused(/symbolic link|ELOOP/);
  });

  it.each(NAMES)('audit.log%s would be made through a dangling link', async (name) => {
    symlinkSync(join(scene.folder, 'elsewhere'), `${scene.path}${name}`);
    await refused(/symbolic link|ELOOP/);
    expect(existsSync(join(scene.folder, 'elsewhere'))).toBe(false);
  });

  it.each(NAMES)('audit.log%s can be read or written by others', async (name) => {
    await scene.written(1, {});
    for (const mode of [0o640, 0o620, 0o604, 0o666]) {
      chmodSync(`${scene.path}${name}`, mode);
      await refused(name === '.lock' ? /permission denied/ : /chmod 600/);
    }
  });

  it.each(['', '.checkpoints', '.lock'])('audit.log%s has another name', async (name) => {
    await scene.written(1, {});
    linkSync(`${scene.path}${name}`, join(scene.folder, 'other'));
    await refused(name === '.lock' ? /permission denied/ : /2 names/);
  });

  it.each(NAMES)('audit.log%s is a folder or a pipe', async (name) => {
    mkdirSync(`${scene.path}${name}`);
    await refused(/./);
    rmSync(`${scene.path}${name}`, { recursive: true });
    execFileSync('mkfifo', ['-m', '600', `${scene.path}${name}`]);
    await refused(/./);
  });

  it.skipIf(!isRoot).each(NAMES)('audit.log%s is another user’s (tried as root only)', async (name) => {
    await scene.written(1, {});
    chownSync(`${scene.path}${name}`, 65_534, 65_534);
    await refused(name === '.lock' ? /permission denied/ : /belongs to uid 65534/);
  });
});

describe('an audit log that cannot be written', () => {
  it.each(['write', 'datasync'] as const)(
    'rejects while %s fails, and says afterwards what is missing',
    async (call) => {
      const logger = await scene.open({ key });
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
      const entries = readIndependently(scene.text(), KEY);
      expect(entries.map(({ action, request_id: id }) => [action, id])).toEqual([
        ['audit.begin', ''],
        ['motor.move', 'c1'],
        ['audit.resumed', ''],
        ['motor.move', 'c5'],
      ]);
      expect(entries[2]?.['result']).toMatch(/^3 entries were refused: .*ENOSPC/);
      expect((await scene.verify()).fault).toBeUndefined();
    },
  );

  it('leaves nothing of a group that was written in part', async () => {
    const logger = await scene.open({ key });
    await logger.log(entry(1));
    const whole = scene.text();
    const probe = await open(process.execPath);
    const prototype = Object.getPrototypeOf(probe) as {
      write(buffer: Buffer, from: number, length: number, at?: number): Promise<{ bytesWritten: number }>;
    };
    await probe.close();
    const write: typeof prototype.write = Reflect.get(prototype, 'write');
    let calls = 0;
    const spy = vi.spyOn(prototype, 'write').mockImplementation(function part(this: unknown, buffer, from, length, at) {
      // The state before the first entry may only now be overwritten; what is appended has no place of its own.
      if (at !== undefined) return write.call(this as typeof prototype, buffer, from, length, at);
      calls += 1;
      if (calls > 1) return Promise.reject(Object.assign(new Error('ENOSPC: full'), { code: 'ENOSPC' }));
      return write.call(this as typeof prototype, buffer, from, Math.min(length, 100));
    });
    await expect(logger.log(entry(2))).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    expect(calls).toBe(2);
    spy.mockRestore();
    expect(scene.text()).toBe(whole);
    await logger.log(entry(3));
    await logger.close();
    expect(readIndependently(scene.text(), KEY)).toHaveLength(4);
  });

  it('cuts the part off later when the disk refuses that too', async () => {
    const logger = await scene.open({ key });
    await logger.log(entry(1));
    const mends = [await failing('datasync'), await failing('truncate', 'EIO')];
    await expect(logger.log(entry(2))).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    expect(scene.text()).toContain('"c2"');
    await expect(logger.log(entry(3))).rejects.toMatchObject({ cause: { code: 'EIO' } });
    for (const mend of mends) mend();
    await logger.log(entry(4));
    await logger.close();
    expect(readIndependently(scene.text(), KEY).map((one) => one['request_id'])).toEqual(['', 'c1', '', 'c4']);
  });

  it('is one whose state cannot be written either: the key of a written line would stay on the disk', async () => {
    const logger = await scene.open({ key });
    const blocked = `${scene.path}.state.new`;
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
    expect((await scene.verify()).fault).toBeUndefined();
    expect(scene.text()).toMatch(/audit\.resumed.*\n.*"c4"/);
  });

  it('cannot be opened where nothing can be written', async () => {
    scene.path = join(scene.folder, 'missing', 'audit.log');
    await expect(scene.open()).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    mkdirSync(join(scene.folder, 'missing'));
    const mend = await failing('write');
    await expect(scene.open({ key })).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    mend();
    const logger = await scene.open({ key });
    await logger.log(entry(1));
    expect(readIndependently(scene.text(), KEY)).toHaveLength(2);
  });
});

describe('an audit log of a machine that was taken over', () => {
  it('cannot be rewritten with what lies there: the state leads to the next line only', async () => {
    // The attacker has every file of the machine, at a time when the log has six lines; the key is elsewhere.
    const logger = await scene.open({ key });
    for (const number of [1, 2, 3, 4, 5]) await logger.log(entry(number));
    await logger.close();
    const state = readFileSync(`${scene.path}.state`);
    const keys = lineKeys(7);
    const where = keys.map((one) => state.indexOf(one));
    expect(where.slice(0, 6)).toEqual([-1, -1, -1, -1, -1, -1]);
    expect(where[6]).toBe(112);
    for (const name of readdirSync(scene.folder)) {
      const bytes = readFileSync(join(scene.folder, name));
      for (const one of [KEY, ...keys.slice(0, 6)]) expect(bytes.indexOf(one), name).toBe(-1);
    }
  });

  it('has the key of no earlier line in the memory of its old state file', async () => {
    const logger = await scene.open({ key });
    const old = await open(`${scene.path}.state`);
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
