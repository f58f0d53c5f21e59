/**
 * The options `audit` and `policy` of a server, checked.
 */
import { inspect } from 'node:util';

import type { AuditSink } from './audit-sink.js';
import { auditSink } from './check.js';
import type { ListenOptions } from './options.js';
import { PolicyEngine } from './policy/policy-engine.js';
import type { Router } from './router.js';

/** What a server records, and by which policy it decides. */
export interface PolicySettings {
  readonly audit: AuditSink | undefined;
  /** Present only with `audit` and a router. */
  readonly policy: PolicyEngine | undefined;
}

/** Checks a policy, and that it stands in the way of everything: with what is not routed, or not recorded, it would only seem to. */
export function policySettings({ audit, policy }: ListenOptions, router: Router | null): PolicySettings {
  const own = auditSink(audit);
  if (policy === undefined) return { audit: own, policy };
  if (!(policy instanceof PolicyEngine))
    throw new TypeError(`policy must be a PolicyEngine, not ${inspect(policy, { depth: 0 })}`);
  const sink = own ?? policy.audit;
  if (sink === undefined)
    throw new TypeError(
      'policy needs an audit, because controlled and restricted actions are recorded before they take effect: give `audit: await AuditLogger.open(path)`',
    );
  if (router === null)
    throw new TypeError('policy stands before the handlers of a router, and router is null: leave one of the two out');
  return { audit: sink, policy };
}
