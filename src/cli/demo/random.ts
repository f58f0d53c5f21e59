/**
 * Seeded random numbers, so that a generated signal can be generated again. Not for keys: those come from `node:crypto`.
 */

/** The sfc32 generator ("small fast counting", Chris Doty-Humphrey, PractRand): 128 bits of state, passes BigCrush. */
export class SeededRandom {
  #a: number;
  #b: number;
  #c = 0;
  #counter = 1;
  #spareGaussian: number | null = null;

  /** @param seed any safe integer of 0 or more; equal seeds give equal sequences */
  constructor(seed: number) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    // The author's warm-up: after 12 rounds, neighbouring seeds have nothing in common any more.
    for (let round = 0; round < 12; round++) this.next();
  }

  /** Draws a number that is equally likely anywhere in [0, 1). */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  }

  /** Draws a number that is equally likely anywhere in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** Draws from the normal distribution with mean 0 and variance 1 (Box and Muller 1958, which makes two at a time). */
  gaussian(): number {
    if (this.#spareGaussian !== null) {
      const spare = this.#spareGaussian;
      this.#spareGaussian = null;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.next())); // 1 − u is never 0
    const angle = 2 * Math.PI * this.next();
    this.#spareGaussian = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}
