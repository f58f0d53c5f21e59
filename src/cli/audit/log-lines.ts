/**
 * Reads a log line by line, and goes on with what is written to it: also when it is rotated, which shows as another file under its name.
 */
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';

const READ = 262_144;
/** Milliseconds between two looks at a file that has no more. */
const LOOK = 200;
/** More than a line has (docs/audit.md, "The line"); what is longer is handed out in parts. */
const MAX_LINE = 4_096;

/** Yields lines without their ends. Without `follow` also a last one that does not end. */
export async function* logLines(path: string, follow: boolean, signal: AbortSignal): AsyncGenerator<string> {
  let file = await open(path);
  try {
    let rest = '';
    for (;;) {
      for await (const chunk of chunks(file, signal)) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        yield* lines;
        for (; rest.length > MAX_LINE; rest = rest.slice(MAX_LINE)) yield rest.slice(0, MAX_LINE);
      }
      if (signal.aborted) return;
      if (!follow) {
        if (rest !== '') yield rest;
        return;
      }
      const next = await successor(file, path);
      if (next === undefined) {
        await setTimeout(LOOK, undefined, { signal }).catch(() => undefined);
        continue;
      }
      // What was written between the last read and the renaming is still to come, once.
      for await (const chunk of chunks(file, signal)) rest += chunk;
      yield* rest.split('\n').filter((line) => line !== '');
      rest = '';
      await file.close();
      file = next;
    }
  } finally {
    await file.close();
  }
}

/** What a file has from where it was read last. Latin-1, so that every byte is a character to be escaped. */
async function* chunks(file: FileHandle, signal: AbortSignal): AsyncGenerator<string> {
  const buffer = Buffer.allocUnsafe(READ);
  while (!signal.aborted) {
    const { bytesRead } = await file.read(buffer, 0, READ);
    if (bytesRead === 0) return;
    yield buffer.toString('latin1', 0, bytesRead);
  }
}

/** Opens the file that has taken the place of another, if one has. */
async function successor(file: FileHandle, path: string): Promise<FileHandle | undefined> {
  const [old, now] = await Promise.all([file.stat(), stat(path).catch(() => undefined)]);
  if (now === undefined || (now.ino === old.ino && now.dev === old.dev)) return undefined;
  return open(path).catch(() => undefined);
}
