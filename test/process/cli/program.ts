/** Runs the built `eipc` program as a user would. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  #stdout = '';
  #stderr = '';
  readonly #watchers = new Set<() => void>();

  constructor(args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
    this.child = spawn(process.execPath, [MAIN, ...args], { ...options, stdio: 'pipe' });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      for (const look of this.#watchers) look();
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
        for (const look of this.#watchers) look();
      });
    });
  }

  /** Waits until stdout matches and returns the match; fails if the program ends without it. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    const found = await new Promise<RegExpExecArray | null>((resolve) => {
      const look = () => {
        const match = pattern.exec(this.#stdout);
        const hasEnded = this.child.exitCode !== null || this.child.signalCode !== null;
        if (match === null && !hasEnded) return;
        this.#watchers.delete(look);
        resolve(match);
      };
      this.#watchers.add(look);
      look();
    });
    if (found === null) throw new Error(`the program ended without ${pattern}: ${JSON.stringify(await this.ended)}`);
    return found;
  }
}

/** Runs the program to its end. */
export function run(args: readonly string[], options?: ConstructorParameters<typeof Program>[1]): Promise<Ended> {
  return new Program(args, options).ended;
}

/** Tells whether a process exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
