// The independent reading of v1 (test/helpers/independent-v1-*.ts) against vectors that share no code with it either.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { readV1Frame, v1Frame, v1Header, v1Signable } from '../helpers/independent-v1-frames.js';
import type { V1Header } from '../helpers/independent-v1-frames.js';

interface FrameVector {
  readonly name: string;
  readonly type_byte: string;
  readonly flags: number;
  readonly header: Omit<V1Header, 'sequence'> & { readonly sequence: string };
  readonly header_json: string;
  readonly payload_hex: string;
  readonly key_hex: string;
  readonly frame_hex: string;
}

interface Reject {
  readonly name: string;
  readonly frame_hex: string;
  readonly error: string;
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8')) as T;
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const { vectors } = read<{ vectors: FrameVector[] }>('frames');
const rejects = read<{ key_hex: string; cases: Reject[] }>('rejects');
/** What this reader has no rule for: the strict parser of JSON is the package's alone. */
const OF_THE_PARSER = new Set(['BAD_HEADER', 'UNSUPPORTED_TYPE']);

describe('independent frames of v1', () => {
  it.each(vectors)('$name', (vector) => {
    const key = hex(vector.key_hex);
    const header = { ...vector.header, sequence: BigInt(vector.header.sequence) };
    const payload = hex(vector.payload_hex);
    const json = v1Header(header);
    expect(json.toString()).toBe(vector.header_json);
    if (vector.flags === 0) {
      expect(v1Signable(vector.type_byte, json, payload, { flags: 0 }).toString('hex')).toBe(vector.frame_hex);
      expect(() => readV1Frame(hex(vector.frame_hex), key)).toThrow('INTEGRITY');
      return;
    }
    expect(v1Frame(vector.type_byte, json, payload, key).toString('hex')).toBe(vector.frame_hex);
    // The C SDK's form of time is read by the package, and written by nobody here.
    if (/^\d+$/.test(header.timestamp)) return;
    expect(readV1Frame(hex(vector.frame_hex), key)).toEqual({ type: vector.type_byte, header, payload });
  });

  it.each(rejects.cases.filter(({ error }) => !OF_THE_PARSER.has(error)))('refuses $name as $error', (reject) => {
    expect(() => readV1Frame(hex(reject.frame_hex), hex(rejects.key_hex))).toThrow(reject.error);
  });

  it('leaves few rejects to the package', () => {
    expect(rejects.cases.filter(({ error }) => OF_THE_PARSER.has(error)).length).toBeLessThan(rejects.cases.length / 2);
  });
});
