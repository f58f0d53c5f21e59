/**
 * Whoever writes a policy makes mistakes, and an attacker who may write it makes worse: random, damaged and nested files. Each is read, or is
 * refused by an error that names file, line and column; none brings anything else down.
 *
 * `EIPC_PROPERTY_POLICIES` says how many of each kind, `EIPC_PROPERTY_SEED` begins them elsewhere.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';

import { EipcError, PolicyError } from '../../src/index.js';
import { parsePolicy } from '../../src/policy/policy-file.js';
import type { PolicyText } from '../../src/policy/policy-file.js';

const RUNS = Number(process.env['EIPC_PROPERTY_POLICIES'] ?? 2_000);
const seed = process.env['EIPC_PROPERTY_SEED'];
const PARAMETERS = { numRuns: RUNS, ...(seed === undefined ? {} : { seed: Number(seed) }) };
const PLACE = /^policy\.yaml:([1-9]\d*):([1-9]\d*): ./;

const WHOLE = `version: 1
aliases:
  move_left: ui.cursor.move # as decoders say it
rules:
  - { action: ui.*, class: safe, capability: 'ui:control' }
  - action: motor.move
    class: controlled
    capability: device:write
    description: >-
      moves the arm,
      slowly
  - action: "system.*"
    class: restricted
    verdict: confirm
`;
/** What has a meaning somewhere in YAML or JSON. */
const TOKENS = [
  '\n',
  '\t',
  ...' :-[]{}&*!|>%@`,?#~'.split(''),
  "'",
  '"',
  '\r\n',
  '---',
  '...',
  '<<',
  '!!map ',
  '%YAML 1.1',
  '\u0000',
  '\ufeff',
];
TOKENS.push('\u2028', '\ud800', '\u0085', ': ', '- ', 'null', '1e999', '__proto__', 'constructor', 'version', 'rules');

/** Reads a text; undefined when it was refused as it has to be. */
function read(text: string): PolicyText | undefined {
  try {
    return parsePolicy(text, 'policy.yaml');
  } catch (error) {
    if (!(error instanceof EipcError)) throw error;
    expect(error).toBeInstanceOf(PolicyError);
    expect(error.code).toBe('EIPC_POLICY_FILE');
    const [, line = ''] = PLACE.exec(error.message) ?? [];
    expect(line, error.message).not.toBe('');
    expect(Number(line)).toBeLessThanOrEqual(text.split(/\r\n?|\n/).length);
    expect(error.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
    return undefined;
  }
}

const word = fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/);
const action = fc
  .tuple(fc.array(word, { minLength: 1, maxLength: 3 }), fc.constantFrom('.', ':'), fc.boolean())
  .map(([words, joint, isOpen]) => words.join(joint) + (isOpen ? `${joint}*` : ''));
const line = fc.stringMatching(/^[ -~]{1,20}$/);
const optional = <T>(name: string, value: fc.Arbitrary<T>): fc.Arbitrary<object> =>
  fc.option(value, { nil: undefined }).map((one) => (one === undefined ? {} : { [name]: one }));
const rule = fc
  .tuple(
    action,
    fc.constantFrom('safe', 'controlled', 'restricted'),
    optional('verdict', fc.constantFrom('deny', 'confirm')),
    optional('capability', line),
    optional('description', line),
  )
  .map(([name, kind, ...rest]) => Object.assign({ action: name, class: kind }, ...rest) as { action: string });
const policy = fc.uniqueArray(rule, { maxLength: 12, selector: (one) => one.action });

describe('a policy file', { timeout: 30_000 + 30 * RUNS }, () => {
  test('of any text is read or refused with its place', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 200 }),
          fc.array(fc.constantFrom(...TOKENS)).map((all) => all.join('')),
        ),
        (text) => {
          read(text);
        },
      ),
      PARAMETERS,
    );
  });

  test('that was damaged is read or refused with its place', () => {
    const damage = fc.tuple(
      fc.nat(WHOLE.length),
      fc.nat(12),
      fc.oneof(fc.constantFrom(...TOKENS), fc.string({ maxLength: 4 })),
    );
    let refused = 0;
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 4 }), (damages) => {
        let text = WHOLE;
        for (const [at, length, put] of damages) text = text.slice(0, at) + put + text.slice(at + length);
        if (read(text) === undefined) refused += 1;
      }),
      PARAMETERS,
    );
    // Both kinds were there.
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(RUNS);
  });

  test('nested without end is refused', () => {
    for (const piece of ['[', '{a: ', '- ', '? ', '"', '&a [', '!!seq [', '> '])
      for (const count of [10, 1_000, 20_000]) read(piece.repeat(count));
    expect(read(`version: 1\nrules: ${'['.repeat(5_000)}`)).toBeUndefined();
  });

  test('says the same in YAML and in JSON, and what it says is what is read', () => {
    fc.assert(
      fc.property(policy, fc.constantFrom('yaml', 'json', 'tabs'), (rules, kind) => {
        const value = { version: 1, rules };
        const text = kind === 'yaml' ? stringify(value) : JSON.stringify(value, null, kind === 'tabs' ? '\t' : 1);
        const said = read(text)?.rules.map((one) => ({ ...one }));
        expect(said).toEqual(
          rules.map((one) => ({
            verdict: (one as { class?: string }).class === 'restricted' ? 'confirm' : 'allow',
            ...one,
          })),
        );
      }),
      PARAMETERS,
    );
  });
});
