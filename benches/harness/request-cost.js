/** What a request costs with and without something: client and server are this process, all of whose processor time is counted. */

const ROUNDS = 5;
/** Requests under way at once. */
const AT_ONCE = 32;

/**
 * Asks each side in turn, prints the medians, and closes them.
 *
 * @param {readonly { name: string, client: import('../../dist/index.js').ClientEndpoint, server: import('../../dist/index.js').Server }[]} sides
 * @param {import('../../dist/index.js').Outgoing} message
 * @param {number} seconds - for each side
 * @param {string} what - for the line that is printed
 */
export async function compareRequestCosts(sides, message, seconds, what) {
  /** @type {Map<string, number[]>} */
  const costs = new Map(sides.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { name, client } of sides) {
      let count = 0;
      const [start, before] = [performance.now(), process.cpuUsage()];
      while (performance.now() < start + (seconds * 1_000) / ROUNDS) {
        await Promise.all(Array.from({ length: AT_ONCE }, () => client.request(message)));
        count += AT_ONCE;
      }
      const { user, system } = process.cpuUsage(before);
      costs.get(name)?.push((user + system) / count);
    }
  }
  for (const [name, each] of costs) {
    const [least, , median, , most] = each.sort((a, b) => a - b).map((cost) => cost.toFixed(1));
    process.stdout.write(
      `processor time of a request over shm, both ends, ${what}${name}: ${median} µs (${least} to ${most})\n`,
    );
  }
  for (const { client, server } of sides) {
    await client.close();
    await server.close();
  }
}
