/** What a run comes to: counts, verdict, exit code, text. */
import { describe, expect, test } from 'vitest';

import { EXIT } from '../../../src/cli/exit.js';
import { exitCodeOf, formatMicroseconds, formatSummary, summarise } from '../../../src/cli/demo/summary.js';
import type { AttackTotals, Count } from '../../../src/cli/demo/attack/tally.js';
import { formatStatus } from '../../../src/cli/demo/progress.js';
import { decodeReport, encodeReport, type EaiTotals, type EniTotals } from '../../../src/cli/demo/reports.js';
import type { DemoPlan, Outcome } from '../../../src/cli/demo/supervise.js';

const PLAN: DemoPlan = {
  transport: 'shm',
  speed: 'max',
  signal: { kind: 'generated', seed: 1, seconds: 3 },
  attack: false,
};

const ENI: EniTotals = {
  rateHz: 256,
  unit: 'µV',
  seconds: 0.5,
  samples: 768,
  featuresSent: 17,
  intentsSent: 3,
  acksReceived: 3,
  refusals: {},
  ackLatencyUs: { p50: 12.34, p99: 45.67, max: 12_345.6 },
  alphaRatio: { mean: 0.123456, median: 0.1 },
  alphaPower: { mean: 57.123456 },
  windows: { hold: 5, move: 12 },
  lastIntents: [
    { intent: 'hold', confidence: 1 },
    { intent: 'move', confidence: 0.88 },
  ],
};

const EAI: EaiTotals = {
  featuresReceived: 17,
  corrupt: 0,
  outOfOrder: 0,
  intentsHandled: 3,
  actuator: { state: 'stopped', reason: 'EIPC_CLOSED_BY_PEER', moves: 1 },
};

const GOOD: Outcome = {
  address: 'shm:eipc-demo-1',
  suite: 'hmac-sha256',
  eni: ENI,
  eai: EAI,
  attacks: null,
  failure: null,
};

const NONE = { tried: 10, accepted: 0 };
const HELD: AttackTotals = {
  kinds: { tampering: NONE, replay: NONE, reflection: NONE, deletion: NONE, downgrade: NONE, forgery: NONE },
  untouched: { sessions: 3, complete: 2 },
};
const BROKEN: AttackTotals = { ...HELD, kinds: { ...HELD.kinds, replay: { tried: 10, accepted: 1 } } };

function mapKinds(count: Count): AttackTotals['kinds'] {
  return { tampering: count, replay: count, reflection: count, deletion: count, downgrade: count, forgery: count };
}

function verdict(outcome: Outcome) {
  const summary = summarise(PLAN, outcome, null);
  return { ...summary, exitCode: exitCodeOf(summary, outcome) };
}

describe('the verdict', () => {
  test('is good when everything arrived', () => {
    expect(verdict(GOOD)).toMatchObject({ ok: true, lost: 0, rejected: 0, error: null, exitCode: EXIT.ok });
  });

  test.each([
    ['a lost feature', { eai: { ...EAI, featuresReceived: 16 } }, { lost: 1 }],
    ['an intent without an answer', { eni: { ...ENI, acksReceived: 2 } }, { lost: 1 }],
    [
      'a refused intent, which is not lost as well',
      { eni: { ...ENI, acksReceived: 2, refusals: { EIPC_CAPABILITY: 1 } } },
      { lost: 0, rejected: 1, rejectedBy: { EIPC_CAPABILITY: 1 } },
    ],
    ['a damaged feature', { eai: { ...EAI, corrupt: 1 } }, { corrupt: 1 }],
    ['a feature out of order', { eai: { ...EAI, outOfOrder: 1 } }, { outOfOrder: 1 }],
    ['a feature too many', { eai: { ...EAI, featuresReceived: 18 } }, { lost: 0 }],
    ['no intent at all', { eni: { ...ENI, intentsSent: 0, acksReceived: 0 } }, { lost: 0 }],
    ['nothing at all', { eni: null, eai: null }, { featuresSent: 0, actuator: null }],
  ])('is bad for %s', (_what, change: Partial<Outcome>, expected) => {
    expect(verdict({ ...GOOD, ...change })).toMatchObject({ ok: false, exitCode: EXIT.refused, ...expected });
  });

  test('is that of the process that broke, if one did', () => {
    const failure = { exitCode: EXIT.environment, message: 'the EAI process cannot start: no' };
    expect(verdict({ ...GOOD, failure })).toMatchObject({
      ok: false,
      exitCode: EXIT.environment,
      error: failure.message,
    });
  });

  test('is good under attacks of which none was accepted, and they are counted', () => {
    expect(verdict({ ...GOOD, attacks: HELD })).toMatchObject({ ok: true, attacksTried: 60, attacksAccepted: 0 });
    expect(verdict(GOOD)).toMatchObject({ attacksTried: null, attacksAccepted: null, attacks: null });
  });

  test.each([
    ['an attack that was accepted', BROKEN, 1],
    ['attacks on sessions that never work', { ...HELD, untouched: { sessions: 3, complete: 0 } }, 0],
    ['an attack that never began', { ...HELD, kinds: mapKinds({ tried: 0, accepted: 0 }) }, 0],
  ])('is bad for %s', (_what, attacks, attacksAccepted) => {
    expect(verdict({ ...GOOD, attacks })).toMatchObject({ ok: false, exitCode: EXIT.refused, attacksAccepted });
  });

  test('is bad for a run that was interrupted', () => {
    expect(summarise(PLAN, GOOD, 'SIGINT')).toMatchObject({ ok: false, error: 'interrupted by SIGINT' });
  });
});

