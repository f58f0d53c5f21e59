/** Recordings, good and bad. Whoever wrote the file may have been careless, or hostile towards the terminal. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { EXIT } from '../../../src/cli/exit.js';
import { InputError, RecordingParser, type RecordingOptions } from '../../../src/cli/demo/recording.js';

const HEADER = '# Simple Text Format\n# Sampling Rate (Hz):= 125.00\n# Date:= 2021-07-18T23:58:26\n';

function parse(text: string, options: Partial<RecordingOptions> = {}) {
  const parser = new RecordingParser({ name: 'a.txt', ...options });
  const values = [...parser.push(text), ...parser.end()];
  return { values, rateHz: parser.rateHz, unit: parser.unit };
}

describe('one value a line', () => {
  test('values, rate and unit are read', () => {
    const { values, rateHz, unit } = parse(`${HEADER}47.000000\n-1.5e2\r\n+.5\n3.\n`);
    expect(values).toEqual([47, -150, 0.5, 3]);
    expect(rateHz).toBe(125);
    expect(unit).toBe('a.u.');
  });

  test.each([
    '# Sampling Rate (Hz):= 125.00',
    '#sampling rate: 125',
    '# SAMPLING FREQUENCY (Hz) = 125',
    '# sample_rate (hz) := 1.25e2',
  ])('the header %j gives the rate', (line) => {
    expect(parse(`${line}\n1\n`).rateHz).toBe(125);
  });

  test('the header names the unit, which is escaped and cut', () => {
    expect(parse(`${HEADER}# Units:= uV\n1`).unit).toBe('uV');
    expect(parse(`${HEADER}# Unit: \u001b[31m${'x'.repeat(99)}\n1`).unit).toMatch(/^\\x1b\[31mx+…$/);
  });

  test('a byte-order mark, blank lines, comments between values and a missing last line break do no harm', () => {
    expect(parse(`\ufeff${HEADER}\n1\n\n# electrode moved\n2`).values).toEqual([1, 2]);
  });

  test('--rate replaces what the header says, even when that is garbage or given twice', () => {
    expect(parse(`${HEADER}1`, { rateHz: 250 }).rateHz).toBe(250);
    expect(parse('# Sampling Rate (Hz):= fast\n1', { rateHz: 250 }).rateHz).toBe(250);
    expect(parse(`${HEADER}${HEADER}1`, { rateHz: 250 }).rateHz).toBe(250);
    expect(parse('1', { rateHz: 250 }).rateHz).toBe(250);
  });

  test('the same text gives the same values wherever it is cut', () => {
    const text = `${HEADER}1.25\n-3\r\n4e1`;
    fc.assert(
      fc.property(fc.nat({ max: text.length }), (at) => {
        const parser = new RecordingParser({ name: 'a.txt' });
        const values = [...parser.push(text.slice(0, at)), ...parser.push(text.slice(at)), ...parser.end()];
        expect(values).toEqual([1.25, -3, 40]);
      }),
    );
  });
});

describe('CSV', () => {
  const text = '# Sampling Rate (Hz):= 250\ntime;C3;C4\n0.000;1.5;-1\n0.004;2.5;-2\n';

  test('a column is chosen by name or by number from 1', () => {
    expect(parse(text, { column: 'C3' }).values).toEqual([1.5, 2.5]);
    expect(parse(text, { column: '3' }).values).toEqual([-1, -2]);
  });

  test('a numbered column needs no row of names', () => {
    expect(parse('1,2\n3,4\n', { column: '2', rateHz: 250 }).values).toEqual([2, 4]);
  });

  test('quoted fields are understood', () => {
    expect(parse('"time, s","C3"\n"0","1.5"\n', { column: 'C3', rateHz: 250 }).values).toEqual([1.5]);
  });

  test.each([
    [
      'a column that is not there',
      text,
      'C9',
      /^a\.txt:2: there is no column "C9"; the first row has "time", "C3", "C4"/,
    ],
    ['a row that is too short', 'a,b\n1,2\n3\n', 'b', /^a\.txt:3: column 2 is empty or missing in "3": .*holes/],
    ['an empty field', 'a,b\n1,\n', 'b', /^a\.txt:2: column 2 is empty or missing/],
    ['a word', 'a,b\n1,x\n', 'b', /^a\.txt:2: "x" is not a number: .*--column/],
    ['an open quote', 'a,b\n1,"2\n', 'b', /^a\.txt:2: .*not closed/],
    ['a missing value as a first value', 'nan,2\n', '1', /^a\.txt:1: "nan" is not a finite number/],
  ])('refuses %s with line, value and remedy', (_what, csv, column, message) => {
    expect(() => parse(csv, { column, rateHz: 250 })).toThrow(message);
  });
});

describe('refused with line, value and remedy', () => {
  test.each([
    [
      'no header',
      '1\n',
      /^a\.txt:1: the values begin and no sampling rate was given: put "# Sampling Rate .*--rate HZ/,
    ],
    ['another unit of the rate', '# Sampling Rate (kHz):= 1\n1', /:2: the values begin and no sampling rate/],
    [
      'a garbage rate',
      '# Sampling Rate (Hz):= fast\n1',
      /^a\.txt:1: the sampling rate "fast" is not a number: .*--rate/,
    ],
    ['an empty rate', '# Sampling Rate (Hz):=\n1', /:1: the sampling rate "" is not a number/],
    ['a hexadecimal rate', '# Sampling Rate (Hz):= 0x7d\n1', /:1: the sampling rate "0x7d" is not a number/],
    ['a rate of zero', '# Sampling Rate (Hz):= 0\n1', /:1: the sampling rate "0" is outside 64 to 512 Hz/],
    ['a negative rate', '# Sampling Rate (Hz):= -125\n1', /:1: the sampling rate "-125" is outside/],
    ['an infinite rate', '# Sampling Rate (Hz):= 1e999\n1', /:1: the sampling rate "1e999" is not a number/],
    ['a rate too high', '# Sampling Rate (Hz):= 30000\n1', /:1: the sampling rate "30000" is outside/],
    [
      'two rates',
      '# Sampling Rate (Hz):= 125\n# x\n# Sampling Rate (Hz):= 250\n1',
      /^a\.txt:3: line 1 gave the sampling rate already \(125 Hz\) and this line gives "250": remove one/,
    ],
    ['a word', `${HEADER}1\nabc\n`, /^a\.txt:5: "abc" is not a number/],
    ['a decimal comma', `${HEADER}1,5\n`, /:4: "1,5" is not a number: .*--column/],
    ['two values', `${HEADER}1 2\n`, /:4: "1 2" is not a number/],
    ['NaN', `${HEADER}1\nNaN\n`, /:5: "NaN" is not a finite number: cut the recording there/],
    ['infinity', `${HEADER}-inf\n`, /:4: "-inf" is not a finite number/],
    ['an overflow', `${HEADER}1e999\n`, /:4: "1e999" is beyond ±1e12/],
    ['an absurd value', `${HEADER}-2e12\n`, /:4: "-2e12" is beyond ±1e12/],
    ['terminal commands', `${HEADER}\u001b[2J\n`, /:4: "\\x1b\[2J" is not a number/],
    ['binary', `${HEADER}\u0000\u0001\n`, /:4: "\\x00\\x01" is not a number/],
    ['nothing', '', /^a\.txt: there are no values in this file \(0 lines\)/],
    ['a header only', HEADER, /there are no values in this file \(3 lines\)/],
    ['an endless line', `${HEADER}${'1'.repeat(70_000)}`, /a\.txt: line 4 is longer than .*is this a text file\?/],
  ])('%s', (_what, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  test('a second rate after the values began', () => {
    const parser = new RecordingParser({ name: 'a.txt' });
    parser.push(`${HEADER}1\n`);
    expect(() => parser.push('# Sampling Rate (Hz):= 250\n')).toThrow(/:5: line 2 gave the sampling rate already/);
  });

  test('as wrong usage, under an escaped file name', () => {
    const parsing = () => parse('x', { name: 'a\u001b[2J.txt', rateHz: 125 });
    expect(parsing).toThrow(InputError);
    expect(parsing).toThrow(/^a\\x1b\[2J\.txt:1: /);
    expect(new InputError('').exitCode).toBe(EXIT.usage);
  });

  test('arbitrary text: values or an InputError, never anything else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.option(fc.string(), { nil: undefined }), (text, column) => {
        try {
          expect(parse(text, { rateHz: 125, column }).values.every(Number.isFinite)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
    );
  });
});
