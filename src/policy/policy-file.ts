/**
 * A policy file as text: YAML, of which JSON is a part, read node by node, so that each fault has its line. Nothing of YAML is taken that
 * makes a file mean something else than it looks like: no tags, no references, no second document, no key twice.
 */
import { inspect } from 'node:util';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Document, Node, YAMLMap } from 'yaml';

import { makeError } from '../errors.js';
import type { EipcError } from '../errors.js';
import { aliasFault, checkedRule, RULE_KEYS, ruleFault } from './policy-rule.js';
import type { CheckedRule, PolicyRule } from './policy-rule.js';

/** What a file says. */
export interface PolicyText {
  readonly rules: readonly CheckedRule[];
  readonly aliases: ReadonlyMap<string, string>;
}

const VERSION = 1;
const KEYS: readonly string[] = ['version', 'aliases', 'rules'];
/** Rules and aliases at most, each: far above what people can oversee. */
const MAX_ENTRIES = 4_096;

/**
 * Reads a policy.
 *
 * @param name - of the file, for errors
 * @throws PolicyError `EIPC_POLICY_FILE` with the line and column of the first fault, and what would be right
 */
export function parsePolicy(text: string, name: string): PolicyText {
  return new PolicyReader(text, name).read();
}

/** Characters of a fault, and those of the file that a terminal would obey or show as something else. */
const MAX_FAULT = 512;
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]/gu;

/** One reading of one file. */
class PolicyReader {
  readonly #name: string;
  readonly #lines = new LineCounter();
  readonly #document: Document.Parsed;

