/**
 * What the children tell the parent: one JSON object a line on their stdout.
 *
 * Totals are sent whole each time, so a report that never arrives (a killed process) costs only what is newer than the
 * one before. Everything else on a child's stdout is stray output and treated like its stderr.
 */
import type { VictimCount } from './attack/tally.js';
import type { Intent } from './decoder.js';

export interface EniTotals {
  readonly rateHz: number;
  readonly unit: string;
  /** Time since the session began. */
  readonly seconds: number;
  readonly samples: number;
  readonly featuresSent: number;
  readonly intentsSent: number;
  readonly acksReceived: number;
  /** Answered with an error instead of an acknowledgement, by error code. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Time from `request` to its acknowledgement, µs. */
  readonly ackLatencyUs: Percentiles;
  /** Relative alpha power, P(8–13 Hz) / P(1–30 Hz), over all windows. */
  readonly alphaRatio: { readonly mean: number | null; readonly median: number | null };
  /** Alpha power over all windows, in the square of the unit. */
  readonly alphaPower: { readonly mean: number | null };
  /** How many windows were decoded as which intent. */
  readonly windows: Readonly<Record<Intent, number>>;
  readonly lastIntents: readonly { readonly intent: Intent; readonly confidence: number }[];
}

export interface Percentiles {
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

export interface EaiTotals {
  readonly featuresReceived: number;
  readonly corrupt: number;
  readonly outOfOrder: number;
  readonly intentsHandled: number;
  readonly actuator: { readonly state: ActuatorState; readonly reason: string | null; readonly moves: number };
}

export type ActuatorState = 'idle' | 'moving' | 'stopped';

/** Why a child gave up: the input is wrong, it could not begin, or something broke on the way. */
export type FailureCause = 'input' | 'start' | 'run';

interface Failed {
  readonly kind: 'failed';
  readonly cause: FailureCause;
  readonly message: string;
}

export type EniReport =
  | { readonly kind: 'connected'; readonly transport: string; readonly suite: string; readonly serverId: string }
  | { readonly kind: 'progress' | 'done'; readonly totals: EniTotals }
  | Failed;

export type EaiReport =
  /** `decoys`: where it listens for the decoy, in the order they were given. `fingerprint`: of its certificate, null without TLS. */
  | {
      readonly kind: 'listening';
      readonly address: string;
      readonly decoys: readonly string[];
      readonly fingerprint: string | null;
    }
  | { readonly kind: 'session'; readonly serviceId: string; readonly pid: number | null }
  | { readonly kind: 'actuator-stopped'; readonly reason: string }
  | { readonly kind: 'progress' | 'done'; readonly totals: EaiTotals }
  | VictimReport
  | Failed;

export type DecoyReport = { readonly kind: 'started' | 'done' } | VictimReport | Failed;

/** A session of the decoy has ended, as one of its ends saw it. */
type VictimReport = { readonly kind: 'victim' } & VictimCount;

export type Report = EniReport | EaiReport | DecoyReport;

/** Writes one report as a line. */
export function encodeReport(report: Report): string {
  return `${JSON.stringify(report)}\n`;
}

/** Reads one line; null if it is not a report. */
export function decodeReport<R extends Report>(line: string): R | null {
  try {
    const value: unknown = JSON.parse(line);
    const isReport = typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string';
    // Written by a child, which is the same version of the same program; the kind tells it from stray output.
    return isReport ? (value as R) : null;
  } catch {
    return null;
  }
}
