/**
 * A real full disk: what has to be audited before it takes effect is denied while the log cannot be written, and the log says so when it can
 * again. Needs a small file system of its own, which only root can mount.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeSync, openSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

import { AuditLogger, connect, Key, listen, verifyAudit } from '../../src/index.js';
import { readIndependently } from '../helpers/independent-audit.js';

const folder = mkdtempSync(join(tmpdir(), 'eipc-full-'));
const disk = join(folder, 'disk');
mkdirSync(disk);
const isMounted =
  process.platform === 'linux' &&
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=700', 'tmpfs', disk]).status === 0;

afterAll(() => {
  if (isMounted) spawnSync('umount', [disk]);
  rmSync(folder, { recursive: true, force: true });
});

/** Fills the disk to its last byte; returns what makes room again. */
function fill(): () => void {
  const path = join(disk, 'filler');
  const file = openSync(path, 'wx');
  for (let size = 65_536; size > 0;) {
    try {
      if (writeSync(file, Buffer.alloc(size)) < size) size >>= 1;
    } catch {
      size >>= 1;
    }
  }
  closeSync(file);
  return () => rmSync(path);
}

describe.skipIf(!isMounted)('on a full disk (needs root, to mount a small one)', () => {
  it('what has to be audited first is denied, and nothing moves', async () => {
    const auditKey = randomBytes(32);
    const key = Key.fromBytes(randomBytes(32));
    const path = join(disk, 'audit.log');
    const audit = await AuditLogger.open(path, { key: auditKey });
    const server = await listen(`unix:${join(folder, 'socket')}`, {
      services: { 'eni.min': { key, capabilities: ['device:write'] } },
    });
    let moved = 0;
    server.router?.handle('intent', { capability: 'device:write' }, async (message, peer) => {
      await audit.log({
        peer: peer.serviceId,
        action: 'motor.move',
        decision: 'allow',
        requestId: message.requestId,
      });
      moved += 1;
      return { status: 'ok' };
    });
    const client = await connect(server.addresses[0] ?? '', { serviceId: 'eni.min', key });
    try {
      const move = (): Promise<unknown> => client.request({ type: 'intent', payload: { intent: 'motor.move' } });
      await move();
      const makeRoom = fill();
      let denied = 0;
      // What is left of the last block of the log takes a few lines more.
      for (let tries = 0; denied < 20 && tries < 1_000; tries += 1) {
        const before = moved;
        const refusal = await move().then(
          () => undefined,
          (error: unknown) => error,
        );
        if (refusal === undefined) continue;
        denied += 1;
        expect(refusal).toMatchObject({ code: 'EIPC_AUDIT', remote: true });
        expect(moved).toBe(before);
      }
      expect(denied).toBe(20);
      makeRoom();
      await move();
      await audit.close();
      const entries = readIndependently(readFileSync(path, 'latin1'), auditKey);
      expect(entries.filter(({ action }) => action === 'motor.move')).toHaveLength(moved);
      const resumed = entries.filter(({ action }) => action === 'audit.resumed');
      expect(resumed.map(({ result }) => result)).toEqual([
        expect.stringMatching(/^20 entries were refused: .*ENOSPC|No space/),
      ]);
      expect((await verifyAudit(path, { key: auditKey, checkpoints: `${path}.checkpoints` })).fault).toBeUndefined();
      process.stdout.write(`full disk: ${moved} moves audited, ${denied} denied, none unaudited\n`);
    } finally {
      await client.close();
      await server.close();
      await audit.close().catch(() => undefined);
    }
  });

  it('a log cannot be begun, and leaves nothing half made that keeps it from being begun later', async () => {
    const makeRoom = fill();
    const path = join(disk, 'other.log');
    await expect(AuditLogger.open(path)).rejects.toMatchObject({ code: 'EIPC_AUDIT' });
    makeRoom();
    const audit = await AuditLogger.open(path);
    await audit.log({ peer: '', action: 'x', decision: 'note' });
    await audit.close();
    expect(existsSync(path)).toBe(true);
    expect((await verifyAudit(path)).lines).toBe(2);
  });
});
