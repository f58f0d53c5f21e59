/** Processes of other users, which only root can start. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../process/fixtures/as-user.js', import.meta.url));

export const isRoot = process.geteuid?.() === 0;

/** Ids that need no account. */
export interface User {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary ones. */
  readonly groups?: readonly number[];
}

/** A program of another user, and what it says. */
export class OtherUser {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #gone: Promise<unknown>;

  constructor(role: 'listen' | 'connect' | 'guess', address: string, user: User, key: Buffer, options: object = {}) {
    const { uid, gid, groups = [] } = user;
    const ids = [uid, gid, ...groups].map(String);
    const child = spawn(process.execPath, [PROGRAM, role, address, ...ids], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(`${key.toString('hex')}\n${JSON.stringify(options)}`);
    this.child = child;
    this.#gone = once(child, 'close');
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  }

  /** Returns what it says next; nothing when it has ended. */
  async says(): Promise<unknown> {
    const line = await this.#lines.next();
    return line.done === true ? undefined : JSON.parse(line.value);
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#gone;
  }
}
