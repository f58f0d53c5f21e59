/**
 * Estimates how the power of one window of signal is spread over the classical EEG bands.
 *
 * Method: the mean is removed, a periodic Hann window applied, and one FFT taken (a single modified periodogram; the
 * overlapping windows that follow each other are the segments of Welch's method, kept apart instead of averaged). The
 * one-sided power spectral density is
 *
 *     S[k] = c · |X[k]|² / (rate · Σ w²)    in µV²/Hz, c = 2, but 1 for k = 0 and k = N/2
 *
 * and a band's power is Σ S[k] · rate/N over the bins whose centre lies in [low, high), in µV². With a signal in unknown
 * units (a.u., such as the steps of a converter) the powers are in a.u.²; ratios do not depend on the unit.
 *
 * The relative alpha power is P(8–13 Hz) / P(1–30 Hz). Its denominator includes delta on purpose: with open eyes, blinks
 * and eye movements add power at 1–4 Hz while alpha falls, so both push the ratio the same way. (On the two recordings
 * the project was developed with, alpha relative to 4–30 Hz is the same with eyes open and closed, because interference
 * at 5 and 25 Hz outweighs it; alpha power itself and alpha relative to 1–30 Hz both tell them apart.) Artefacts are
 * neither detected nor removed here.
 */
import FFT from 'fft.js';

/** Samples in a window; at 256 Hz one second, and bins 1 Hz apart. */
export const WINDOW_SAMPLES = 256;
/** Samples from one window to the next: 7/8 overlap. */
export const HOP_SAMPLES = 32;

/** Band limits in Hz, low included, high excluded. */
export const BANDS = { delta: [1, 4], theta: [4, 8], alpha: [8, 13], beta: [13, 30] } as const;

/** Rates at which the bands make sense: 30 Hz must lie below half the rate, and each band must hold several bins. */
export const RATE_HZ = { least: 64, most: 512 } as const;

export interface BandPowers {
  /** Powers in the square of the signal's unit. */
  readonly delta: number;
  readonly theta: number;
  readonly alpha: number;
  readonly beta: number;
  /** alpha / (delta + theta + alpha + beta), 0 to 1; null for a flat signal (an electrode that fell off), which has none. */
  readonly alphaRatio: number | null;
}

/** Computes spectra of windows of one size at one rate; keeps its buffers, so a window costs no allocation but the result. */
export class SpectrumAnalyser {
  readonly rateHz: number;
  readonly #fft = new FFT(WINDOW_SAMPLES);
  readonly #taper = Float64Array.from({ length: WINDOW_SAMPLES }, (_, n) => hann(n, WINDOW_SAMPLES));
  readonly #tapered = new Float64Array(WINDOW_SAMPLES);
  readonly #spectrum = this.#fft.createComplexArray();
  readonly #density = new Float64Array(WINDOW_SAMPLES / 2 + 1);
  readonly #scale: number;

  constructor(rateHz: number) {
    this.rateHz = rateHz;
    const taperPower = this.#taper.reduce((sum, weight) => sum + weight * weight, 0);
    this.#scale = 1 / (rateHz * taperPower);
  }

  /**
   * Computes the one-sided power spectral density of a window: bin k is at k · rate / 256 Hz.
   * The result is overwritten by the next call.
   */
  density(window: Float64Array): Float64Array {
    if (window.length !== WINDOW_SAMPLES) {
      throw new RangeError(`a window is ${WINDOW_SAMPLES} samples, not ${window.length}`);
    }
    const mean = window.reduce((sum, value) => sum + value, 0) / WINDOW_SAMPLES;
    for (let n = 0; n < WINDOW_SAMPLES; n++) this.#tapered[n] = ((window[n] ?? 0) - mean) * (this.#taper[n] ?? 0);
    this.#fft.realTransform(this.#spectrum, this.#tapered);
    const last = WINDOW_SAMPLES / 2;
    for (let k = 0; k <= last; k++) {
      const real = this.#spectrum[2 * k] ?? 0;
      const imaginary = this.#spectrum[2 * k + 1] ?? 0;
      const sides = k === 0 || k === last ? 1 : 2;
      this.#density[k] = sides * (real * real + imaginary * imaginary) * this.#scale;
    }
    return this.#density;
  }

  /** Computes the band powers of a window. */
  bandPowers(window: Float64Array): BandPowers {
    const density = this.density(window);
    const power = ([low, high]: readonly [number, number]) => bandPower(density, this.rateHz, low, high);
    const [delta, theta, alpha, beta] = [power(BANDS.delta), power(BANDS.theta), power(BANDS.alpha), power(BANDS.beta)];
    const total = delta + theta + alpha + beta;
    return { delta, theta, alpha, beta, alphaRatio: total > 0 ? alpha / total : null };
  }
}

/** Adds up a density over the bins whose centre lies in [low, high) Hz. */
export function bandPower(density: Float64Array, rateHz: number, low: number, high: number): number {
  const binHz = rateHz / WINDOW_SAMPLES;
  let sum = 0;
  for (let k = Math.ceil(low / binHz); k * binHz < high && k < density.length; k++) sum += density[k] ?? 0;
  return sum * binHz;
}

/** The periodic Hann window, the form meant for spectra (Harris 1978). */
function hann(n: number, length: number): number {
  return 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / length);
}
