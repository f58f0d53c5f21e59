/**
 * The attacker of this file sets the clock of the host, or is the time server that it believes. How long a session lives is none of the
 * wall clock's business: nobody prolongs a session by turning it back, nobody ends one by turning it on.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('fixtures/session-life.js', import.meta.url));
const HOUR = 3_600_000;

/** The library that gives a program a wall clock of its own, where it is installed. */
const library = findLibrary();

function findLibrary(): string | undefined {
  const folders = existsSync('/usr/lib')
    ? readdirSync('/usr/lib').map((name) => join('/usr/lib', name, 'faketime'))
    : [];
  return [...folders, '/usr/lib/faketime'].map((folder) => join(folder, 'libfaketime.so.1')).find(existsSync);
}

describe.skipIf(library === undefined)(
  'with a wall clock that is set (needs libfaketime: apt-get install faketime)',
  () => {
    let folder = '';
    let child: ChildProcess | undefined;

    afterEach(async () => {
      if (child?.exitCode === null) {
        child.kill('SIGKILL');
        await once(child, 'close');
      }
      rmSync(folder, { recursive: true, force: true });
    });

    /** Starts a session whose process believes the clock of a file. */
    function live(
      protocol: 1 | 2,
      ttl: number,
    ): { set: (offset: string) => void; ask: () => Promise<unknown>; next: () => Promise<unknown> } {
      folder = mkdtempSync(join(tmpdir(), 'eipc-clock-'));
      const clock = join(folder, 'clock');
      const set = (offset: string): void => writeFileSync(clock, offset);
      set('+0');
      const env = {
        ...process.env,
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: clock,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        DONT_FAKE_MONOTONIC: '1',
      };
      const args = [PROGRAM, String(protocol), String(ttl), `unix:${join(folder, 'socket')}`];
      const started = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
      child = started;
      const lines = createInterface(started.stdout)[Symbol.asyncIterator]();
      const next = async (): Promise<unknown> => {
        const line = await lines.next();
        return line.done === true ? undefined : JSON.parse(line.value);
      };
      const ask = (): Promise<unknown> => {
        started.stdin.write('\n');
        return next();
      };
      return { set, ask, next };
    }

    /** What a process says that has this wall clock. */
    const wallNear = (time: number): unknown =>
      expect.toSatisfy(
        (wall) => Math.abs(wall - time) < HOUR / 4,
        `the wall says about ${new Date(time).toISOString()}`,
      );

    it.each([1, 2] as const)('turned back, a session of protocol %i is no longer', async (protocol) => {
      const session = live(protocol, 1_500);
      expect(await session.next()).toMatchObject({ answers: true });
      session.set('-2h');
      expect(await session.ask()).toEqual({ wall: wallNear(Date.now() - 2 * HOUR), answers: true });
      expect(await session.next()).toEqual({ code: 'EIPC_EXPIRED' });
    });

    it.each([1, 2] as const)('turned on, a session of protocol %i is no shorter', async (protocol) => {
      const session = live(protocol, HOUR);
      expect(await session.next()).toMatchObject({ answers: true });
      session.set('+2h');
      expect(await session.ask()).toEqual({ wall: wallNear(Date.now() + 2 * HOUR), answers: true });
    });
  },
);
