/**
 * Decodes a simple intent from the relative alpha power of successive windows.
 *
 * The motor cortex shows a mu rhythm (8–13 Hz, the alpha band) at rest and loses it while a movement is prepared
 * (event-related desynchronisation); over the visual cortex, alpha is strong with eyes closed and weak with eyes open.
 * Either way little alpha means activity, so: much alpha → `hold`, little alpha → `move`.
 *
 * The ratio of single windows scatters. It is smoothed exponentially, and a Schmitt trigger with two thresholds
 * (hysteresis) keeps the intent from flickering at one. All three figures are dimensionless, since the ratio is:
 * see {@link DECODER}.
 *
 * Everything doubtful is `hold`, the safe intent: the start, and a signal without a ratio. The confidence says how far
 * the ratio is from the other decision; it is not a probability. Nobody should move a motor with this decoder.
 */

export type Intent = 'hold' | 'move';

export const INTENTS: readonly Intent[] = ['hold', 'move'];

export const DECODER = {
  /** Smoothed P(8–13 Hz) / P(1–30 Hz) at or above which the intent becomes `hold`. A 1/f² background alone gives 0.05. */
  holdAt: 0.14,
  /** …and at or below which it becomes `move`. In between it stays as it is. */
  moveAt: 0.1,
  /** Weight of the newest window, 0 to 1; 0.25 remembers about four windows, 128 samples or 0.5 s at 256 Hz. */
  smoothing: 0.25,
} as const;

export interface Decision {
  readonly intent: Intent;
  /** 0.5 at the threshold of the other intent, growing to 1. */
  readonly confidence: number;
  readonly changed: boolean;
}

export class IntentDecoder {
  #intent: Intent = 'hold';
  #smoothed: number | null = null;

  /** Takes the relative alpha power of the next window (0 to 1, or null for none) and decides. */
  push(alphaRatio: number | null): Decision {
    const before = this.#intent;
    if (alphaRatio === null) {
      this.#smoothed = null;
      this.#intent = 'hold';
      return { intent: 'hold', confidence: 0.5, changed: before !== 'hold' };
    }
    this.#smoothed =
      this.#smoothed === null ? alphaRatio : this.#smoothed + DECODER.smoothing * (alphaRatio - this.#smoothed);
    if (this.#smoothed >= DECODER.holdAt) this.#intent = 'hold';
    else if (this.#smoothed <= DECODER.moveAt) this.#intent = 'move';
    return { intent: this.#intent, confidence: this.#confidence(this.#smoothed), changed: this.#intent !== before };
  }

  #confidence(smoothed: number): number {
    const distance =
      this.#intent === 'hold'
        ? (smoothed - DECODER.moveAt) / DECODER.holdAt
        : (DECODER.holdAt - smoothed) / DECODER.holdAt;
    return 0.5 + 0.5 * Math.min(1, Math.max(0, distance));
  }
}
