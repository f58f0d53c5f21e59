/**
 * The order of points. Rounds are outermost, so that every contestant sees the same weather; within a measure the contestants follow each
 * other, in an order that is rotated by one each round.
 *
 * @typedef {object} Scene - what is measured under the same circumstances
 * @property {number} size - bytes of payload
 * @property {readonly ('two' | 'one')[]} placements
 * @property {readonly string[]} measures
 * @property {readonly import('./contestants.js').Contestant[]} contestants
 *
 * @typedef {object} Point
 * @property {number} round
 * @property {number} size
 * @property {import('./placement.js').Placement} placement
 * @property {string} measure
 * @property {import('./contestants.js').Contestant} contestant
 */

/**
 * @param {number} rounds
 * @param {readonly Scene[]} scenes
 * @param {readonly import('./placement.js').Placement[]} placements - those that can be had
 * @returns {Point[]}
 */
export function makeSchedule(rounds, scenes, placements) {
  const points = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const scene of scenes) {
      for (const placement of placements.filter(({ name }) => scene.placements.includes(name))) {
        for (const measure of scene.measures) {
          const taking = scene.contestants.filter(
            (contestant) => contestant.measures.includes(measure) && contestant.placements.includes(placement.name),
          );
          for (const contestant of rotate(taking, round))
            points.push({ round, size: scene.size, placement, measure, contestant });
        }
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
