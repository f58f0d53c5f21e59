/** test/vectors/replay.json from TypeScript: what the replay window of v1 makes of every sequence. */
import { expect, it } from 'vitest';

import { addon } from '../../helpers/vectors-addon.js';
import { load } from '../../helpers/vectors.js';
import type { Replay } from '../../helpers/vectors.js';

const { cases } = load<{ cases: readonly Replay[] }>('replay.json');
let ran = 0;

it.each(cases)('decides every step of a window of $window', ({ window: size, steps }) => {
  const window = new addon.vectors.ReplayWindow(size);
  for (const [at, [sequence, isFresh]] of steps.entries()) {
    expect(window.accept(BigInt(sequence)), `step ${at}: ${sequence}`).toBe(isFresh);
    ran += 1;
  }
});

it('every step of the file ran', () => {
  expect(ran).toBe(cases.reduce((sum, { steps }) => sum + steps.length, 0));
  expect(ran).toBe(1_600);
});
