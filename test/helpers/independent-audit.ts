/**
 * The audit chain written from docs/audit.md with `node:crypto` alone, as a second opinion: shares no code with the library.
 */
import { createHash, createHmac, hkdfSync } from 'node:crypto';

interface Entry {
  readonly i: number;
  readonly prev: string;
  readonly h: string;
  readonly [name: string]: unknown;
}

const KEYS = ['i', 't', 'peer', 'action', 'decision', 'result', 'request_id', 'frame', 'prev', 'h'];

/** HKDF-Expand alone, of one block. */
function expand(key: Buffer, info: string): Buffer {
  return createHmac('sha256', key)
    .update(info)
    .update(Buffer.from([1]))
    .digest();
}

/** The key of a log's first line. */
function firstKey(key: Uint8Array): Buffer {
  return createHmac('sha256', 'EIPC/2 audit key').update(key).digest();
}

/** The id that a log's first line names. */
export function auditKeyId(key: Uint8Array): string {
  return expand(firstKey(key), 'EIPC/2 audit key id').subarray(0, 8).toString('hex');
}

/** Reads a log and throws unless every line is as the text says. Returns its entries. */
export function readIndependently(log: string, key: Uint8Array | undefined): Entry[] {
  if (!log.endsWith('\n')) throw new Error('the log does not end with a line');
  let lineKey = key === undefined ? undefined : firstKey(key);
  let [number, prev] = [1, '0'.repeat(64)];
  return log
    .slice(0, -1)
    .split('\n')
    .map((line) => {
      const entry = JSON.parse(line) as Entry;
      if (Object.keys(entry).join() !== KEYS.join()) throw new Error(`line ${number}: ${Object.keys(entry).join()}`);
      if (entry.i !== number || entry.prev !== prev) throw new Error(`line ${number} does not go on`);
      const covered = line.replace(/,"h":"[0-9a-f]{64}"\}$/, '}');
      const hash = lineKey === undefined ? createHash('sha256') : createHmac('sha256', lineKey);
      hash.update('EIPC/2 audit\0').update(Buffer.from(prev, 'hex')).update(covered);
      if (hash.digest('hex') !== entry.h) throw new Error(`line ${number} has another hash`);
      if (lineKey !== undefined) lineKey = expand(lineKey, 'EIPC/2 audit evolve');
      [number, prev] = [number + 1, entry.h];
      return entry;
    });
}

// A self-check of the one-block expansion, where Node has the whole of HKDF: with a salt of zeros the extraction is an HMAC of the input.
const input = Buffer.alloc(32, 7);
const extracted = createHmac('sha256', Buffer.alloc(32)).update(input).digest();
if (!Buffer.from(hkdfSync('sha256', input, '', 'info', 32)).equals(expand(extracted, 'info')))
  throw new Error('the independent HKDF is not HKDF');