describe('the summary', () => {
  test('holds what the documentation promises, in JSON types', () => {
    const summary: unknown = JSON.parse(JSON.stringify(summarise(PLAN, GOOD, null)));
    expect(summary).toMatchObject({
      transport: 'shm',
      input: 'generated',
      seed: 1,
      samples: 768,
      featuresSent: 17,
      featuresReceived: 17,
      intentsSent: 3,
      acksReceived: 3,
      lost: 0,
      rejected: 0,
      ackLatencyUs: { p50: 12.3, p99: 45.7, max: 12_345.6 },
      alphaRatio: { mean: 0.1235, median: 0.1 },
      intents: { hold: 0.2941, move: 0.7059 },
    });
  });

  test('as text names counts, latencies, the ratio and the shares', () => {
    const text = formatSummary(summarise(PLAN, GOOD, null)).join('\n');
    expect(text).toContain('17 sent, 17 received, 34.0/s');
    expect(text).toContain('p50 12.3 µs, p99 45.7 µs, max 12.3 ms');
    expect(text).toContain('hold 29.4 %, move 70.6 %');
    expect(text).toContain('57.12 µV²');
  });

  test('as text has a line for each kind of attack', () => {
    const text = formatSummary(summarise(PLAN, { ...GOOD, attacks: BROKEN }, null)).join('\n');
    expect(text).toMatch(/^ {2}attacks +60 tried, 1 accepted; 2 of 3 sessions left alone were complete$/m);
    expect(text).toMatch(/^ +replay +10 tried, 1 accepted$/m);
    expect(text).toMatch(/^ +forgery +10 tried, 0 accepted$/m);
  });

  test('as text shows a hostile file name and unit escaped', () => {
    const plan: DemoPlan = { ...PLAN, signal: { kind: 'recording', path: 'a\u001b[2J.txt' } };
    const hostile = { ...GOOD, eni: { ...ENI, unit: '\u001b[2J' }, suite: '\u001b[2J' };
    expect(formatSummary(summarise(plan, hostile, null)).join('\n')).not.toContain('\u001b');
  });
});

test('a status line names rates, latencies and the last intents', () => {
  expect(formatStatus(ENI, 16)).toBe(
    '3.0 s | features 16/17, 34.0/s | acks 3/3, p50 12.3 µs, p99 45.7 µs | last move 0.88, hold 1.00',
  );
});

test('latencies are microseconds up to 10 ms', () => {
  expect([null, 0.4, 9_999.9, 10_000].map(formatMicroseconds)).toEqual(['–', '0.4 µs', '9999.9 µs', '10.0 ms']);
});

test('a report survives its line, and anything else is no report', () => {
  const report = { kind: 'done', totals: ENI } as const;
  expect(decodeReport(encodeReport(report).trimEnd())).toEqual(report);
  for (const line of ['', 'hello', '1', 'null', '{}', '{"kind":1}', '["kind"]']) expect(decodeReport(line)).toBeNull();
});
