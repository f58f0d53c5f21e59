/** The decoder: thresholds, hysteresis, and the safe intent whenever in doubt. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { DECODER, IntentDecoder } from '../../../src/cli/demo/decoder.js';

function decode(ratios: readonly (number | null)[]) {
  const decoder = new IntentDecoder();
  return ratios.map((ratio) => decoder.push(ratio));
}

const constant = (ratio: number, count = 40) => Array.from({ length: count }, () => ratio);

describe('IntentDecoder', () => {
  test('much alpha is hold, little alpha is move', () => {
    expect(decode(constant(0.3)).at(-1)?.intent).toBe('hold');
    expect(decode(constant(0.05)).at(-1)?.intent).toBe('move');
  });

  test('the intent changes at the thresholds of the smoothed ratio, not before', () => {
    expect(decode([DECODER.moveAt])[0]?.intent).toBe('move');
    expect(decode([DECODER.moveAt + 0.001])[0]?.intent).toBe('hold');
    // One step of smoothing from moveAt: this newest ratio leads exactly to holdAt.
    const leading = DECODER.moveAt + (DECODER.holdAt - DECODER.moveAt) / DECODER.smoothing;
    expect(decode([DECODER.moveAt, leading - 0.001])[1]?.intent).toBe('move');
    expect(decode([DECODER.moveAt, leading + 0.001])[1]?.intent).toBe('hold');
  });

  test('between the thresholds the intent stays what it was', () => {
    const between = (DECODER.holdAt + DECODER.moveAt) / 2;
    expect(decode([...constant(0.3), ...constant(between)]).at(-1)?.intent).toBe('hold');
    expect(decode([...constant(0.05), ...constant(between)]).at(-1)?.intent).toBe('move');
  });

  test('begins with hold while the ratio is undecided', () => {
    expect(decode([0.12])[0]).toMatchObject({ intent: 'hold', changed: false });
  });

  test('one outlier does not move anything', () => {
    const decisions = decode([...constant(0.2), 0.0, ...constant(0.2)]);
    expect(decisions.every(({ intent }) => intent === 'hold')).toBe(true);
  });

  test('a signal without a ratio holds at once and forgets what it had', () => {
    const decisions = decode([...constant(0.05), null, 0.05]);
    expect(decisions.at(-2)).toMatchObject({ intent: 'hold', changed: true, confidence: 0.5 });
    expect(decisions.at(-1)).toMatchObject({ intent: 'move', changed: true });
  });

  test('changed is said exactly when the intent differs from the one before, and confidence is 0.5 to 1', () => {
    const ratio = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: null });
    fc.assert(
      fc.property(fc.array(ratio), (ratios) => {
        let before = 'hold';
        for (const { intent, changed, confidence } of decode(ratios)) {
          expect(changed).toBe(intent !== before);
          expect(confidence).toBeGreaterThanOrEqual(0.5);
          expect(confidence).toBeLessThanOrEqual(1);
          before = intent;
        }
      }),
    );
  });
});
