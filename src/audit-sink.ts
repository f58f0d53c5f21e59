/**
 * What is worth a line in an audit log, and where it goes. Whoever decides something about a message speaks to this and to nothing else:
 * servers, endpoints, and the policy. `AuditLogger` implements it.
 */

/** What was decided. `note`: nothing was, it is a fact worth keeping. */
export type AuditDecision = 'allow' | 'deny' | 'confirm' | 'note';

/** One entry. Texts may come from peers: they are escaped and cut to 256 bytes where they are written. */
export interface AuditEntry {
  /** The authenticated peer it is about; empty when nobody proved to be anybody. */
  readonly peer: string;
  /** What was asked for, such as `motor.move`, or what happened, such as `session.open`. */
  readonly action: string;
  readonly decision: AuditDecision;
  /** What came of it, or why: `EIPC_…: …` for a refusal. */
  readonly result?: string;
  /** The request it answers. */
  readonly requestId?: string;
  /** SHA-256 of the message or frame it is about, 64 hex digits. */
  readonly frame?: string;
}

/** Where entries go. */
export interface AuditSink {
  /**
   * Records an entry. Resolves when it cannot be lost any more: what must be audited before it takes effect waits for this, and does not
   * happen when it rejects.
   */
  log(entry: AuditEntry): Promise<void>;
}
