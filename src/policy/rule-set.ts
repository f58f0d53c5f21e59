/**
 * The rules of a policy, made ready to be asked: which rule an action falls under, and what it means for what a peer holds. Everything that
 * can be answered is made beforehand, so that a judgement allocates nothing. Immutable: a changed policy is another set.
 */
import type { CheckedRule, PolicyVerdict } from './policy-rule.js';
import { isActionName } from './policy-rule.js';

/** What a policy says about one message. */
export interface Judgement {
  readonly verdict: PolicyVerdict;
  /** Whether it has to be durable in the audit before it takes effect. */
  readonly isRecorded: boolean;
  /** The rule it falls under; undefined where there is none. */
  readonly rule: CheckedRule | undefined;
  /** For a denial: the right is missing, or the policy says no. */
  readonly code: 'EIPC_CAPABILITY' | 'EIPC_POLICY';
  /** Why, for the audit and for whoever wrote the policy. Nothing of the message is in it. */
  readonly reason: string;
}

/** What follows from one rule. */
interface Ruling {
  readonly rule: CheckedRule;
  /** For who holds what the rule asks for. */
  readonly held: Judgement;
  /** For who does not. */
  readonly lacking: Judgement;
}

const UNHELD_CLAIM: Judgement = denial(
  undefined,
  'EIPC_CAPABILITY',
  'the peer claims a capability that it does not hold',
);
const NAMELESS: Judgement = denial(undefined, 'EIPC_POLICY', 'it names no action');
const UNKNOWN: Judgement = denial(undefined, 'EIPC_POLICY', 'no rule allows it');
const UNKNOWN_ALLOWED: Judgement = Object.freeze({
  verdict: 'allow',
  isRecorded: true,
  rule: undefined,
  code: 'EIPC_POLICY',
  reason: 'no rule denies it',
});

/** Rules and aliases. */
export class RuleSet {
  readonly rules: readonly CheckedRule[];
  readonly aliases: ReadonlyMap<string, string>;
  readonly #exact = new Map<string, Ruling>();
  /** Rules for beginnings, the longest first; the last may be that for everything, whose beginning is empty. */
  readonly #prefixes: { readonly prefix: string; readonly ruling: Ruling }[] = [];
  readonly #unknown: Judgement;

  /** @param rules - checked, and each for another action */
  constructor(rules: readonly CheckedRule[], aliases: ReadonlyMap<string, string>, defaultDeny: boolean) {
    this.rules = Object.freeze([...rules]);
    this.aliases = aliases;
    this.#unknown = defaultDeny ? UNKNOWN : UNKNOWN_ALLOWED;
    for (const rule of rules) {
      if (rule.action.endsWith('*')) this.#prefixes.push({ prefix: rule.action.slice(0, -1), ruling: rulingOf(rule) });
      else this.#exact.set(rule.action, rulingOf(rule));
    }
    this.#prefixes.sort((one, other) => other.prefix.length - one.prefix.length);
  }

  /** Returns what an action is called here. */
  nameOf(action: string): string {
    return this.aliases.get(action) ?? action;
  }

  /**
   * Judges an action.
   *
   * @param action - as it was asked for; undefined when nothing was named
   * @param granted - what the peer holds
   * @param claim - what the message claims; empty when it claims nothing
   */
  judge(action: string | undefined, granted: ReadonlySet<string>, claim: string): Judgement {
    // A claim narrows what is granted to itself, and one that is not granted is a denial (docs/policy.md, "Rights").
    if (claim !== '' && !granted.has(claim)) return UNHELD_CLAIM;
    if (action === undefined) return NAMELESS;
    const name = this.nameOf(action);
    const ruling = this.#exact.get(name) ?? this.#beginning(name);
    // What is no name is denied whatever the default: `ui.*` does not allow, and `*` not miss, what only looks like an action.
    if (ruling === undefined) return isActionName(name) ? this.#unknown : NAMELESS;
    const { capability } = ruling.rule;
    const isHeld = capability === undefined || (granted.has(capability) && (claim === '' || claim === capability));
    return isHeld ? ruling.held : ruling.lacking;
  }

  /** Finds the rule for the longest beginning of a name. */
  #beginning(name: string): Ruling | undefined {
    if (this.#prefixes.length === 0 || !isActionName(name)) return undefined;
    for (const { prefix, ruling } of this.#prefixes) if (name.startsWith(prefix)) return ruling;
    return undefined;
  }
}

function rulingOf(rule: CheckedRule): Ruling {
  const { action, class: kind, verdict, capability } = rule;
  const lacking = denial(rule, 'EIPC_CAPABILITY', `the rule '${action}' asks for the capability '${capability}'`);
  if (verdict === 'deny') {
    const denied = denial(rule, 'EIPC_POLICY', `the rule '${action}' denies it`);
    return { rule, held: denied, lacking: denied };
  }
  const isRecorded = kind !== 'safe' || verdict === 'confirm';
  const reason = verdict === 'allow' ? `${kind}, by the rule '${action}'` : `the rule '${action}' asks for an operator`;
  return { rule, held: Object.freeze({ verdict, isRecorded, rule, code: 'EIPC_POLICY', reason }), lacking };
}

function denial(rule: CheckedRule | undefined, code: Judgement['code'], reason: string): Judgement {
  return Object.freeze({ verdict: 'deny', isRecorded: false, rule, code, reason });
}
