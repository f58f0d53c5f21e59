/**
 * The policy of a server: which action is allowed, denied, or for an operator to decide. Rules come from a file, from the program, or from
 * the original's defaults. Each change makes a new set of rules, so that a message is judged by one policy or by the other, never by half of
 * both.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { inspect } from 'node:util';

import { actionOf, hasAction } from '../action.js';
import type { AuditSink } from '../audit-sink.js';
import { auditSink, checkNames, flag } from '../check.js';
import { makeError, nativeError } from '../errors.js';
import type { EipcError } from '../errors.js';
import type { Message } from '../message.js';
import type { PolicyText } from './policy-file.js';
import { aliasFault, checkedRule, RULE_KEYS, ruleFault } from './policy-rule.js';
import type { CheckedRule, PolicyClass, PolicyRule, PolicyVerdict } from './policy-rule.js';
import { RuleSet } from './rule-set.js';
import type { Judgement } from './rule-set.js';
import { SAFE_ALIASES, SAFE_RULES } from './safe-defaults.js';

/** Bytes of a policy file at most. */
const MAX_FILE = 1_048_576;
const WRITABLE_BY_OTHERS = 0o022;

/** Options of `new PolicyEngine`. */
export interface PolicyEngineOptions {
  /** Whether an action without a rule is denied. Default true. Otherwise it is allowed, and recorded before it takes effect. */
  readonly defaultDeny?: boolean;
  /** Other names of actions: `{ move_left: 'ui.cursor.move' }`. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** Where changes of the file are recorded, and what servers decide by this policy that have no audit of their own. */
  readonly audit?: AuditSink;
}

/** Options of `PolicyEngine.load`. */
export type PolicyLoadOptions = Pick<PolicyEngineOptions, 'audit'>;

/** What a policy says about an action. Frozen. */
export interface PolicyDecision {
  /** The action, as the policy calls it; empty when nothing was named. */
  readonly action: string;
  readonly verdict: PolicyVerdict;
  /** How much the action matters; absent when no rule says so. */
  readonly class?: PolicyClass;
  /** The rule it falls under; absent when there is none. */
  readonly rule?: CheckedRule;
  /** Why. */
  readonly reason: string;
}

/** What messages are that ask for nothing: telemetry, heartbeats, results. */
const NO_ACTION: Judgement = Object.freeze({
  verdict: 'allow',
  isRecorded: false,
  rule: undefined,
  code: 'EIPC_POLICY',
  reason: 'it asks for nothing',
});

/** Judges actions by rules. */
export class PolicyEngine {
  /** The file it was loaded from; absent when it was made by the program. */
  readonly path?: string;
  /** Where its changes are recorded, and what servers decide by it that have no audit of their own. */
  readonly audit: AuditSink | undefined;
  readonly #defaultDeny: boolean;
  #set: RuleSet;
  #reloading: Promise<void> = Promise.resolve();

  /**
   * Makes a policy without rules: it denies everything.
   *
   * @throws TypeError or RangeError for a wrong option
   *
   * @example
   * const policy = new PolicyEngine({ aliases: { move_left: 'ui.cursor.move' } }).loadSafeDefaults();
   * policy.addRule({ action: 'arm.*', class: 'controlled', capability: 'device:write', description: 'moves the arm' });
   */
  constructor(options: PolicyEngineOptions = {}) {
    checkNames(options, ['defaultDeny', 'aliases', 'audit'], 'PolicyEngine');
    this.audit = auditSink(options.audit);
    const { defaultDeny } = options;
    this.#defaultDeny = defaultDeny === undefined ? true : flag('defaultDeny', defaultDeny);
    this.#set = new RuleSet([], checkedAliases(options.aliases ?? {}), this.#defaultDeny);
  }

  /**
   * Reads a policy from a file, of YAML or JSON (docs/policy.md).
   *
   * @throws rejects with PolicyError `EIPC_POLICY_FILE`, which names the line and the column and says what would be right, or says why the file
   * cannot be read or trusted
   *
   * @example
   * const policy = await PolicyEngine.load('/etc/eai/policy.yaml', { audit });
   * process.on('SIGHUP', () => void policy.reload().catch((error) => console.error(error.message)));
   */
  static async load(path: string, options: PolicyLoadOptions = {}): Promise<PolicyEngine> {
    if (typeof path !== 'string' || path === '') throw new TypeError(`path must be a file name, not ${inspect(path)}`);
    checkNames(options, ['audit'], 'PolicyEngine.load');
    const engine = new PolicyEngine(options);
    Object.defineProperty(engine, 'path', { value: path, enumerable: true });
    await engine.reload();
    return engine;
  }

