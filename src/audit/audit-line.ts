/**
 * Writes an entry as the body of an audit line, in the one form that the core takes (docs/audit.md, "The line"). The number, the link and
 * the hash around it are the chain's.
 */
import { inspect } from 'node:util';

import type { AuditDecision, AuditEntry } from '../audit-sink.js';

const DECISIONS: readonly AuditDecision[] = ['allow', 'deny', 'confirm', 'note'];

/** Most bytes of a text as it is written. */
const MAX_TEXT = 256;
const PLAIN = /^[ !#-[\]-~]*$/;
const DIGEST = /^(?:[0-9a-f]{64})?$/;
const CUT = '\\u2026';

/**
 * Returns the body of a line with its end.
 *
 * @param time - Unix milliseconds
 * @throws TypeError or RangeError for an entry that is none
 */
export function auditBody(entry: AuditEntry, time: number): string {
  const { peer, action, decision, result = '', requestId = '', frame = '' } = entry;
  if (!DECISIONS.includes(decision))
    throw new RangeError(`decision is ${inspect(decision)}; it must be one of ${DECISIONS.join(', ')}`);
  if (typeof frame !== 'string' || !DIGEST.test(frame))
    throw new RangeError(`frame is ${inspect(frame)}; it must be a SHA-256 as 64 small hex digits`);
  return (
    `"t":"${new Date(time).toISOString()}","peer":"${text('peer', peer)}","action":"${text('action', action)}",` +
    `"decision":"${decision}","result":"${text('result', result)}","request_id":"${text('requestId', requestId)}",` +
    `"frame":"${frame}"\n`
  );
}

/** Writes a text: printable ASCII as it is, everything else as one escape, and no more of it than fits. */
function text(name: string, value: string): string {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string, not ${inspect(value)}`);
  if (value.length <= MAX_TEXT && PLAIN.test(value)) return value;
  let written = '';
  let fitting = '';
  // Escaping never shortens: what is behind this many characters is cut in any case.
  for (const character of value.slice(0, MAX_TEXT + 1)) {
    written += escaped(character);
    if (written.length > MAX_TEXT) return fitting + CUT;
    if (written.length <= MAX_TEXT - CUT.length) fitting = written;
  }
  return written;
}

function escaped(character: string): string {
  if (PLAIN.test(character)) return character;
  if (character === '"' || character === '\\') return `\\${character}`;
  let units = '';
  for (let at = 0; at < character.length; at += 1) {
    // Half of a pair stands for nothing.
    const unit = character.length === 1 && isSurrogate(character) ? 0xfffd : character.charCodeAt(at);
    units += `\\u${unit.toString(16).padStart(4, '0')}`;
  }
  return units;
}

function isSurrogate(character: string): boolean {
  const unit = character.charCodeAt(0);
  return unit >= 0xd800 && unit <= 0xdfff;
}
