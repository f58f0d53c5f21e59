/** Runs one program, without a shell, without this process's environment, and within limits of time and output. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

import { abortReason } from '../deadlines.js';
import { makeError, nativeError } from '../errors.js';

/** What became of a command. */
export interface CommandResult {
  /** Its exit code; null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Limits of one run. */
export interface CommandLimits {
  readonly timeout: number;
  /** Bytes of both outputs together. */
  readonly maxOutput: number;
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds that a program has to end when it is told to (SIGTERM), before it is made to (SIGKILL). */
const GRACE = 2_000;

/** Programs that run now. One listener ends them all: one for each would be too many for Node's taste. */
const running = new Set<ChildProcess>();

/**
 * Runs a program. When its time is over, it has written too much, the signal aborts, or this process exits, it is ended with everything
 * that it started.
 *
 * @throws (rejects) TimeoutError, ProtocolError `EIPC_MESSAGE_TOO_LARGE`, the signal's reason, or TransportError when it cannot be started
 */
export function runCommand(argv: readonly string[], limits: CommandLimits): Promise<CommandResult> {
  const [program = '', ...args] = argv;
  const { timeout, maxOutput, signal } = limits;
  if (signal?.aborted === true) return Promise.reject(abortReason(signal));
  return new Promise((resolve, reject) => {
    let failure: Error | undefined;
    let killing: NodeJS.Timeout | undefined;
    let size = 0;
    const output: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
    const child = spawn(program, args, {
      shell: false,
      env: {},
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
      // A group of its own, so that what it started can be ended with it.
      detached: process.platform !== 'win32',
    });
    remember(child);
    const stop = (why: Error): void => {
      if (failure !== undefined) return;
      failure = why;
      kill(child, 'SIGTERM');
      killing = setTimeout(() => kill(child, 'SIGKILL'), GRACE);
    };
    const timer = setTimeout(() => stop(makeError('EIPC_TIMEOUT', `${program} did not end in ${timeout} ms`)), timeout);
    const onAbort = (): void => {
      if (signal !== undefined) stop(abortReason(signal));
    };
    signal?.addEventListener('abort', onAbort);
    for (const name of ['stdout', 'stderr'] as const)
      child[name].on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxOutput)
          stop(makeError('EIPC_MESSAGE_TOO_LARGE', `${program} wrote more than ${maxOutput} bytes`));
        else output[name].push(chunk);
      });
    const settle = (end: () => void): void => {
      clearTimeout(timer);
      clearTimeout(killing);
      signal?.removeEventListener('abort', onAbort);
      end();
    };
    child.on('error', (error) => {
      forget(child);
      settle(() => reject(nativeError(error, `${program} cannot be run`)));
    });
    child.on('exit', () => {
      forget(child);
      // What it left behind goes too; what has left its group could still hold the outputs open for as long as it likes.
      kill(child, 'SIGKILL');
      clearTimeout(killing);
      killing = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, GRACE);
    });
    child.on('close', (exitCode, ended) =>
      settle(() => {
        if (failure !== undefined) reject(failure);
        else resolve({ exitCode, signal: ended, stdout: textOf(output.stdout), stderr: textOf(output.stderr) });
      }),
    );
  });
}

function remember(child: ChildProcess): void {
  if (running.size === 0) process.on('exit', endAll);
  running.add(child);
}

function forget(child: ChildProcess): void {
  running.delete(child);
  if (running.size === 0) process.removeListener('exit', endAll);
}

/** This process is about to be gone: nobody would be there to insist later. */
function endAll(): void {
  for (const child of running) kill(child, 'SIGKILL');
}

/** Sends a signal to a program and everything in its group. There may be nobody left. */
function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch {
    // It has ended.
  }
}

function textOf(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8');
}
