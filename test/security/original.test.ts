// What the original got wrong about who may do what (numbers of the list it was reviewed by), once each, against the running library. The
// attacker holds the key of a service with few rights, or none. More of each where docs/security-evidence.md says.
import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import {
  AuditLogger,
  CapabilityChecker,
  Key,
  Keyring,
  readKeyFile,
  ToolRegistry,
  verifyAudit,
} from '../../src/index.js';
import type { ClientEndpoint, ConnectOptions, ListenOptions, LogRecord, Server } from '../../src/index.js';
import { FileScene } from '../helpers/file-scene.js';

const keys = { weak: randomBytes(32), strong: randomBytes(32) };
const services: ListenOptions['services'] = {
  weak: { key: keys.weak, capabilities: ['ui:control'] },
  strong: { key: keys.strong, capabilities: ['ui:control', 'system:restricted'] },
};
const ACTIONS = { 'ui:control': ['ui.cursor.move', 'ui.click'], 'system:restricted': ['system.reboot'] };
const scene = new FileScene('original');

const serve = (options: Partial<ListenOptions> = {}): Promise<Server> => scene.listen({ services, ...options });
const dial = (server: Server, options: Partial<ConnectOptions> = {}): Promise<ClientEndpoint> =>
  scene.connect(server, { serviceId: 'weak', key: keys.weak, ...options });

const outcome = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'ok',
    (error: unknown) => (error as { code: string }).code,
  );
const intent = (client: ClientEndpoint, name: string, capability = ''): Promise<string> =>
  outcome(client.request({ type: 'intent', payload: { intent: name }, capability }));

describe.each([1, 2] as const)('in protocol %i', (protocol) => {
  it('3: one service cannot log in as another, and two services cannot have one key', async () => {
    const server = await serve({ protocol });
    for (let at = 0; at < 20; at += 1)
      expect(await outcome(dial(server, { protocol, serviceId: 'strong' }))).toBe('EIPC_HANDSHAKE_FAILED');
    expect(server.sessions()).toEqual([]);
    const shared = { ...services, other: { key: keys.weak, capabilities: [] } };
    await expect(serve({ protocol, services: shared })).rejects.toThrow(
      "the services 'weak' and 'other' have the same key",
    );
  });

  it('5: logins of one service at the same time do not disturb each other, and nobody else disturbs them', async () => {
    const server = await serve({ protocol });
    const stranger = randomBytes(32);
    const tries = Array.from({ length: 40 }, (_, at) =>
      outcome(dial(server, { protocol, key: at % 2 === 0 ? keys.weak : stranger })),
    );
    const outcomes = await Promise.all(tries);
    expect(outcomes.filter((_, at) => at % 2 === 0)).toEqual(Array.from({ length: 20 }, () => 'ok'));
    // In v1 a stranger is told nothing at all.
    expect(outcomes.filter((one, at) => at % 2 === 1 && one === 'ok')).toEqual([]);
    await expect.poll(() => server.sessions()).toHaveLength(20);
  });

  it('6: no right comes from a message, none from saying nothing, and each action is judged as itself', async () => {
    const server = await serve({ protocol });
    server.router?.handle('intent', { capability: new CapabilityChecker(ACTIONS) }, () => {});
    const [weak, strong] = [
      await dial(server, { protocol }),
      await dial(server, { protocol, serviceId: 'strong', key: keys.strong }),
    ];
    expect(await intent(weak, 'ui.cursor.move')).toBe('ok');
    expect(await intent(weak, 'system.reboot')).toBe('EIPC_CAPABILITY');
    expect(await intent(weak, 'system.reboot', 'ui:control')).toBe('EIPC_CAPABILITY');
    expect(await intent(weak, 'system.reboot', 'system:restricted')).toBe('EIPC_CAPABILITY');
    expect(await intent(weak, 'no.such.action')).toBe('EIPC_CAPABILITY');
    expect(await intent(strong, 'system.reboot')).toBe('ok');
    expect(await intent(strong, 'system.reboot', 'ui:control')).toBe('EIPC_CAPABILITY');
    server.revoke('weak', 'ui:control');
    expect(await intent(weak, 'ui.cursor.move')).toBe('EIPC_CAPABILITY');
    expect(await intent(weak, 'ui.cursor.move', 'ui:control')).toBe('EIPC_CAPABILITY');
  });

  it('7, 12: keyring, checker and sessions are on the way of every message: what is revoked is over for who is connected', async () => {
    const keyring = new Keyring();
    await keyring.store('weak', keys.weak, { protocol });
    const server = await serve({ protocol, services: { weak: { key: keyring, capabilities: ['ui:control'] } } });
    const checker = new CapabilityChecker(ACTIONS);
    let handled = 0;
    server.router?.handle('intent', { capability: checker }, () => void (handled += 1));
    const [first, second] = [await dial(server, { protocol }), await dial(server, { protocol })];
    expect([await intent(first, 'ui.click'), await intent(second, 'ui.click')]).toEqual(['ok', 'ok']);
    checker.revoke('ui:control', 'ui.click');
    expect(await intent(first, 'ui.click')).toBe('EIPC_CAPABILITY');
    checker.grant('ui:control', 'ui.click');
    const [session] = server.sessions();
    expect(await server.revokeSession(session?.id ?? '')).toBe(true);
    await first.closed;
    expect(await intent(second, 'ui.click')).toBe('ok');
    await keyring.revoke('weak');
    await second.closed;
    expect(handled).toBe(3);
    await expect.poll(() => server.sessions()).toEqual([]);
    expect(await outcome(dial(server, { protocol }))).not.toBe('ok');
  });
});

