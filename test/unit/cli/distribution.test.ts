/** Percentiles in bounded memory. */
import { expect, test } from 'vitest';

import { Distribution } from '../../../src/cli/distribution.js';

test('nothing recorded has no percentiles', () => {
  const empty = new Distribution({ resolution: 0.001, highest: 1e6 });
  expect([empty.count, empty.mean(), empty.percentile(50), empty.max()]).toEqual([0, null, null, null]);
});

test('mean is exact; percentiles and maximum have three significant figures', () => {
  const latencies = new Distribution({ resolution: 0.001, highest: 60e6 });
  for (let value = 1; value <= 1_000; value++) latencies.record(value + 0.5);
  expect(latencies.count).toBe(1_000);
  expect(latencies.mean()).toBeCloseTo(501, 9);
  for (const [percent, exact] of [
    [50, 500.5],
    [99, 990.5],
  ] as const) {
    expect(Math.abs((latencies.percentile(percent) ?? 0) / exact - 1)).toBeLessThan(0.003);
  }
  expect(Math.abs((latencies.max() ?? 0) / 1_000.5 - 1)).toBeLessThan(0.002);
});

test('ratios from 0 to 1 keep their resolution, and values beyond the highest are counted as it', () => {
  const ratios = new Distribution({ resolution: 1e-6, highest: 1 });
  for (const value of [0, 0.0684, 7]) ratios.record(value);
  expect(ratios.percentile(50)).toBeCloseTo(0.0684, 3);
  expect(ratios.max()).toBeCloseTo(1, 2);
});
