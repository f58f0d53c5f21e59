/** What the demo uses of fft.js 4, which ships no types. Ambient, so that `tsc` has nothing to copy to dist. */
declare module 'fft.js' {
  class FFT {
    constructor(size: number);
    /** Room for one spectrum: real and imaginary parts interleaved, 2 × size numbers. */
    createComplexArray(): number[];
    /** Transforms `size` real numbers; fills bins 0 to size/2 of `out`, the others mirror them. */
    realTransform(out: number[], input: ArrayLike<number>): void;
  }
  export = FFT;
}
