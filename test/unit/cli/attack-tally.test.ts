/** How the demo judges an attack: by what was answered and delivered, and never in the attacker's favour by mistake. */
import { beforeEach, describe, expect, test } from 'vitest';

import { type AttackRecord, AttackTally, sumOf } from '../../../src/cli/demo/attack/tally.js';

const SESSION = '00112233445566ff';

let tally: AttackTally;

beforeEach(() => {
  tally = new AttackTally();
});

function attack(kind: AttackRecord['kind'], allowed: AttackRecord['allowed']): AttackRecord {
  const record: AttackRecord = { kind, allowed };
  tally.add(record);
  tally.bind(SESSION, record);
  return record;
}

describe('an attack on a session', () => {
  test.each([
    ['as much as may pass', 3, 0, 0],
    ['nothing', 0, 0, 0],
    ['one message more', 4, 0, 1],
    ['something that was not sent so', 2, 1, 1],
  ])('of which the server delivered %s', (_, delivered, wrong, accepted) => {
    attack('replay', { c2s: 3, s2c: 8 });
    tally.judge('c2s', { sessionId: SESSION, delivered, wrong });
    tally.judge('s2c', { sessionId: SESSION, delivered: 2, wrong: 0 });
    expect(tally.totals().kinds.replay).toEqual({ tried: 1, accepted });
  });

  test('counts once, however much came of it', () => {
    attack('deletion', { c2s: 0, s2c: 0 });
    for (const direction of ['c2s', 's2c'] as const) {
      tally.judge(direction, { sessionId: SESSION, delivered: 8, wrong: 8 });
    }
    expect(sumOf(tally.totals())).toEqual({ tried: 1, accepted: 1 });
  });

  test('is accepted for good when somebody answered it', () => {
    tally.accept(attack('tampering', { c2s: 8, s2c: 8 }));
    tally.judge('c2s', { sessionId: SESSION, delivered: 0, wrong: 0 });
    expect(tally.totals().kinds.tampering.accepted).toBe(1);
  });
});

test('a session that nobody was seen to begin is a forgery that was accepted', () => {
  tally.judge('c2s', { sessionId: 'ff', delivered: 0, wrong: 0 });
  expect(tally.totals().kinds.forgery).toEqual({ tried: 1, accepted: 1 });
});

test.each([
  ['that delivered everything', 8, 0, 1],
  ['that lacks a reply', 7, 0, 0],
  ['with something wrong', 8, 1, 0],
])('a session left alone %s', (_, delivered, wrong, complete) => {
  attack('untouched', { c2s: 8, s2c: 8 });
  tally.judge('s2c', { sessionId: SESSION, delivered, wrong });
  expect(tally.totals().untouched).toEqual({ sessions: 1, complete });
  expect(sumOf(tally.totals())).toEqual({ tried: 0, accepted: 0 });
});
