/** What EAI does with messages, and the actuator that must stop. */
import { describe, expect, test } from 'vitest';

import { Actuator } from '../../../src/cli/demo/actuator.js';
import { ControlDesk } from '../../../src/cli/demo/control-desk.js';
import { packFeatures } from '../../../src/cli/demo/features.js';
import type { Message } from '../../../src/index.js';

/** The handlers read nothing but the payload. */
function deliver(desk: ControlDesk, kind: 'handleFeatures' | 'handleIntent', payload: unknown): unknown {
  const context = { signal: new AbortController().signal };
  return desk[kind]({ payload } as Message, undefined as never, context);
}

const BANDS = { delta: 1, theta: 1, alpha: 1, beta: 1, alphaRatio: 0.25 };

describe('ControlDesk', () => {
  test('moves and holds the actuator and answers with its state', () => {
    const desk = new ControlDesk();
    expect(deliver(desk, 'handleIntent', { intent: 'move' })).toEqual({ status: 'ok', actuator: 'moving' });
    expect(deliver(desk, 'handleIntent', { intent: 'move' })).toEqual({ status: 'ok', actuator: 'moving' });
    expect(deliver(desk, 'handleIntent', { intent: 'hold' })).toEqual({ status: 'ok', actuator: 'idle' });
    expect(desk.totals()).toMatchObject({ intentsHandled: 3, actuator: { state: 'idle', reason: null, moves: 1 } });
  });

  test.each([undefined, null, 'move', {}, { intent: 'stop' }, { intent: ['move'] }, { Intent: 'move' }])(
    'refuses %j as an intent and does nothing',
    (payload) => {
      const desk = new ControlDesk();
      expect(() => deliver(desk, 'handleIntent', payload)).toThrow(/an intent is one of hold, move/);
      expect(desk.totals()).toMatchObject({ intentsHandled: 0, actuator: { state: 'idle', moves: 0 } });
    },
  );

  test('counts features that are damaged or out of order', () => {
    const desk = new ControlDesk();
    for (const number of [0, 1, 3]) deliver(desk, 'handleFeatures', packFeatures(number, BANDS, 125));
    deliver(desk, 'handleFeatures', new Float32Array(9));
    deliver(desk, 'handleFeatures', 'text');
    // Nine zeros are damaged too: the CRC-32 of zeros is not zero.
    expect(desk.totals()).toMatchObject({ featuresReceived: 5, outOfOrder: 1, corrupt: 2 });
  });
});

describe('Actuator', () => {
  test('stays stopped: a command that was still on its way does not start it again', () => {
    const actuator = new Actuator();
    actuator.apply('move');
    expect(actuator.stop('EIPC_PEER_DOWN')).toBe(true);
    expect(() => actuator.apply('move')).toThrow(/stopped: EIPC_PEER_DOWN/);
    expect(actuator.state).toBe('stopped');
  });

  test('keeps the first reason', () => {
    const actuator = new Actuator();
    actuator.stop('EIPC_PEER_DOWN');
    expect(actuator.stop('later')).toBe(false);
    expect(actuator.reason).toBe('EIPC_PEER_DOWN');
  });
});
