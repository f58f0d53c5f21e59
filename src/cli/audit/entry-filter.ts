/**
 * Which entries `eipc audit show` shows.
 */
import { InvalidArgumentError } from 'commander';

import type { LogEntry } from './shown-entry.js';

/** What is asked for; everything that is given has to hold. */
export interface EntryFilter {
  readonly peer?: string;
  /** The whole action, or its beginning and `*`. */
  readonly action?: string;
  readonly decision?: string;
  /** A part of the result. */
  readonly result?: string;
  /** Unix milliseconds. */
  readonly since?: number;
  readonly until?: number;
}

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Tells whether an entry is asked for. */
export function isWanted(entry: LogEntry, filter: EntryFilter): boolean {
  const { peer, action, decision, result, since, until } = filter;
  const time = Date.parse(entry.t);
  return (
    (peer === undefined || entry.peer === peer) &&
    (action === undefined || isAction(entry.action, action)) &&
    (decision === undefined || entry.decision === decision) &&
    (result === undefined || entry.result.includes(result)) &&
    // An entry without a time that can be read is not left out silently.
    !(since !== undefined && time < since) &&
    !(until !== undefined && time > until)
  );
}

/** Reads a time of the command line: a date, or how long ago. */
export function parseMoment(text: string, now = Date.now()): number {
  const ago = /^(\d{1,9})([smhd])$/.exec(text);
  if (ago !== null) return now - Number(ago[1]) * UNITS[ago[2] as keyof typeof UNITS];
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new InvalidArgumentError(
    'Give a date such as 2026-11-05 or 2026-11-05T12:34:56Z, or how long ago: 90s, 15m, 2h, 1d.',
  );
}

function isAction(action: string, wanted: string): boolean {
  return wanted.endsWith('*') ? action.startsWith(wanted.slice(0, -1)) : action === wanted;
}
