/** What a policy file may say, and what is said about one that is wrong: the line, and what would be right. */
import { describe, expect, it, test } from 'vitest';

import { parsePolicy } from '../../src/policy/policy-file.js';

/** A file with this in place of its rules. */
const withRules = (rules: string): string => `version: 1\nrules:\n${rules}`;

/** Text, the place of its fault, and what is said. */
const FAULTS: readonly (readonly [name: string, text: string, place: string, said: RegExp])[] = [
  ['nothing', '', '1:1', /^a policy is a map with version, aliases, rules, not nothing$/],
  ['a list', '- 1\n', '1:1', /not a list$/],
  ['a word', 'allow everything', '1:1', /not 'allow everything'$/],
  ['no version', 'rules: []\n', '1:1', /^version is missing; begin with `version: 1`$/],
  ['another version', '# mine\nversion: 2\nrules: []\n', '2:10', /^version is 2; this build reads version 1$/],
  ['a version as text', 'version: "1"\nrules: []\n', '1:10', /^version is '1'/],
  ['no rules', 'version: 1\n', '1:1', /^rules are missing/],
  ['rules of nothing', 'version: 1\nrules:\n', '2:7', /^rules must be a list, not nothing$/],
  ['another key', 'version: 1\nrule: []\n', '2:1', /^a policy has no 'rule'; it has version, aliases, rules$/],
  ['a key twice', 'version: 1\nrules: []\nversion: 1\n', '3:1', /^a policy has 'version' twice/],
  [
    'a rule of one word',
    withRules('  - ui.click\n'),
    '3:5',
    /^a rule must be a map with action and class, not 'ui.click'$/,
  ],
  [
    'another key in a rule',
    withRules('  - action: a\n    clas: safe\n'),
    '4:5',
    /^a rule has no 'clas'; it has action, class/,
  ],
  ['no action', withRules('  - class: safe\n'), '3:5', /^action is undefined/],
  ['a wrong action', withRules('  - class: safe\n    action: ui*\n'), '4:13', /^action is 'ui\*'/],
  ['a wrong class', withRules('  - action: a\n    class: harmless\n'), '4:12', /^class is 'harmless'/],
  [
    'an allowed restriction',
    withRules('  - action: a\n    class: restricted\n    verdict: allow\n'),
    '5:14',
    /say class controlled/,
  ],
  ['a number for text', withRules('  - action: a\n    class: safe\n    description: 7\n'), '5:18', /^description is 7/],
  [
    'a list for text',
    withRules('  - action: a\n    class: [safe]\n'),
    '4:12',
    /^class must be a single value, not a list$/,
  ],
  [
    'a rule twice',
    withRules('  - { action: a, class: safe }\n  - { action: b, class: safe }\n  - { action: a, class: safe }\n'),
    '5:15',
    /^'a' has a rule in line 3 already/,
  ],
  [
    'a rule for an alias',
    'version: 1\naliases: { x: y }\nrules:\n  - { action: x, class: safe }\n',
    '4:15',
    /^'x' is an alias of 'y'/,
  ],
  [
    'an alias of an alias',
    'version: 1\naliases:\n  x: y\n  y: z\nrules: []\n',
    '3:6',
    /^the alias 'x' stands for 'y', which is an alias itself/,
  ],
  [
    'an alias of a beginning',
    'version: 1\naliases: { x: y.* }\nrules: []\n',
    '2:15',
    /must stand for the name of an action/,
  ],
  ['aliases as a list', 'version: 1\naliases: [x]\nrules: []\n', '2:10', /^aliases must be a map/],
  ['a reference', withRules('  - &one { action: a, class: safe }\n  - *one\n'), '4:5', /not a reference$/],
  [
    'a referred value',
    withRules('  - { action: &n a, class: safe }\n  - { action: *n, class: safe }\n'),
    '4:15',
    /^action refers to something else; write it out$/,
  ],
  ['a merged map', withRules('  - { action: a, class: safe, <<: { verdict: deny } }\n'), '3:31', /^a rule has no '<<'/],
  ['a tag', withRules('  - { action: !!str a, class: safe }\n'), '3:21', /has no tags/],
  ['a tag of nobody', withRules('  - { action: !js a, class: safe }\n'), '3:15', /^Unresolved tag: !js$/],
  [
    'a second document',
    `${withRules('  - { action: a, class: safe }\n')}---\nversion: 1\n`,
    '4:1',
    /multiple documents/,
  ],
  ['an open bracket', 'version: 1\nrules: [\n', '3:1', /./],
  ['a tab in front', 'version: 1\nrules:\n\t- a\n', '3:1', /./],
  ['text that turns around', withRules('  - { action: a, class: "\u202e" }\n'), '3:25', /^class is '\\u\{202e\}'/],
];

describe('a policy file', () => {
  test.each(FAULTS)('with %s is refused with its place', (_name, text, place, said) => {
    expect.assertions(2);
    try {
      parsePolicy(text, 'p.yaml');
    } catch (error) {
      expect(error).toMatchObject({ name: 'PolicyError', code: 'EIPC_POLICY_FILE' });
      const [found = '', ...rest] = /^p\.yaml:(\d+:\d+): (.*)$/.exec((error as Error).message)?.slice(1) ?? [];
      expect([found, said.test(rest[0] ?? '') ? '' : rest[0]]).toEqual([place, '']);
    }
  });

  it('has at most 4 096 rules', () => {
    const rules = Array.from({ length: 4_097 }, (_, number) => ({ action: `a${number}`, class: 'safe' }));
    expect(parsePolicy(JSON.stringify({ version: 1, rules: rules.slice(1) }), 'p').rules).toHaveLength(4_096);
    expect(() => parsePolicy(JSON.stringify({ version: 1, rules }), 'p')).toThrow(/there are 4097 rules; at most 4096/);
  });

  it('may be JSON', () => {
    const value = { version: 1, aliases: { 'move left': 'ui.left' }, rules: [{ action: 'ui.left', class: 'safe' }] };
    for (const indent of [undefined, 2, '\t']) {
      const { rules, aliases } = parsePolicy(JSON.stringify(value, null, indent), 'p');
      expect([...aliases]).toEqual([['move left', 'ui.left']]);
      expect(rules).toEqual([{ action: 'ui.left', class: 'safe', verdict: 'allow' }]);
    }
  });

  it('may name what JavaScript objects have anyway', () => {
    const { rules, aliases } = parsePolicy(
      'version: 1\naliases: { __proto__: a, constructor: b }\nrules: [{ action: toString, class: safe }]\n',
      'p',
    );
    expect([...aliases.keys()]).toEqual(['__proto__', 'constructor']);
    expect(rules[0]?.action).toBe('toString');
  });
});
