/**
 * The files of one audit log: opened so that nobody else writes them, found again after a crash, written line by line, begun anew when
 * they are rotated (docs/audit.md, "Files"). One call at a time; when to write is the logger's business.
 *
 * Lines are durable first. State and checkpoints follow behind, without holding up the next lines: a state that is behind is caught up
 * with by reading the lines it does not know.
 */
import { createHash, randomBytes } from 'node:crypto';
import { lstat, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

import { makeError, nativeError, systemCode } from '../errors.js';
import type { EipcError } from '../errors.js';
import { NativeAuditChain, NativeFileLock } from '../native.js';
import type { AuditPosition, NativeKey } from '../native.js';
import { syncFolder } from '../owner-file.js';
import { AppendFile } from './append-file.js';
import { auditBody } from './audit-line.js';
import { readState, replaceState } from './state-file.js';

/** More than a line has (docs/audit.md, "The line"). */
const MAX_LINE = 2_048;
const READ = 65_536;

/** What a log is opened with. */
export interface AuditFilesOptions {
  readonly key: NativeKey | undefined;
  /** Where checkpoints go. */
  readonly checkpoints: string;
}

/** The open files of one log. */
export class AuditFiles {
  readonly path: string;
  readonly #chain: NativeAuditChain;
  readonly #lock: NativeFileLock;
  readonly #checkpoints: AppendFile;
  /** Absent between two files: then the next append begins one. */
  #log: AppendFile | undefined;
  /** What runs behind the lines; never rejects. */
  #following: Promise<void> = Promise.resolve();
  #isStateBehind = false;
  /** Checkpoints that are not written yet. */
  #due = '';
  #fault: unknown;

  private constructor(path: string, chain: NativeAuditChain, lock: NativeFileLock, checkpoints: AppendFile) {
    this.path = path;
    this.#chain = chain;
    this.#lock = lock;
    this.#checkpoints = checkpoints;
  }

  /**
   * Opens a log or begins one.
   *
   * @throws EipcError `EIPC_AUDIT`, `EIPC_AUDIT_DAMAGED`, AuthError `EIPC_KEY`
   */
  static async open(path: string, { key, checkpoints }: AuditFilesOptions): Promise<AuditFiles> {
    let lock: NativeFileLock | undefined;
    let file: AppendFile | undefined;
    try {
      lock = takeLock(`${path}.lock`);
      const chain = (await readState(`${path}.state`, key)) ?? (await beginChain(path, key));
      file = await openCheckpoints(checkpoints);
      const files = new AuditFiles(path, chain, lock, file);
      await files.#openLog();
      return files;
    } catch (error) {
      await file?.close();
      lock?.release();
      throw auditError(error, `the audit log ${path} cannot be opened`);
    }
  }

  /** Where the log stands: what of it is durable. */
  get position(): AuditPosition {
    return this.#chain.position();
  }

  /** Appends lines and resolves when they are durable. When it rejects, none is there. */
  async append(bodies: string): Promise<void> {
    if (this.#fault !== undefined) await this.#catchUp();
    if (this.#log === undefined) await this.#openLog();
    await this.#write(bodies);
  }

  /** Begins a new file. What was written so far gets another name: that of the log, and the number of its last line. */
  async rotate(): Promise<void> {
    await this.#catchUp();
    const log = this.#log;
    this.#log = undefined;
    // From here on the state says that a file is to be begun, and opening it finds out how far that went.
    this.#chain.beginFile();
    this.#isStateBehind = true;
    await log?.close();
    await this.#openLog();
  }

  /** Closes the files, with a last checkpoint. */
  async close(): Promise<void> {
    try {
      await this.#catchUp();
      this.#due = this.#chain.checkpoint();
      await this.#writeCheckpoints();
    } finally {
      await this.#log?.close();
      await this.#checkpoints.close();
      this.#lock.release();
    }
  }

  /** Seals lines, writes them, and has state and checkpoints follow. */
  async #write(bodies: string): Promise<void> {
    const log = this.#log;
    if (log === undefined) throw makeError('EIPC_AUDIT', 'the audit log is not open');
    const lines = this.#chain.seal(Buffer.from(bodies, 'latin1'));
    try {
      await log.append(lines);
    } catch (error) {
      this.#chain.rollback();
      throw error;
    }
    this.#chain.commit();
    this.#isStateBehind = true;
    this.#follow();
  }

  // ── what follows behind the lines ──

  #follow(): void {
    this.#following = this.#following.then(async () => {
      if (this.#fault !== undefined) return;
      try {
        await this.#saveState();
        this.#due += this.#chain.takeCheckpoints();
        await this.#writeCheckpoints();
      } catch (error) {
        this.#fault = error;
      }
    });
  }

  async #saveState(): Promise<void> {
    if (!this.#isStateBehind) return;
    this.#isStateBehind = false;
    try {
      await replaceState(`${this.path}.state`, this.#chain);
    } catch (error) {
      this.#isStateBehind = true;
      throw error;
    }
  }

  /** Waits until state and checkpoints are where the lines are; tries what failed before once more. */
  async #catchUp(): Promise<void> {
    await this.#following;
    this.#fault = undefined;
    this.#follow();
    await this.#following;
    if (this.#fault !== undefined) throw this.#fault as Error;
  }

  async #writeCheckpoints(): Promise<void> {
    const due = this.#due;
    if (due === '') return;
    await this.#checkpoints.append(Buffer.from(due));
    this.#due = this.#due.slice(due.length);
  }

  // ── finding the log again ──

  /** Opens or begins the file that the chain goes on in, whatever a crash left of it. */
  async #openLog(): Promise<void> {
    await this.#catchUp();
    const { size } = this.#chain.position();
    let log = await AppendFile.open(this.path);
    try {
      if (log !== undefined && size === 0) log = await this.#putAside(log);
      else if (log !== undefined) await this.#checkKnown(log);
      else if (size > 0) throw this.#damaged('is gone');
      log ??= await AppendFile.create(this.path);
      this.#log = log;
      await this.#recover(log);
    } catch (error) {
      this.#log = undefined;
      await log?.close();
      throw error;
    }
  }

  /** A file is to be begun, and one is there: it may be the one before, to be renamed, or the new one, as far as it came. */
  async #putAside(log: AppendFile): Promise<AppendFile | undefined> {
    const { number, hash } = this.#chain.position();
    const end = await log.read(Math.max(0, log.size - MAX_LINE), MAX_LINE);
    if (number > 0 && hashOfLast(end) === hash) {
      await log.close();
      const aside = `${this.path}.${String(number).padStart(12, '0')}`;
      if (await isThere(aside)) throw makeError('EIPC_AUDIT', `${aside} exists: it is not overwritten; move it away`);
      await rename(this.path, aside);
      await syncFolder(dirname(this.path));
      return undefined;
    }
    const start = await log.read(0, READ);
    this.#isStateBehind = this.#chain.recover(start) > 0;
    if (!this.#isStateBehind && start.includes('\n')) throw this.#damaged(`does not go on behind line ${number}`);
    return log;
  }

  /** What the state knows must be there as it was. */
  async #checkKnown(log: AppendFile): Promise<void> {
    const { size, number, hash } = this.#chain.position();
    if (log.size < size) throw this.#damaged(`has ${log.size} bytes, and had ${size}: its end was cut off`);
    const from = Math.max(0, size - MAX_LINE);
    if (hashOfLast(await log.read(from, size - from)) !== hash) throw this.#damaged(`has another line ${number}`);
  }

  /** Takes the lines that the state does not know, cuts off what is none, and says so in the log. */
  async #recover(log: AppendFile): Promise<void> {
    const known = this.#chain.position().size;
    let rest = Buffer.alloc(0);
    for (let at = known; rest.length <= MAX_LINE;) {
      const chunk = await log.read(at, READ);
      if (chunk.length === 0) break;
      at += chunk.length;
      rest = Buffer.concat([rest, chunk]);
      rest = rest.subarray(this.#chain.recover(rest));
    }
    const { size, number, base } = this.#chain.position();
    const cut = log.size - size;
    const digest = createHash('sha256');
    for (let at = size; at < log.size; at += READ) digest.update(await log.read(at, READ));
    if (cut > 0) await log.cut(size);
    this.#isStateBehind ||= size !== known;
    let bodies = '';
    if (number === base) bodies += this.#firstBody();
    if (cut > 0)
      bodies += auditBody(
        {
          peer: '',
          action: 'audit.recovered',
          decision: 'note',
          result: `${cut} bytes behind line ${number} were no whole line and are cut off`,
          frame: digest.digest('hex'),
        },
        Date.now(),
      );
    if (bodies !== '') await this.#write(bodies);
    await this.#catchUp();
  }

  /** The first line of a file says whose chain it is, and which file is before it. */
  #firstBody(): string {
    const { base, keyId, chainId } = this.#chain.position();
    const claim = keyId === undefined ? 'no key' : `key ${keyId}`;
    return auditBody(
      {
        peer: '',
        action: base === 0 ? 'audit.begin' : 'audit.rotate',
        decision: 'note',
        result: base === 0 ? claim : `${claim}; goes on behind line ${base}`,
        frame: chainId,
      },
      Date.now(),
    );
  }

  #damaged(what: string): EipcError {
    return makeError(
      'EIPC_AUDIT_DAMAGED',
      `${this.path} ${what}; keep it with its .state, look with \`eipc audit verify\`, and begin a new log at another path`,
    );
  }
}

