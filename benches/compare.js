/**
 * Compares two runs, `node compare.js OLD.json NEW.json`: for each row the leading figure's ratio, new ÷ old, and how sure it is
 * (harness/bootstrap.js). A row that did not change its code, such as node:net, shows how much the machine did.
 *
 * Ends with code 2 when a file cannot be compared. No figure decides the exit code.
 */
import { readFileSync } from 'node:fs';

import { ratioOfMedians } from './harness/bootstrap.js';
import { CONTESTANTS } from './harness/contestants.js';
import { MEASURES } from './harness/measures/index.js';
import { microseconds, perSecond } from './harness/report.js';
import { groupBy, groupKey, leadingFigure, median } from './harness/summary.js';

/** With fewer rounds the interval is narrower than it should be: few values can be drawn. */
const ENOUGH_ROUNDS = 5;

const [oldFile, newFile, ...others] = process.argv.slice(2);
if (oldFile === undefined || newFile === undefined || others.length > 0)
  refuse('usage: make bench-compare OLD=old.json NEW=new.json, or node compare.js OLD.json NEW.json');
const runs = { old: read(oldFile), new: read(newFile) };
const before = groupBy(runs.old.outcomes, groupKey);
const after = groupBy(runs.new.outcomes, groupKey);
const rows = [...after].flatMap(([key, outcomes]) => {
  const matching = before.get(key);
  return matching === undefined ? [] : [compare(matching, outcomes)];
});
if (rows.length === 0) refuse(`${oldFile} and ${newFile} have no row in common`);
process.stdout.write(writeReport());

/**
 * @param {readonly import('./harness/summary.js').Outcome[]} olds
 * @param {readonly import('./harness/summary.js').Outcome[]} news
 */
function compare(olds, news) {
  const { measure, size, placement, contestant } = news[0];
  const figure = leadingFigure(measure);
  const values = [olds, news].map((outcomes) => outcomes.map(({ result }) => result[figure]));
  const { ratio, low, high } = ratioOfMedians(...values);
  const rounds = Math.min(olds.length, news.length);
  const isSure = rounds > 1 && (low > 1 || high < 1);
  const isBetter = figure === 'perSecond' ? ratio > 1 : ratio < 1;
  return {
    cells: [
      MEASURES[measure].hasSize ? `${MEASURES[measure].title}, ${size} bytes` : MEASURES[measure].title,
      placement === 'one' ? 'one core' : 'two cores',
      CONTESTANTS.find(({ id }) => id === contestant)?.label ?? contestant,
      ...values.map((some) => textOf(figure, median(some))),
      ratio.toFixed(3),
      rounds > 1 ? `${low.toFixed(3)}–${high.toFixed(3)}` : '–',
      isSure ? (isBetter ? 'better' : '**worse**') : '–',
    ],
    rounds,
  };
}

function writeReport() {
  const head = ['measure', 'placement', 'contestant', 'old', 'new', 'new ÷ old', '95 % interval', 'excludes 1'];
  const table = [head, ['---', '---', '---', '---:', '---:', '---:', '---:', '---'], ...rows.map(({ cells }) => cells)];
  const rounds = Math.min(...rows.map((row) => row.rounds));
  const remarks = [
    `Old: ${conditionsOf(runs.old)}.`,
    `New: ${conditionsOf(runs.new)}.`,
    'Medians over the rounds, their ratio, and a percentile bootstrap over the rounds of each run (10 000 draws, fixed seed).',
    ...(rounds < ENOUGH_ROUNDS
      ? [
          `With ${rounds} ${rounds === 1 ? 'round' : 'rounds'} the intervals are too narrow: measure at least ${ENOUGH_ROUNDS} (--rounds).`,
        ]
      : []),
  ];
  return `${remarks.join('\n')}\n\n${table.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
}

function conditionsOf({ conditions }) {
  const names = ['date', 'CPU', 'kernel', 'load average at the start', 'Node', 'points'];
  return names.map((name) => `${name} ${conditions[name]}`).join('; ');
}

function textOf(figure, value) {
  if (figure === 'p50') return `${microseconds(value)} µs`;
  return figure === 'perSecond' ? `${perSecond(value)}/s` : value.toPrecision(3);
}

/** @param {string} file */
function read(file) {
  try {
    const run = JSON.parse(readFileSync(file, 'utf8'));
    if (run.outcomes?.every(({ size }) => Number.isInteger(size)) === true) return run;
  } catch (error) {
    refuse(`${file} cannot be read: ${error.message}`);
  }
  return refuse(`${file} holds no run of run.js or shm.js (--json), or one from before sizes were kept`);
}

/**
 * @param {string} reason
 * @returns {never}
 */
function refuse(reason) {
  process.stderr.write(`${reason}\n`);
  process.exit(2);
}
