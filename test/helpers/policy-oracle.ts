/**
 * What a policy has to say, written from docs/policy.md for the tests, without a line of the engine: slow, and plain enough to be read.
 */

/** A policy as a table. */
export interface OraclePolicy {
  readonly rules: readonly {
    readonly action: string;
    readonly class: 'safe' | 'controlled' | 'restricted';
    readonly verdict?: 'allow' | 'deny' | 'confirm';
    readonly capability?: string;
  }[];
  readonly aliases: Readonly<Record<string, string>>;
  readonly defaultDeny: boolean;
}

/** What becomes of a request: `no right` and `no` are two kinds of denial. */
export type OracleVerdict = 'allow' | 'confirm' | 'no right' | 'no';

/** Says what becomes of an action that a peer with these capabilities asks for, with this claim. */
export function oracle(
  policy: OraclePolicy,
  capabilities: readonly string[],
  action: string,
  claim: string,
): OracleVerdict {
  // Whoever claims what it has not is refused before anything else.
  if (claim && !capabilities.includes(claim)) return 'no right';
  let name = action;
  for (const [other, real] of Object.entries(policy.aliases)) if (other === action) name = real;
  let best: OraclePolicy['rules'][number] | undefined;
  for (const rule of policy.rules) {
    if (!covers(rule.action, name)) continue;
    if (best === undefined || precision(rule.action) > precision(best.action)) best = rule;
  }
  if (best === undefined) return policy.defaultDeny || !isName(name) ? 'no' : 'allow';
  if (best.verdict === 'deny') return 'no';
  // Effective rights: all that was granted, or of that the one that is claimed.
  const effective = claim ? capabilities.filter((one) => one === claim) : capabilities;
  if (best.capability && !effective.includes(best.capability)) return 'no right';
  return best.verdict ?? (best.class === 'restricted' ? 'confirm' : 'allow');
}

function covers(pattern: string, name: string): boolean {
  if (pattern === '*') return isName(name);
  if (pattern.charAt(pattern.length - 1) !== '*') return pattern === name;
  const beginning = pattern.substring(0, pattern.length - 1);
  return isName(name) && name.substring(0, beginning.length) === beginning;
}

function precision(pattern: string): number {
  return pattern.includes('*') ? pattern.length : 1_000;
}

/** Words of letters, digits, `_` and `-`, between single dots or colons. */
function isName(name: string): boolean {
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-';
  const words = name.split('.').flatMap((part) => part.split(':'));
  return (
    name.length <= 128 && words.every((word) => word !== '' && Array.from(word).every((one) => letters.includes(one)))
  );
}
