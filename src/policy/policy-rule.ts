/**
 * One rule of a policy: what it says, and whether it says something. The same checks hold for rules of a file and of a program.
 */
import { inspect } from 'node:util';

/**
 * How much an action matters. `safe`: it is allowed at once. `controlled`: it is recorded durably before it takes effect. `restricted`: the
 * same, and a person decides each time.
 */
export type PolicyClass = 'safe' | 'controlled' | 'restricted';

/** What a policy says. `confirm`: not before an operator approved this very request. */
export type PolicyVerdict = 'allow' | 'deny' | 'confirm';

/** A rule as it is written. */
export interface PolicyRule {
  /** An action such as `motor.move`; all that begin alike, such as `motor.*` or `device:*`; or `*` for everything. The most precise rule counts. */
  readonly action: string;
  readonly class: PolicyClass;
  /** Default: `confirm` for `restricted`, otherwise `allow`. A restricted action is never simply allowed. */
  readonly verdict?: PolicyVerdict;
  /** What the peer must hold for it, and claim if it claims anything. */
  readonly capability?: string;
  /** What it does, for the operator who is asked: up to 256 characters. */
  readonly description?: string;
}

/** A rule with everything filled in. Frozen. */
export type CheckedRule = PolicyRule & { readonly verdict: PolicyVerdict };

const CLASSES: readonly PolicyClass[] = ['safe', 'controlled', 'restricted'];
const VERDICTS: readonly PolicyVerdict[] = ['allow', 'deny', 'confirm'];
export const RULE_KEYS: readonly string[] = ['action', 'class', 'verdict', 'capability', 'description'];
/** Characters of an action, or of an alias. */
const MAX_NAME = 128;
const MAX_DESCRIPTION = 256;
const NAME = /^[A-Za-z0-9_-]+(?:[.:][A-Za-z0-9_-]+)*$/;
const PATTERN = /^(?:\*|[A-Za-z0-9_-]+(?:[.:][A-Za-z0-9_-]+)*(?:[.:]\*)?)$/;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Tells whether a text is a name of an action: words of letters, digits, `_` and `-`, joined by dots or colons. */
export function isActionName(text: string): boolean {
  return text.length <= MAX_NAME && NAME.test(text);
}

/** What is wrong with a rule, and with which of its keys. */
export interface RuleFault {
  readonly key: string;
  readonly text: string;
}

/** Finds the first fault of a rule. Its keys are known to be keys of rules. */
export function ruleFault(rule: Readonly<Record<string, unknown>>): RuleFault | undefined {
  const { action, class: kind, verdict, capability, description } = rule;
  if (typeof action !== 'string' || action.length > MAX_NAME || !PATTERN.test(action))
    return fault(
      'action',
      `action is ${inspect(action)}; it must be a name such as motor.move, a beginning such as motor.* or device:*, or *, of up to ${MAX_NAME} characters`,
    );
  if (!isOneOf(CLASSES, kind))
    return fault('class', `class is ${inspect(kind)}; it must be one of ${CLASSES.join(', ')}`);
  if (verdict !== undefined && !isOneOf(VERDICTS, verdict))
    return fault('verdict', `verdict is ${inspect(verdict)}; it must be one of ${VERDICTS.join(', ')}`);
  if (kind === 'restricted' && verdict === 'allow')
    return fault(
      'verdict',
      `'${action}' is restricted and its verdict is allow; a restricted action takes confirm or deny. To allow it without an operator say class controlled`,
    );
  if (capability !== undefined && !isText(capability, MAX_NAME))
    return fault(
      'capability',
      `capability is ${inspect(capability)}; it must be text of 1 to ${MAX_NAME} characters without control characters`,
    );
  if (description !== undefined && !isText(description, MAX_DESCRIPTION))
    return fault(
      'description',
      `description is ${inspect(description)}; it must be text of 1 to ${MAX_DESCRIPTION} characters without control characters`,
    );
  return undefined;
}

/** Finds what is wrong with an alias: another name by which an action is asked for. */
export function aliasFault(name: string, action: unknown): string | undefined {
  if (!isText(name, MAX_NAME))
    return `the alias ${inspect(name)} must be text of 1 to ${MAX_NAME} characters without control characters`;
  if (typeof action !== 'string' || !isActionName(action))
    return `the alias ${inspect(name)} stands for ${inspect(action)}; it must stand for the name of an action, such as motor.move`;
  return undefined;
}

/** Fills in what a rule without faults leaves open. */
export function checkedRule(rule: PolicyRule): CheckedRule {
  return Object.freeze({ ...rule, verdict: rule.verdict ?? (rule.class === 'restricted' ? 'confirm' : 'allow') });
}

function fault(key: string, text: string): RuleFault {
  return { key, text };
}

function isOneOf<T extends string>(values: readonly T[], value: unknown): value is T {
  return (values as readonly unknown[]).includes(value);
}

function isText(value: unknown, most: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= most && !CONTROL.test(value);
}
