/**
 * Where the two processes run. `two`: each pinned to a core of its own; `one`: both pinned to the same core. Pinning needs `taskset`; without
 * it only `two` is measured, unpinned, and the report says so.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * @typedef {object} Placement
 * @property {'two' | 'one'} name
 * @property {string} description
 * @property {readonly string[]} answererPrefix - put in front of the command
 * @property {readonly string[]} driverPrefix
 * @property {readonly (number | null)[]} cores - of the answering and the driving process; null: not pinned
 * @property {string | null} refusal - why it cannot be measured here
 */

/**
 * @param {'two' | 'one'} name
 * @returns {Placement}
 */
export function makePlacement(name) {
  const cores = has('taskset') ? separateCores() : [];
  const [first, second] = cores;
  if (first === undefined) {
    const refusal = name === 'one' ? 'one core needs taskset (Linux)' : null;
    return {
      name,
      description: 'two processes, not pinned (no taskset here)',
      answererPrefix: [],
      driverPrefix: [],
      cores: [null, null],
      refusal,
    };
  }
  if (name === 'one') {
    const description = `one core: both processes pinned to core ${first}`;
    return { name, description, ...pinnedTo(first, first), refusal: null };
  }
  if (second === undefined) {
    return {
      name,
      description: 'two cores',
      answererPrefix: [],
      driverPrefix: [],
      cores: [null, null],
      refusal: 'there is only one core to use',
    };
  }
  const description = `two cores: answering process pinned to core ${first}, driving process to core ${second}`;
  return { name, description, ...pinnedTo(first, second), refusal: null };
}

/**
 * Put in front of a command whose process runs only while nobody else wants its core; nothing where the system has no way to say so.
 *
 * @type {readonly string[]}
 */
export const GIVING_WAY = has('chrt') ? ['chrt', '--idle', '0'] : [];

/**
 * Reads lists as the kernel writes them: `0-2,5`.
 *
 * @param {string} text
 * @returns {number[]}
 */
export function parseCoreList(text) {
  return text
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [from, to = from] = part.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, index) => from + index);
    });
}

/** The cores this process may use; of two that are threads of one core only the first. */
function separateCores() {
  const allowed = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  const chosen = [];
  const taken = new Set();
  for (const core of parseCoreList(allowed)) {
    if (taken.has(core)) continue;
    chosen.push(core);
    for (const sibling of siblingsOf(core)) taken.add(sibling);
  }
  return chosen;
}

/** @param {number} core */
function siblingsOf(core) {
  try {
    return parseCoreList(readFileSync(`/sys/devices/system/cpu/cpu${core}/topology/thread_siblings_list`, 'utf8'));
  } catch {
    return [core];
  }
}

/**
 * @param {number} answering
 * @param {number} driving
 */
function pinnedTo(answering, driving) {
  const [answererPrefix, driverPrefix] = [answering, driving].map((core) => ['taskset', '-c', String(core)]);
  return { answererPrefix, driverPrefix, cores: [answering, driving] };
}

/** @param {'taskset' | 'chrt'} tool - of util-linux */
function has(tool) {
  return process.platform === 'linux' && spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0;
}
