/** The arguments of `run.js`, and what those of `shm.js` have in common with them. */
import { parseArgs } from 'node:util';

import { CONTESTANTS } from './contestants.js';
import { MEASURES } from './measures/index.js';
import { MIN_PAYLOAD } from './payload.js';

export const USAGE = `usage: node run.js [options]

  --seconds N          measured time of a point (default 2)
  --rounds N           rounds, each in another order (default 3)
  --placement WHICH    two, one or both cores (default both)
  --only LIST          contestants: ${CONTESTANTS.map(({ id }) => id).join(', ')}; eipc and net take all of theirs;
                       one named here that cannot be loaded is an error, not a skipped row
  --measures LIST      ${Object.keys(MEASURES).join(', ')}
  --size BYTES         of a payload (default 64)
  --rate N             messages a second at a fixed rate (default 1000)
  --json FILE          write every figure of every round
  --markdown FILE      write what is printed
  --short              only check that everything works: 1 round of 0.1 s; its figures mean nothing
  --help`;

/** The warm-up: enough for the compiler, and a quarter of what follows. */
const WARM_UP_SHARE = 0.25;
const WARM_UP_LEAST = 0.3;
/** Messages a second at a fixed rate. */
const RATE = 1000;

/**
 * @typedef {object} RunOptions - of every run
 * @property {Omit<import('./measures/index.js').Settings, 'size'>} settings
 * @property {number} rounds
 * @property {string | null} jsonFile
 * @property {string | null} markdownFile
 * @property {boolean} isShort
 *
 * @typedef {object} Choice - what `run.js` measures
 * @property {number} size - bytes of payload
 * @property {readonly ('two' | 'one')[]} placements
 * @property {readonly import('./contestants.js').Contestant[]} contestants
 * @property {boolean} areRequired - whether the contestants were named, so that a missing one is an error
 * @property {readonly string[]} measures
 */

/** Of every run. */
const RUN_ARGUMENTS = {
  seconds: { type: 'string' },
  rounds: { type: 'string' },
  json: { type: 'string' },
  markdown: { type: 'string' },
  short: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

/**
 * @param {readonly string[]} words
 * @returns {RunOptions & Choice | null} null when help was asked for
 * @throws Error that says what to write instead
 */
export function parseOptions(words) {
  const { values } = parseArgs({
    args: [...words],
    options: {
      ...RUN_ARGUMENTS,
      placement: { type: 'string', default: 'both' },
      only: { type: 'string' },
      measures: { type: 'string' },
      size: { type: 'string', default: '64' },
      rate: { type: 'string', default: String(RATE) },
    },
  });
  if (values.help) return null;
  const { settings, ...others } = runOptionsOf(values, { seconds: 2, rounds: 3 });
  return {
    ...others,
    settings: { ...settings, rate: whole('rate', values.rate, 1, 100_000) },
    size: whole('size', values.size, MIN_PAYLOAD, 1 << 20),
    placements: placementsOf(values.placement),
    contestants: values.only === undefined ? CONTESTANTS : contestantsOf(values.only),
    areRequired: values.only !== undefined,
    measures: values.measures === undefined ? Object.keys(MEASURES) : measuresOf(values.measures),
  };
}

/**
 * Those that every run has.
 *
 * @param {readonly string[]} words
 * @param {{ seconds: number, rounds: number }} defaults
 * @returns {RunOptions | null} null when help was asked for
 * @throws Error that says what to write instead
 */
export function parseRunOptions(words, defaults) {
  const { values } = parseArgs({ args: [...words], options: RUN_ARGUMENTS });
  return values.help ? null : runOptionsOf(values, defaults);
}

/**
 * Parses the words of the command line, or says how to write them and ends.
 *
 * @template T
 * @param {(words: readonly string[]) => T | null} parse
 * @param {string} usage
 * @returns {T}
 */
export function orUsage(parse, usage) {
  try {
    const parsed = parse(process.argv.slice(2));
    if (parsed !== null) return parsed;
    process.stdout.write(`${usage}\n`);
    return process.exit(0);
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${usage}\n`);
    return process.exit(2);
  }
}

function runOptionsOf(values, defaults) {
  const seconds = quantity('seconds', values.seconds ?? (values.short ? '0.1' : String(defaults.seconds)), 0.01, 600);
  const warmUpSeconds = values.short ? 0.05 : Math.max(WARM_UP_LEAST, seconds * WARM_UP_SHARE);
  return {
    settings: { seconds, warmUpSeconds, rate: RATE },
    rounds: whole('rounds', values.rounds ?? (values.short ? '1' : String(defaults.rounds)), 1, 1000),
    jsonFile: values.json ?? null,
    markdownFile: values.markdown ?? null,
    isShort: values.short,
  };
}

/**
 * @param {string} text
 * @returns {('two' | 'one')[]}
 */
function placementsOf(text) {
  if (text === 'both') return ['two', 'one'];
  if (text === 'two' || text === 'one') return [text];
  throw new Error(`--placement ${text} does not exist; write two, one or both`);
}

/** @param {string} text */
function contestantsOf(text) {
  const words = listOf(text);
  for (const word of words) {
    if (!CONTESTANTS.some(({ id }) => isMeant(word, id))) {
      throw new Error(
        `--only ${word}: there is no such contestant; there are ${CONTESTANTS.map(({ id }) => id).join(', ')}`,
      );
    }
  }
  return CONTESTANTS.filter(({ id }) => words.some((word) => isMeant(word, id)));
}

/** @param {string} text */
function measuresOf(text) {
  const words = listOf(text);
  for (const word of words) {
    if (!Object.hasOwn(MEASURES, word))
      throw new Error(`--measures ${word}: there is no such measure; there are ${Object.keys(MEASURES).join(', ')}`);
  }
  return Object.keys(MEASURES).filter((name) => words.includes(name));
}

function isMeant(word, id) {
  return id === word || id.startsWith(`${word}-`);
}

function listOf(text) {
  return text.split(',').map((word) => word.trim());
}

function whole(name, text, least, most) {
  const value = quantity(name, text, least, most);
  if (!Number.isInteger(value)) throw new Error(`--${name} ${text} must be a whole number`);
  return value;
}

function quantity(name, text, least, most) {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value >= least && value <= most))
    throw new Error(`--${name} ${text} must be a number from ${least} to ${most}`);
  return value;
}