describe('the audit', () => {
  it('13: is missed when it cannot be written: that is counted, told, and stops what must be audited first', async () => {
    const records: LogRecord[] = [];
    const audit = { log: () => Promise.reject(new Error('the disk is full')) };
    const server = await serve({ audit, logger: (record) => records.push(record) });
    const tools = new ToolRegistry({ audit });
    const { hash } = tools.register('weak', {
      name: 'test.touch',
      capability: 'ui:control',
      argv: [
        process.execPath,
        '-e',
        `require('fs').writeFileSync(${JSON.stringify(join(scene.folder, 'touched'))}, '')`,
      ],
    });
    tools.approve('test.touch', hash);
    server.router?.handle('tool_request', tools.handler());
    const client = await dial(server);
    expect(await outcome(client.request({ type: 'tool_request', payload: { tool: 'test.touch' } }))).not.toBe('ok');
    expect(() => readFileSync(join(scene.folder, 'touched'))).toThrow(/ENOENT/);
    expect(server.stats().auditFailures).toBeGreaterThan(0);
    expect(records.filter(({ event }) => event === 'audit-failed')).toHaveLength(1);
  });

  it('13: has one line for what a peer wrote into several, and shows what was edited', async () => {
    const path = join(scene.folder, 'audit.log');
    const audit = scene.closeLater(await AuditLogger.open(path));
    const server = await serve({ audit });
    server.router?.handle('intent', () => {});
    const client = await dial(server);
    const forged =
      'ui.click"}\n{"i":9,"t":"2026-01-01T00:00:00.000Z","peer":"strong","action":"system.reboot","decision":"allow"}\r\u2028\u001b[2K';
    await intent(client, forged);
    const linesOf = (): string[] => readFileSync(path, 'latin1').trimEnd().split('\n');
    await expect.poll(() => linesOf().length, { timeout: 10_000 }).toBeGreaterThan(2);
    const lines = linesOf();
    expect(lines.map((line) => (JSON.parse(line) as { peer: string }).peer)).toEqual(['', 'weak', 'weak']);
    expect((JSON.parse(lines[2] ?? '') as { action: string }).action).toBe(forged);
    expect((await verifyAudit(path)).fault).toBeUndefined();
    const edited = join(scene.folder, 'edited.log');
    writeFileSync(edited, lines.map((line, at) => `${at === 2 ? line.replace('"allow"', '"deny"') : line}\n`).join(''));
    expect((await verifyAudit(edited)).fault).toMatchObject({ line: 3, reason: 'changed' });
  });
});

describe('names', () => {
  it('14: stay with the first that has them, connected or not', () => {
    const tools = new ToolRegistry();
    tools.register('strong', { name: 'motor.move', capability: 'ui:control' });
    tools.remove('strong', 'motor.move');
    expect(() => tools.register('weak', { name: 'motor.move', capability: 'ui:control' })).toThrow(
      expect.objectContaining({ code: 'EIPC_POLICY' }),
    );
  });

  it('14: a peer that takes nothing holds up nobody but itself', async () => {
    const server = await serve({ router: null });
    const slow = await dial(server, { inbox: { limit: 1 } });
    const quick = await dial(server, { serviceId: 'strong', key: keys.strong });
    await expect.poll(() => server.endpoints.size).toBe(2);
    const [toSlow, toQuick] = [server.endpointsOf('weak')[0], server.endpointsOf('strong')[0]];
    const payload = new Uint8Array(60_000);
    // Nobody reads the messages of the slow one.
    let refused = 0;
    while (refused < 10) refused += toSlow?.trySend({ type: 'audit', payload }) === true ? 0 : 1;
    for (let at = 0; at < 50; at += 1) {
      toSlow?.trySend({ type: 'audit', payload });
      await toQuick?.send({ type: 'audit', payload: at });
      expect((await quick.receive({ timeout: 10_000 })).payload).toBe(at);
    }
    expect(slow.state).toBe('open');
  });
});

describe('keys', () => {
  it('16: of 0 to 31 bytes are refused, in v1 of 0 to 15, and phrases', () => {
    for (let length = 0; length < 32; length += 1) expect(() => Key.fromBytes(randomBytes(length))).toThrow(RangeError);
    for (let length = 0; length < 16; length += 1)
      expect(() => Key.fromBytes(randomBytes(length), { protocol: 1 })).toThrow(RangeError);
    expect(() => Key.fromBytes(Buffer.from('a phrase that is longer than 32 bytes'))).toThrow(
      expect.objectContaining({ code: 'EIPC_KEY' }),
    );
    Key.fromBytes(randomBytes(32));
  });

  it.skipIf(process.platform === 'win32')('16: are read from files of their owner alone, behind no link', async () => {
    const path = join(scene.folder, 'weak.key');
    writeFileSync(path, keys.weak, { mode: 0o600 });
    await readKeyFile(path);
    for (const mode of [0o644, 0o640, 0o604, 0o620, 0o602, 0o660]) {
      chmodSync(path, mode);
      await expect(readKeyFile(path), mode.toString(8)).rejects.toMatchObject({ code: 'EIPC_KEY' });
    }
    chmodSync(path, 0o600);
    symlinkSync(path, join(scene.folder, 'link.key'));
    await expect(readKeyFile(join(scene.folder, 'link.key'))).rejects.toThrow(/symbolic link/);
  });
});
