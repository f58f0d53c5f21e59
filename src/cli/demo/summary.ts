/**
 * Adds up what both processes reported into the demo's result: the JSON object, the text, and the verdict.
 */
import { escapeText } from '../escape.js';
import { EXIT, type ExitCode } from '../exit.js';
import { ATTACK_KINDS, type AttackTotals, sumOf } from './attack/tally.js';
import type { Intent } from './decoder.js';
import type { EniTotals, Percentiles } from './reports.js';
import type { DemoPlan, Outcome } from './supervise.js';

/** The demo's result, as `--json` prints it. */
export interface Summary {
  readonly transport: string;
  readonly address: string;
  /** How the frames were authenticated; null if no session came about. */
  readonly suite: string | null;
  /** `generated`, or the file's name as given. */
  readonly input: string;
  readonly seed: number | null;
  readonly rateHz: number | null;
  readonly unit: string | null;
  readonly speed: 'max' | 'real';
  /** How long the session lasted. */
  readonly seconds: number;
  readonly samples: number;
  readonly featuresSent: number;
  readonly featuresReceived: number;
  readonly intentsSent: number;
  readonly acksReceived: number;
  /** Features that did not arrive, and intents that were not answered. */
  readonly lost: number;
  /** Intents that were answered with an error. */
  readonly rejected: number;
  readonly rejectedBy: Readonly<Record<string, number>>;
  /** Features that arrived with a wrong checksum, or not in order. */
  readonly corrupt: number;
  readonly outOfOrder: number;
  readonly ackLatencyUs: Percentiles;
  /** P(8–13 Hz) / P(1–30 Hz) over all windows, 0 to 1. */
  readonly alphaRatio: { readonly mean: number | null; readonly median: number | null };
  /** P(8–13 Hz) over all windows, unit². */
  readonly alphaPower: { readonly mean: number | null };
  /** Share of windows decoded as each intent, 0 to 1. */
  readonly intents: Readonly<Record<Intent, number>>;
  /** The latest, in order. */
  readonly lastIntents: EniTotals['lastIntents'];
  readonly actuator: { readonly state: string; readonly reason: string | null; readonly moves: number } | null;
  /** Attacks that were made, and those that were answered or delivered; null if nobody attacked. */
  readonly attacksTried: number | null;
  readonly attacksAccepted: number | null;
  readonly attacks: AttackTotals | null;
  readonly ok: boolean;
  /** What went wrong with the processes, or null. */
  readonly error: string | null;
}

/**
 * Adds up an outcome.
 *
 * @param interrupted the signal that ended the demo early, or null
 */
export function summarise(plan: DemoPlan, outcome: Outcome, interrupted: string | null): Summary {
  const { eni, eai } = outcome;
  const [featuresSent, featuresReceived] = [eni?.featuresSent ?? 0, eai?.featuresReceived ?? 0];
  const [intentsSent, acksReceived] = [eni?.intentsSent ?? 0, eni?.acksReceived ?? 0];
  const rejected = Object.values(eni?.refusals ?? {}).reduce((sum, count) => sum + count, 0);
  // The totals of a process that died are older than its last messages, so more may have arrived than it told us of.
  const lost = Math.max(0, featuresSent - featuresReceived) + Math.max(0, intentsSent - acksReceived - rejected);
  const [corrupt, outOfOrder] = [eai?.corrupt ?? 0, eai?.outOfOrder ?? 0];
  const windows = eni?.windows ?? { hold: 0, move: 0 };
  const windowCount = Math.max(1, windows.hold + windows.move);
  const error = outcome.failure?.message ?? (interrupted === null ? null : `interrupted by ${interrupted}`);
  const attacks = outcome.attacks === null ? null : sumOf(outcome.attacks);
  const isComplete = error === null && acksReceived > 0 && featuresReceived === featuresSent;
  return {
    transport: plan.transport,
    address: outcome.address,
    suite: outcome.suite,
    input: plan.signal.kind === 'generated' ? 'generated' : plan.signal.path,
    seed: plan.signal.kind === 'generated' ? plan.signal.seed : null,
    rateHz: eni?.rateHz ?? null,
    unit: eni?.unit ?? null,
    speed: plan.speed,
    seconds: round(eni?.seconds ?? 0, 3),
    samples: eni?.samples ?? 0,
    featuresSent,
    featuresReceived,
    intentsSent,
    acksReceived,
    lost,
    rejected,
    rejectedBy: eni?.refusals ?? {},
    corrupt,
    outOfOrder,
    ackLatencyUs: mapPercentiles(eni?.ackLatencyUs, (value) => round(value, 1)),
    alphaRatio: { mean: roundOrNull(eni?.alphaRatio.mean, 4), median: roundOrNull(eni?.alphaRatio.median, 4) },
    alphaPower: { mean: roundOrNull(eni?.alphaPower.mean, 3) },
    intents: { hold: round(windows.hold / windowCount, 4), move: round(windows.move / windowCount, 4) },
    lastIntents: eni?.lastIntents ?? [],
    actuator: eai?.actuator ?? null,
    attacksTried: attacks?.tried ?? null,
    attacksAccepted: attacks?.accepted ?? null,
    attacks: outcome.attacks,
    ok: isComplete && lost + rejected + corrupt + outOfOrder === 0 && hasHeld(outcome.attacks),
    error,
  };
}

