/**
 * One child process of the demo: starts it, hands it its job, collects its reports and knows how it ended.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { encodeJob, type Job } from './job.js';
import { LineSplitter, LineTooLongError } from './lines.js';
import { decodeReport, type Report } from './reports.js';

const ENTRY = fileURLToPath(new URL('./child.js', import.meta.url));
const MAX_REPORT_CHARACTERS = 1_000_000;
/** The end of what a child printed outside its reports; where a crash says why. */
const MAX_STRAY_CHARACTERS = 2_048;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it printed that was no report, cut to its end; foreign text. */
  readonly stray: string;
}

export class RoleProcess<R extends Report> {
  readonly name: string;
  /** Resolves when the process has ended and everything it wrote was read. */
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;
  readonly #seen = new Set<string>();
  readonly #waiting = new Map<string, () => void>();
  #failure: Extract<R, { kind: 'failed' }> | null = null;
  #stray = '';
  #isStopped = false;

  /**
   * Starts the process for a job.
   *
   * @param options.name how messages call it
   * @param options.onReport called for every report, in order
   */
  constructor(options: { name: string; job: Job; keys: readonly Uint8Array[]; onReport: (report: R) => void }) {
    this.name = options.name;
    this.#process = spawn(process.execPath, [ENTRY], { stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true });
    const { stdin, stdout, stderr } = this.#process;
    // A child that died before it read its job is noticed by its exit, not by the broken pipe.
    stdin?.on('error', () => undefined);
    const job = encodeJob(options.job, ...options.keys);
    stdin?.write(job, () => job.fill(0)); // the key is in it
    const lines = new LineSplitter(MAX_REPORT_CHARACTERS);
    stdout?.setEncoding('utf8').on('data', (text: string) => {
      try {
        for (const line of lines.push(text)) this.#take(line, options.onReport);
      } catch (error) {
        if (!(error instanceof LineTooLongError)) throw error;
        this.#keepStray(text); // no report of ours; the end of it may be of use
      }
    });
    stderr?.setEncoding('utf8').on('data', (text: string) => this.#keepStray(text));
    this.exited = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null) => {
        resolve({ code, signal, stray: this.#stray });
        for (const wake of this.#waiting.values()) wake();
      };
      this.#process.once('close', end);
      this.#process.once('error', (error) => {
        this.#keepStray(error.message);
        if (this.#process.pid === undefined) end(null, null); // it never started, so there will be no `close`
      });
    });
  }

  /** The process id; undefined if it could not be started. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** The failure it reported, or null. */
  get failure(): Extract<R, { kind: 'failed' }> | null {
    return this.#failure;
  }

  /** Whether {@link stop} or {@link kill} was called: how it ends then is our doing. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Tells whether a report of this kind has come. */
  hasReported(kind: R['kind']): boolean {
    return this.#seen.has(kind);
  }

  /** Waits for the first report of a kind; resolves also when the process has ended, so ask {@link hasReported} then. */
  waitFor(kind: R['kind']): Promise<void> {
    if (this.#seen.has(kind)) return Promise.resolve();
    const reported = new Promise<void>((resolve) => this.#waiting.set(kind, resolve));
    return Promise.race([reported, this.exited.then(() => undefined)]);
  }

  /** Asks it to finish: it closes its session, reports and ends. Does nothing if it has ended. */
  stop(): void {
    if (this.#hasEnded) return;
    this.#isStopped = true;
    this.#process.stdin?.end();
  }

  /** Ends it at once. Does nothing if it has ended. */
  kill(): void {
    if (this.#hasEnded) return;
    this.#isStopped = true;
    this.#process.kill('SIGKILL');
  }

  get #hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  #take(line: string, onReport: (report: R) => void): void {
    const report = decodeReport<R>(line);
    if (report === null) {
      this.#keepStray(`${line}\n`);
      return;
    }
    this.#seen.add(report.kind);
    // The kind decides the type, but TypeScript does not narrow a type parameter.
    if (report.kind === 'failed') this.#failure = report as Extract<R, { kind: 'failed' }>;
    onReport(report);
    this.#waiting.get(report.kind)?.();
  }

  #keepStray(text: string): void {
    this.#stray = (this.#stray + text).slice(-MAX_STRAY_CHARACTERS);
  }
}
