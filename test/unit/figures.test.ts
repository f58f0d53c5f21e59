// The tables of targets in the two pages are those of the results that are kept: nobody edits a figure.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** What the benchmark prints its table with. */
const { writeTable } = (await import(new URL('../../benches/shm/table.js', import.meta.url).href)) as {
  writeTable: (targets: unknown) => string;
};

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

/** The cells of the rows of a table, whatever its columns are padded with. */
function cellsOf(table: string): string[][] {
  return table
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
}

describe.each(['README.md', 'benches/README.md'])('the table of targets in %s', (page) => {
  it('is the one of benches/results/shm.json', () => {
    const { targets } = JSON.parse(read('benches/results/shm.json')) as { targets: unknown };
    const text = read(page);
    const from = text.indexOf('| metric ');
    expect(from).toBeGreaterThan(0);
    expect(cellsOf(text.slice(from, text.indexOf('\n\n', from)))).toEqual(cellsOf(writeTable(targets)));
  });
});