/** Whether every attack failed, and would have been noticed if it had not: some session that was left alone worked. */
function hasHeld(attacks: AttackTotals | null): boolean {
  if (attacks === null) return true;
  const { tried, accepted } = sumOf(attacks);
  return tried > 0 && accepted === 0 && attacks.untouched.complete > 0;
}

/** Chooses the exit code: a broken process explains more than what was lost with it. */
export function exitCodeOf(summary: Summary, outcome: Outcome): ExitCode {
  if (outcome.failure !== null) return outcome.failure.exitCode;
  return summary.ok ? EXIT.ok : EXIT.refused;
}

/** Writes the summary as lines of text. */
export function formatSummary(summary: Summary): string[] {
  const { ackLatencyUs: ack, alphaRatio, intents, actuator } = summary;
  const signal = summary.rateHz === null ? '' : `, ${summary.rateHz} Hz, ${summary.samples} samples`;
  const seed = summary.seed === null ? '' : ` (seed ${summary.seed})`;
  const unit = escapeText(summary.unit ?? 'a.u.');
  const perSecond = summary.seconds > 0 ? `, ${(summary.featuresSent / summary.seconds).toFixed(1)}/s` : '';
  const refusals = Object.entries(summary.rejectedBy).map(([code, count]) => `${count} × ${escapeText(code)}`);
  const rows: [string, string][] = [
    ['transport', `${escapeText(summary.address)}${summary.suite === null ? '' : `, ${escapeText(summary.suite)}`}`],
    [
      'input',
      `${escapeText(summary.input)}${seed}${signal}, ${summary.seconds.toFixed(2)} s at ${summary.speed} speed`,
    ],
    ['features', `${summary.featuresSent} sent, ${summary.featuresReceived} received${perSecond}`],
    [
      'intents',
      `${summary.intentsSent} sent, ${summary.acksReceived} acknowledged; last ${formatIntents(summary.lastIntents)}`,
    ],
    ['lost', `${summary.lost}, corrupt ${summary.corrupt}, out of order ${summary.outOfOrder}`],
    ['rejected', `${summary.rejected}${refusals.length === 0 ? '' : ` (${refusals.join(', ')})`}`],
    [
      'ack latency',
      `p50 ${formatMicroseconds(ack.p50)}, p99 ${formatMicroseconds(ack.p99)}, max ${formatMicroseconds(ack.max)}`,
    ],
    [
      'alpha ratio',
      `mean ${formatNumber(alphaRatio.mean)}, median ${formatNumber(alphaRatio.median)} (8–13 Hz of 1–30 Hz)`,
    ],
    ['alpha power', `mean ${formatNumber(summary.alphaPower.mean)} ${unit}²`],
    ['decoded', `hold ${formatPercent(intents.hold)}, move ${formatPercent(intents.move)} of the windows`],
    [
      'actuator',
      actuator === null
        ? 'unknown'
        : `${actuator.state}${actuator.reason === null ? '' : ` (${escapeText(actuator.reason)})`}, moved ${actuator.moves} ×`,
    ],
  ];
  if (summary.attacks !== null) rows.push(...attackRows(summary.attacks));
  return rows.map(([name, value]) => `  ${name.padEnd(12)} ${value}`);
}

function attackRows(attacks: AttackTotals): [string, string][] {
  const { tried, accepted } = sumOf(attacks);
  const { sessions, complete } = attacks.untouched;
  return [
    ['attacks', `${tried} tried, ${accepted} accepted; ${complete} of ${sessions} sessions left alone were complete`],
    ...ATTACK_KINDS.map((kind): [string, string] => {
      const count = attacks.kinds[kind];
      return [`  ${kind}`, `${count.tried} tried, ${count.accepted} accepted`];
    }),
  ];
}

/** Writes intents with their confidence, `–` for none. */
export function formatIntents(intents: EniTotals['lastIntents']): string {
  if (intents.length === 0) return '–';
  return intents.map(({ intent, confidence }) => `${escapeText(intent)} ${confidence.toFixed(2)}`).join(', ');
}

/** Writes a latency, `–` for none. */
export function formatMicroseconds(value: number | null): string {
  if (value === null) return '–';
  return value < 10_000 ? `${value.toFixed(1)} µs` : `${(value / 1_000).toFixed(1)} ms`;
}

function formatNumber(value: number | null): string {
  return value === null ? '–' : String(Number(value.toPrecision(4)));
}

function formatPercent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function mapPercentiles(of: Percentiles | undefined, change: (value: number) => number): Percentiles {
  const map = (value: number | null | undefined) => (value === null || value === undefined ? null : change(value));
  return { p50: map(of?.p50), p99: map(of?.p99), max: map(of?.max) };
}

function roundOrNull(value: number | null | undefined, digits: number): number | null {
  return value === null || value === undefined ? null : round(value, digits);
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
