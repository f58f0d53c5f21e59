/**
 * What the audit of a server hears of one of its endpoints: which messages were let through to a handler, which were refused and why, which
 * handlers failed, and how the session ended.
 */
import { actionOf, hasAction } from './action.js';
import type { AuditDecision, AuditEntry } from './audit-sink.js';
import { RefusalTrail } from './audit-trail.js';
import type { AuditTrail } from './audit-trail.js';
import type { CloseReason } from './close-reason.js';
import type { EipcError } from './errors.js';
import { messageDigest } from './message-digest.js';
import type { Message } from './message.js';
import type { Peer } from './peer.js';
import type { Route } from './router.js';

/** The records of one endpoint. */
export class EndpointAudit {
  readonly #trail: AuditTrail;
  readonly #refusals: RefusalTrail;
  readonly #peer: () => Peer;

  constructor(trail: AuditTrail, peer: () => Peer) {
    this.#trail = trail;
    this.#refusals = new RefusalTrail(trail);
    this.#peer = peer;
  }

  /** A handler is about to run. Worth a record if there was something to decide: an action, or a right. */
  allowed(message: Message, route: Route): void {
    if (isDecision(message, route)) this.#trail.log(this.#entry(message, 'allow', ''));
  }

  /** A message may take effect as soon as this is durable: resolves then, rejects with `EIPC_AUDIT` when it cannot be recorded. */
  permit(message: Message, why: string): Promise<void> {
    return this.#trail.logDurably(this.#entry(message, 'allow', why));
  }

  /** Something was decided about a message that may have waited for it. */
  decided(message: Message, decision: AuditDecision, why: string): void {
    this.#trail.log(this.#entry(message, decision, why));
  }

  /** A message was refused. */
  refused(message: Message, error: EipcError): void {
    this.#refusals.log(() => this.#entry(message, 'deny', `${error.code}: ${error.message}`));
  }

  /** The handler of a message that was let through failed. */
  failed(message: Message, route: Route, error: unknown): void {
    if (!isDecision(message, route)) return;
    const text = error instanceof Error ? error.message : String(error);
    this.#trail.log(this.#entry(message, 'note', `the handler failed: ${text}`));
  }

  /** The session is over. */
  ended({ code, error }: CloseReason): void {
    const why = error === undefined ? code : `${code}: ${error.code === code ? '' : `${error.code}: `}${error.message}`;
    // An end by an attack or a fault is a refusal of everything that would have come.
    const decision = error === undefined || code === 'EIPC_PEER_DOWN' || code === 'EIPC_TRUNCATED' ? 'note' : 'deny';
    const { serviceId, sessionId, protocol } = this.#peer();
    const session = protocol === 2 ? `session ${sessionId}` : 'session of v1';
    const result = `${this.#refusals.takeUnrecorded()}${why}; ${session}`;
    this.#trail.log({ peer: serviceId, action: 'session.end', decision, result });
  }

  #entry(message: Message, decision: AuditDecision, result: string): AuditEntry {
    return {
      peer: this.#peer().serviceId,
      action: actionOf(message) ?? message.type,
      decision,
      result,
      requestId: message.requestId,
      frame: messageDigest(message),
    };
  }
}

function isDecision(message: Message, route: Route): boolean {
  return route.capability !== undefined || hasAction(message.type);
}
