/**
 * The audit log of a process: many entries become one write and one sync, and each resolves when it is durable.
 */
import { inspect } from 'node:util';

import type { AuditEntry, AuditSink } from '../audit-sink.js';
import { checkNames, integer } from '../check.js';
import { makeError } from '../errors.js';
import type { EipcError } from '../errors.js';
import { nativeKey } from '../key.js';
import type { Key } from '../key.js';
import { Queue } from '../queue.js';
import { AuditFiles, auditError } from './audit-files.js';
import { auditBody } from './audit-line.js';

/** Entries that may wait to be written, and that are written at once. */
const MAX_WAITING = 65_536;
const MAX_GROUP = 4_096;
const MIN_FILE = 65_536;

/** Options of `AuditLogger.open`. */
export interface AuditLoggerOptions {
  /**
   * The key that a new log begins with: with one, whoever takes this machine over later cannot rewrite what was written before. It is
   * needed for this and for verifying, so keep it elsewhere afterwards; a log that is opened again goes on without it. One key for one
   * log. Absent: a plain chain, which shows accidents only.
   */
  readonly key?: Key | Uint8Array;
  /** Where checkpoints go, by which a cut tail is found; best on another machine's disk. Default: the path of the log and `.checkpoints`. */
  readonly checkpoints?: string;
  /** Bytes after which a new file is begun, from 65 536. Default: never by itself. */
  readonly maxBytes?: number;
}

/** What a logger has done. */
export interface AuditLoggerStats {
  /** Entries that are durable. */
  readonly logged: number;
  /** Entries that were refused. */
  readonly refused: number;
  /** Writes that made entries durable; each may be of many. */
  readonly groups: number;
  /** Entries that wait. */
  readonly waiting: number;
}

/** An entry that waits for its write. */
interface Waiting {
  readonly body: string;
  readonly resolve: () => void;
  readonly reject: (error: EipcError) => void;
}

/** Entries that the log has not, and why. */
interface Gap {
  readonly count: number;
  readonly error: EipcError;
}

/** Writes a tamper-evident audit log (docs/audit.md). One process writes a log. */
export class AuditLogger implements AuditSink, AsyncDisposable {
  readonly #files: AuditFiles;
  readonly #maxBytes: number;
  readonly #waiting = new Queue<Waiting>();
  readonly #counts = { logged: 0, refused: 0, groups: 0 };
  /** Calls of `rotate` that the next turn answers. */
  #rotations: { readonly resolve: () => void; readonly reject: (error: EipcError) => void }[] = [];
  #writing: Promise<void> | undefined;
  /** Entries refused since the last group that was written, and why the first of them was. */
  #gap: Gap | undefined;
  #closing: Promise<void> | undefined;

  private constructor(files: AuditFiles, maxBytes: number) {
    this.#files = files;
    this.#maxBytes = maxBytes;
  }

  /**
   * Opens a log, or begins one where there is none. What a crash left half written is cut off, which the log then says.
   *
   * @param path - of the log; its state, its lock and its checkpoints lie beside it
   * @throws TypeError or RangeError for a wrong option; rejects with `EIPC_AUDIT` when its files are not this user's alone, cannot be written,
   * or are another process's, `EIPC_AUDIT_DAMAGED` when they were changed, AuthError `EIPC_KEY` when the key is not the log's
   *
   * @example
   * const audit = await AuditLogger.open('/var/lib/eai/audit.log', { key: await readKeyFile('audit.key') });
   * await audit.log({ peer: 'eni.min', action: 'motor.move', decision: 'allow' }); // durable now
   * await audit.close();
   */
  static async open(path: string, options: AuditLoggerOptions = {}): Promise<AuditLogger> {
    if (typeof path !== 'string' || path === '') throw new TypeError(`path must be a file name, not ${inspect(path)}`);
    checkNames(options, ['key', 'checkpoints', 'maxBytes'], 'AuditLogger.open');
    const { key, checkpoints = `${path}.checkpoints`, maxBytes } = options;
    if (typeof checkpoints !== 'string' || checkpoints === '')
      throw new TypeError(`checkpoints must be a file name, not ${inspect(checkpoints)}`);
    const limit = maxBytes === undefined ? Infinity : integer('maxBytes', maxBytes, MIN_FILE, Number.MAX_SAFE_INTEGER);
    const native = key === undefined ? undefined : nativeKey(key, 2);
    return new AuditLogger(await AuditFiles.open(path, { key: native, checkpoints }), limit);
  }

