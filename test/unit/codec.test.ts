/** The attacker of this file is a peer that holds a key: its payload is verified, and says what its sender likes. */
import { decode, encode } from '@msgpack/msgpack';
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { createMessage, jsonCodec, msgpackCodec, ProtocolError } from '../../src/index.js';
import { checkMsgpackCounts } from '../../src/msgpack-counts.js';

describe('the codec for MessagePack', () => {
  it('reads what it wrote, whatever value it was', () => {
    const value = fc.anything({
      withNullPrototype: false,
      maxDepth: 4,
      values: [fc.string(), fc.integer(), fc.double({ noNaN: true }), fc.boolean(), fc.constant(null), fc.uint8Array()],
      key: fc.string().filter((key) => key !== '__proto__'),
    });
    fc.assert(
      fc.property(value, (original) => {
        const bytes = msgpackCodec.marshal(original);
        expect(() => checkMsgpackCounts(bytes)).not.toThrow();
        expect(msgpackCodec.unmarshal(bytes)).toEqual(decode(bytes));
      }),
      { numRuns: 500 },
    );
  });

  it('reads every form there is, up to its limits', () => {
    const numbers = [
      0,
      127,
      128,
      255,
      65_535,
      65_536,
      2 ** 32 - 1,
      2 ** 32,
      -1,
      -32,
      -33,
      -129,
      -32_769,
      -(2 ** 31) - 1,
      0.5,
    ];
    const values = [
      ...numbers,
      ...[0, 31, 32, 255, 256, 65_535, 65_536].map((length) => 'x'.repeat(length)),
      ...[0, 255, 256, 65_535, 65_536].map((length) => new Uint8Array(length)),
      ...[0, 15, 16, 65_535, 65_536].map((length) => Array.from({ length }, () => 1)),
      ...[0, 15, 16, 65_535, 65_536].map((length) =>
        Object.fromEntries(Array.from({ length }, (_, i) => [`k${i}`, i])),
      ),
      new Date(0),
      new Date(1),
      new Date(2 ** 40),
    ];
    for (const value of values) expect(msgpackCodec.unmarshal(encode(value))).toEqual(value);
    expect(msgpackCodec.unmarshal(encode(values))).toEqual(values);
    // ext of one to sixteen bytes, and with a length of one, two and four.
    for (const head of ['d4', 'd5', 'd6', 'd7', 'd8']) {
      const bytes = Buffer.from(`${head}07${'00'.repeat(2 ** (Number.parseInt(head, 16) - 0xd4))}`, 'hex');
      expect(() => msgpackCodec.unmarshal(bytes)).not.toThrow();
    }
    for (const hex of ['c7010700', 'c800010700', 'c9000000010700', 'ca00000000'])
      expect(() => msgpackCodec.unmarshal(Buffer.from(hex, 'hex'))).not.toThrow();
  });

  // Without the check each of these makes the decoder hold gigabytes, and ends the process.
  it.each<[string, Buffer]>([
    ['an array', Buffer.from('dd01c9c380', 'hex')],
    ['a hundred arrays, one in the other', Buffer.from('dd01c9c380'.repeat(100), 'hex')],
    ['arrays of a size that one could have', Buffer.from(`dd000003e8${'01'.repeat(999)}`.repeat(2), 'hex')],
    ['a map', Buffer.from('dfffffffff', 'hex')],
    ['a map of half as many entries as there are bytes', Buffer.from(`df00000200${'01'.repeat(1_023)}`, 'hex')],
    ['many small arrays that all begin', Buffer.alloc(1_000, 0x9f)],
  ])('refuses %s announcing more than follows', (_, bytes) => {
    expect(() => checkMsgpackCounts(bytes)).toThrow(/values are announced, and -?\d+ bytes are left/);
    const message = createMessage('chat', 'eni', bytes, { payloadFormat: 'msgpack' });
    expect(() => message.payload).toThrow(ProtocolError);
  });

  it.each(['', 'dd0000', 'db000000', 'd9ff00', 'a5ff', 'c60000000500', 'cb00', 'c1', '0101'])(
    'refuses %s, which ends too early or too late',
    (hex) => {
      expect(() => msgpackCodec.unmarshal(Buffer.from(hex, 'hex'))).toThrow();
    },
  );

  it('has room for no more elements than there are bytes, whatever they say', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          checkMsgpackCounts(bytes);
        } catch {
          return;
        }
        // What passed is safe to decode; it may still be wrong in another way.
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 20_000 },
    );
  });
});

describe('the codec for JSON', () => {
  it('refuses what has no JSON form, and bytes that are no UTF-8', () => {
    for (const value of [undefined, () => 1, Symbol('x')])
      expect(() => jsonCodec.marshal(value)).toThrow(/has no JSON form/);
    for (const hex of ['ff', '22c32022', '7b', ''])
      expect(() => jsonCodec.unmarshal(Buffer.from(hex, 'hex'))).toThrow();
  });
});
