/** The Go program `frames` (test/interop/go/cmd/frames): makes random frames, and says what frames mean to Go. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { GO_PROGRAMS } from './go-peer.js';
import type { GoHeader } from './go-peer.js';

/** What a frame says. */
export interface Meaning {
  readonly type: string;
  readonly flags: number;
  readonly header: GoHeader;
  /** The header's time, or the nearest there is in 64 bits. */
  readonly unixNs: string;
  /** SHA-256 of the payload. */
  readonly payload: string;
}

/** What Go says of a frame. */
export interface Judgement extends Meaning {
  /** What EIPC refuses in it, by Go's reading of docs/wire.md; null for nothing. */
  readonly differences: readonly string[] | null;
  /** Whether the same values, encoded by Go, are the same bytes. */
  readonly again: boolean;
  /** Why Go does not take it. */
  readonly refused?: string;
}

const MOST_OUTPUT = 1 << 30;

/** Frames of Go's, and what it put into them. */
export function makeFrames(seed: number, count: number, key: Uint8Array): (readonly [Buffer, Meaning])[] {
  const folder = mkdtempSync(join(tmpdir(), 'eipc-frames-'));
  const values = join(folder, 'values');
  const frames = split(
    run('make', '-seed', String(seed), '-count', String(count), '-key', hex(key), '-values', values),
  );
  const meanings = lines(readFileSync(values, 'utf8')) as Meaning[];
  rmSync(folder, { recursive: true });
  if (frames.length !== count || meanings.length !== count)
    throw new Error(`${frames.length} frames, ${meanings.length} meanings`);
  return frames.map((frame, index) => [frame, meanings[index] as Meaning]);
}

/** What Go says of frames, in their order. */
export function judge(frames: readonly Uint8Array[], key: Uint8Array): Judgement[] {
  const input = Buffer.concat(
    frames.flatMap((frame) => {
      const prefix = Buffer.alloc(4);
      prefix.writeUInt32BE(frame.length);
      return [prefix, frame];
    }),
  );
  const output = execFileSync(join(GO_PROGRAMS, 'frames'), ['judge', '-key', hex(key)], {
    input,
    maxBuffer: MOST_OUTPUT,
  });
  const judgements = lines(output.toString()) as Judgement[];
  if (judgements.length !== frames.length)
    throw new Error(`${judgements.length} judgements of ${frames.length} frames`);
  return judgements;
}

/** The names of what Go takes and EIPC refuses. */
export function differenceNames(): string[] {
  return run('differences').toString().trim().split('\n');
}

function run(...args: string[]): Buffer {
  return execFileSync(join(GO_PROGRAMS, 'frames'), args, { maxBuffer: MOST_OUTPUT });
}

function split(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + bytes.readUInt32BE(at);
    frames.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return frames;
}

function lines(text: string): unknown[] {
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as unknown]));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
