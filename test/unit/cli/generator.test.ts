/** The generated signal and its random numbers: reproducible, and what the model says. */
import { expect, test } from 'vitest';

import { bandPower, SpectrumAnalyser } from '../../../src/cli/demo/bands.js';
import {
  BACKGROUND_EXPONENT,
  BACKGROUND_RMS,
  GENERATED_RATE_HZ,
  generateSignal,
} from '../../../src/cli/demo/generator.js';
import { SeededRandom } from '../../../src/cli/demo/random.js';

const MINUTES = 10;
const LONG = 60 * MINUTES * GENERATED_RATE_HZ;

function samples(seed: number, count: number): number[] {
  return [...generateSignal({ seed, samples: count })].flatMap((block) => [...block]);
}

/** Median density of each bin over windows that do not overlap: bursts are too rare to move it outside their band. */
function medianDensity(seed: number): number[] {
  const analyser = new SpectrumAnalyser(GENERATED_RATE_HZ);
  const densities = [...generateSignal({ seed, samples: LONG })].map((block) => [...analyser.density(block)]);
  return Array.from({ length: 129 }, (_, k) => median(densities.map((density) => density[k] ?? 0)));
}

function median(values: number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? Number.NaN;
}

test('one seed gives one signal, another seed another', () => {
  expect(samples(7, 1_000)).toEqual(samples(7, 1_000));
  expect(samples(7, 1_000)).not.toEqual(samples(8, 1_000));
});

test('the beginning does not depend on how much is generated', () => {
  expect(samples(7, 2_000).slice(0, 300)).toEqual(samples(7, 300));
});

test('any number of samples is generated, the last block being shorter', () => {
  const blocks = [...generateSignal({ seed: 1, samples: 600 })].map((block) => block.length);
  expect(blocks).toEqual([256, 256, 88]);
});

test('the background follows 1/f^χ from 2 to 40 Hz', () => {
  const density = medianDensity(3);
  const points = density
    .map((value, hertz) => ({ x: Math.log(hertz), y: Math.log(value), hertz }))
    .filter(({ hertz }) => hertz >= 2 && hertz <= 40 && (hertz < 8 || hertz > 13));
  const mean = (of: (point: { x: number; y: number }) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)];
  const slope = mean((point) => (point.x - x) * (point.y - y)) / mean((point) => (point.x - x) ** 2);
  expect(slope).toBeGreaterThan(-BACKGROUND_EXPONENT - 0.15);
  expect(slope).toBeLessThan(-BACKGROUND_EXPONENT + 0.15);
});

test('the background has the stated size and the mu bursts stand out of it', () => {
  const analyser = new SpectrumAnalyser(GENERATED_RATE_HZ);
  const alpha: number[] = [];
  let squares = 0;
  for (const block of generateSignal({ seed: 5, samples: LONG })) {
    alpha.push(bandPower(analyser.density(block), GENERATED_RATE_HZ, 8, 13));
    squares += block.reduce((sum, value) => sum + value * value, 0);
  }
  // Bursts add to the background: peaks of 15 to 25 µV under a Hann envelope, somewhat less than half of the time.
  const rms = Math.sqrt(squares / LONG);
  expect(rms).toBeGreaterThan(BACKGROUND_RMS * 0.9);
  expect(rms).toBeLessThan(BACKGROUND_RMS * 1.4);
  const sorted = alpha.toSorted((one, other) => one - other);
  const [quiet, strong] = [sorted[Math.floor(sorted.length * 0.2)] ?? 0, sorted[Math.floor(sorted.length * 0.8)] ?? 0];
  expect(strong / quiet).toBeGreaterThan(10);
});

test('random numbers are uniform in [0, 1) and normal with mean 0 and variance 1', () => {
  const random = new SeededRandom(1);
  const uniform = Array.from({ length: 100_000 }, () => random.next());
  expect(Math.min(...uniform.slice(0, 50_000))).toBeGreaterThanOrEqual(0);
  expect(Math.max(...uniform.slice(0, 50_000))).toBeLessThan(1);
  expect(uniform.reduce((sum, value) => sum + value, 0) / uniform.length).toBeCloseTo(0.5, 2);
  const normal = Array.from({ length: 100_000 }, () => random.gaussian());
  expect(normal.reduce((sum, value) => sum + value, 0) / normal.length).toBeCloseTo(0, 1);
  expect(normal.reduce((sum, value) => sum + value * value, 0) / normal.length).toBeCloseTo(1, 1);
});

test('seeds that differ by 2^32 differ', () => {
  expect(new SeededRandom(1).next()).not.toBe(new SeededRandom(2 ** 32 + 1).next());
});
