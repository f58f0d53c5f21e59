/** Text from others before it reaches a terminal. The attacker writes file names, file contents, names and reasons. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { escapeJson, escapeText, MAX_FOREIGN_BYTES, quoteValue } from '../../../src/cli/escape.js';

describe('escapeText', () => {
  test('leaves ordinary text of any language alone', () => {
    expect(escapeText('mu-Rhythmus µV² 脳波 🧠')).toBe('mu-Rhythmus µV² 脳波 🧠');
  });

  test.each([
    ['a terminal command', '\u001b[2Jgone', '\\x1b[2Jgone'],
    ['a line break', 'a\r\nb', 'a\\x0d\\x0ab'],
    ['DEL and C1', '\u007f\u009b', '\\x7f\\x9b'],
    ['bidirectional overrides', 'a\u202eb\u2066c', 'a\\u{202e}b\\u{2066}c'],
    ['invisible characters', 'a\u200b\ufeff', 'a\\u{200b}\\u{feff}'],
    ['half a surrogate pair', 'a\ud83e', 'a\\u{d83e}'],
  ])('makes %s visible', (_what, text, shown) => {
    expect(escapeText(text)).toBe(shown);
  });

  test('cuts to 256 bytes of UTF-8 without splitting a character', () => {
    const cut = escapeText('脳'.repeat(200));
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(MAX_FOREIGN_BYTES);
    expect(cut).toMatch(/^脳+…$/u);
  });

  test('whatever comes in, nothing a terminal obeys comes out, and never more than 256 bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (text) => {
        const shown = escapeText(text);
        expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/);
        expect(Buffer.byteLength(shown)).toBeLessThanOrEqual(MAX_FOREIGN_BYTES);
      }),
    );
  });
});

// A peer's message as a line of JSON on a terminal: C1 has a command of its own, and JSON leaves it as it is.
test('escapeJson leaves nothing that a terminal obeys, and means the same', () => {
  fc.assert(
    fc.property(fc.record({ text: fc.string({ unit: 'binary' }), more: fc.jsonValue() }), (value) => {
      const line = escapeJson(value);
      expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/);
      expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
  expect(escapeJson({ text: 'a\u009b2J\u202e脳' })).toBe('{"text":"a\\u009b2J\\u202e脳"}');
});

test('quoteValue quotes and keeps messages short', () => {
  expect(quoteValue('a\tb')).toBe('"a\\x09b"');
  expect(quoteValue('x'.repeat(1000)).length).toBeLessThan(70);
});
