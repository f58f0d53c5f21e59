/** The audit log opened again: after it was changed, after a crash, and in one file after the other. */
import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { verifyAudit } from '../../src/index.js';
import { AuditScene, entry, failing, KEY, key } from '../helpers/audit-scene.js';
import { readIndependently } from '../helpers/independent-audit.js';

const isPosix = process.platform !== 'win32';
const scene = new AuditScene();

describe('an audit log that was changed while it was closed', () => {
  const damaged = async (why: RegExp): Promise<void> => {
    const before = existsSync(scene.path) ? readFileSync(scene.path) : undefined;
    await expect(scene.open()).rejects.toMatchObject({ code: 'EIPC_AUDIT_DAMAGED' });
    await expect(scene.open()).rejects.toThrow(why);
    expect(existsSync(scene.path) ? readFileSync(scene.path) : undefined).toEqual(before);
  };

  it('is not continued when its end is cut off', async () => {
    await scene.written(3);
    truncateSync(scene.path, scene.text().trimEnd().lastIndexOf('\n') + 1);
    await damaged(/its end was cut off/);
  });

  it('is not continued when its last line is another', async () => {
    await scene.written(3);
    const last = scene.text().length - 10;
    const bytes = readFileSync(scene.path);
    bytes[last] = bytes[last] === 0x30 ? 0x31 : 0x30;
    writeFileSync(scene.path, bytes);
    await damaged(/has another line 4/);
  });

  it('is not begun anew when it is gone, or its state', async () => {
    await scene.written(3);
    const [log, state] = [readFileSync(scene.path), readFileSync(`${scene.path}.state`)];
    rmSync(scene.path);
    await damaged(/is gone/);
    writeFileSync(scene.path, log, { mode: 0o600 });
    rmSync(`${scene.path}.state`);
    await damaged(/no state file/);
    for (const wrong of [
      state.subarray(1),
      Buffer.concat([state, state]),
      Buffer.alloc(0),
      randomBytes(state.length),
    ]) {
      writeFileSync(`${scene.path}.state`, wrong, { mode: 0o600 });
      await damaged(/state file is not one/);
    }
    writeFileSync(`${scene.path}.state`, state, { mode: 0o600 });
    await scene.written(1, {});
    expect(await scene.verify()).toMatchObject({ lines: 5 });
  });

  it('is not continued with the state of another log', async () => {
    await scene.written(3);
    const state = readFileSync(`${scene.path}.state`);
    scene.path = join(scene.folder, 'other.log');
    await scene.written(3);
    writeFileSync(`${scene.path}.state`, state);
    await damaged(/has another line 4|cut off/);
  });
});

