/**
 * What the policy of a server makes of each message before its handler: it runs at once, when its record is durable, when an operator has
 * approved it, or never. This is the one place where policy stands in the way of messages; `serving.ts` brings every one of them here.
 */
import type { EndpointAudit } from './endpoint-audit.js';
import { makeError } from './errors.js';
import type { EipcError } from './errors.js';
import type { Message } from './message.js';
import { messageDigest } from './message-digest.js';
import type { Outgoing } from './outgoing.js';
import type { Approval } from './policy/approval.js';
import type { Approvals } from './policy/approvals.js';
import type { PolicyEngine } from './policy/policy-engine.js';
import type { Judgement } from './policy/rule-set.js';
import type { Refusal, Route } from './router.js';
import type { ServedSession } from './served-session.js';

/** Milliseconds that a request has to leave for a decision: nobody decides faster. */
const LEAST_TIME = 1_000;

/** What stands between the messages of a server and their handlers. */
export interface Gate {
  readonly policy: PolicyEngine;
  readonly approvals: Approvals;
}

/** How admission speaks to serving. */
export interface AdmissionOwner {
  /** A message will not run. `isRecorded`: the audit knows. */
  refuse(message: Message, refusal: Refusal, isRecorded: boolean): void;
  /** Tells a requester that its request waits. */
  tell(result: Outgoing, request: Message): void;
  /** A message was approved: it goes on its way again. */
  resume(message: Message, session: ServedSession, approval: Approval): void;
}

/** The policy in the way of one endpoint's messages. */
export class Admission {
  readonly #gate: Gate;
  readonly #audit: EndpointAudit;
  readonly #owner: AdmissionOwner;
  /** Of each priority, the last message that waits for a record; those behind it wait too, so that their order stays. */
  readonly #last: [Last, Last, Last, Last] = [undefined, undefined, undefined, undefined];

  constructor(gate: Gate, audit: EndpointAudit, owner: AdmissionOwner) {
    this.#gate = gate;
    this.#audit = audit;
    this.#owner = owner;
  }

  /**
   * Decides about a message whose handler could run now. True: let it. False: not now, or not at all, and everybody has been told. A promise:
   * when it resolves; when it rejects, not at all, and its reason is the refusal.
   *
   * @param approval - an operator's word, when the message comes for the second time
   */
  admit(
    message: Message,
    session: ServedSession,
    approval: Approval | undefined,
    route: Route,
  ): boolean | Promise<void> {
    const judgement = this.#gate.policy.judgeMessage(message, session.peer.capabilities);
    if (judgement.verdict === 'deny') return this.#deny(message, makeError(judgement.code, judgement.reason), approval);
    if (judgement.verdict === 'confirm' && approval === undefined) return this.#park(message, session, judgement);
    const fault = approval?.redeem(messageDigest(message));
    if (fault !== undefined) return this.#deny(message, makeError('EIPC_NOT_APPROVED', fault), approval);
    if (!judgement.isRecorded) {
      this.#audit.allowed(message, route);
      return this.#inOrder(message, undefined);
    }
    const how = approval === undefined ? '' : `; approved by '${approval.by}' as ${approval.id}`;
    return this.#inOrder(message, this.#audit.permit(message, `${judgement.reason}${how}`));
  }

  /** Says why a message that was admitted may not run any more; undefined when it may. Rights and rules change while records are written. */
  objection(message: Message, session: ServedSession, approval: Approval | undefined): Refusal | undefined {
    const { verdict, code, reason } = this.#gate.policy.judgeMessage(message, session.peer.capabilities);
    const isAllowed = verdict === 'allow' || (verdict === 'confirm' && approval !== undefined);
    return isAllowed ? undefined : { outcome: 'denied', error: makeError(code, `${reason}, since a moment ago`) };
  }

  /** Takes away what waits for an operator: its session is over. */
  withdraw(session: ServedSession, reason: EipcError): void {
    for (const parked of session.parked)
      this.#gate.approvals.withdraw(
        parked,
        makeError('EIPC_NOT_APPROVED', `the session ended: ${reason.message}`),
        'denied',
      );
  }

  /** Lets a message wait for its record and for those before it; true when there is nothing to wait for. */
  #inOrder({ priority }: Message, recorded: Promise<void> | undefined): true | Promise<void> {
    const before = this.#last[priority];
    if (before === undefined && recorded === undefined) return true;
    const ready = Promise.all([before, recorded]).then(nothing);
    // A message that is refused holds up those behind it no longer than those before it do.
    const last = ready.then(nothing, () => before);
    this.#last[priority] = last;
    void last.then(() => {
      if (this.#last[priority] === last) this.#last[priority] = undefined;
    });
    return ready;
  }

  #deny(message: Message, error: EipcError, approval?: Approval): false {
    approval?.fail(error);
    this.#owner.refuse(message, { outcome: 'denied', error }, false);
    return false;
  }

  #park(received: Message, session: ServedSession, { rule, reason }: Judgement): false {
    // What waited for a slot may be handled after its session; nobody is asked for a requester that is gone.
    if (session.end !== undefined)
      return this.#deny(
        received,
        makeError('EIPC_NOT_APPROVED', `${reason}, and the session of its requester is over`),
      );
    const left = timeLeft(received);
    if (left !== undefined && left < LEAST_TIME) {
      const text = `${reason}, and the request leaves ${Math.max(0, Math.round(left))} ms for a decision: give it a longer timeout`;
      return this.#deny(received, makeError('EIPC_NOT_APPROVED', text));
    }
    // It may wait for long: the slab that it came in is not kept for it, nor a payload that somebody else has seen.
    const message = received.copy();
    const { asked, action } = this.#gate.policy.namesOf(message);
    const petition = {
      message,
      peer: session.peer.serviceId,
      asked,
      action,
      description: rule?.description ?? '',
      left,
    };
    const parked = this.#gate.approvals.park(petition, {
      approved: (approval) => {
        leave();
        this.#owner.resume(message, session, approval);
      },
      refused: (error, outcome) => {
        leave();
        this.#audit.decided(message, 'deny', `${error.code}: ${error.message}`);
        this.#owner.refuse(message, { outcome, error }, true);
      },
    });
    if (parked === undefined)
      return this.#deny(received, makeError('EIPC_BACKPRESSURE', 'as many requests wait for an operator as may'));
    const { id, time } = parked.request;
    const leave = (): void => {
      session.parked.delete(parked);
      session.ids.delete(message.requestId);
    };
    session.parked.add(parked);
    if (message.requestId !== '') session.ids.add(message.requestId);
    this.#audit.decided(message, 'confirm', `waits for an operator as ${id} for ${Math.round(time)} ms: ${reason}`);
    const { requestId, priority } = message;
    const payload = {
      request_id: requestId,
      allowed: false,
      pending: true,
      action,
      reason: 'an operator has to approve it',
      approval: id,
      expires_ms: Math.floor(time),
    };
    this.#owner.tell({ type: 'policy_result', payload, payloadFormat: 'json', requestId, priority }, message);
    return false;
  }
}

type Last = Promise<void> | undefined;

/** Milliseconds until the deadline that a message names; undefined when it names none. */
function timeLeft(message: Message): number | undefined {
  return message.maxAge === 0 ? undefined : Math.min(message.maxAge, message.sentAt() + message.maxAge - Date.now());
}

function nothing(): void {}
