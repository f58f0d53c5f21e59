/** Splitting text that arrives in pieces. */
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { LineSplitter, LineTooLongError } from '../../../src/cli/demo/lines.js';

function split(pieces: readonly string[], limit = 100): string[] {
  const lines = new LineSplitter(limit);
  return [...pieces.flatMap((piece) => [...lines.push(piece)]), ...lines.end()];
}

test('lines end with LF or CR LF and the last one may be unfinished', () => {
  expect(split(['a\r\nb\n\nc'])).toEqual(['a', 'b', '', 'c']);
  expect(split(['a\n'])).toEqual(['a']);
  expect(split([])).toEqual([]);
});

test('the same text gives the same lines wherever it is cut', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\r') });
  fc.assert(
    fc.property(text, fc.nat(), (whole, at) => {
      const cut = at % (whole.length + 1);
      expect(split([whole.slice(0, cut), whole.slice(cut)])).toEqual(split([whole]));
    }),
  );
});

test('a line beyond the limit is refused with its number, finished or not', () => {
  expect(() => split(['a\n', 'x'.repeat(101)])).toThrow(LineTooLongError);
  expect(() => split(['a\n', `${'x'.repeat(101)}\n`])).toThrow(/line 2 is longer than 100/);
  expect(split(['x'.repeat(100)])).toHaveLength(1);
});
