/** `listen({ policy })`: what stands between a message and its handler. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { AuditLogger, Key, Keyring, PolicyEngine, verifyAudit } from '../../src/index.js';
import type { ListenOptions, PendingApproval } from '../../src/index.js';
import { failing } from '../helpers/audit-scene.js';
import { readIndependently } from '../helpers/independent-audit.js';
import { Notebook } from '../helpers/notebook.js';
import { ask, examplePolicy, failure, parkedOne, PolicyScene, secret } from '../helpers/policy-scene.js';

const scene = new PolicyScene();
const LONG = { timeout: 20_000 };

describe('the policy of a server', () => {
  it('stands before every handler: allowed is done, everything else is not', async () => {
    // The attacker holds a key with every capability and asks for what no rule allows.
    const notebook = new Notebook();
    const server = await scene.serve(notebook);
    const client = await scene.dial(server);
    expect(await ask(client, 'ui.click')).toBeUndefined();
    expect(await ask(client, 'move_left')).toBeUndefined();
    expect(await ask(client, 'motor.move')).toBeUndefined();
    expect(await ask(client, 'motor.burn')).toMatchObject({ code: 'EIPC_POLICY', remote: true });
    expect(await ask(client, 'door.open')).toMatchObject({ code: 'EIPC_POLICY', remote: true });
    expect(await ask(client, 'ui.click; rm')).toMatchObject({ code: 'EIPC_POLICY' });
    expect(await ask(client, '', { payload: { tool: 'ui.click' } })).toMatchObject({ code: 'EIPC_POLICY' });
    expect(await ask(client, '', { payload: Buffer.from('{'), payloadFormat: 'json' })).toMatchObject({
      code: 'EIPC_POLICY',
    });
    expect(await failure(client.request({ type: 'complete', payload: 'x' }))).toMatchObject({
      code: 'EIPC_UNKNOWN_TYPE',
    });
    expect(scene.done).toEqual(['ui.click', 'move_left', 'motor.move']);
    expect(notebook.decisions()).toEqual([
      'allow ui.click',
      'allow move_left',
      'allow motor.move',
      'deny motor.burn',
      'deny door.open',
      'deny ui.click; rm',
      'deny intent',
      'deny intent',
      'deny ai.complete.send',
    ]);
    expect(notebook.of('motor.move')[0]?.result).toBe("controlled, by the rule 'motor.*'");
    expect(notebook.of('door.open')[0]?.result).toBe('EIPC_POLICY: no rule allows it');
    expect([...server.endpoints][0]?.stats().denied).toBe(5);
  });

  it('parks what an operator has to approve, and does it once when one does', async () => {
    const path = join(scene.folder, 'audit.log');
    const audit = scene.closeLater(await AuditLogger.open(path, { key: secret }));
    const server = await scene.serve(audit, {}, `shm:${join(scene.folder, 'park')}`);
    const client = await scene.dial(server);
    const pending: PendingApproval[] = [];
    const reply = client.request(
      { type: 'intent', payload: { intent: 'system.reboot', delay: 5 }, priority: 0 },
      { ...LONG, onPending: (one) => void pending.push(one) },
    );
    const request = await parkedOne(server);
    expect(request).toMatchObject({
      peer: 'eni.min',
      action: 'system.reboot',
      asked: 'system.reboot',
      description: 'stops the whole machine',
      payload: '{"intent":"system.reboot","delay":5}',
      isWhole: true,
      priority: 0,
    });
    await expect.poll(() => pending.length).toBe(1);
    expect(pending[0]).toMatchObject({ approval: request.id, action: 'system.reboot' });
    expect(scene.done).toEqual([]);
    await server.approvals?.approve(request, { by: 'ann' });
    expect((await reply).payload).toMatchObject({ status: 'ok', done: 1 });
    expect(scene.done).toEqual(['system.reboot']);
    await client.close();
    await server.close();
    await audit.close();
    const entries = readIndependently(readFileSync(path, 'latin1'), secret);
    const about = entries.filter(({ action }) => action === 'system.reboot');
    expect(about.map(({ decision }) => decision)).toEqual(['confirm', 'allow']);
    expect(about.map(({ frame }) => frame)).toEqual([request.digest, request.digest]);
    expect(about[1]?.['result']).toBe(`the rule 'system.*' asks for an operator; approved by 'ann' as ${request.id}`);
    expect((await verifyAudit(path, { key: secret })).fault).toBeUndefined();
  });

  it('denies what an operator denies, and says so', async () => {
    const notebook = new Notebook();
    const server = await scene.serve(notebook);
    const client = await scene.dial(server);
    const asked = ask(client, 'system.reboot', {}, LONG);
    const request = await parkedOne(server);
    await server.approvals?.deny(request, { by: 'ann' });
    expect(await asked).toMatchObject({ code: 'EIPC_NOT_APPROVED', remote: true });
    expect(scene.done).toEqual([]);
    expect(notebook.of('system.reboot').map(({ decision, result }) => [decision, result])).toEqual([
      ['confirm', expect.stringContaining(request.id) as unknown],
      ['deny', `EIPC_NOT_APPROVED: denied by 'ann' as ${request.id}`],
    ]);
  });

  it('lets a controlled action take effect only when its record is durable', async () => {
    const notebook = new Notebook();
    const server = await scene.serve(notebook);
    const client = await scene.dial(server);
    await ask(client, 'ui.click');
    let release: () => void = () => undefined;
    notebook.gate = new Promise((resolve) => (release = resolve));
    const asked = ask(client, 'motor.move');
    await client.ping();
    expect(scene.done).toEqual(['ui.click']);
    release();
    expect(await asked).toBeUndefined();
    expect(scene.done).toEqual(['ui.click', 'motor.move']);
  });

  it('keeps the order of messages: a safe one does not overtake a controlled one that is being recorded', async () => {
    const notebook = new Notebook();
    const server = await scene.serve(notebook);
    const client = await scene.dial(server);
    let release: () => void = () => undefined;
    notebook.gate = new Promise((resolve) => (release = resolve));
    const all = ['motor.move', 'ui.click', 'motor.stop', 'motor.burn', 'ui.scroll'].map((action) =>
      ask(client, action),
    );
    const urgent = ask(client, 'ui.stop', { priority: 0 });
    await urgent;
    expect(scene.done).toEqual(['ui.stop']);
    release();
    await Promise.all(all);
    expect(scene.done).toEqual(['ui.stop', 'motor.move', 'ui.click', 'motor.stop', 'ui.scroll']);
  });

  it('denies controlled and restricted actions while the audit cannot be written, and only those', async () => {
    const notebook = new Notebook();
    const server = await scene.serve(notebook);
    const client = await scene.dial(server);
    notebook.failure = new Error('the disk is full');
    expect(await ask(client, 'motor.move')).toMatchObject({ code: 'EIPC_AUDIT', remote: true });
    expect(await ask(client, 'ui.click')).toBeUndefined();
    const asked = ask(client, 'system.reboot', {}, LONG);
    const approval = failure(server.approvals?.approve(await parkedOne(server)) ?? Promise.resolve());
    expect(await approval).toMatchObject({ code: 'EIPC_AUDIT' });
    expect(await asked).toMatchObject({ code: 'EIPC_AUDIT', remote: true });
    notebook.failure = undefined;
    expect(await ask(client, 'motor.move')).toBeUndefined();
    expect(scene.done).toEqual(['ui.click', 'motor.move']);
  });

  it('denies controlled actions while the disk is full, and goes on when it is not', async () => {
    const path = join(scene.folder, 'full.log');
    const audit = scene.closeLater(await AuditLogger.open(path, { key: secret }));
    const server = await scene.serve(audit);
    const client = await scene.dial(server);
    expect(await ask(client, 'motor.move')).toBeUndefined();
    const work = await failing('write');
    try {
      expect(await ask(client, 'motor.turn')).toMatchObject({ code: 'EIPC_AUDIT', remote: true });
      expect(await ask(client, 'ui.click')).toBeUndefined();
      // The turn, its denial, and the click, which nobody waits for: what comes while an entry fails would fail with it.
      await expect.poll(() => audit.stats().refused).toBe(3);
    } finally {
      work();
    }
    expect(await ask(client, 'motor.move')).toBeUndefined();
    expect(scene.done).toEqual(['motor.move', 'ui.click', 'motor.move']);
    expect(server.stats().auditFailures).toBeGreaterThan(0);
    await client.close();
    await server.close();
    await audit.close();
    expect(readFileSync(path, 'latin1')).toContain('entries were refused: ');
    expect((await verifyAudit(path, { key: secret })).fault).toBeUndefined();
  });

  it('does not stand in the way of what asks for nothing', async () => {
    const notebook = new Notebook();
    const server = await scene.serve(notebook, { policy: new PolicyEngine() });
    const client = await scene.dial(server);
    await client.send({ type: 'features', payload: new Float32Array(2) });
    await client.ping();
    expect(scene.done).toEqual(['features']);
  });

  it('cannot be set where it would only seem to be in force', async () => {
    const set = (options: Partial<ListenOptions>): Promise<unknown> => failure(scene.serve(new Notebook(), options));
    expect(await set({ router: null })).toEqual(
      expect.objectContaining({ name: 'TypeError', message: expect.stringContaining('router is null') as unknown }),
    );
    expect(await set({ audit: undefined } as object)).toMatchObject({
      name: 'TypeError',
      message: expect.stringContaining('policy needs an audit') as unknown,
    });
    expect(await set({ policy: {} as PolicyEngine })).toMatchObject({ name: 'TypeError' });
  });

  it('records in its own audit where the server has none', async () => {
    const notebook = new Notebook();
    const policy = new PolicyEngine({ audit: notebook }).addRule({ action: 'motor.*', class: 'controlled' });
    const server = await scene.serve(notebook, { audit: undefined, policy } as object);
    expect(await ask(await scene.dial(server), 'motor.move')).toBeUndefined();
    expect(notebook.decisions()).toEqual(['allow motor.move']);
  });

  it('holds in v1 too, whose peers are told by the same message', async () => {
    const v1 = Key.fromBytes(randomBytes(32), { protocol: 1 });
    const services = { 'nia.min': { key: v1, capabilities: ['system:restricted'], protocols: [1] as const } };
    const server = await scene.serve(new Notebook(), { services });
    const client = await scene.dial(server, { serviceId: 'nia.min', key: v1, protocol: 1 });
    expect(await ask(client, 'motor.move')).toMatchObject({ code: 'EIPC_CAPABILITY', remote: true });
    const pending: PendingApproval[] = [];
    const asked = ask(client, 'system.reboot', {}, { ...LONG, onPending: (one) => void pending.push(one) });
    const request = await parkedOne(server);
    await server.approvals?.approve(request);
    expect(await asked).toBeUndefined();
    expect(pending).toEqual([{ approval: request.id, action: 'system.reboot', time: 60_000 }]);
    expect(scene.done).toEqual(['system.reboot']);
  });

  it('tells a requester that did not ask for it only the end, and one whose callback throws that', async () => {
    const server = await scene.serve(new Notebook());
    const client = await scene.dial(server);
    const asked = ask(client, 'system.reboot', {}, LONG);
    await server.approvals?.approve(await parkedOne(server));
    expect(await asked).toBeUndefined();
    const thrown = new Error('the display is off');
    const onPending = (): never => {
      throw thrown;
    };
    expect(await ask(client, 'system.reboot', {}, { ...LONG, onPending })).toBe(thrown);
    expect(() => client.request({ type: 'intent' }, { onPending: 7 as never })).toThrow(TypeError);
  });

  it('lets nothing run that the policy denies by the time it is recorded', async () => {
    const notebook = new Notebook();
    const policy = examplePolicy();
    const server = await scene.serve(notebook, { policy });
    const client = await scene.dial(server);
    let release: () => void = () => undefined;
    notebook.gate = new Promise((resolve) => (release = resolve));
    const asked = ask(client, 'motor.move');
    await client.ping();
    policy.removeRule('motor.*');
    policy.addRule({ action: 'motor.move', class: 'restricted' });
    release();
    expect(await asked).toMatchObject({ code: 'EIPC_POLICY', remote: true });
    expect(scene.done).toEqual([]);
  });

  it('lets nothing run that became too old while it was recorded', async () => {
    const notebook = new Notebook();
    const server = await scene.serve(notebook);
    const client = await scene.dial(server);
    let release: () => void = () => undefined;
    notebook.gate = new Promise((resolve) => (release = resolve));
    expect(await ask(client, 'motor.move', {}, { timeout: 200 })).toMatchObject({ code: 'EIPC_TIMEOUT' });
    const timedOut = Date.now();
    await expect.poll(() => Date.now(), { interval: 1 }).toBeGreaterThan(timedOut + 1);
    release();
    await expect.poll(() => notebook.of('motor.move').length).toBe(2);
    expect(notebook.of('motor.move')[1]?.result).toMatch(/^EIPC_STALE: /);
    expect(scene.done).toEqual([]);
  });

  it('lets nothing run that was admitted for a session whose key is revoked meanwhile', async () => {
    // The attacker lost its key a moment after it asked.
    const ring = new Keyring();
    const { id } = await ring.generate('eni.min');
    const own = ring.lookup('eni.min');
    if (own === undefined) throw new Error('there is a key');
    const notebook = new Notebook();
    const services = { 'eni.min': { key: ring, capabilities: ['device:write'] } };
    const server = await scene.serve(notebook, { services });
    const client = await scene.dial(server, { key: own });
    let release: () => void = () => undefined;
    notebook.gate = new Promise((resolve) => (release = resolve));
    const asked = ask(client, 'motor.move');
    await client.ping();
    await ring.revoke('eni.min', id);
    await asked;
    release();
    await expect.poll(() => notebook.of('motor.move').length).toBe(2);
    expect(notebook.of('motor.move').map(({ decision }) => decision)).toEqual(['allow', 'deny']);
    expect(scene.done).toEqual([]);
  });
});
