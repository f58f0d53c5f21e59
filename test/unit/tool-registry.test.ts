/** `ToolRegistry`: who owns which names, what is approved, and what a changed descriptor means. */
import { describe, expect, it } from 'vitest';

import { ToolRegistry } from '../../src/index.js';
import type { AuditEntry, ToolDescriptor } from '../../src/index.js';
import { makePair } from './fake-link.js';

const tool = (name: string, more: Partial<ToolDescriptor> = {}): ToolDescriptor => ({
  name,
  capability: 'device:write',
  ...more,
});
const denied = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'EIPC_POLICY', message: expect.stringMatching(message) as unknown });

describe('the names of tools', () => {
  it('belong to the first service that registers in a namespace, and to nobody else', () => {
    // The attacker is a service that registers a tool under a name that another service's callers trust.
    const tools = new ToolRegistry();
    const { hash } = tools.register('eni.motor', tool('motor.move'));
    tools.approve('motor.move', hash);
    for (const name of ['motor.move', 'motor.stop', 'motor.a.b'])
      expect(() => tools.register('attacker', tool(name))).toThrow(denied(/'motor' is another's/));
    expect(tools.remove('attacker', 'motor.move')).toBe(false);
    expect(tools.list()).toMatchObject([{ name: 'motor.move', owner: 'eni.motor', hash, state: 'approved' }]);
    tools.register('eni.motor', tool('motor.stop'));
  });

  it('stay their owner’s when it is gone, until an operator releases them', () => {
    // The attacker waits for the owner to go.
    const tools = new ToolRegistry();
    tools.register('eni.motor', tool('motor.move'));
    expect(tools.remove('eni.motor', 'motor.move')).toBe(true);
    expect(tools.list()).toEqual([]);
    expect(() => tools.register('attacker', tool('motor.move'))).toThrow(denied(/another's/));
    tools.register('eni.motor', tool('motor.move'));
    expect(tools.release('motor')).toBe(true);
    expect(tools.release('motor')).toBe(false);
    expect(tools.list()).toEqual([]);
    tools.register('eni.other', tool('motor.move'));
    expect(tools.owners()).toEqual({ motor: 'eni.other' });
  });

  it('can be given out before anybody registers, and kept for the next process', () => {
    // The attacker is there first after a restart.
    const before = new ToolRegistry();
    const { hash } = before.register('eni.motor', tool('motor.move'));
    before.approve('motor.move', hash);
    const tools = new ToolRegistry({ owners: before.owners(), approved: before.approved() });
    expect(() => tools.register('attacker', tool('motor.move'))).toThrow(denied(/another's/));
    expect(tools.register('eni.motor', tool('motor.move')).state).toBe('approved');
    // Without the owners the name is the attacker's, but not the approval.
    const bare = new ToolRegistry({ approved: before.approved() });
    expect(bare.register('attacker', tool('motor.move')).state).toBe('pending');
  });

  it('are not EIPC’s own, and not without end', () => {
    const tools = new ToolRegistry();
    expect(() => tools.register('eni', tool('eipc.approvals.list'))).toThrow(denied(/EIPC's own/));
    for (let at = 0; at < 8; at += 1) tools.register('eni', tool(`n${at}.x`));
    expect(() => tools.register('eni', tool('n8.x'))).toThrow(denied(/8 namespaces/));
    for (let at = 0; at < 56; at += 1) tools.register('eni', tool(`n0.y${at}`));
    expect(() => tools.register('eni', tool('n0.z'))).toThrow(denied(/64 tools/));
    tools.register('eni', tool('n0.y0', { description: 'again' }));
    tools.register('other', tool('n8.x'));
  });

  it('are taken from the peer that proved to be the service', () => {
    const tools = new ToolRegistry();
    const { server } = makePair();
    expect(tools.register(server.peer, tool('motor.move')).owner).toBe(server.peer.serviceId);
    expect(tools.remove(server.peer, 'motor.move')).toBe(true);
    expect(() => tools.register('no id', tool('motor.move'))).toThrow(/owner is 'no id'/);
  });
});

describe('an approval', () => {
  it('is for exactly what was seen', () => {
    // The attacker changes its tool between the operator's look and word.
    const tools = new ToolRegistry();
    const seen = tools.register('eni.motor', tool('motor.move', { argv: [process.execPath, 'move'] }));
    expect(seen.state).toBe('pending');
    const now = tools.register('eni.motor', tool('motor.move', { argv: [process.execPath, 'other'] }));
    expect(() => tools.approve('motor.move', seen.hash)).toThrow(denied(/look at it again/));
    expect(() => tools.approve('motor.other', seen.hash)).toThrow(denied(/no such tool/));
    expect(() => tools.approve('motor.move', 'yes')).toThrow(RangeError);
    expect(tools.list()[0]?.state).toBe('pending');
    expect(tools.approve('motor.move', now.hash).state).toBe('approved');
  });

  it('ends with a change, comes back with what it was for, and can be taken back', () => {
    const tools = new ToolRegistry();
    const first = tools.register('eni.motor', tool('motor.move'));
    tools.approve('motor.move', first.hash);
    expect(tools.register('eni.motor', tool('motor.move')).state).toBe('approved');
    expect(tools.register('eni.motor', tool('motor.move', { capability: 'ui:control' })).state).toBe('pending');
    expect(tools.register('eni.motor', tool('motor.move')).state).toBe('approved');
    expect(tools.disapprove('motor.move')).toBe(true);
    expect(tools.disapprove('motor.move')).toBe(false);
    expect(tools.list()[0]?.state).toBe('pending');
    expect(tools.approved()).toEqual({});
  });

  it('leaves a line, as does everything else that changes what can be called', () => {
    const entries: AuditEntry[] = [];
    const audit = { log: (entry: AuditEntry) => Promise.resolve(void entries.push(entry)) };
    const tools = new ToolRegistry({ audit });
    const { hash } = tools.register('eni.motor', tool('motor.move'));
    tools.register('eni.motor', tool('motor.move'));
    expect(() => tools.register('attacker', tool('motor.move'))).toThrow(denied(/./));
    tools.approve('motor.move', hash);
    tools.disapprove('motor.move');
    tools.remove('eni.motor', 'motor.move');
    tools.release('motor');
    expect(entries.map(({ peer, action, decision, result }) => [peer, action, decision, result])).toEqual([
      ['eni.motor', 'tool.register', 'note', `motor.move ${hash}: pending`],
      ['attacker', 'tool.register', 'deny', "EIPC_POLICY: 'motor.move': the namespace 'motor' is another's"],
      ['eni.motor', 'tool.approve', 'allow', `motor.move ${hash}`],
      ['eni.motor', 'tool.disapprove', 'deny', 'motor.move'],
      ['eni.motor', 'tool.remove', 'note', 'motor.move'],
      ['eni.motor', 'tool.release', 'note', 'motor'],
    ]);
  });

  it('is refused as an option when it is none', () => {
    expect(() => new ToolRegistry({ approved: { 'motor.move': 'yes' } })).toThrow(/is no hash of a tool/);
    expect(() => new ToolRegistry({ owners: { eipc: 'eni' } })).toThrow(/is no namespace/);
    expect(() => new ToolRegistry({ owners: { motor: 'no id' } })).toThrow(RangeError);
    expect(() => new ToolRegistry({ allow: [] } as never)).toThrow(/no option 'allow'/);
  });
});
