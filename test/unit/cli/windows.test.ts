/** Cutting a stream into hops and windows. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { hops, SlidingWindow } from '../../../src/cli/demo/windows.js';

async function collect(blocks: readonly Float64Array[], limit?: number): Promise<number[][]> {
  const all: number[][] = [];
  for await (const hop of hops(blocks, limit)) all.push([...hop]);
  return all;
}

const ramp = (length: number, from = 0) => Float64Array.from({ length }, (_, i) => from + i);

describe('hops', () => {
  test('are 32 samples, the last one what is left, however the blocks were cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 80 })), async (lengths) => {
        let next = 0;
        const blocks = lengths.map((length) => ramp(length, (next += length) - length));
        const cut = await collect(blocks);
        expect(cut.flat()).toEqual([...ramp(next)]);
        for (const hop of cut.slice(0, -1)) expect(hop.length).toBe(32);
      }),
    );
  });

  test('end at the limit', async () => {
    expect((await collect([ramp(100)], 70)).map((hop) => hop.length)).toEqual([32, 32, 6]);
    expect((await collect([ramp(100), ramp(100)], 64)).map((hop) => hop.length)).toEqual([32, 32]);
  });

  test('close the source when the reader leaves', async () => {
    let isClosed = false;
    const source = (function* () {
      try {
        for (;;) yield ramp(10);
      } finally {
        isClosed = true;
      }
    })();
    for await (const _hop of hops(source)) break;
    expect(isClosed).toBe(true);
  });
});

describe('SlidingWindow', () => {
  test('holds the latest 256 samples from the eighth hop on', () => {
    const window = new SlidingWindow();
    for (let hop = 0; hop < 7; hop++) expect(window.push(ramp(32, hop * 32))).toBeNull();
    expect([...(window.push(ramp(32, 224)) ?? [])]).toEqual([...ramp(256)]);
    expect([...(window.push(ramp(32, 256)) ?? [])]).toEqual([...ramp(256, 32)]);
  });

  test('takes no incomplete hop', () => {
    const window = new SlidingWindow();
    for (let hop = 0; hop < 8; hop++) window.push(ramp(32));
    expect(window.push(ramp(31))).toBeNull();
  });
});
