/** A server whose keys come from a keyring, while they change: who gets in, who stays, and who is put out. */
import { randomBytes } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';

import { Key, Keyring } from '../../src/index.js';
import type { AuditEntry, ClientEndpoint, ConnectOptions, ListenOptions, LogRecord, Server } from '../../src/index.js';
import { FileScene } from '../helpers/file-scene.js';

const scene = new FileScene('keyring-server');

type Transport = 'shm' | 'unix' | 'memory';

async function serve(keyring: Keyring, transport: Transport, options: Partial<ListenOptions> = {}): Promise<Server> {
  const services = { 'eni.min': { key: keyring, capabilities: ['ui:control'] } };
  return scene.listen({ services, ...options }, scene.newAddress(transport));
}

async function dial(
  server: Server,
  key: Key | undefined,
  options: Partial<ConnectOptions> = {},
): Promise<ClientEndpoint> {
  if (key === undefined) throw new Error('there is no key');
  return scene.connect(server, { serviceId: 'eni.min', key, ...options });
}

const refused = { code: 'EIPC_HANDSHAKE_FAILED' };

describe.each(['shm', 'unix'] as const)('over %s, a key that is rotated', (transport) => {
  it('is taken for its grace beside the new one, and refused after that, while its sessions go on', async () => {
    const keyring = new Keyring();
    await keyring.generate('eni.min');
    const server = await serve(keyring, transport);
    server.router?.handle('intent', (message) => ({ echo: message.payload }));
    const old = keyring.lookup('eni.min');
    const before = await dial(server, old);
    await keyring.rotate('eni.min', { grace: 600_000 });
    const next = keyring.lookup('eni.min');
    expect(next?.id).not.toBe(old?.id);
    const clients = [before, await dial(server, old), await dial(server, next)];
    await keyring.rotate('eni.min', { grace: 0 });
    await keyring.revoke('eni.min', (await keyring.rotate('eni.min', { grace: 600_000 })).id);
    await expect(dial(server, next)).rejects.toMatchObject(refused);
    for (const client of clients)
      expect((await client.request<{ echo: unknown }>({ type: 'intent', payload: 7 })).payload.echo).toBe(7);
  });

  it('is refused when its grace is over, by a clock that nobody has to look at', async () => {
    const keyring = new Keyring();
    await keyring.generate('eni.min');
    const server = await serve(keyring, transport);
    const old = keyring.lookup('eni.min');
    await keyring.rotate('eni.min', { grace: 500 });
    const outcome = (): Promise<string> =>
      dial(server, old).then(
        async (client) => {
          await client.close();
          return 'open';
        },
        (error: unknown) => (error as { code: string }).code,
      );
    await expect.poll(outcome, { timeout: 10_000 }).toBe('EIPC_HANDSHAKE_FAILED');
    expect(keyring.list()[0]?.state).toBe('expired');
    await dial(server, keyring.lookup('eni.min'));
  });

  it('loses no message under load', { timeout: 120_000 }, async () => {
    const keyring = new Keyring();
    await keyring.generate('eni.min');
    const server = await serve(keyring, transport, { maxConnections: 64 });
    const handled = new Map<string, number[]>();
    server.router
      ?.handle('features', (message) => {
        const [client, number] = message.payload as [string, number];
        const numbers = handled.get(client) ?? [];
        handled.set(client, numbers);
        numbers.push(number);
      })
      .handle('intent', () => ({ status: 'ok' }));
    const accepted = new Map<string, number>();
    let isOver = false;
    /** Sends as fast as it may, from connect to close, with the key of its time. */
    const load = async (name: string, key: Key | undefined): Promise<void> => {
      const client = await dial(server, key);
      let number = 0;
      while (!isOver || number < 100) {
        const asked = client.request({ type: 'intent', payload: { number } });
        for (let burst = 0; burst < 20; burst += 1) {
          number += 1;
          await client.send({ type: 'features', priority: 2, payload: [name, number] });
        }
        await asked;
      }
      accepted.set(name, number);
      await client.close({ drain: true });
      expect(await client.closed).toMatchObject({ code: 'EIPC_CLOSED', undelivered: 0 });
    };
    const loads = [0, 1].map((at) => load(`first ${at}`, keyring.lookup('eni.min')));
    for (let rotation = 0; rotation < 4; rotation += 1) {
      const old = keyring.lookup('eni.min');
      await keyring.rotate('eni.min', { grace: 600_000 });
      const names = ['old', 'new'].map((which) => `${which} ${rotation}`);
      for (const [at, name] of names.entries()) loads.push(load(name, at === 0 ? old : keyring.lookup('eni.min')));
      const [, newest = ''] = names;
      await expect.poll(() => handled.get(newest)?.length ?? 0, { timeout: 30_000 }).toBeGreaterThan(20);
    }
    isOver = true;
    await Promise.all(loads);
    await expect.poll(() => server.endpoints.size).toBe(0);
    let total = 0;
    for (const [name, number] of accepted) {
      expect(handled.get(name), name).toEqual(Array.from({ length: number }, (_, at) => at + 1));
      total += number;
    }
    expect(accepted.size).toBe(10);
    process.stdout.write(`rotation under load over ${transport}: 4 rotations, 10 clients, ${total} messages, 0 lost\n`);
  });
});