/** Makes what went wrong an error of the audit. */
export function auditError(error: unknown, what: string): EipcError {
  const known = nativeError(error, what);
  return known.code === 'EIPC_TRANSPORT' ? makeError('EIPC_AUDIT', known.message, { cause: error }) : known;
}

function takeLock(path: string): NativeFileLock {
  try {
    return NativeFileLock.acquire(path);
  } catch (error) {
    if (systemCode(error) !== 'EBUSY') throw error;
    throw makeError('EIPC_AUDIT', 'another process writes it; a log has one writer', { cause: error });
  }
}

async function beginChain(path: string, key: NativeKey | undefined): Promise<NativeAuditChain> {
  const status = await lstat(path).catch(() => undefined);
  if (status?.isFile() === true && status.size > 0)
    throw makeError(
      'EIPC_AUDIT_DAMAGED',
      `${path} has lines and no state file to go on from; keep it, and begin a new log at another path`,
    );
  const chain = NativeAuditChain.begin(randomBytes(32), key);
  await replaceState(`${path}.state`, chain);
  return chain;
}

/** Opens the checkpoints. A last one without its end was being written. */
async function openCheckpoints(path: string): Promise<AppendFile> {
  const file = (await AppendFile.open(path)) ?? (await AppendFile.create(path));
  try {
    const end = await file.read(Math.max(0, file.size - MAX_LINE), MAX_LINE);
    const torn = end.length - (end.lastIndexOf('\n') + 1);
    if (torn > 0) await file.cut(file.size - torn);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Returns the hash of the last line of some bytes that end with it. */
function hashOfLast(bytes: Buffer): string | undefined {
  return /"h":"([0-9a-f]{64})"\}\n$/.exec(bytes.toString('latin1'))?.[1];
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
