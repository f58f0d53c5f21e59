import { describe, expect, it } from 'vitest';

import { Grants, Rights } from '../../src/rights.js';

describe('the rights of a service', () => {
  it('are one set, which changes where they are changed', () => {
    const grants = new Grants([['eni', ['ui:control']]]);
    const rights = grants.of('eni');
    expect(grants.grant('eni', 'device:write')).toBe(true);
    expect(grants.grant('eni', 'device:write')).toBe(false);
    expect([...rights]).toEqual(['ui:control', 'device:write']);
    expect(grants.revoke('eni', 'ui:control')).toBe(true);
    expect(grants.revoke('eni', 'ui:control')).toBe(false);
    expect([...rights]).toEqual(['device:write']);
    expect(grants.of('eni')).toBe(rights);
  });

  it('are not changed by who is given them', () => {
    // The attacker is a handler's code that was handed a peer, or a defect of it.
    const rights = new Grants([['eni', ['ui:control']]]).of('eni') as Set<string>;
    expect(() => rights.add('system:restricted')).toThrow(/server\.grant/);
    expect(() => rights.delete('ui:control')).toThrow(TypeError);
    expect(() => rights.clear()).toThrow(TypeError);
    expect([...rights]).toEqual(['ui:control']);
    expect([...new Rights(['a', 'b', 'a'])]).toEqual(['a', 'b']);
  });

  it('are none for an id that is no service', () => {
    const grants = new Grants([['eni', ['ui:control']]]);
    for (const id of ['', 'other', '__proto__', 'constructor']) expect(grants.of(id).size).toBe(0);
    expect(() => grants.grant('other', 'ui:control')).toThrow("'other' is no service here; there are 'eni'");
    expect(() => grants.revoke('other', 'ui:control')).toThrow(RangeError);
  });

  it('stay as they were when they cannot be told, and are taken away before that is told', () => {
    const grants = new Grants([['eni', ['a']]]);
    const fail = (): never => {
      throw new Error('no room');
    };
    expect(() => grants.grant('eni', 'b', fail)).toThrow('no room');
    expect([...grants.of('eni')]).toEqual(['a']);
    expect(() => grants.revoke('eni', 'a', fail)).toThrow('no room');
    expect([...grants.of('eni')]).toEqual([]);
  });

  it('are capabilities, and at most 256', () => {
    const many = Array.from({ length: 256 }, (_, at) => `c:${at}`);
    const grants = new Grants([['eni', many]]);
    expect(() => grants.grant('eni', 'one:more')).toThrow(/257 capabilities/);
    expect(() => new Grants([['eni', [...many, 'one:more']]])).toThrow(RangeError);
    for (const wrong of ['', 'a b', 'é', 'x'.repeat(256), 7])
      expect(() => grants.grant('eni', wrong as string)).toThrow(/1 to 255 printable/);
  });
});