  /**
   * Reads its file again and takes its rules in the place of all there are. Messages that come meanwhile are judged by the old ones; requests
   * that wait for an operator are judged again when one approves them.
   *
   * @throws TypeError when it has no file; rejects as `load` does, or with `EIPC_AUDIT` when the change cannot be recorded: then the policy so
   * far stays in force, as it was
   */
  async reload(): Promise<void> {
    const { path } = this;
    if (path === undefined) throw new TypeError('this policy was made by the program and has no file to be read again');
    // One after the other, so that what was written last is what is in force.
    const turn = this.#reloading.then(() => this.#reload(path));
    this.#reloading = turn.catch(() => undefined);
    await turn;
  }

  async #reload(path: string): Promise<void> {
    let read;
    try {
      read = await readPolicy(path);
    } catch (error) {
      const fault = nativeFault(error, path);
      // What is not taken changes nothing, so that nothing waits for its record.
      await this.audit?.log(entry('deny', fault.message)).catch(() => undefined);
      throw fault;
    }
    const { text, digest } = read;
    const set = new RuleSet(text.rules, text.aliases, this.#defaultDeny);
    try {
      await this.audit?.log(
        entry('note', `${text.rules.length} rules, ${text.aliases.size} aliases from ${path}`, digest),
      );
    } catch (cause) {
      throw makeError('EIPC_AUDIT', `the policy of ${path} is not taken: that could not be recorded`, { cause });
    }
    this.#set = set;
  }

  /**
   * Adds a rule.
   *
   * @throws TypeError for what is no rule, RangeError naming what is wrong with it, or when its action has one already
   */
  addRule(rule: PolicyRule): this {
    checkNames(rule, RULE_KEYS, 'a rule');
    const fault = ruleFault({ ...rule });
    if (fault !== undefined) throw new RangeError(fault.text);
    const { rules, aliases } = this.#set;
    if (rules.some(({ action }) => action === rule.action))
      throw new RangeError(`'${rule.action}' has a rule already; remove it first`);
    const real = aliases.get(rule.action);
    if (real !== undefined)
      throw new RangeError(
        `'${rule.action}' is an alias of '${real}', so this rule would never count; add it for '${real}'`,
      );
    this.#set = new RuleSet([...rules, checkedRule(rule)], aliases, this.#defaultDeny);
    return this;
  }

  /** Removes the rule that was written with this action. Returns whether there was one. */
  removeRule(action: string): boolean {
    const { rules, aliases } = this.#set;
    const left = rules.filter((rule) => rule.action !== action);
    if (left.length === rules.length) return false;
    this.#set = new RuleSet(left, aliases, this.#defaultDeny);
    return true;
  }

  /** Returns the rules, in the order they were added. */
  listRules(): readonly CheckedRule[] {
    return this.#set.rules;
  }

  /**
   * Adds the original's rules and, as aliases, its dotted names, where there is none for the same action: seven safe actions, five
   * controlled ones for `device:write`, five restricted ones for `system:restricted` (docs/policy.md, "Defaults").
   */
  loadSafeDefaults(): this {
    const { rules, aliases } = this.#set;
    const known = new Set(rules.map(({ action }) => action));
    const added = SAFE_RULES.filter(({ action }) => !known.has(action) && !aliases.has(action)).map(checkedRule);
    const names = new Map([...Object.entries(SAFE_ALIASES).filter(([name]) => !known.has(name)), ...aliases]);
    this.#set = new RuleSet([...rules, ...added], names, this.#defaultDeny);
    return this;
  }

