/** Which run a command line asks for. */
import { describe, expect, test } from 'vitest';

import { planOf } from '../../../src/cli/commands/demo.js';
import { EXIT } from '../../../src/cli/exit.js';

describe('planOf', () => {
  test('without options: 10 generated seconds at real speed over shm', () => {
    expect(planOf({ transport: 'shm' })).toEqual({
      transport: 'shm',
      speed: 'real',
      signal: { kind: 'generated', seed: 1, seconds: 10 },
      attack: false,
    });
  });

  test('--attack goes with every signal', () => {
    expect(planOf({ transport: 'shm', attack: true }).attack).toBe(true);
    expect(planOf({ transport: 'unix', input: 'a.txt', attack: true }).attack).toBe(true);
  });

  test('a file runs whole and at full speed unless told otherwise', () => {
    expect(planOf({ transport: 'unix', input: 'a.csv', column: 'C3', rate: 250 })).toMatchObject({
      speed: 'max',
      signal: { kind: 'recording', path: 'a.csv', column: 'C3', rateHz: 250, seconds: undefined },
    });
    expect(planOf({ transport: 'unix', input: 'a.txt', speed: 'real', seconds: 5 })).toMatchObject({
      speed: 'real',
      signal: { seconds: 5 },
    });
  });

  test.each([
    [{ column: 'C3' }, /--column is about a recording: add --input FILE/],
    [{ rate: 125, column: '1' }, /--column and --rate is about a recording/],
    [{ input: 'a.txt', seed: 2 }, /--seed is about the generated signal/],
  ])('refuses %j, which would be ignored otherwise', (options, message) => {
    const plan = () => planOf({ transport: 'shm', ...options });
    expect(plan).toThrow(message);
    expect(plan).toThrow(expect.objectContaining({ exitCode: EXIT.usage }));
  });
});
