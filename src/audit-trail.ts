/**
 * How a server and its endpoints record what they decide: without waiting, without failing, and within bounds that no stranger can push.
 * Except for what has to be durable before it takes effect, for which policy waits.
 */
import type { AuditEntry, AuditSink } from './audit-sink.js';
import { EipcError, makeError } from './errors.js';
import type { LogRecord } from './options.js';

/** Refusals that are recorded one by one, at once and each second in the long run; the others are counted in the next record. */
const BURST = 64;
const PER_SECOND = 16;

/** The records of one server. */
export class AuditTrail {
  readonly #sink: AuditSink;
  readonly #logger: ((record: LogRecord) => void) | undefined;
  #failures = 0;
  #isFailing = false;

  constructor(sink: AuditSink, logger: ((record: LogRecord) => void) | undefined) {
    this.#sink = sink;
    this.#logger = logger;
  }

  /** Entries that could not be recorded. */
  get failures(): number {
    return this.#failures;
  }

  /** Records an entry. */
  log(entry: AuditEntry): void {
    try {
      this.#sink.log(entry).then(this.#recorded, this.#failed);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Records an entry; resolves when it is durable, and rejects with `EIPC_AUDIT` when it cannot be. */
  async logDurably(entry: AuditEntry): Promise<void> {
    try {
      await this.#sink.log(entry);
      this.#recorded();
    } catch (cause) {
      this.#failed(cause);
      throw makeError('EIPC_AUDIT', 'it could not be recorded, so it is denied', { cause });
    }
  }

  readonly #recorded = (): void => {
    this.#isFailing = false;
  };

  readonly #failed = (error: unknown): void => {
    this.#failures += 1;
    if (this.#isFailing) return;
    this.#isFailing = true;
    const text = `the audit cannot be written: ${error instanceof Error ? error.message : String(error)}`;
    const known = error instanceof EipcError ? { error } : {};
    this.#logger?.({ level: 'error', event: 'audit-failed', text, ...known });
  };
}

/** Refusals of one source: whoever is refused often enough fills neither the disk nor the queue. */
export class RefusalTrail {
  readonly #trail: AuditTrail;
  #left = BURST;
  #at = performance.now();
  #unrecorded = 0;

  constructor(trail: AuditTrail) {
    this.#trail = trail;
  }

  /** Records a refusal, or counts it. The entry is made only if it is recorded. */
  log(make: () => AuditEntry): void {
    const now = performance.now();
    this.#left = Math.min(BURST, this.#left + ((now - this.#at) / 1_000) * PER_SECOND);
    this.#at = now;
    if (this.#left < 1) {
      this.#unrecorded += 1;
      return;
    }
    this.#left -= 1;
    const entry = make();
    this.#trail.log({ ...entry, result: `${this.takeUnrecorded()}${entry.result ?? ''}` });
  }

  /** Says how many refusals were only counted since the last record of one; empty when none was. */
  takeUnrecorded(): string {
    const count = this.#unrecorded;
    this.#unrecorded = 0;
    return count === 0 ? '' : `(${count} refusals before this one were only counted) `;
  }
}
