import { describe, expect, it } from 'vitest';

import { CapabilityChecker, CapabilityError, createMessage, Router } from '../../src/index.js';
import { makePair } from './fake-link.js';

const MAP = { 'ui:control': ['ui.cursor.move', 'ui.click'], 'device:write': ['motor.move', 'ui.click'] };
const denied = expect.objectContaining({ code: 'EIPC_CAPABILITY' }) as unknown;

describe('a CapabilityChecker', () => {
  it('passes what one of the capabilities allows, and throws for everything else', () => {
    const checker = new CapabilityChecker(MAP);
    checker.check(['ui:control'], 'ui.cursor.move');
    checker.check(['nothing', 'device:write'], 'ui.click');
    checker.check(new Set(['device:write']), 'motor.move');
    expect(() => checker.check(['ui:control'], 'motor.move')).toThrow(CapabilityError);
    expect(() => checker.check(['ui:control'], 'motor.move')).toThrow("'motor.move' needs 'device:write'");
    expect(() => checker.check(['ui:control'], 'system.reboot')).toThrow("no capability allows 'system.reboot'");
  });

  it('denies whoever has no capability, or an empty one', () => {
    // The attacker sends a message without a capability, which in the original passed every check.
    const checker = new CapabilityChecker(MAP);
    for (const none of [[], [''], new Set<string>()]) expect(() => checker.check(none, 'ui.click')).toThrow(denied);
    expect(() => new CapabilityChecker().check(['ui:control'], 'ui.click')).toThrow(denied);
    expect(() => new CapabilityChecker({ '': ['ui.click'] })).toThrow(RangeError);
    expect(() => checker.grant('', 'ui.click')).toThrow(RangeError);
  });

  it('takes names from a peer for names: none is found on a prototype', () => {
    const checker = new CapabilityChecker({ ['__proto__']: ['constructor'], ...MAP });
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty'])
      expect(() => checker.check(['ui:control', 'toString', 'constructor'], name)).toThrow(denied);
    expect(Object.keys(checker.list())).toEqual(['__proto__', 'ui:control', 'device:write']);
  });

  it('is changed while it is used', () => {
    const checker = new CapabilityChecker(MAP);
    expect(checker.grant('ui:control', 'ui.scroll')).toBe(true);
    expect(checker.grant('ui:control', 'ui.scroll')).toBe(false);
    checker.check(['ui:control'], 'ui.scroll');
    expect(checker.revoke('ui:control', 'ui.click')).toBe(true);
    expect(checker.revoke('ui:control', 'ui.click')).toBe(false);
    expect(() => checker.check(['ui:control'], 'ui.click')).toThrow(denied);
    checker.check(['device:write'], 'ui.click');
    expect(checker.revoke('device:write', 'motor.move')).toBe(true);
    expect({ ...checker.list() }).toEqual({
      'ui:control': ['ui.cursor.move', 'ui.scroll'],
      'device:write': ['ui.click'],
    });
  });

  it('refuses what is no map, no capability and no action', () => {
    for (const wrong of [null, 7, { a: 'b' }]) expect(() => new CapabilityChecker(wrong as never)).toThrow(TypeError);
    for (const action of ['', 'two words', 'a\nb', 7, 'x'.repeat(256)])
      expect(() => new CapabilityChecker().grant('a', action as string)).toThrow(/is no action/);
  });
});

describe('a router with a CapabilityChecker', () => {
  const checker = new CapabilityChecker(MAP);
  const router = new Router()
    .handle('intent', { capability: checker }, () => {})
    .handle('tool_request', { capability: checker }, () => {});
  const outcome = async (
    type: 'intent' | 'tool_request',
    payload: unknown,
    capability = '',
    capabilities = ['ui:control'],
  ): Promise<string> => {
    const { server } = makePair({}, {}, { capabilities });
    return (await router.dispatch(createMessage(type, 'x', payload, { capability }), server.peer)).outcome;
  };

  it('judges each message by its own action', async () => {
    expect(await outcome('intent', { intent: 'ui.cursor.move' })).toBe('handled');
    expect(await outcome('intent', { intent: 'system.reboot' })).toBe('denied');
    expect(await outcome('intent', { intent: 'motor.move' })).toBe('denied');
    expect(await outcome('tool_request', { tool: 'ui.click' })).toBe('handled');
    expect(await outcome('tool_request', { tool: 'motor.move' }, '', ['device:write'])).toBe('handled');
    expect(await outcome('tool_request', { tool: 'motor.move' }, '', [])).toBe('denied');
  });

  it('denies a message that names no action', async () => {
    for (const payload of [undefined, null, 'ui.click', ['ui.click'], { tool: 'ui.click' }, { intent: 7 }])
      expect(await outcome('intent', payload), JSON.stringify(payload)).toBe('denied');
  });

  it('narrows rights to the claim, and gives none by it', async () => {
    const both = ['ui:control', 'device:write'];
    expect(await outcome('intent', { intent: 'motor.move' }, '', both)).toBe('handled');
    expect(await outcome('intent', { intent: 'motor.move' }, 'device:write', both)).toBe('handled');
    expect(await outcome('intent', { intent: 'motor.move' }, 'ui:control', both)).toBe('denied');
    // The attacker claims what it was not granted.
    expect(await outcome('intent', { intent: 'motor.move' }, 'device:write')).toBe('denied');
    expect(await outcome('intent', { intent: 'ui.click' }, 'device:write')).toBe('denied');
  });

  it('is refused for types that have no action, and so is anything else that is no right', () => {
    expect(() => new Router().handle('features', { capability: checker }, () => {})).toThrow(/have no action/);
    expect(() => new Router().handle('intent', { capability: {} as never }, () => {})).toThrow(/CapabilityChecker/);
  });
});
