import type { AuditEntry, AuditSink } from '../../src/index.js';

/** An audit that keeps what it is told; durable when the test says so. */
export class Notebook implements AuditSink {
  readonly entries: AuditEntry[] = [];
  /** While it is one, entries are durable when it resolves. */
  gate: Promise<void> = Promise.resolve();
  failure: Error | undefined;

  async log(entry: AuditEntry): Promise<void> {
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    this.entries.push(entry);
  }

  /** Decisions about actions, without sessions and policies. */
  decisions(): string[] {
    return this.entries
      .filter(({ action }) => !action.startsWith('session.') && !action.startsWith('policy.'))
      .map(({ action, decision }) => `${decision} ${action}`);
  }

  of(action: string): AuditEntry[] {
    return this.entries.filter((entry) => entry.action === action);
  }
}