describe('after a crash, an audit log', () => {
  it('cuts a torn line off, says so, and goes on', async () => {
    await scene.written(3);
    const torn = '{"i":5,"t":"2026-11-05T12:';
    appendFileSync(scene.path, torn);
    expect((await scene.verify()).fault).toMatchObject({ line: 5, number: 5, reason: 'torn' });
    await scene.written(1);
    const entries = readIndependently(scene.text(), KEY);
    expect(entries[4]).toMatchObject({
      action: 'audit.recovered',
      decision: 'note',
      result: `${torn.length} bytes behind line 4 were no whole line and are cut off`,
      frame: createHash('sha256').update(torn).digest('hex'),
    });
    expect(entries[5]).toMatchObject({ request_id: 'c1' });
    expect(await scene.verify()).toMatchObject({ lines: 6, recoveries: 1 });
  });

  it('takes whole lines that its state does not know, and none that was made up', async () => {
    const logger = await scene.open({ key });
    await logger.log(entry(1));
    const state = await settledState();
    for (const number of [2, 3]) await logger.log(entry(number));
    await logger.close();
    const log = scene.text();
    writeFileSync(`${scene.path}.state`, state);
    // The attacker has no key, and writes a line of his own behind them.
    appendFileSync(scene.path, log.slice(log.lastIndexOf('{"i":4')).replace('{"i":4', '{"i":5'));
    await scene.written(1, {});
    const ids = readIndependently(scene.text(), KEY).map((one) => one['request_id']);
    expect(ids).toEqual(['', 'c1', 'c2', 'c3', '', 'c1']);
    expect(await scene.verify()).toMatchObject({ recoveries: 1 });
  });

  it('finds a rotation that did not come to its end, wherever it stopped', async () => {
    await scene.written(3);
    const logger = await scene.open();
    const mend = await failing('write');
    await expect(logger.rotate()).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    const state = readFileSync(`${scene.path}.state`);
    mend();
    await logger.close();
    expect(scene.rotated()).toEqual([]);
    for (const left of ['old', 'none', 'empty', 'torn'] as const) {
      const line = left === 'old' ? '' : scene.text();
      writeFileSync(`${scene.path}.state`, state);
      if (left === 'none') rmSync(scene.path);
      else if (left !== 'old') writeFileSync(scene.path, left === 'empty' ? '' : line.slice(0, 100));
      await scene.written(1, {});
      expect(scene.rotated(), left).toEqual(['audit.log.000000000004']);
      const verdict = await verifyAudit([`${scene.path}.000000000004`, scene.path], { key });
      expect(verdict, left).toMatchObject({ first: 1, last: left === 'torn' ? 7 : 6 });
      expect(verdict.fault, left).toBeUndefined();
      expect(scene.text().split('\n')[0], left).toContain('"action":"audit.rotate"');
    }
  });

  it('does not take another file for the one it begins', async () => {
    await scene.written(3);
    const logger = await scene.open();
    const mend = await failing('write');
    await expect(logger.rotate()).rejects.toThrow();
    mend();
    await logger.close();
    const log = scene.text();
    writeFileSync(scene.path, log.replace('"c3"', '"c4"').replace(/[0-9a-f]{8}"\}\n$/, '00000000"}\n'));
    const changed = readFileSync(scene.path);
    await expect(scene.open()).rejects.toMatchObject({ code: 'EIPC_AUDIT_DAMAGED' });
    expect(readFileSync(scene.path)).toEqual(changed);
  });

  /** The state when it has caught up with what was logged. */
  async function settledState(): Promise<Buffer> {
    const size = BigInt(statSync(scene.path).size);
    await expect.poll(() => readFileSync(`${scene.path}.state`).readBigUInt64BE(32)).toBe(size);
    return readFileSync(`${scene.path}.state`);
  }
});

describe('an audit log that is rotated', () => {
  it('goes on in a file whose first line links to the last one of the file before', async () => {
    const logger = await scene.open({ key });
    for (const number of [1, 2]) await logger.log(entry(number));
    await logger.rotate();
    await logger.log(entry(3));
    await logger.rotate();
    await logger.close();
    expect(scene.rotated()).toEqual(['audit.log.000000000003', 'audit.log.000000000005']);
    const files = [...scene.rotated().map((name) => join(scene.folder, name)), scene.path];
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
    expect(await verifyAudit(files, { key, checkpoints: `${scene.path}.checkpoints` })).toMatchObject({
      lines: 6,
      last: 6,
    });
    for (const [file, first] of files.map((name, at) => [name, [1, 4, 6][at]] as const))
      expect(await verifyAudit(file, { key })).toMatchObject({ first, check: 'key' });
    const [one = '', two = ''] = files;
    expect((await verifyAudit([one, scene.path], { key })).fault).toMatchObject({
      file: scene.path,
      line: 1,
      reason: 'deleted',
    });
    expect((await verifyAudit([two, one], { key })).fault).toMatchObject({ file: one, line: 1 });
  });

  it('rotates by itself when it is large enough, and never between an entry and its promise', async () => {
    const logger = await scene.open({ key, maxBytes: 65_536 });
    for (let group = 0; group < 12; group += 1)
      await Promise.all(Array.from({ length: 100 }, (_, at) => logger.log(entry(group * 100 + at))));
    await logger.close();
    expect(scene.rotated().length).toBeGreaterThanOrEqual(3);
    const files = [...scene.rotated().map((name) => join(scene.folder, name)), scene.path];
    const verdict = await verifyAudit(files, { key });
    expect(verdict).toMatchObject({ lines: 1_201 + scene.rotated().length });
    expect(verdict.fault).toBeUndefined();
  });

  it('overwrites no file that has the name, and goes on when it is moved away', async () => {
    const logger = await scene.open({ key });
    await logger.log(entry(1));
    writeFileSync(`${scene.path}.000000000002`, 'mine');
    await expect(logger.rotate()).rejects.toThrow(/000000000002 exists/);
    await expect(logger.log(entry(2))).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    renameSync(`${scene.path}.000000000002`, join(scene.folder, 'mine'));
    await logger.log(entry(3));
    await logger.close();
    expect(readFileSync(join(scene.folder, 'mine'), 'utf8')).toBe('mine');
    const all = readFileSync(`${scene.path}.000000000002`, 'latin1') + scene.text();
    expect(readIndependently(all, KEY).map(({ action }) => action)).toEqual([
      'audit.begin',
      'motor.move',
      'audit.rotate',
      'audit.resumed',
      'motor.move',
    ]);
  });
});
