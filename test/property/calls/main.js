/**
 * `node main.js names`: what EXPORTS has, as JSON. `node main.js SEED CALLS LOG`: so many calls of native code with arguments of every kind, in the working directory, which is its to
 * litter. Ends with status 0 if every call returned or threw an Error. Before a call its words are written over the file LOG: when the
 * process dies, they say of what. With `--expose-gc` the collector runs now and then.
 */
import { openSync, writeSync } from 'node:fs';
import fc from 'fast-check';
import { loadAddon } from '../../../dist/load-addon.js';
import { EXPORTS } from './exports.js';
import { anything } from './values.js';
import { World } from './world.js';

const [seed, calls, log] = process.argv.slice(2);
if (seed === 'names') {
  process.stdout.write(JSON.stringify(Object.keys(EXPORTS)));
  process.exit(0);
}
const addon = loadAddon();
const world = new World(addon);
const file = openSync(log ?? '', 'w');
/** Calls between two turns of the event loop, and between two sets of fresh objects. */
const TURN = 16;
const RENEWAL = 64;

let count = 0;
let thrown = 0;
/** @type {unknown} */
let failure;
// What callbacks throw, and what is no callback throws when it is called, ends up here as it does in any program.
process.on('uncaughtException', (error) => {
  if (!(error instanceof Error)) failure ??= new Error(`an uncaught ${typeof error}`);
});
process.on('unhandledRejection', () => {});

/** One call: which, with what, on what. */
const call = fc.oneof(
  ...Object.entries(EXPORTS).map(([name, args]) =>
    fc.record({
      name: fc.constant(name),
      args: fc.tuple(...args),
      // Fewer than it takes, or more.
      extra: fc.oneof(
        { weight: 6, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: -4, max: 2 }) },
      ),
      // Another `this` than its own; a constructor without `new`, or for another class.
      foreign: fc.oneof({ weight: 7, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: anything }),
      surplus: anything,
    }),
  ),
);

try {
  await fc.assert(
    fc.asyncProperty(call, async (made) => {
      count += 1;
      perform(made);
      if (count % RENEWAL === 0) world.renew();
      if (count % (16 * RENEWAL) === 0) globalThis.gc?.();
      if (count % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      if (failure !== undefined) throw failure; // eslint-disable-line only-throw-error -- whatever it was
    }),
    { seed: Number(seed), numRuns: Number(calls), endOnFailure: true, verbose: 0 },
  );
  // The next turns run what the last calls have started.
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  if (failure !== undefined) throw failure; // eslint-disable-line only-throw-error -- whatever it was
} catch (error) {
  // Left to itself it would become an exception that our own handler takes, in a process that polls for ever.
  process.stderr.write(
    `${error instanceof Error ? error.stack : String(error)}\n${String(error?.cause?.stack ?? '')}\n`,
  );
  process.exit(1);
}
process.stdout.write(`${JSON.stringify({ calls: count, thrown })}\n`);
process.exit(0);

function perform({ name, args, extra, foreign, surplus }) {
  const recipes = [...args, ...Array(Math.max(0, extra)).fill(surplus)].slice(0, Math.max(0, args.length + extra));
  const words = `${name}(${recipes.map(({ text }) => text).join(', ')})${foreign === undefined ? '' : ` on ${foreign.text}`}`;
  write(words);
  const values = recipes.map((made) => made.make(world));
  try {
    const result = run(name, values, foreign?.make(world), foreign !== undefined);
    if (name === 'UnixSocket#takeFd') world.giveBack(result);
    else world.keep(result);
  } catch (error) {
    thrown += 1;
    if (!(error instanceof Error)) throw new Error(`${words} threw ${typeof error}`, { cause: error });
  }
}

/** @param {string} words */
function write(words) {
  const line = `call ${count} of seed ${seed}: ${words.slice(0, 2_000)}\n`;
  writeSync(file, line.padEnd(2_100), 0);
}

function run(name, values, foreign, isForeign) {
  const [, constructed] = /^new (.+)$/.exec(name) ?? [];
  if (constructed !== undefined) {
    if (!isForeign) return Reflect.construct(addon[constructed], values);
    return typeof foreign === 'function'
      ? Reflect.construct(addon[constructed], values, foreign)
      : addon[constructed].apply(foreign, values);
  }
  const [owner, member] = name.split(/[.#]/);
  if (member === undefined) return addon[name].apply(isForeign ? foreign : undefined, values);
  if (name.includes('.')) return addon[owner][member].apply(isForeign ? foreign : addon[owner], values);
  const receiver = isForeign ? foreign : world.one(owner);
  const descriptor = Object.getOwnPropertyDescriptor(addon[owner]?.prototype ?? {}, member);
  if (descriptor?.get !== undefined) return descriptor.get.call(receiver);
  // The calls of sessions are functions of an object.
  return (descriptor?.value ?? world.one(owner)[member]).apply(receiver, values);
}
