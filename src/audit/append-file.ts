/**
 * A file that only grows, belongs to this user alone, and of which every append is durable or has not happened. The log is one, and its
 * checkpoints are another.
 */
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { makeError, systemCode } from '../errors.js';
import { openUnfollowed, ownerFault, syncFolder } from '../owner-file.js';

const { O_RDWR, O_APPEND, O_CREAT, O_EXCL } = constants;

/** An open file. */
export class AppendFile {
  readonly path: string;
  readonly #handle: FileHandle;
  #size: number;
  /** Whether bytes may lie behind what is durable: they go before the next are written. */
  #hasRest = false;

  private constructor(path: string, handle: FileHandle, size: number) {
    this.path = path;
    this.#handle = handle;
    this.#size = size;
  }

  /** Opens a file; undefined where there is none. */
  static async open(path: string): Promise<AppendFile | undefined> {
    try {
      return await AppendFile.#checked(path, O_RDWR | O_APPEND);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Makes a file where none is, and its name durable. */
  static async create(path: string): Promise<AppendFile> {
    const file = await AppendFile.#checked(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL);
    try {
      await syncFolder(dirname(path));
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  static async #checked(path: string, flags: number): Promise<AppendFile> {
    const handle = await openUnfollowed(path, flags);
    try {
      if ((flags & O_CREAT) !== 0) await handle.chmod(0o600); // whatever the umask is
      const status = await handle.stat();
      const others = status.nlink === 1 ? undefined : `${path} has ${status.nlink} names, so others may write to it`;
      const fault = ownerFault(status, path) ?? others;
      if (fault !== undefined) throw makeError('EIPC_AUDIT', `this is no file of an audit log: ${fault}`);
      return new AppendFile(path, handle, status.size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Bytes of it that are durable. */
  get size(): number {
    return this.#size;
  }

  /** Appends bytes and resolves when they are durable. When it rejects, they are not there. */
  async append(bytes: Uint8Array): Promise<void> {
    if (this.#hasRest) await this.cut(this.#size);
    this.#hasRest = true;
    try {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done);
        done += bytesWritten;
      }
      await this.#handle.datasync();
    } catch (error) {
      // If the disk refuses this too, it is done before the next append.
      await this.cut(this.#size).catch(() => undefined);
      throw error;
    }
    this.#size += bytes.length;
    this.#hasRest = false;
  }

  /** Cuts the file, durably. */
  async cut(size: number): Promise<void> {
    await this.#handle.truncate(size);
    await this.#handle.datasync();
    this.#size = size;
    this.#hasRest = false;
  }

  /** Reads up to so many bytes; fewer at the end. */
  async read(from: number, length: number): Promise<Buffer> {
    const buffer = Buffer.alloc(Math.max(0, Math.min(length, this.#size - from)));
    let done = 0;
    while (done < buffer.length) {
      const { bytesRead } = await this.#handle.read(buffer, done, buffer.length - done, from + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return buffer.subarray(0, done);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
