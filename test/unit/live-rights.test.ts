/** Rights and sessions of a server that runs: what is granted, taken and ended while peers are connected holds for their next message. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { CapabilityChecker, Key, Keyring } from '../../src/index.js';
import type {
  AuditEntry,
  ClientEndpoint,
  ConnectOptions,
  ListenOptions,
  LogRecord,
  Peer,
  Server,
} from '../../src/index.js';
import { FileScene } from '../helpers/file-scene.js';

const key = Key.fromBytes(randomBytes(32));
const otherKey = Key.fromBytes(randomBytes(32));
const scene = new FileScene('rights');

type Transport = 'shm' | 'unix' | 'memory';

async function serve(transport: Transport, options: Partial<ListenOptions> = {}): Promise<Server> {
  const services = {
    'eni.min': { key, capabilities: ['ui:control'] },
    'eni.other': { key: otherKey, capabilities: [] },
  };
  return scene.listen({ services, ...options }, scene.newAddress(transport));
}

const dial = (server: Server, options: Partial<ConnectOptions> = {}): Promise<ClientEndpoint> =>
  scene.connect(server, { serviceId: 'eni.min', key, ...options });

const intent = (client: ClientEndpoint, name = 'ui.click', capability = ''): Promise<string> =>
  client.request({ type: 'intent', payload: { intent: name }, capability }).then(
    () => 'ok',
    (error: unknown) => (error as { code: string }).code,
  );

describe.each(['shm', 'unix', 'memory'] as const)('over %s, rights', (transport) => {
  it('that are taken are gone at the next message, and those that are given are there, in every open session', async () => {
    const server = await serve(transport);
    let runs = 0;
    server.router?.handle('intent', { capability: 'ui:control' }, () => void (runs += 1));
    const clients = [await dial(server), await dial(server)];
    for (const client of clients) expect(await intent(client)).toBe('ok');
    expect(server.revoke('eni.min', 'ui:control')).toBe(true);
    for (const client of clients) expect(await intent(client)).toBe('EIPC_CAPABILITY');
    // A claim is no right.
    for (const client of clients) expect(await intent(client, 'ui.click', 'ui:control')).toBe('EIPC_CAPABILITY');
    expect(runs).toBe(2);
    expect(server.grant('eni.min', 'ui:control')).toBe(true);
    for (const client of clients) expect(await intent(client)).toBe('ok');
    for (const client of clients) expect(await intent(client, 'ui.click', 'ui:control')).toBe('ok');
    expect(server.endpointsOf('eni.min').map(({ peer }) => [...peer.capabilities])).toEqual([
      ['ui:control'],
      ['ui:control'],
    ]);
  });

  it('are of one service and no other', async () => {
    const server = await serve(transport);
    server.router?.handle('intent', { capability: 'ui:control' }, () => {});
    const one = await dial(server);
    const other = await dial(server, { serviceId: 'eni.other', key: otherKey });
    expect(await intent(other)).toBe('EIPC_CAPABILITY');
    server.revoke('eni.min', 'ui:control');
    server.grant('eni.other', 'ui:control');
    expect([await intent(one), await intent(other)]).toEqual(['EIPC_CAPABILITY', 'ok']);
  });

  it('hold for messages that came before and wait for their turn', async () => {
    const server = await serve(transport);
    const releases: (() => void)[] = [];
    let runs = 0;
    server.router?.handle('intent', { capability: 'ui:control', concurrency: 1 }, async () => {
      runs += 1;
      await new Promise<void>((resolve) => releases.push(resolve));
    });
    const client = await dial(server);
    const first = intent(client);
    const second = intent(client);
    await expect.poll(() => server.endpointsOf('eni.min')[0]?.stats().waiting).toBe(1);
    server.revoke('eni.min', 'ui:control');
    releases[0]?.();
    expect([await first, await second, runs]).toEqual(['ok', 'EIPC_CAPABILITY', 1]);
  });

  it('are told to sessions that begin later', async () => {
    const server = await serve(transport);
    server.grant('eni.min', 'device:write');
    server.revoke('eni.min', 'ui:control');
    expect((await dial(server)).granted).toEqual(['device:write']);
  });
});

describe('rights', () => {
  it('belong to sessions under a key that a keyring gets later', async () => {
    const keyring = new Keyring();
    const server = await serve('memory', { services: { 'eni.min': { key: keyring, capabilities: ['ui:control'] } } });
    server.router?.handle('intent', { capability: 'device:write' }, () => {});
    server.grant('eni.min', 'device:write');
    await keyring.generate('eni.min');
    const client = await dial(server, { key: keyring.lookup('eni.min') ?? key });
    expect(client.granted).toEqual(['ui:control', 'device:write']);
    expect(await intent(client)).toBe('ok');
  });

  it.each(['challenge', 'mac'] as const)('change in v1 as well, by %s', async (auth) => {
    const services = { 'nia.min': { key, capabilities: ['ui:control'], protocols: [1] as const } };
    const server = await serve('memory', { services, auth });
    server.router?.handle('intent', { capability: 'device:write' }, () => {});
    const client = await dial(server, { serviceId: 'nia.min', protocol: 1, auth });
    expect(await intent(client)).toBe('EIPC_CAPABILITY');
    server.grant('nia.min', 'device:write');
    expect(await intent(client)).toBe('ok');
    server.revoke('nia.min', 'device:write');
    expect(await intent(client)).toBe('EIPC_CAPABILITY');
    expect(() => {
      for (let at = 0; at < 20; at += 1) server.grant('nia.min', `${at}:${'x'.repeat(250)}`);
    }).toThrow(expect.objectContaining({ code: 'EIPC_MESSAGE_TOO_LARGE' }));
    expect(server.sessions()[0]?.capabilities).toHaveLength(12);
  });

  it('of an action change with the checker, and are the peer’s and not the message’s', async () => {
    const checker = new CapabilityChecker({ 'ui:control': ['ui.click'], 'system:restricted': ['system.reboot'] });
    const server = await serve('memory');
    server.router?.handle('intent', { capability: checker }, () => {});
    const client = await dial(server);
    // The attacker holds the key of a service that may click, and asks for more.
    expect(await intent(client, 'system.reboot')).toBe('EIPC_CAPABILITY');
    expect(await intent(client, 'system.reboot', 'ui:control')).toBe('EIPC_CAPABILITY');
    expect(await intent(client, 'system.reboot', 'system:restricted')).toBe('EIPC_CAPABILITY');
    expect(await intent(client, 'ui.click', 'ui:control')).toBe('ok');
    checker.revoke('ui:control', 'ui.click');
    expect(await intent(client, 'ui.click')).toBe('EIPC_CAPABILITY');
    server.grant('eni.min', 'system:restricted');
    expect(await intent(client, 'system.reboot')).toBe('ok');
  });

  it('are refused for services that are not there, and leave a line in audit and log for each change', async () => {
    const entries: AuditEntry[] = [];
    const records: LogRecord[] = [];
    const audit = { log: (entry: AuditEntry) => Promise.resolve(void entries.push(entry)) };
    const server = await serve('memory', { audit, logger: (record) => records.push(record) });
    expect(() => server.grant('eni.none', 'a')).toThrow(/'eni\.none' is no service here/);
    expect(() => server.grant('eni.min', '')).toThrow(RangeError);
    expect([server.grant('eni.min', 'a'), server.grant('eni.min', 'a'), server.revoke('eni.min', 'a')]).toEqual([
      true,
      false,
      true,
    ]);
    expect(server.revoke('eni.min', 'a')).toBe(false);
    expect(entries.map(({ peer, action, decision, result }) => [peer, action, decision, result])).toEqual([
      ['eni.min', 'capability.grant', 'note', 'a'],
      ['eni.min', 'capability.revoke', 'note', 'a'],
    ]);
    expect(records.map(({ event }) => event)).toEqual(['capability.grant', 'capability.revoke']);
  });
});

describe('sessions', () => {
  it('are listed with who, how, since when and what they may do, and no longer when they are over', async () => {
    const server = await serve('unix');
    expect(server.sessions()).toEqual([]);
    const one = await dial(server);
    const other = await dial(server, { serviceId: 'eni.other', key: otherKey });
    await expect.poll(() => server.sessions()).toHaveLength(2);
    const [first, second] = server.sessions();
    expect(first).toMatchObject({
      id: one.peer.sessionId,
      serviceId: 'eni.min',
      capabilities: ['ui:control'],
      protocol: 2,
      transport: 'unix',
      keyId: key.id,
      ...(process.platform === 'linux' ? { pid: process.pid, uid: process.getuid?.() } : {}),
    });
    expect(Date.now() - (first?.openedAt.getTime() ?? 0)).toBeLessThan(3_600_000);
    expect(second).toMatchObject({ id: other.peer.sessionId, serviceId: 'eni.other', capabilities: [] });
    expect(server.sessions('eni.other')).toHaveLength(1);
    await one.close();
    await expect.poll(() => server.sessions().map(({ serviceId }) => serviceId)).toEqual(['eni.other']);
  });

  it('of v1 are named by something that is not the token', async () => {
    const services = { 'nia.min': { key, capabilities: [], protocols: [1] as const } };
    const server = await serve('memory', { services });
    const client = await dial(server, { serviceId: 'nia.min', protocol: 1 });
    await expect.poll(() => server.sessions()).toHaveLength(1);
    const [entry] = server.sessions();
    expect(entry?.id).toMatch(/^v1-[0-9a-f]{16}$/);
    expect(client.peer.sessionId).toHaveLength(64);
    expect(JSON.stringify(entry)).not.toContain(client.peer.sessionId.slice(0, 8));
  });
});

describe.each(['shm', 'unix'] as const)('over %s, a session that is revoked', (transport) => {
  it('ends at once, for its peer too; nothing that comes after is handled; the others go on', async () => {
    const entries: AuditEntry[] = [];
    const audit = { log: (entry: AuditEntry) => Promise.resolve(void entries.push(entry)) };
    const server = await serve(transport, { audit });
    const handled: unknown[] = [];
    let peer: Peer | undefined;
    server.router?.handle('chat', (message, from) => {
      handled.push(message.payload);
      peer = from;
    });
    const [attacker, honest] = [await dial(server), await dial(server)];
    await attacker.request({ type: 'chat', payload: 'before' });
    const id = attacker.peer.sessionId;
    const end = server.endpointsOf('eni.min').find(({ peer: { sessionId } }) => sessionId === id);
    const revoked = server.revokeSession(id);
    // The attacker still has the connection, and sends as fast as it can.
    for (let at = 0; at < 50; at += 1) await attacker.send({ type: 'chat', payload: 'after' }).catch(() => undefined);
    expect(await revoked).toBe(true);
    expect(await attacker.closed).toMatchObject({ code: 'EIPC_REVOKED' });
    expect((await end?.closed)?.error?.message).toBe(`this session was revoked (${id})`);
    expect(handled).toEqual(['before']);
    expect(peer?.sessionId).toBe(id);
    expect(await server.revokeSession(id)).toBe(false);
    await honest.request({ type: 'chat', payload: 'honest' });
    expect(entries.filter(({ action }) => action === 'session.revoke')).toMatchObject([
      { peer: 'eni.min', decision: 'note', result: `session ${id}` },
    ]);
    // Its key is as good as before.
    await dial(server);
  });

  it('does not come back by itself', async () => {
    const server = await serve(transport);
    const client = await dial(server, { reconnect: { initialDelay: 1 } });
    // The client may know of its session before the server's JavaScript does.
    await expect.poll(() => server.sessions()).toHaveLength(1);
    await server.revokeSession(client.peer.sessionId);
    expect(await client.closed).toMatchObject({ code: 'EIPC_REVOKED' });
    expect(server.sessions()).toEqual([]);
  });

  it('tells a handler that runs by its signal', async () => {
    const server = await serve(transport);
    let reason: unknown;
    server.router?.handle('intent', async (_, __, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      reason = signal.reason;
    });
    const client = await dial(server);
    const asked = intent(client);
    await expect.poll(() => server.endpointsOf('eni.min')[0]?.stats().running).toBe(1);
    await server.revokeSession(client.peer.sessionId);
    expect(await asked).toBe('EIPC_REVOKED');
    expect(reason).toMatchObject({ code: 'EIPC_REVOKED' });
  });
});