describe.each(['shm', 'unix', 'memory'] as const)('over %s, a key that is revoked', (transport) => {
  it('ends its live sessions at once, says so at both ends, and leaves others alone', async () => {
    // The attacker has a key, and a session that is open.
    const keyring = new Keyring();
    await keyring.generate('eni.min');
    const stolen = keyring.lookup('eni.min');
    const server = await serve(keyring, transport);
    let handled = 0;
    let signal: AbortSignal | undefined;
    server.router?.handle('intent', (_message, _peer, context) => {
      handled += 1;
      signal = context.signal;
      return new Promise(() => undefined);
    });
    const attacker = await dial(server, stolen);
    await keyring.rotate('eni.min', { grace: 600_000 });
    const honest = await dial(server, keyring.lookup('eni.min'));
    const pending = attacker.request({ type: 'intent', payload: {} }).catch((error: unknown) => error);
    await expect.poll(() => handled).toBe(1);
    const ends = [...server.endpoints];
    const revoked = keyring.revoke('eni.min', stolen?.id);
    expect(signal?.reason).toMatchObject({ code: 'EIPC_REVOKED' });
    await revoked;
    expect(await attacker.closed).toMatchObject({ code: 'EIPC_REVOKED', error: { code: 'EIPC_REVOKED' } });
    expect(await pending).toMatchObject({ code: 'EIPC_REVOKED' });
    const [cut] = ends;
    expect(await cut?.closed).toMatchObject({
      code: 'EIPC_REVOKED',
      error: { code: 'EIPC_REVOKED', message: `the key of this session was revoked (${stolen?.id})` },
    });
    await expect(dial(server, stolen)).rejects.toMatchObject(refused);
    expect(honest.state).toBe('open');
    await honest.ping();
    expect(server.endpoints.size).toBe(1);
  });

  it('has nothing handled any more that was on its way', async () => {
    // The attacker has sent as much as it could when its key is revoked.
    const keyring = new Keyring();
    await keyring.generate('eni.min');
    const server = await serve(keyring, transport, { concurrency: 1 });
    const handled: number[] = [];
    let free: () => void = () => undefined;
    server.router?.handle('intent', (message) => {
      handled.push(message.payload as number);
      return new Promise<void>((resolve) => {
        free = resolve;
      });
    });
    const attacker = await dial(server, keyring.lookup('eni.min'));
    const pending = Array.from({ length: 50 }, (_, payload) =>
      attacker.request({ type: 'intent', payload }).catch((error: unknown) => (error as { code: string }).code),
    );
    await expect.poll(() => [...server.endpoints][0]?.stats().waiting).toBeGreaterThan(10);
    await keyring.revoke('eni.min');
    free();
    expect(new Set(await Promise.all(pending))).toEqual(new Set(['EIPC_REVOKED']));
    await expect.poll(() => server.endpoints.size).toBe(0);
    expect(handled).toEqual([0]);
  });

  it('ends the iteration of an inbox, and gives nothing more into it', async () => {
    const keyring = new Keyring();
    await keyring.generate('eni.min');
    const server = await serve(keyring, transport, { router: null });
    const accepted = server[Symbol.asyncIterator]().next();
    const attacker = await dial(server, keyring.lookup('eni.min'));
    const next = await accepted;
    if (next.done === true) throw new Error('the server ended');
    await attacker.send({ type: 'chat', payload: 'before' });
    expect((await next.value.receive({ timeout: 5_000 })).payload).toBe('before');
    const waiting = next.value.receive().catch((error: unknown) => error);
    const revoked = keyring.revoke('eni.min');
    await attacker.send({ type: 'chat', payload: 'after' }).catch(() => undefined);
    await revoked;
    expect(await waiting).toMatchObject({ code: 'EIPC_REVOKED' });
    expect(next.value.stats().waiting).toBe(0);
  });
});

