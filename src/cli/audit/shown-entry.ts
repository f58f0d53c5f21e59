/**
 * An audit line as it is shown. Its texts came from peers and are escaped; a line that is none is shown as the bytes it is.
 */
import { escapeText } from '../escape.js';

/** What a line says. */
export interface LogEntry {
  readonly i: number;
  readonly t: string;
  readonly peer: string;
  readonly action: string;
  readonly decision: string;
  readonly result: string;
  readonly request_id: string;
  readonly frame: string;
}

const TEXTS = ['t', 'peer', 'action', 'decision', 'result', 'request_id', 'frame'] as const;
/** Digits of a digest that the table shows. */
const MAX_DIGEST = 12;

/** Reads a line; undefined when it is none. Whether it is true is for `eipc audit verify`. */
export function parseEntry(line: string): LogEntry | undefined {
  if (!/^[ -~]+$/.test(line)) return undefined;
  try {
    const entry: unknown = JSON.parse(line);
    return isEntry(entry) ? entry : undefined;
  } catch {
    return undefined;
  }
}

/** Shows an entry to people. */
export function entryText({ i, t, peer, action, decision, result, request_id: id, frame }: LogEntry): string {
  const parts = [
    escapeText(t),
    `#${i}`,
    escapeText(decision),
    peer === '' ? '-' : escapeText(peer),
    escapeText(action),
  ];
  if (id !== '') parts.push(`request ${escapeText(id)}`);
  if (frame !== '') parts.push(`sha256 ${escapeText(frame).slice(0, MAX_DIGEST)}…`);
  return `${parts.join('  ')}${result === '' ? '' : `  ${escapeText(result)}`}`;
}

function isEntry(value: unknown): value is LogEntry {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Record<string, unknown>;
  return Number.isSafeInteger(fields['i']) && TEXTS.every((name) => typeof fields[name] === 'string');
}
