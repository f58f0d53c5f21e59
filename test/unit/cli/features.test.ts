/** The check that turns "lost" and "damaged" into counts. */
import { describe, expect, test } from 'vitest';

import { FeatureChecker, NUMBER_LIMIT, packFeatures } from '../../../src/cli/demo/features.js';

const BANDS = { delta: 1e9, theta: 0.25, alpha: 3.14159, beta: 1e-3, alphaRatio: 0.25 };

describe('FeatureChecker', () => {
  test('finds vectors in order intact', () => {
    const checker = new FeatureChecker();
    for (let number = 0; number < 100; number++) {
      expect(checker.check(packFeatures(number, BANDS, 125))).toBe('intact');
    }
  });

  test('finds every changed bit', () => {
    const bytes = new Uint8Array(packFeatures(0, BANDS, 125).buffer);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Uint8Array.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(new FeatureChecker().check(new Float32Array(changed.buffer)), `bit ${bit}`).toBe('corrupt');
    }
  });

  test('finds gaps, repetitions and swaps, and counts on from what came', () => {
    const checker = new FeatureChecker();
    const verdicts = [0, 2, 3, 3, 4, 6, 5, 6].map((number) => checker.check(packFeatures(number, BANDS, 125)));
    const [yes, no] = ['intact', 'out-of-order'];
    expect(verdicts).toEqual([yes, no, yes, no, yes, no, no, yes]);
  });

  test('counts past the largest exact integer of a float32', () => {
    const checker = new FeatureChecker();
    checker.check(packFeatures(NUMBER_LIMIT - 1, BANDS, 125));
    expect(checker.check(packFeatures(NUMBER_LIMIT, BANDS, 125))).toBe('intact');
  });

  test('packs a window without a ratio', () => {
    expect(packFeatures(0, { ...BANDS, alphaRatio: null }, 125)[5]).toBe(-1);
  });

  test('a view into a larger buffer is checked by its own bytes', () => {
    const buffer = new ArrayBuffer(400);
    const view = new Float32Array(buffer, 40, 9);
    view.set(packFeatures(0, BANDS, 125));
    expect(new FeatureChecker().check(view)).toBe('intact');
  });

  test.each([undefined, null, 'text', {}, new Float32Array(8), new Float32Array(10), new Uint8Array(36), [1, 2]])(
    'takes %j for corrupt',
    (payload) => {
      expect(new FeatureChecker().check(payload)).toBe('corrupt');
    },
  );
});
