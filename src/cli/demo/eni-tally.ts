/**
 * What the ENI process counts: messages, answers, latencies, and what it found in the signal.
 */
import type { BandPowers } from './bands.js';
import type { Decision, Intent } from './decoder.js';
import { Distribution } from '../distribution.js';
import type { EniTotals } from './reports.js';

const LAST_INTENTS = 4;

export class EniTally {
  readonly #rateHz: number;
  readonly #unit: string;
  readonly #latencyUs = new Distribution({ resolution: 0.001, highest: 60e6 });
  readonly #alphaRatio = new Distribution({ resolution: 1e-6, highest: 1 });
  readonly #windows: Record<Intent, number> = { hold: 0, move: 0 };
  readonly #refusals: Record<string, number> = {};
  readonly #lastIntents: { intent: Intent; confidence: number }[] = [];
  readonly #start = performance.now();
  #alphaPowerSum = 0;
  #samples = 0;
  #featuresSent = 0;
  #intentsSent = 0;

  constructor(rateHz: number, unit: string) {
    this.#rateHz = rateHz;
    this.#unit = unit;
  }

  countSamples(count: number): void {
    this.#samples += count;
  }

  countFeatures(): void {
    this.#featuresSent++;
  }

  countWindow(bands: BandPowers, decision: Decision): void {
    this.#windows[decision.intent]++;
    this.#alphaPowerSum += bands.alpha;
    if (bands.alphaRatio !== null) this.#alphaRatio.record(bands.alphaRatio);
  }

  countIntent({ intent, confidence }: Decision): void {
    this.#intentsSent++;
    this.#lastIntents.push({ intent, confidence: Math.round(confidence * 100) / 100 });
    if (this.#lastIntents.length > LAST_INTENTS) this.#lastIntents.shift();
  }

  countAck(latencyUs: number): void {
    this.#latencyUs.record(latencyUs);
  }

  countRefusal(code: string): void {
    this.#refusals[code] = (this.#refusals[code] ?? 0) + 1;
  }

  totals(): EniTotals {
    const windows = { ...this.#windows };
    const windowCount = windows.hold + windows.move;
    return {
      rateHz: this.#rateHz,
      unit: this.#unit,
      seconds: (performance.now() - this.#start) / 1_000,
      samples: this.#samples,
      featuresSent: this.#featuresSent,
      intentsSent: this.#intentsSent,
      acksReceived: this.#latencyUs.count,
      refusals: { ...this.#refusals },
      ackLatencyUs: {
        p50: this.#latencyUs.percentile(50),
        p99: this.#latencyUs.percentile(99),
        max: this.#latencyUs.max(),
      },
      alphaRatio: { mean: this.#alphaRatio.mean(), median: this.#alphaRatio.percentile(50) },
      alphaPower: { mean: windowCount === 0 ? null : this.#alphaPowerSum / windowCount },
      windows,
      lastIntents: [...this.#lastIntents],
    };
  }
}