  /** The path of the log. */
  get path(): string {
    return this.#files.path;
  }

  /**
   * Records an entry. Resolves when it is durable: what has to be audited before it takes effect waits for this.
   *
   * While the log cannot be written every call tries, and rejects until one succeeds; the log then says how many were refused. So a promise
   * that rejects is a reason to deny what was to be audited.
   *
   * @throws TypeError or RangeError at once for an entry that is none; rejects with `EIPC_AUDIT` when it cannot be written,
   * BackpressureError when 65 536 others wait, ClosedError when the log is closed
   */
  log(entry: AuditEntry): Promise<void> {
    const body = auditBody(entry, Date.now());
    if (this.#closing !== undefined) return this.#refuse(makeError('EIPC_CLOSED', `${this.path} is closed`));
    if (this.#waiting.length >= MAX_WAITING) {
      const error = makeError('EIPC_BACKPRESSURE', `${MAX_WAITING} entries wait to be written to ${this.path}`);
      this.#missed(1, error);
      return this.#refuse(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ body, resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  /**
   * Begins a new file whose first line links to the last one of the file so far, which is renamed: the log's path, a dot, and the number of
   * its last line in twelve digits.
   *
   * @throws rejects as `log` does
   */
  rotate(): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(makeError('EIPC_CLOSED', `${this.path} is closed`));
    return new Promise((resolve, reject) => {
      this.#rotations.push({ resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  /** Writes what waits, and closes the files. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Closes; for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Returns a frozen copy of the counters. */
  stats(): AuditLoggerStats {
    return Object.freeze({ ...this.#counts, waiting: this.#waiting.length });
  }

  /** The log will say that entries are missing. */
  #missed(count: number, error: EipcError): void {
    this.#gap = { count: (this.#gap?.count ?? 0) + count, error: this.#gap?.error ?? error };
  }

  #refuse(error: EipcError): Promise<never> {
    this.#counts.refused += 1;
    return Promise.reject(error);
  }

  async #close(): Promise<void> {
    await this.#writing;
    try {
      await this.#files.close();
    } catch (error) {
      throw auditError(error, `${this.path} was closed, and its state is behind its lines`);
    }
  }

  /** Writes group after group until nothing waits. Never rejects. */
  async #write(): Promise<void> {
    // What is logged in this turn of the loop goes into one group.
    await Promise.resolve();
    while (this.#waiting.length > 0 || this.#rotations.length > 0) {
      if (this.#rotations.length > 0 || this.#files.position.size >= this.#maxBytes) await this.#rotate();
      if (this.#waiting.length > 0) await this.#writeGroup();
    }
    this.#writing = undefined;
  }

  async #writeGroup(): Promise<void> {
    const group: Waiting[] = [];
    const gap = this.#gap;
    let bodies = gap === undefined ? '' : gapBody(gap);
    // What is refused from here on is for the next group to say.
    this.#gap = undefined;
    while (group.length < MAX_GROUP) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      group.push(next);
      bodies += next.body;
    }
    try {
      await this.#files.append(bodies);
    } catch (cause) {
      if (gap !== undefined) this.#missed(gap.count, gap.error);
      this.#failed(group, cause);
      return;
    }
    this.#counts.groups += 1;
    this.#counts.logged += group.length;
    for (const { resolve } of group) resolve();
  }

  /** A group could not be written: neither can what waits behind it. */
  #failed(group: Waiting[], cause: unknown): void {
    const error = auditError(cause, `${this.path} cannot be written; until it can, what needs an audit is denied`);
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) group.push(next);
    this.#missed(group.length, error);
    this.#counts.refused += group.length;
    for (const { reject } of group) reject(error);
  }

  async #rotate(): Promise<void> {
    const asked = this.#rotations.splice(0);
    try {
      await this.#files.rotate();
      for (const { resolve } of asked) resolve();
    } catch (cause) {
      const error = auditError(cause, `${this.path} cannot be rotated`);
      for (const { reject } of asked) reject(error);
      // Going on in the old file is not possible any more, and the next group says why.
    }
  }
}

/** What the log says of entries that it has not. */
function gapBody({ count, error }: Gap): string {
  const result = `${count} entries were refused: ${error.message}`;
  return auditBody({ peer: '', action: 'audit.resumed', decision: 'note', result }, Date.now());
}
