/**
 * Values that native code is given: those it expects, and everything else there is in JavaScript. Each is a recipe
 * `{ text, make(world) }`: the text is printed when the process dies of it, and one recipe makes the same value again.
 */
import fc from 'fast-check';

/**
 * @typedef {import('./world.js').World} World
 * @typedef {{ text: string, make: (world: World) => unknown }} Recipe
 */

/**
 * @param {string} text
 * @param {(world: World) => unknown} make
 * @returns {Recipe}
 */
export const recipe = (text, make) => ({ text, make });

/** What a trap or a getter of ours throws: never a fault of native code. */
export class Trap extends Error {}

const MANY = 1_048_576;

// prettier-ignore
const EDGES = [
  0, -0, 1, -1, 0.5, -0.5, 2, 3, 4, 15, 16, 255, 256, 65_535, 65_536, NaN, Infinity, -Infinity,
  2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 32 - 1, 2 ** 32, 2 ** 53, 2 ** 63, 2 ** 64, 1e308, 5e-324,
];

/** @type {readonly Recipe[]} */
const NUMBERS = EDGES.map((number) => recipe(Object.is(number, -0) ? '-0' : String(number), () => number));

const BIGINTS = [0n, 1n, -1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n, -(2n ** 63n), 2n ** 200n].map(
  (number) => recipe(`${number}n`, () => number),
);

const STRINGS = ['', 'eni.test', 'a\0b', '\ud800', '\u{1f9e0}', '\u202e\u001b[2J', 'e\u0301'.repeat(50)]
  .map((text) => recipe(JSON.stringify(text), () => text))
  .concat(recipe("'x' × 70 000", () => 'x'.repeat(70_000)));

/** Bytes that are not quite bytes: everything native code could take for a view. */
const VIEWS = [
  recipe('an empty Uint8Array', () => new Uint8Array(0)),
  recipe('a view at the end of its buffer', () => new Uint8Array(new ArrayBuffer(8), 8)),
  recipe('a misaligned view', () => new Uint8Array(new ArrayBuffer(65), 1, 64)),
  recipe('a Buffer of the pool', () => Buffer.from('pooled')),
  recipe('1 MiB', () => new Uint8Array(MANY)),
  recipe('a DataView', () => new DataView(new ArrayBuffer(64), 3)),
  recipe('a Float64Array', () => new Float64Array(16)),
  recipe('a BigUint64Array', () => new BigUint64Array(16)),
  recipe('a Uint16Array', () => new Uint16Array(16)),
  recipe('a Uint32Array', () => new Uint32Array(64)),
  recipe('a Uint8ClampedArray', () => new Uint8ClampedArray(64)),
  recipe('an ArrayBuffer', () => new ArrayBuffer(64)),
  recipe('shared bytes', () => new Uint8Array(new SharedArrayBuffer(64))),
  recipe('shared words', () => new Uint32Array(new SharedArrayBuffer(256))),
  recipe('a SharedArrayBuffer', () => new SharedArrayBuffer(64)),
  recipe('detached bytes', () => detached(new Uint8Array(64))),
  recipe('detached words', () => detached(new Uint32Array(64))),
  recipe('a resizable view that has grown', () => {
    const buffer = new ArrayBuffer(16, { maxByteLength: 256 });
    const view = new Uint8Array(buffer);
    buffer.resize(256);
    return view;
  }),
  recipe('a view beyond its shrunk buffer', () => {
    const buffer = new ArrayBuffer(256, { maxByteLength: 256 });
    const view = new Uint8Array(buffer, 64, 128);
    buffer.resize(16);
    return view;
  }),
  recipe('a view of the same memory as another', (world) => world.overlapping()),
  recipe('an array of numbers', () => [1, 2, 3]),
];

/** @type {readonly Recipe[]} */
const OTHERS = [
  recipe('undefined', () => undefined),
  recipe('null', () => null),
  recipe('true', () => true),
  recipe('false', () => false),
  recipe('a symbol', () => Symbol('s')),
  recipe('{}', () => ({})),
  recipe('an object without prototype', () => Object.create(null)),
  recipe('[]', () => []),
  recipe('a sparse array', () => [, 1, , 2]), // eslint-disable-line no-sparse-arrays
  recipe('an array of a million holes', () => Object.assign([], { length: MANY })),
  recipe('{ length: 2^32 }', () => ({ length: 2 ** 32 })),
  recipe('a date', () => new Date(NaN)),
  recipe('a map', () => new Map()),
  recipe('an error', () => new Error('e')),
  recipe('a promise', () => Promise.resolve()),
  recipe('a frozen object', () => Object.freeze({ at: 1 })),
  recipe('an object with a valueOf that throws', () => ({
    valueOf: throws,
    toString: throws,
    [Symbol.toPrimitive]: throws,
  })),
  recipe('a boxed number', () => Object(7)),
  recipe('a boxed string', () => Object('seven')),
  recipe('a boxed bigint', () => Object(7n)),
  recipe('a proxy whose traps throw', () => new Proxy({}, TRAPS)),
  recipe('a proxy of bytes', () => new Proxy(new Uint8Array(64), {})),
  recipe('a proxy of a function', () => new Proxy(() => {}, {})),
  recipe('a revoked proxy', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  }),
  recipe('a class', () => class {}),
  recipe('globalThis', () => globalThis),
  recipe('the addon', (world) => world.addon),
  recipe('any native object', (world) => world.any()),
  recipe('a prototype of a native class', (world) => world.anyClass().prototype),
  recipe('a native class', (world) => world.anyClass()),
  recipe('an object made of a native prototype', (world) => Object.create(world.anyClass().prototype)),
  recipe('a native object with another prototype', (world) => {
    const object = world.any();
    return typeof object === 'object' && object !== null ? Object.create(object) : object;
  }),
];