describe('a server with a keyring', () => {
  it('puts a session out whose key is revoked at the moment it opens', async () => {
    const keyring = new Keyring();
    await keyring.generate('eni.min');
    const key = keyring.lookup('eni.min');
    const server = await serve(keyring, 'memory');
    let revoked: Promise<void> | undefined;
    // Told by the endpoint before its server knows it.
    const onConnected = (): void => {
      revoked ??= keyring.revoke('eni.min');
    };
    subscribe('eipc:connected', onConnected);
    try {
      const client = await dial(server, key);
      expect(await client.closed).toMatchObject({ code: 'EIPC_REVOKED' });
      await revoked;
      await expect.poll(() => server.endpoints.size).toBe(0);
    } finally {
      unsubscribe('eipc:connected', onConnected);
    }
  });

  it('begins without a key, and takes the first one when it comes', async () => {
    const keyring = new Keyring();
    const server = await serve(keyring, 'memory');
    await expect(dial(server, Key.fromBytes(randomBytes(32)))).rejects.toMatchObject(refused);
    await keyring.generate('eni.min');
    await dial(server, keyring.lookup('eni.min'));
    await keyring.generate('eni.other');
    await expect(dial(server, keyring.lookup('eni.other'), { serviceId: 'eni.other' })).rejects.toMatchObject(refused);
  });

  it('lets sessions under a deleted key go on, and opens no new ones', async () => {
    const keyring = new Keyring();
    await keyring.generate('eni.min');
    const key = keyring.lookup('eni.min');
    const server = await serve(keyring, 'memory');
    const client = await dial(server, key);
    await keyring.delete('eni.min');
    await expect(dial(server, key)).rejects.toMatchObject(refused);
    await client.ping();
  });

  it('honours the end of a key that it was given with, and of one that comes later', async () => {
    const keyring = new Keyring();
    await keyring.generate('eni.min', { ttl: 400 });
    const first = keyring.lookup('eni.min');
    const server = await serve(keyring, 'memory');
    const outcome = (key: Key | undefined): Promise<string> =>
      dial(server, key).then(
        () => 'open',
        (error: unknown) => (error as { code: string }).code,
      );
    await expect.poll(() => outcome(first), { timeout: 10_000 }).toBe('EIPC_HANDSHAKE_FAILED');
    await keyring.generate('eni.min', { ttl: 400 });
    const second = keyring.lookup('eni.min');
    await expect.poll(() => outcome(second), { timeout: 10_000 }).toBe('EIPC_HANDSHAKE_FAILED');
  });

  it('follows the keys of v1 as well, and puts their sessions out', async () => {
    const keyring = new Keyring();
    const phrases = ['the first phrase', 'the other phrase'].map((text) => Buffer.from(text));
    await keyring.store('nia.min', phrases[0] ?? Buffer.alloc(0), { protocol: 1 });
    const services = { 'nia.min': { key: keyring, capabilities: [], protocols: [1] as const } };
    const server = await scene.listen({ services });
    const v1 = { serviceId: 'nia.min', protocol: 1 } as const;
    const old = await dial(server, keyring.lookup('nia.min'), v1);
    const first = keyring.lookup('nia.min');
    await keyring.rotate('nia.min', { key: phrases[1] ?? Buffer.alloc(0), grace: 600_000 });
    const next = await dial(server, keyring.lookup('nia.min'), v1);
    await dial(server, first, v1);
    const [entry] = keyring.list();
    const ends = [...server.endpoints];
    await keyring.revoke('nia.min', entry?.id);
    // The wire of v1 has no word for it.
    expect(await old.closed).toMatchObject({ code: 'EIPC_CLOSED_BY_PEER' });
    expect((await ends[0]?.closed)?.code).toBe('EIPC_REVOKED');
    await expect(dial(server, first, v1)).rejects.toMatchObject({ code: expect.stringMatching(/^EIPC_/) as unknown });
    expect(next.state).toBe('open');
    expect(server.endpoints.size).toBe(1);
  });

  it('needs a key for each protocol of a service that speaks both', async () => {
    const keyring = new Keyring();
    const records: LogRecord[] = [];
    const services = { 'eni.min': { key: keyring, capabilities: [], protocols: [1, 2] as const } };
    const server = await scene.listen({ services, logger: (record) => records.push(record) });
    await keyring.generate('eni.min');
    expect(records.filter(({ event }) => event === 'key-refused')).toMatchObject([
      { level: 'error', serviceId: 'eni.min', text: expect.stringMatching(/speaks both protocols/) as unknown },
    ]);
    await expect(dial(server, keyring.lookup('eni.min'))).rejects.toMatchObject(refused);
    await keyring.rotate('eni.min', { protocol: 2 });
    await dial(server, keyring.lookup('eni.min'));
  });

  it('says so when a key is another service’s there', async () => {
    const keyring = new Keyring();
    const bytes = randomBytes(32);
    const records: LogRecord[] = [];
    const services = {
      'eni.min': { key: keyring, capabilities: [] },
      'eni.other': { key: bytes, capabilities: [] },
    };
    const server = await scene.listen({ services, logger: (record) => records.push(record) });
    await keyring.store('eni.min', bytes);
    expect(records.map(({ event, text }) => [event, text])).toEqual([
      ['key-refused', expect.stringMatching(/cannot be used here: two services have the same key/)],
    ]);
    await dial(server, Key.fromBytes(bytes), { serviceId: 'eni.other' });
    await expect(dial(server, Key.fromBytes(bytes))).rejects.toMatchObject(refused);
  });

  it('follows it no more once it is closed, and two servers may follow one', async () => {
    const keyring = new Keyring();
    await keyring.generate('eni.min');
    const [one, two] = [await serve(keyring, 'memory'), await serve(keyring, 'memory')];
    await one.close();
    await keyring.rotate('eni.min', { grace: 0 });
    await dial(two, keyring.lookup('eni.min'));
  });

  it('has a line in its audit for every change', async () => {
    const keyring = new Keyring();
    const entries: AuditEntry[] = [];
    const audit = { log: (entry: AuditEntry) => Promise.resolve(void entries.push(entry)) };
    await serve(keyring, 'memory', { audit });
    const { id } = await keyring.generate('eni.min');
    const next = await keyring.rotate('eni.min');
    await keyring.delete('eni.min', id);
    await keyring.revoke('eni.min');
    expect(entries.map(({ peer, action, decision, result }) => [peer, action, decision, result])).toEqual([
      ['eni.min', 'key.add', 'note', `key ${id}`],
      ['eni.min', 'key.add', 'note', `key ${next.id}`],
      ['eni.min', 'key.end', 'note', `key ${id}`],
      ['eni.min', 'key.remove', 'note', `key ${id}`],
      ['eni.min', 'key.revoke', 'note', `key ${next.id}`],
    ]);
  });
});