  constructor(text: string, name: string) {
    this.#name = name;
    try {
      this.#document = parseDocument(text, {
        version: '1.2',
        schema: 'core',
        uniqueKeys: false,
        lineCounter: this.#lines,
      });
    } catch (cause) {
      // Nested deeper than its parser goes.
      throw makeError('EIPC_POLICY_FILE', `${name}:1:1: this cannot be read as YAML or JSON: ${String(cause)}`, {
        cause,
      });
    }
  }

  read(): PolicyText {
    const { errors, warnings, contents } = this.#document;
    const [flaw] = [...errors, ...warnings];
    if (flaw !== undefined) throw this.#fault(flaw.pos[0], firstLine(flaw.message));
    if (!isMap(contents))
      throw this.#fault(
        contents?.range?.[0] ?? 0,
        `a policy is a map with ${KEYS.join(', ')}, not ${kindOf(contents)}`,
      );
    const top = this.#entries(contents, 'a policy', KEYS);
    const version = top.get('version');
    if (version === undefined) throw this.#at(contents, `version is missing; begin with \`version: ${VERSION}\``);
    if (this.#scalar(version, 'version') !== VERSION)
      throw this.#at(version, `version is ${this.#shown(version)}; this build reads version ${VERSION}`);
    const aliases = this.#aliases(top.get('aliases'));
    return { rules: this.#rules(top.get('rules'), aliases), aliases };
  }

  #aliases(node: Node | null | undefined): Map<string, string> {
    const aliases = new Map<string, string>();
    if (node === undefined) return aliases;
    if (!isMap(node)) throw this.#at(node, `aliases must be a map of other names to actions, not ${kindOf(node)}`);
    this.#checkCount(node, node.items.length, 'aliases');
    const entries = this.#entries(node, 'aliases', undefined);
    for (const [alias, value] of entries) {
      const action = this.#scalar(value, `the alias ${inspect(alias)}`);
      const fault = aliasFault(alias, action);
      if (fault !== undefined) throw this.#at(value, fault);
      if (entries.has(String(action)))
        throw this.#at(
          value,
          `the alias ${inspect(alias)} stands for '${String(action)}', which is an alias itself; name the action`,
        );
      aliases.set(alias, String(action));
    }
    return aliases;
  }

  #rules(node: Node | null | undefined, aliases: ReadonlyMap<string, string>): CheckedRule[] {
    if (node === undefined)
      throw this.#at(this.#document.contents, 'rules are missing; without any, `rules: []` denies everything');
    if (!isSeq(node)) throw this.#at(node, `rules must be a list, not ${kindOf(node)}`);
    this.#checkCount(node, node.items.length, 'rules');
    const lines = new Map<string, number>();
    return node.items.map((item) => {
      if (!isMap(item))
        throw this.#at(item as Node | null, `a rule must be a map with action and class, not ${kindOf(item)}`);
      const values: Record<string, unknown> = {};
      const nodes = this.#entries(item, 'a rule', RULE_KEYS);
      for (const [key, value] of nodes) values[key] = this.#scalar(value, key);
      const fault = ruleFault(values);
      if (fault !== undefined) throw this.#at(nodes.get(fault.key) ?? item, fault.text);
      const rule = checkedRule(values as unknown as PolicyRule);
      const before = lines.get(rule.action);
      if (before !== undefined)
        throw this.#at(nodes.get('action'), `'${rule.action}' has a rule in line ${before} already; an action has one`);
      const real = aliases.get(rule.action);
      if (real !== undefined)
        throw this.#at(
          nodes.get('action'),
          `'${rule.action}' is an alias of '${real}', so this rule would never count; write it for '${real}'`,
        );
      lines.set(rule.action, this.#lines.linePos(item.range?.[0] ?? 0).line);
      return rule;
    });
  }

  /** Returns the entries of a map, whose keys are texts, and known where `known` says which there are. */
  #entries(map: YAMLMap, what: string, known: readonly string[] | undefined): Map<string, Node | null> {
    const entries = new Map<string, Node | null>();
    this.#refuseTag(map);
    for (const { key, value } of map.items) {
      const name = this.#scalar(key as Node | null, `a key of ${what}`);
      if (typeof name !== 'string')
        throw this.#at(key as Node | null, `a key of ${what} must be text, not ${inspect(name)}`);
      if (known !== undefined && !known.includes(name))
        throw this.#at(key as Node | null, `${what} has no ${inspect(name)}; it has ${known.join(', ')}`);
      if (entries.has(name)) throw this.#at(key as Node | null, `${what} has ${inspect(name)} twice; leave one out`);
      entries.set(name, value as Node | null);
    }
    return entries;
  }

  #scalar(node: Node | null | undefined, what: string): unknown {
    if (isAlias(node)) throw this.#at(node, `${what} refers to something else; write it out`);
    if (!isScalar(node)) throw this.#at(node, `${what} must be a single value, not ${kindOf(node)}`);
    this.#refuseTag(node);
    return node.value;
  }

  #refuseTag(node: Node): void {
    if (node.tag !== undefined) throw this.#at(node, `a policy has no tags; leave out ${inspect(node.tag)}`);
  }

  #checkCount(node: Node, count: number, what: string): void {
    if (count > MAX_ENTRIES) throw this.#at(node, `there are ${count} ${what}; at most ${MAX_ENTRIES} are taken`);
  }

  #shown(node: Node | null): string {
    return inspect(isScalar(node) ? node.value : kindOf(node));
  }

  #at(node: Node | null | undefined, text: string): EipcError {
    return this.#fault(node?.range?.[0] ?? 0, text);
  }

  #fault(offset: number, text: string): EipcError {
    const { line, col } = this.#lines.linePos(offset);
    const shown = text.slice(0, MAX_FAULT).replace(UNSAFE, (one) => `\\u{${one.codePointAt(0)?.toString(16)}}`);
    return makeError('EIPC_POLICY_FILE', `${this.#name}:${Math.max(1, line)}:${Math.max(1, col)}: ${shown}`);
  }
}

function kindOf(node: unknown): string {
  if (isMap(node)) return 'a map';
  if (isSeq(node)) return 'a list';
  if (isAlias(node)) return 'a reference';
  if (isScalar(node)) return node.value === null ? 'nothing' : inspect(node.value);
  return 'nothing';
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? '';
}
