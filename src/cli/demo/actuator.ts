/**
 * The demo's actuator: something that moves while it is told to, simulated.
 *
 * The fail-safe pattern: whoever owns an actuator stops it when the session that commands it ends, for whatever reason
 * (`endpoint.closed` resolves in every case, also when the peer was killed). A stopped actuator stays stopped: a command
 * that was still on its way must not start it again.
 */
import type { Intent } from './decoder.js';
import type { ActuatorState } from './reports.js';

export class Actuator {
  #state: ActuatorState = 'idle';
  #reason: string | null = null;
  #moves = 0;

  get state(): ActuatorState {
    return this.#state;
  }

  /** Why it was stopped, or null. */
  get reason(): string | null {
    return this.#reason;
  }

  /** How often it began to move. */
  get moves(): number {
    return this.#moves;
  }

  /**
   * Obeys an intent.
   *
   * @throws {Error} after {@link stop}
   */
  apply(intent: Intent): ActuatorState {
    if (this.#state === 'stopped') throw new Error(`the actuator is stopped: ${this.#reason}`);
    if (intent === 'move' && this.#state !== 'moving') this.#moves++;
    this.#state = intent === 'move' ? 'moving' : 'idle';
    return this.#state;
  }

  /** Stops it for good; the first reason stays. Returns whether this call stopped it. */
  stop(reason: string): boolean {
    if (this.#state === 'stopped') return false;
    this.#state = 'stopped';
    this.#reason = reason;
    return true;
  }
}
