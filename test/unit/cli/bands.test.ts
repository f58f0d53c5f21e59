/** Spectra against what is known without an FFT: Parseval's theorem, a sine's power, white noise's flat density. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { bandPower, BANDS, SpectrumAnalyser, WINDOW_SAMPLES } from '../../../src/cli/demo/bands.js';
import { SeededRandom } from '../../../src/cli/demo/random.js';

const sine = (amplitude: number, hertz: number, rateHz: number, offset = 0) =>
  Float64Array.from(
    { length: WINDOW_SAMPLES },
    (_, n) => offset + amplitude * Math.sin((2 * Math.PI * hertz * n) / rateHz + 0.3),
  );

const hann = (n: number) => Math.sin((Math.PI * n) / WINDOW_SAMPLES) ** 2;

describe('density', () => {
  test('obeys Parseval: its integral is the power of the tapered signal', () => {
    const value = fc.double({ min: -1_000, max: 1_000, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: WINDOW_SAMPLES, maxLength: WINDOW_SAMPLES }), (values) => {
        const rateHz = 125;
        const density = new SpectrumAnalyser(rateHz).density(Float64Array.from(values));
        const integral = density.reduce((sum, power) => sum + power, 0) * (rateHz / WINDOW_SAMPLES);
        const mean = values.reduce((sum, one) => sum + one, 0) / WINDOW_SAMPLES;
        const tapered = values.reduce((sum, one, n) => sum + ((one - mean) * hann(n)) ** 2, 0);
        const taper = values.reduce((sum, _, n) => sum + hann(n) ** 2, 0);
        expect(integral).toBeCloseTo(tapered / taper, 5);
      }),
      { numRuns: 50 },
    );
  });

  test('refuses a window of another size', () => {
    expect(() => new SpectrumAnalyser(256).density(new Float64Array(255))).toThrow(/256 samples, not 255/);
  });
});

describe('bandPowers', () => {
  // A Hann window spreads a sine over 2 bins to each side, so these are at least that far from the edges of their bands.
  test('a sine of amplitude A has the power A²/2, in its own band, whatever the offset', () => {
    for (const [band, hertz] of [
      ['delta', 2],
      ['theta', 6],
      ['alpha', 10.5],
      ['beta', 20],
    ] as const) {
      const powers = new SpectrumAnalyser(256).bandPowers(sine(20, hertz, 256, 480));
      expect(powers[band]).toBeCloseTo(200, 0);
      const rest = powers.delta + powers.theta + powers.alpha + powers.beta - powers[band];
      expect(rest).toBeLessThan(1);
    }
  });

  test('the rate decides where a sine lies', () => {
    const samples = sine(20, 10, 256);
    expect(new SpectrumAnalyser(256).bandPowers(samples).alphaRatio).toBeGreaterThan(0.99);
    expect(new SpectrumAnalyser(125).bandPowers(samples).alphaRatio).toBeLessThan(0.01); // 4.9 Hz
  });

  test('white noise of variance σ² has the one-sided density 2σ²/rate', () => {
    const [random, analyser, rateHz, deviation] = [new SeededRandom(1), new SpectrumAnalyser(250), 250, 3];
    let alpha = 0;
    for (let window = 0; window < 2_000; window++) {
      alpha += analyser.bandPowers(Float64Array.from({ length: 256 }, () => deviation * random.gaussian())).alpha;
    }
    const bins = [8, 13].map((edge) => Math.ceil(edge / (rateHz / 256)));
    const width = ((bins[1] ?? 0) - (bins[0] ?? 0)) * (rateHz / 256);
    expect(alpha / 2_000 / width).toBeCloseTo((2 * deviation ** 2) / rateHz, 2);
  });

  test('the bands touch without overlap: their sum is the power from 1 to 30 Hz', () => {
    const random = new SeededRandom(2);
    const analyser = new SpectrumAnalyser(125);
    const window = Float64Array.from({ length: 256 }, () => random.gaussian());
    const { delta, theta, alpha, beta, alphaRatio } = analyser.bandPowers(window);
    const whole = bandPower(analyser.density(window), 125, BANDS.delta[0], BANDS.beta[1]);
    expect(delta + theta + alpha + beta).toBeCloseTo(whole, 10);
    expect(alphaRatio).toBeCloseTo(alpha / whole, 10);
  });

  test('a bin on the edge of two bands belongs to the upper one', () => {
    const comb = Float64Array.from({ length: 129 }, (_, hertz) => hertz);
    expect(bandPower(comb, 256, 8, 13)).toBe(8 + 9 + 10 + 11 + 12);
    expect(bandPower(comb, 128, 8, 9)).toBe((16 + 17) * 0.5);
    expect(bandPower(comb, 256, 127, 1_000)).toBe(127 + 128);
  });

  test('the ratio does not depend on the unit', () => {
    const random = new SeededRandom(3);
    const window = Float64Array.from({ length: 256 }, () => random.gaussian());
    const analyser = new SpectrumAnalyser(125);
    const [one, other] = [analyser.bandPowers(window), analyser.bandPowers(window.map((value) => value * 1e9 + 7))];
    expect(other.alphaRatio).toBeCloseTo(one.alphaRatio ?? Number.NaN, 6);
  });

  test('a flat signal has no ratio', () => {
    expect(new SpectrumAnalyser(125).bandPowers(new Float64Array(256).fill(512)).alphaRatio).toBeNull();
  });
});
