/**
 * Generates the demo's default neural signal: one channel over the motor cortex, 256 Hz, in µV.
 *
 * The model has the two parts that a spectrum of resting EEG shows:
 *
 * - **1/f background** (aperiodic activity): power spectral density ∝ 1/f^χ, χ = {@link BACKGROUND_EXPONENT} from 2 to
 *   40 Hz (a test measures it), inside the range of 1 to 2 that is usual for awake EEG. It is a sum of first-order
 *   low-pass noises (Ornstein–Uhlenbeck processes, AR(1) when sampled) with corner frequencies an octave apart.
 * - **mu rhythm** (the alpha-band rhythm of the resting motor cortex): bursts of a sine between 9.5 and 11.5 Hz under a
 *   Hann envelope, with pauses in between. A pause stands for event-related desynchronisation: the rhythm vanishes while
 *   a movement is prepared, and that is what the decoder looks for.
 *
 * It is a test signal: reproducible (one seed, one signal) and decodable. It is no model of any person, and has no blinks,
 * muscle activity or mains hum. Pacing is not done here.
 */
import { SeededRandom } from './random.js';

export const GENERATED_RATE_HZ = 256;
export const BACKGROUND_EXPONENT = 1.7;
/** Standard deviation of the background, µV. */
export const BACKGROUND_RMS = 10;

const CORNERS_HZ = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64] as const;
/** A variance ∝ f^−1 would give χ = 2 with corners at all octaves; the low ones left out make it 1.7. */
const VARIANCE_EXPONENT = -1;
const BURST = { seconds: [1.5, 2.5], pauseSeconds: [1.5, 3.5], hertz: [9.5, 11.5], peak: [15, 25] } as const;
const BLOCK_SAMPLES = 256;

/** Generates `samples` values in µV, in blocks of at most 256. */
export function* generateSignal(options: { seed: number; samples: number }): Generator<Float64Array<ArrayBuffer>> {
  const random = new SeededRandom(options.seed);
  const background = new Background(random);
  const rhythm = new MuRhythm(random);
  for (let left = options.samples; left > 0; left -= BLOCK_SAMPLES) {
    const block = new Float64Array(Math.min(left, BLOCK_SAMPLES));
    for (let i = 0; i < block.length; i++) block[i] = background.next() + rhythm.next();
    yield block;
  }
}

class Background {
  readonly #random: SeededRandom;
  readonly #processes: { value: number; decay: number; kick: number }[];

  constructor(random: SeededRandom) {
    this.#random = random;
    const weights = CORNERS_HZ.map((corner) => corner ** VARIANCE_EXPONENT);
    const sum = weights.reduce((total, weight) => total + weight, 0);
    this.#processes = CORNERS_HZ.map((corner, index) => {
      const deviation = BACKGROUND_RMS * Math.sqrt((weights[index] ?? 0) / sum);
      const decay = Math.exp((-2 * Math.PI * corner) / GENERATED_RATE_HZ);
      // Starting in the stationary distribution: the first second is as good as the tenth.
      return { value: deviation * random.gaussian(), decay, kick: deviation * Math.sqrt(1 - decay * decay) };
    });
  }

  next(): number {
    let sum = 0;
    for (const process of this.#processes) {
      process.value = process.decay * process.value + process.kick * this.#random.gaussian();
      sum += process.value;
    }
    return sum;
  }
}

class MuRhythm {
  readonly #random: SeededRandom;
  #pauseLeft: number;
  #burst: { length: number; at: number; peak: number; radiansPerSample: number; phase: number } | null = null;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.#pauseLeft = this.#drawSamples(BURST.pauseSeconds);
  }

  next(): number {
    if (this.#pauseLeft > 0) {
      this.#pauseLeft--;
      return 0;
    }
    this.#burst ??= {
      length: this.#drawSamples(BURST.seconds),
      at: 0,
      peak: this.#random.between(...BURST.peak),
      radiansPerSample: (2 * Math.PI * this.#random.between(...BURST.hertz)) / GENERATED_RATE_HZ,
      phase: this.#random.between(0, 2 * Math.PI),
    };
    const { length, at, peak, radiansPerSample, phase } = this.#burst;
    this.#burst.at++;
    if (this.#burst.at === length) {
      this.#burst = null;
      this.#pauseLeft = this.#drawSamples(BURST.pauseSeconds);
    }
    const envelope = 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / length);
    return peak * envelope * Math.sin(radiansPerSample * at + phase);
  }

  #drawSamples(seconds: readonly [number, number]): number {
    return Math.round(this.#random.between(...seconds) * GENERATED_RATE_HZ);
  }
}
