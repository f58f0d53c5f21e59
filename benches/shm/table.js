/**
 * The table of targets: metric, target, what was measured, ratio, whether it is met.
 *
 * A ratio to a contestant is taken within a round, where both ran moments apart; without a contestant it is the measured value ÷ the target.
 * Both are medians over the rounds, with the least and the largest in brackets. What is judged is what is printed: the median.
 */
import { CONTESTANTS } from '../harness/contestants.js';
import { microseconds, perSecond, ratio } from '../harness/report.js';
import { groupBy, groupKey, leadingFigure, median } from '../harness/summary.js';
import { SMALL } from './scenes.js';

/**
 * @typedef {object} Line - of the table; the figures are those of each round
 * @property {string} metric
 * @property {string} target
 * @property {string} measured
 * @property {readonly number[]} ratios
 * @property {boolean | null} isMet - null: there is no bound, or nothing was measured
 * @property {string} verdict
 */

/** Above the table. */
export const EXPLANATION = [
  '**Ratio**: `≤ n ×` measured ÷ compared, `≥ n ×` and “reported” how many times better; both within a round. Without anybody to compare with',
  'it is measured ÷ target. Medians over the rounds, in brackets the least and the largest; the median is what is judged.',
].join('\n');

/**
 * @param {readonly import('./targets.js').Target[]} targets
 * @param {readonly import('../harness/summary.js').Outcome[]} outcomes
 * @param {readonly any[]} lanes - what ../lanes.js measured
 * @returns {Line[]}
 */
export function judge(targets, outcomes, lanes) {
  const groups = groupBy(outcomes, groupKey);
  return targets.map((target) => {
    if (target.lane !== undefined) return judgeLane(target, lanes);
    return judgePoint(target, groups);
  });
}

/**
 * @param {readonly Line[]} lines
 * @returns {string}
 */
export function writeTable(lines) {
  const rows = lines.map(({ metric, target, measured, ratios, verdict }) =>
    [metric, target, measured, ratiosOf(ratios), verdict].join(' | '),
  );
  const head = ['metric | target | measured | ratio | met', '--- | --- | ---: | ---: | ---'];
  return [...head, ...rows].map((row) => `| ${row} |`).join('\n');
}

function judgePoint(target, groups) {
  const { point, against } = target;
  const values = valuesOf(groups, point);
  if (values.size === 0) return unmeasured(target, 'not measured');
  const measured = textOf(point, median([...values.values()]));
  const bases = against === undefined ? null : valuesOf(groups, against);
  const ratios = [...values].flatMap(([round, value]) => {
    const base = bases === null ? boundOf(target) : bases.get(round);
    if (base === undefined) return [];
    return [isInverted(target) ? base / value : value / base];
  });
  if (ratios.length === 0) return { ...unmeasured(target, 'nothing to compare with'), measured };
  // Against a contestant the bound is one of the ratio, otherwise of the value, which makes it 1.
  const bound = against === undefined ? 1 : boundOf(target);
  const share = median(ratios);
  const isMet = bound === undefined ? null : target.atMost === undefined ? share >= bound : share <= bound;
  return lineOf(target, { measured, ratios, isMet });
}

function judgeLane(target, lanes) {
  const [kind, scene] = target.lane.split('|');
  const find = (name) => lanes.find((row) => row.kind === kind && row.scene === name && row.isStalled === 'no');
  const [busy, quiet] = [find(scene), find('quiet')];
  if (busy === undefined || quiet === undefined) return unmeasured(target, 'not measured (`node benches/lanes.js`)');
  const share = busy.p99 / quiet.p99;
  const isMet = target.atMost === undefined ? null : share <= target.atMost;
  return lineOf(target, { measured: `${microseconds(busy.p99)} µs`, ratios: [share], isMet });
}

function unmeasured(target, verdict) {
  return { metric: target.metric, target: targetOf(target), measured: '–', ratios: [], isMet: null, verdict };
}

function lineOf(target, { measured, ratios, isMet }) {
  const verdict = isMet === null ? '–' : isMet ? 'yes' : '**no**';
  return { metric: target.metric, target: targetOf(target), measured, ratios, isMet, verdict };
}

/** The leading figure of each round. */
function valuesOf(groups, point) {
  const figure = leadingFigure(point.measure);
  return new Map((groups.get(groupKey(point)) ?? []).map(({ round, result }) => [round, result[figure]]));
}

/** How many times better, where "better" is the smaller value. */
function isInverted({ point, against, atMost }) {
  return against !== undefined && atMost === undefined && leadingFigure(point.measure) === 'p50';
}

function boundOf({ atMost, atLeast }) {
  return atMost ?? atLeast;
}

function targetOf({ point, against, atMost, atLeast, lane, note }) {
  if (lane !== undefined) return atMost === undefined ? 'reported, × a quiet P0' : `≤ ${atMost} × its quiet value`;
  const sign = atMost === undefined ? '≥' : '≤';
  const bound = atMost ?? atLeast;
  if (against === undefined) return `${sign} ${textOf(point, bound)}${note === undefined ? '' : ` (${note})`}`;
  const than = `${labelOf(against)}${against.measure === point.measure ? '' : ', one by one'}`;
  if (bound === undefined) return `reported, × ${than}`;
  return isInverted({ point, against, atMost }) ? `≥ ${bound} × faster than ${than}` : `${sign} ${bound} × ${than}`;
}

function labelOf({ contestant }) {
  return CONTESTANTS.find(({ id }) => id === contestant).label;
}

function textOf({ measure, size }, value) {
  const figure = leadingFigure(measure);
  if (figure === 'bytesEach') return `${(value / 1024).toFixed(0)} KiB`;
  if (figure === 'cores') return `${(value * 100).toFixed(2)} % of a core`;
  if (figure === 'p50') return value >= 1e6 ? `${(value / 1e6).toFixed(2)} ms` : `${microseconds(value)} µs`;
  return size === SMALL ? `${perSecond(value)}/s` : `${((value * size) / 1e9).toFixed(2)} GB/s`;
}

function ratiosOf(ratios) {
  if (ratios.length === 0) return '–';
  const middle = ratio(median(ratios));
  return ratios.length === 1 ? middle : `${middle} (${ratio(Math.min(...ratios))}–${ratio(Math.max(...ratios))})`;
}