const FUNCTIONS = [
  recipe('() => {}', () => () => {}),
  recipe('() => throw', () => throws),
  recipe('() => throw 7', () => () => {
    throw new Trap();
  }),
  recipe('a function that calls native code', (world) => () => world.reenter()),
  recipe('an async function', () => async () => {}),
];

function throws() {
  throw new Trap('a trap');
}

/** @param {Uint8Array | Uint32Array} view */
function detached(view) {
  structuredClone(view, { transfer: [view.buffer] });
  return view;
}

/** @type {ProxyHandler<object>} */
const TRAPS = Object.fromEntries(
  Object.getOwnPropertyNames(Reflect)
    .filter((name) => typeof Reflect[/** @type {keyof typeof Reflect} */ (name)] === 'function')
    .map((name) => [name, throws]),
);

const pick = (recipes) => fc.constantFrom(...recipes);

/** Anything at all. */
export const anything = fc.oneof(
  pick(NUMBERS),
  pick(BIGINTS),
  pick(STRINGS),
  pick(VIEWS),
  pick(OTHERS),
  pick(FUNCTIONS),
);

/**
 * The values expected, and one in four anything.
 *
 * @param {fc.Arbitrary<Recipe>} good
 */
const mostly = (good) => fc.oneof({ weight: 3, arbitrary: good }, { weight: 1, arbitrary: anything });

/** A whole number in a range, or any number. */
export const number = (max, min = 0) =>
  mostly(
    fc.oneof(
      fc.integer({ min, max }).map((value) => recipe(String(value), () => value)),
      pick(NUMBERS),
      fc.double().map((value) => recipe(String(value), () => value)),
    ),
  );

export const bigint = mostly(
  fc.oneof(
    pick(BIGINTS),
    fc.bigInt().map((value) => recipe(`${value}n`, () => value)),
  ),
);

export const boolean = mostly(fc.boolean().map((value) => recipe(String(value), () => value)));

/** Bytes of any content, or of what native code made before. */
export const bytes = (maxLength = 300) =>
  mostly(
    fc.oneof(
      fc
        .uint8Array({ maxLength })
        .map((value) => recipe(`bytes ${Buffer.from(value).toString('hex')}`, () => Uint8Array.from(value))),
      fc.constant(recipe('bytes that native code made', (world) => world.bytes())),
      pick(VIEWS),
    ),
  );

/** Zeros that native code may write into. */
export const memory = (Kind, length) =>
  mostly(
    fc.oneof(
      { weight: 3, arbitrary: fc.constant(recipe(`new ${Kind.name}(${length})`, () => new Kind(length))) },
      { weight: 1, arbitrary: fc.nat(64).map((short) => recipe(`new ${Kind.name}(${short})`, () => new Kind(short))) },
      { weight: 1, arbitrary: pick(VIEWS) },
    ),
  );

/** One of these words, or any text. */
export const text = (...words) =>
  mostly(
    fc.oneof(
      pick(words.map((word) => recipe(JSON.stringify(word), () => word))),
      pick(STRINGS),
      fc.string({ unit: 'binary', maxLength: 80 }).map((value) => recipe(JSON.stringify(value), () => value)),
    ),
  );

export const callback = mostly(pick(FUNCTIONS));

/** A living object of a class. */
export const instance = (name) => mostly(fc.constant(recipe(`a ${name}`, (world) => world.one(name))));

/** An array of these. */
export const array = (of, maxLength = 4) =>
  mostly(
    fc
      .array(of, { maxLength })
      .map((items) =>
        recipe(`[${items.map((item) => item.text).join(', ')}]`, (world) => items.map((item) => item.make(world))),
      ),
  );

/** What may be absent. */
export const optional = (of) =>
  fc.oneof({ weight: 1, arbitrary: fc.constant(recipe('undefined', () => undefined)) }, { weight: 2, arbitrary: of });

/**
 * An object with these fields. One in some lacks a field, has one behind a getter that throws, or one that calls native code first.
 */
export const object = (fields) =>
  mostly(
    fc
      .record({
        values: fc.record(fields),
        odd: fc.oneof(
          { weight: 4, arbitrary: fc.constant(undefined) },
          { weight: 1, arbitrary: fc.constantFrom(...Object.keys(fields)) },
        ),
        oddity: fc.constantFrom('missing', 'throws', 'reenters'),
      })
      .map(({ values, odd, oddity }) => {
        const entries = Object.entries(values);
        const described = entries.map(
          ([name, { text: value }]) => `${name}: ${name === odd ? `(${oddity}) ` : ''}${value}`,
        );
        return recipe(`{ ${described.join(', ')} }`, (world) => {
          const made = {};
          for (const [name, value] of entries) {
            if (name !== odd) made[name] = value.make(world);
            else if (oddity === 'throws') Object.defineProperty(made, name, { get: throws, enumerable: true });
            else if (oddity === 'reenters')
              Object.defineProperty(made, name, {
                get: () => {
                  world.reenter();
                  return value.make(world);
                },
                enumerable: true,
              });
          }
          return made;
        });
      }),
  );
