/** CSV rows and columns. */
import { describe, expect, test } from 'vitest';

import { chooseColumn, detectDelimiter, splitRow } from '../../../src/cli/demo/csv.js';

const isNumeric = (field: string) => /^-?\d/.test(field);

describe('splitRow', () => {
  test.each([
    ['1,2,3', ['1', '2', '3']],
    [' 1 , 2 ', ['1', '2']],
    ['', ['']],
    ['a,,c,', ['a', '', 'c', '']],
    ['"a,b",c', ['a,b', 'c']],
    ['"say ""hi""", "x" ,y', ['say "hi"', 'x', 'y']],
    ['a"b,c', ['a"b', 'c']],
    ['"a",', ['a', '']],
  ])('splits %j', (row, fields) => {
    expect(splitRow(row, ',')).toEqual(fields);
  });

  test('a quote that is not closed, and text behind a quote, are errors', () => {
    expect(() => splitRow('1,"2', ',')).toThrow(/not closed/);
    expect(() => splitRow('"1"x,2', ',')).toThrow(/after a closing quote/);
  });
});

test('the delimiter is the candidate that occurs most often outside quotes', () => {
  expect(detectDelimiter('a;b;c,d')).toBe(';');
  expect(detectDelimiter('a\tb')).toBe('\t');
  expect(detectDelimiter('"a;b;c;d",e')).toBe(',');
  expect(detectDelimiter('only one')).toBe(',');
});

describe('chooseColumn', () => {
  test('by name, in the first row', () => {
    expect(chooseColumn('C3', ['time', 'C3', 'C4'], isNumeric)).toEqual({ index: 1, isHeader: true });
  });

  test('by number from 1, with and without a first row of names', () => {
    expect(chooseColumn('2', ['time', 'C3'], isNumeric)).toEqual({ index: 1, isHeader: true });
    expect(chooseColumn('2', ['0.0', '-12'], isNumeric)).toEqual({ index: 1, isHeader: false });
  });

  test.each([
    ['C5', /no column "C5"; the first row has "time", "C3", "C3"/],
    ['C3', /two columns are called "C3"/],
    ['4', /no column 4: the first row has 3/],
    ['0', /counted from 1/],
  ])('refuses %s and says why', (column, message) => {
    expect(() => chooseColumn(column, ['time', 'C3', 'C3'], isNumeric)).toThrow(message);
  });
});
