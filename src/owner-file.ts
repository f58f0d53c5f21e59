/**
 * Files that belong to this user alone. Everything is checked on the opened descriptor: what is at a path can change between two looks at
 * it. Needs no native module; errors are Node's.
 */
import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

// Windows has neither; there they add nothing.
const { O_NOFOLLOW, O_NONBLOCK } = constants;

/** Opens a file and follows no link to it. A pipe that lies there keeps nobody waiting. */
export function openUnfollowed(path: string, flags: number): Promise<FileHandle> {
  return open(path, flags | O_NOFOLLOW | O_NONBLOCK, 0o600);
}

/** Says why an opened file is not fit to be its owner's only, if it is not. */
export function ownerFault(status: Stats, path: string): string | undefined {
  if (!status.isFile()) return `${path} is not a regular file`;
  if (process.getuid !== undefined && status.uid !== process.getuid())
    return `${path} belongs to uid ${status.uid}, not to this user (${process.getuid()})`;
  const mode = status.mode & 0o7777;
  if (process.platform !== 'win32' && mode !== 0o600 && mode !== 0o400)
    return `${path} has mode ${mode.toString(8).padStart(4, '0')}; run \`chmod 600\` on it`;
  return undefined;
}

/**
 * Writes a new file for its owner alone, durably.
 *
 * @throws what Node throws: `EEXIST` where something is already, also a link. Half a file does not stay behind
 */
export async function writeNewFile(path: string, bytes: Uint8Array): Promise<void> {
  // wx is O_CREAT | O_EXCL: an existing file, or a link planted under that name, is refused by the kernel.
  const file = await open(path, 'wx', 0o600);
  try {
    await file.chmod(0o600); // an odd umask may have taken away the owner's own rights
    await file.writeFile(bytes);
    await file.sync();
    await file.close();
    await syncFolder(dirname(path));
  } catch (error) {
    await file.close().catch(() => undefined);
    await unlink(path).catch(() => undefined);
    throw error;
  }
}

/** Overwrites what is in a file with zeros, durably. Where the disk writes in place it is gone; elsewhere nobody can promise it. */
export async function overwrite(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  await file.write(Buffer.alloc(size), 0, undefined, 0);
  await file.datasync();
}

/** Makes what happened to names in a folder durable: without it a file survives a power cut and its name may not. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return; // folders cannot be opened there
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
