/**
 * Reads rows of a CSV file (RFC 4180 without line breaks inside quotes) and finds the column the user asked for.
 *
 * Errors are plain `Error`s that say what is wrong with the row; the caller adds the file and the line.
 */
import { quoteValue } from '../escape.js';

const DELIMITERS = [',', ';', '\t'] as const;

/** Guesses the delimiter: the one of comma, semicolon and tab that occurs most often in the first row. */
export function detectDelimiter(row: string): string {
  const unquoted = row.replaceAll(/"[^"]*"/g, '');
  const counts = DELIMITERS.map((delimiter) => unquoted.split(delimiter).length);
  return DELIMITERS[counts.indexOf(Math.max(...counts))] ?? ',';
}

/** Splits a row into fields, without the quotes and the blanks around them. */
export function splitRow(row: string, delimiter: string): string[] {
  if (!row.includes('"')) return row.split(delimiter).map((field) => field.trim());
  const fields: string[] = [];
  for (let at = 0; at <= row.length;) {
    const start = at + (/^[ ]*/.exec(row.slice(at))?.[0].length ?? 0);
    if (row[start] !== '"') {
      const end = row.indexOf(delimiter, at) === -1 ? row.length : row.indexOf(delimiter, at);
      fields.push(row.slice(at, end).trim());
      at = end + 1;
      continue;
    }
    let close = row.indexOf('"', start + 1);
    while (close !== -1 && row[close + 1] === '"') close = row.indexOf('"', close + 2);
    if (close === -1) throw new Error('a quote is opened and not closed; line breaks inside quotes are not supported');
    const end = row.indexOf(delimiter, close) === -1 ? row.length : row.indexOf(delimiter, close);
    if (row.slice(close + 1, end).trim() !== '') throw new Error('there is text after a closing quote');
    fields.push(
      row
        .slice(start + 1, close)
        .replaceAll('""', '"')
        .trim(),
    );
    at = end + 1;
  }
  return fields;
}

/** Where the values are: the column's index from 0, and whether the first row holds names. */
export interface ColumnChoice {
  readonly index: number;
  readonly isHeader: boolean;
}

/**
 * Finds a column by its number (from 1) or its name, given the fields of the first row.
 *
 * @param isNumeric tells a value from a name, because a file with a numbered column may have a header row or not
 */
export function chooseColumn(
  column: string,
  first: readonly string[],
  isNumeric: (field: string) => boolean,
): ColumnChoice {
  if (/^\d+$/.test(column)) {
    const index = Number(column) - 1;
    if (index < 0) throw new Error('columns are counted from 1: there is no --column 0');
    const field = first[index];
    if (field === undefined) throw new Error(`there is no column ${column}: the first row has ${first.length}`);
    return { index, isHeader: !isNumeric(field) };
  }
  const index = first.indexOf(column);
  if (index === -1) {
    const names = first.slice(0, 16).map(quoteValue).join(', ');
    throw new Error(`there is no column ${quoteValue(column)}; the first row has ${names}; or give a number from 1`);
  }
  if (first.indexOf(column, index + 1) !== -1) {
    throw new Error(`two columns are called ${quoteValue(column)}; choose one by its number, counted from 1`);
  }
  return { index, isHeader: true };
}
