/**
 * What the demo's EAI does with messages: checks and counts features, and lets intents move the actuator.
 *
 * It trusts nothing in them: features carry a number and a checksum that are verified, and an intent must be one that is
 * known. Who may send an intent at all was decided before, by the router (`eai.ts`).
 */
import type { Handler } from '../../index.js';
import { Actuator } from './actuator.js';
import { type Intent, INTENTS } from './decoder.js';
import { FeatureChecker } from './features.js';
import type { EaiTotals } from './reports.js';

/** The handlers and what they counted. */
export class ControlDesk {
  readonly actuator = new Actuator();
  readonly #checker = new FeatureChecker();
  #featuresReceived = 0;
  #corrupt = 0;
  #outOfOrder = 0;
  #intentsHandled = 0;

  readonly handleFeatures: Handler = (message) => {
    this.#featuresReceived++;
    const verdict = this.#checker.check(message.payload);
    if (verdict === 'corrupt') this.#corrupt++;
    if (verdict === 'out-of-order') this.#outOfOrder++;
  };

  /** Answers with the actuator's new state; an unknown intent is refused, which the sender sees. */
  readonly handleIntent: Handler = (message) => {
    const actuator = this.actuator.apply(intentOf(message.payload));
    this.#intentsHandled++;
    return { status: 'ok', actuator };
  };

  totals(): EaiTotals {
    const { state, reason, moves } = this.actuator;
    return {
      featuresReceived: this.#featuresReceived,
      corrupt: this.#corrupt,
      outOfOrder: this.#outOfOrder,
      intentsHandled: this.#intentsHandled,
      actuator: { state, reason, moves },
    };
  }
}

function intentOf(payload: unknown): Intent {
  const name = typeof payload === 'object' && payload !== null && 'intent' in payload ? payload.intent : undefined;
  const intent = INTENTS.find((known) => known === name);
  if (intent === undefined) throw new TypeError(`an intent is one of ${INTENTS.join(', ')}`);
  return intent;
}
