/**
 * The order of points. Rounds are outermost, so that every contestant sees the same weather; within a measure the contestants follow each
 * other, in an order that is rotated by one each round.
 *
 * @typedef {object} Point
 * @property {number} round
 * @property {import('./placement.js').Placement} placement
 * @property {string} measure
 * @property {import('./contestants.js').Contestant} contestant
 */

/**
 * @param {{ rounds: number, measures: readonly string[], contestants: readonly import('./contestants.js').Contestant[] }} options
 * @param {readonly import('./placement.js').Placement[]} placements
 * @returns {Point[]}
 */
export function makeSchedule({ rounds, measures, contestants }, placements) {
  const points = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const placement of placements) {
      for (const measure of measures) {
        const taking = contestants.filter((contestant) => contestant.measures.includes(measure));
        for (const contestant of rotate(taking, round)) points.push({ round, placement, measure, contestant });
      }
    }
  }
  return points;
}

/**
 * @template T
 * @param {readonly T[]} list
 * @param {number} by
 * @returns {T[]}
 */
export function rotate(list, by) {
  const at = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