  /**
   * Says what holds for an action. Records nothing and asks nobody.
   *
   * @param capabilities - what the peer was granted
   * @param claim - the capability that the message claims; empty when it claims none
   */
  evaluate(action: string, capabilities: Iterable<string>, claim = ''): PolicyDecision {
    if (typeof action !== 'string') throw new TypeError(`action must be a string, not ${inspect(action)}`);
    if (typeof claim !== 'string') throw new TypeError(`claim must be a string, not ${inspect(claim)}`);
    return decision(this.#set.judge(action, granted(capabilities), claim), this.#set.nameOf(action));
  }

  /** Says what holds for a message: its action is what its payload says (docs/policy.md, "The action of a message"). */
  evaluateMessage(message: Message, capabilities: Iterable<string>): PolicyDecision {
    return decision(this.judgeMessage(message, granted(capabilities)), this.namesOf(message).action);
  }

  /**
   * Judges a message on its way. Allocates nothing.
   *
   * @internal
   */
  judgeMessage(message: Message, capabilities: ReadonlySet<string>): Judgement {
    if (!hasAction(message.type)) return NO_ACTION;
    return this.#set.judge(actionOf(message), capabilities, message.capability);
  }

  /**
   * Returns what a message asks for, in its words and in those of the policy.
   *
   * @internal
   */
  namesOf(message: Message): { readonly asked: string; readonly action: string } {
    const asked = actionOf(message) ?? '';
    return { asked, action: this.#set.nameOf(asked) };
  }
}

function decision({ verdict, rule, reason }: Judgement, action: string): PolicyDecision {
  return Object.freeze({ action, verdict, ...(rule === undefined ? {} : { class: rule.class, rule }), reason });
}

function granted(capabilities: Iterable<string>): ReadonlySet<string> {
  return capabilities instanceof Set ? capabilities : new Set(capabilities);
}

function checkedAliases(aliases: Readonly<Record<string, string>>): Map<string, string> {
  if (typeof aliases !== 'object' || aliases === null)
    throw new TypeError(`aliases must be an object, not ${inspect(aliases)}`);
  const checked = new Map<string, string>();
  for (const [name, action] of Object.entries(aliases)) {
    const fault = aliasFault(name, action);
    if (fault !== undefined) throw new RangeError(fault);
    if (Object.hasOwn(aliases, action))
      throw new RangeError(
        `the alias ${inspect(name)} stands for '${action}', which is an alias itself; name the action`,
      );
    checked.set(name, action);
  }
  return checked;
}

function entry(decided: 'deny' | 'note', result: string, frame?: string): Parameters<AuditSink['log']>[0] {
  return { peer: '', action: 'policy.reload', decision: decided, result, ...(frame === undefined ? {} : { frame }) };
}

/** Reads and parses a file. What decides on motors is nobody's to change but its owner's and root's. */
async function readPolicy(path: string): Promise<{ text: PolicyText; digest: string }> {
  // A pipe that lies there keeps nobody waiting.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  let bytes;
  try {
    const status = await file.stat();
    const fault = !status.isFile()
      ? 'it is not a regular file'
      : process.platform !== 'win32' && (status.mode & WRITABLE_BY_OTHERS) !== 0
        ? `others may write to it; run \`chmod go-w ${path}\``
        : process.getuid !== undefined && status.uid !== process.getuid() && status.uid !== 0
          ? `it belongs to uid ${status.uid}, neither to this user (${process.getuid()}) nor to root`
          : status.size > MAX_FILE
            ? `it has ${status.size} bytes; at most ${MAX_FILE} are read`
            : undefined;
    if (fault !== undefined) throw makeError('EIPC_POLICY_FILE', `${path} is no policy that can be trusted: ${fault}`);
    bytes = await file.readFile();
  } finally {
    await file.close();
  }
  // Loaded with the first file: what reads YAML takes as long to load as a third of the library.
  const { parsePolicy } = await import('./policy-file.js');
  return { text: parsePolicy(textOf(bytes, path), path), digest: createHash('sha256').update(bytes).digest('hex') };
}

function textOf(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw makeError('EIPC_POLICY_FILE', `${path}:1:1: this is not UTF-8; save it as UTF-8`, { cause });
  }
}

function nativeFault(error: unknown, path: string): EipcError {
  const fault = nativeError(error, `the policy ${path} cannot be read`);
  return fault.code === 'EIPC_POLICY_FILE'
    ? (error as EipcError)
    : makeError('EIPC_POLICY_FILE', fault.message, { cause: error });
}
