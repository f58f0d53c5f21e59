/**
 * From the figures of rounds to those of the tables: the median over rounds for each figure (the worst round for `max`), and ratios taken
 * within a round, where both contestants ran a moment apart, before their median.
 */
import { BASELINES } from './contestants.js';
import { MEASURES } from './measures/index.js';

/**
 * @typedef {object} Outcome - of one point
 * @property {number} round
 * @property {number} size - bytes of payload
 * @property {'two' | 'one'} placement
 * @property {string} measure
 * @property {string} contestant
 * @property {string} description
 * @property {any} result
 *
 * @typedef {object} Row
 * @property {number} size - bytes of payload
 * @property {'two' | 'one'} placement
 * @property {string} measure
 * @property {string} contestant
 * @property {string} description
 * @property {number} rounds
 * @property {Record<string, number>} figures
 * @property {number} spread - (largest - smallest) / median of the leading figure over rounds
 * @property {Record<string, number | null>} ratios - by baseline; above 1 is better than the baseline
 */

/**
 * @param {readonly Outcome[]} outcomes
 * @returns {Row[]}
 */
export function summarise(outcomes) {
  const groups = groupBy(outcomes, groupKey);
  return [...groups.values()].map((group) => {
    const { size, placement, measure, contestant, description } = group[0];
    const leading = leadingFigure(measure);
    const values = group.map(({ result }) => result[leading]);
    return {
      size,
      placement,
      measure,
      contestant,
      description,
      rounds: group.length,
      figures: medians(group.map(({ result }) => result)),
      spread: (Math.max(...values) - Math.min(...values)) / median(values),
      ratios: Object.fromEntries(BASELINES.map((baseline) => [baseline, ratioTo(baseline, group, outcomes)])),
    };
  });
}

/**
 * @param {readonly number[]} values - at least one
 * @returns {number}
 */
export function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const LEADING = { latency: 'p50', throughput: 'perSecond', idle: 'cores', memory: 'bytesEach' };

/**
 * @param {string} measure
 * @returns {'p50' | 'perSecond' | 'cores' | 'bytesEach'} the figure of its results that counts
 */
export function leadingFigure(measure) {
  return LEADING[MEASURES[measure].kind];
}

function medians(results) {
  return Object.fromEntries(
    Object.keys(results[0]).map((name) => {
      const values = results.map((result) => result[name]);
      return [name, name === 'max' ? Math.max(...values) : median(values)];
    }),
  );
}

/** A baseline that does not take a measure is represented by its nearest: requests are compared with echoes, batches with single messages. */
const SUBSTITUTES = { request: 'round-trip', 'one-way-batch': 'one-way' };

function ratioTo(baseline, group, outcomes) {
  const { size, placement, measure } = group[0];
  const figure = leadingFigure(measure);
  const find = (round, name) =>
    outcomes.find(
      (other) =>
        other.contestant === baseline &&
        other.round === round &&
        other.size === size &&
        other.placement === placement &&
        other.measure === name,
    );
  const ratios = group.flatMap(({ round, result }) => {
    const base = find(round, measure) ?? find(round, SUBSTITUTES[measure]);
    if (base === undefined) return [];
    return [figure === 'perSecond' ? result.perSecond / base.result.perSecond : base.result[figure] / result[figure]];
  });
  return ratios.length === 0 ? null : median(ratios);
}

/**
 * What belongs to one row.
 *
 * @param {Pick<Outcome, 'size' | 'placement' | 'measure' | 'contestant'>} outcome
 */
export function groupKey({ size, placement, measure, contestant }) {
  return `${placement} ${measure} ${size} ${contestant}`;
}

/**
 * @template T
 * @param {readonly T[]} list
 * @param {(item: T) => string} keyOf
 * @returns {Map<string, T[]>}
 */
export function groupBy(list, keyOf) {
  const groups = new Map();
  for (const item of list) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
