/** Every row of the table of names in docs/migration/from-original.md is there and does what its name says. What it does exactly has its own tests. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import * as eipc from '../../src/index.js';

const key = randomBytes(32);

const ROWS: Readonly<Record<string, () => void | Promise<void>>> = {
  '`core.NewMessage`': () => {
    const message = eipc.createMessage('intent', 'eni.min', { intent: 'stop' }, { priority: 0 });
    expect([message.type, message.source, message.payload, message.priority]).toEqual([
      'intent',
      'eni.min',
      { intent: 'stop' },
      0,
    ]);
  },

  '`core.MsgTypeToByte`, `MsgTypeFromByte`': () => {
    expect(eipc.messageTypeFromByte(eipc.messageTypeToByte('tool_request'))).toBe('tool_request');
    expect(() => eipc.messageTypeFromByte(0)).toThrow(RangeError);
  },

  '`core.NewClientEndpoint`, `NewServerEndpoint`': () =>
    withEndpoints(async (client, server) => {
      await client.send(eipc.createMessage('chat', 'nia.min', 'hello'));
      const message = await server.receive({ timeout: 5_000 });
      expect([message.payload, message.source, message.sessionId]).toEqual(['hello', 'nia.min', 'a session']);
    }),

  '`Send`, `Receive`, `Close`, `RemoteAddr`': () =>
    withEndpoints(async (client, server) => {
      expect(client.remoteAddress).toBe('ring:back');
      await client.send({ type: 'heartbeat' });
      expect((await server.receive({ signal: AbortSignal.timeout(5_000) })).type).toBe('heartbeat');
      await client.close();
      await expect(server.receive()).rejects.toBeInstanceOf(eipc.ClosedError);
    }),

  '`core.NewRouter`, `Handle`, `Dispatch`, `DispatchBatch`': async () => {
    const seen: unknown[] = [];
    const router = new eipc.Router().handle('intent', (message) => void seen.push(message.payload));
    const message = (payload: string, priority: eipc.Priority): eipc.Message =>
      eipc.createMessage('intent', 'eni', payload, { priority });
    await withEndpoints(async (_, { peer }) => {
      expect((await router.dispatch(message('one', 1), peer)).outcome).toBe('handled');
      await router.dispatchBatch([message('bulk', 3), message('control', 0)], peer);
      expect((await router.dispatch(eipc.createMessage('chat', 'eni', ''), peer)).outcome).toBe('unknown');
    });
    expect(seen).toEqual(['one', 'control', 'bulk']);
  },

  '`core.ErrAuth` … `ErrBackpressure`': () => {
    const { AuthError, CapabilityError, IntegrityError, ReplayError, TimeoutError, BackpressureError } = eipc;
    for (const type of [AuthError, CapabilityError, IntegrityError, ReplayError, TimeoutError, BackpressureError]) {
      const error = new type('EIPC_INTERNAL', 'text');
      expect(error).toBeInstanceOf(eipc.EipcError);
      expect(error.code).toBe('EIPC_INTERNAL');
    }
  },

  '`protocol.Frame`, `Encode`, `Decode`, `SignableBytes`, constants': () => {
    const frame = { type: 'ack', header: Buffer.from('{}'), payload: Buffer.from('x') } as const;
    const bytes = Buffer.from(eipc.encodeFrame(frame, key));
    expect(bytes.length).toBe(eipc.signableBytes(frame).length + eipc.MAC_SIZE);
    expect(bytes.readUInt32BE(0)).toBe(eipc.MAGIC);
    expect(bytes.readUInt16BE(4)).toBe(eipc.PROTOCOL_VERSION);
    expect(eipc.decodeFrame(bytes, key)).toMatchObject({ type: 'ack', flags: eipc.FLAG_HMAC });
    expect(bytes.length).toBeLessThan(eipc.MAX_FRAME_SIZE);
    for (const flag of [eipc.FLAG_COMPRESS, eipc.FLAG_ENCRYPTED]) {
      bytes[7] = flag;
      expect(() => eipc.decodeFrame(bytes)).toThrow(expect.objectContaining({ code: 'EIPC_UNSUPPORTED_FLAGS' }));
    }
  },

  '`protocol.Header` to and from JSON': () => {
    const header = { serviceId: 'nia.min', sequence: 7n, timestamp: 0n, capability: 'ui:control' };
    expect(eipc.decodeHeader(eipc.encodeHeader(header))).toMatchObject(header);
  },

  '`protocol.Codec`, `DefaultCodec`': () => {
    for (const codec of [eipc.jsonCodec, eipc.msgpackCodec] satisfies eipc.Codec[])
      expect(codec.unmarshal(codec.marshal({ a: [1, 'b'] }))).toEqual({ a: [1, 'b'] });
  },

  '`tcp.New`, `unix.New`, `windows.New`: `Listen`, `Dial`, `Accept`, `Close`': async () => {
    for (const transport of [eipc.unix(), eipc.pipe(), eipc.tls()]) expect(typeof transport.listen).toBe('function');
    const server: eipc.Transport = eipc.tcp();
    const client: eipc.Transport = eipc.tcp();
    const address = await server.listen('tcp://127.0.0.1:0');
    const [accepted, dialled] = await Promise.all([server.accept(), client.dial(address)]);
    const frame = eipc.encodeFrame({ type: 'heartbeat', header: Buffer.from('{}'), payload: Buffer.alloc(0) }, key);
    await dialled.send(frame);
    expect(Buffer.from((await accepted.receive()) ?? [])).toEqual(Buffer.from(frame));
    await Promise.all([accepted.close(), dialled.close(), server.close(), client.close()]);
  },

  '`shm.NewRingBuffer`, `shm.NewConnection`': async () => {
    const ring = new eipc.RingBuffer({ name: 'ring', bufferSize: 65_536, slotCount: 256 });
    const connection = eipc.ringConnection(ring, ring);
    await connection.send(Buffer.from('frame'));
    expect(await connection.receive()).toEqual(Buffer.from('frame'));
  },

  '`integrity.Sign`, `Verify`': () => {
    const data = Buffer.from('data');
    expect(eipc.verify(key, data, eipc.sign(key, data))).toBe(true);
    expect(eipc.verify(key, Buffer.from('date'), eipc.sign(key, data))).toBe(false);
  },

  '`replay.NewTracker`, `Check`, `Reset`': () => {
    const tracker = new eipc.ReplayTracker(128);
    tracker.check(1n);
    expect(() => tracker.check(1)).toThrow(eipc.ReplayError);
    tracker.reset();
    tracker.check(1);
  },

  '`encryption.Encrypt`, `Decrypt`': () => {
    expect(Buffer.from(eipc.decrypt(key, eipc.encrypt(key, Buffer.from('text')))).toString()).toBe('text');
  },

  '`auth.NewAuthenticator`: `Authenticate`, `CreateChallenge`, `VerifyResponse`, `ValidateSession`, `RevokeSession`, `CleanupExpired`':
    async () => {
      const authenticator = new eipc.Authenticator({ services: { 'nia.min': { key, capabilities: ['ui:control'] } } });
      const answer = ({ nonce }: eipc.Challenge): Uint8Array => eipc.sign(key, Buffer.from(nonce, 'hex'));
      const challenge = authenticator.createChallenge('nia.min');
      const session = authenticator.verifyResponse(challenge, answer(challenge));
      expect(authenticator.validateSession(session.token)).toBe(session);
      await authenticator.authenticate('nia.min', (asked) => Promise.resolve(answer(asked)));
      expect([authenticator.revokeSession(session.id), authenticator.cleanupExpired()]).toEqual([true, 0]);
      expect(authenticator.sessions()).toHaveLength(1);
      authenticator.close();
    },

  '`capability.NewChecker`: `Check`, `Grant`, `Revoke`': () => {
    const checker = new eipc.CapabilityChecker({ 'ui:control': ['ui.click'] });
    checker.check(['ui:control'], 'ui.click');
    checker.revoke('ui:control', 'ui.click');
    expect(() => checker.check(['ui:control'], 'ui.click')).toThrow(eipc.CapabilityError);
    checker.grant('ui:control', 'ui.click');
    checker.check(['ui:control'], 'ui.click');
  },

  '`keyring.New`: `Generate`, `Store`, `Lookup`, `Rotate`, `Revoke`, `Delete`, `ListActive`, `Cleanup`': async () => {
    const keyring = new eipc.Keyring();
    await keyring.generate('eni.min');
    const entry = await keyring.store('eni.other', key);
    expect(keyring.lookup('eni.other')?.id).toBe(entry.id);
    await keyring.rotate('eni.min', { grace: 60_000 });
    await keyring.revoke('eni.other');
    expect(keyring.listActive().map(({ state }) => state)).toEqual(['retiring', 'active']);
    expect([await keyring.cleanup(), await keyring.delete('eni.min'), keyring.list()]).toEqual([1, 2, []]);
  },

  '`audit.NewFileLogger`, `Log`': async () => {
    const folder = mkdtempSync(join(tmpdir(), 'eipc-names-'));
    try {
      const logger = await eipc.AuditLogger.open(join(folder, 'audit.log'), { key });
      await logger.log({ peer: 'eni.min', action: 'ui.click', decision: 'allow' });
      await logger.close();
      const verdict = await eipc.verifyAudit(join(folder, 'audit.log'), { key });
      expect(verdict).toMatchObject({ lines: 2, check: 'key' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  '`policy.NewEngine(defaultDeny, audit)`: `AddRule`, `RemoveRule`, `LoadSafeDefaults`, `Evaluate`, `EvaluateMessage`, `ListRules`':
    () => {
      const audit = { log: () => Promise.resolve() };
      const policy = new eipc.PolicyEngine({ defaultDeny: true, audit }).loadSafeDefaults();
      policy.addRule({ action: 'arm.move', class: 'controlled', capability: 'device:write' });
      expect(policy.listRules()).toHaveLength(18);
      expect(policy.evaluate('arm.move', ['device:write']).verdict).toBe('allow');
      const message = eipc.createMessage('intent', 'eni.min', { intent: 'system.reboot' });
      expect(policy.evaluateMessage(message, ['system:restricted']).verdict).toBe('confirm');
      expect(policy.removeRule('arm.move')).toBe(true);
    },
  '`core.ReconnectPolicy`, `core.HeartbeatSender`': () =>
    withEndpoints(async (client, server) => {
      const policy: eipc.ReconnectPolicy = { maxAttempts: 10, initialDelay: 100, multiplier: 2, maxDelay: 30_000 };
      const reconnecting = eipc.connect('memory:nobody', { serviceId: 'nia.min', key, reconnect: policy });
      await expect(reconnecting).rejects.toThrow(/no server of this thread listens/);
      const heartbeats = new eipc.HeartbeatSender(client, { service: 'nia.min', interval: 5_000 });
      heartbeats.start();
      const heartbeat = eipc.HeartbeatEvent.parse((await server.receive({ timeout: 5_000 })).payload);
      expect(heartbeat).toEqual({ service: 'nia.min', status: 'alive' });
      heartbeats.stop();
    }),

  '`core.GracefulShutdown`': () =>
    withEndpoints(async (client, server) => {
      await client.send({ type: 'chat', payload: 'last' });
      await client.close({ drain: true, timeout: 5_000 });
      expect((await server.receive()).payload).toBe('last');
    }),

  '`EIPC_HMAC_KEY` … `EIPC_TLS_AUTO_CERT`': async () => {
    const env = { EIPC_HMAC_KEY: `hex:${key.toString('hex')}`, EIPC_SESSION_TTL: '1h', EIPC_MAX_CONNECTIONS: '64' };
    const { address, listen } = await eipc.optionsFromEnvironment({ env });
    expect([address, listen]).toEqual(['tcp://127.0.0.1:9090', { sessionTtl: 3_600_000, maxConnections: 64 }]);
    const secure = await eipc.optionsFromEnvironment({ env: { ...env, EIPC_TLS_AUTO_CERT: 'true' } });
    expect(secure.address).toBe('tls://127.0.0.1:9090');
    expect(eipc.certificateFingerprint(secure.listen.tls?.cert ?? '')).toMatch(/^[0-9a-f]{64}$/);
    expect(eipc.developmentCertificate().cert).toMatch(/^-----BEGIN CERTIFICATE-----/);
  },

  '`cmd/eipc-client`, `eipc-cli`': () => {
    // What they do is tested by running them: test/process/cli.
    const main = readFileSync(new URL('../../src/cli/main.ts', import.meta.url), 'utf8');
    for (const name of ['Demo', 'Send', 'Listen', 'Ping']) expect(main).toContain(`register${name}(program);`);
  },

  '`make build`, `build-all`, `build-linux`, `build-darwin`, `build-windows`, `release-binaries`, `test`, `bench`':
    () => {
      const makefile = readFileSync(new URL('../../Makefile', import.meta.url), 'utf8');
      const rules = [...makefile.matchAll(/^([a-z][a-z -]*):/gm)].flatMap(([, names = '']) => names.split(' '));
      const names = ['build', 'build-all', 'build-linux', 'build-darwin', 'build-windows', 'release-binaries', 'test'];
      expect(rules).toEqual(expect.arrayContaining([...names, 'bench']));
    },
};

describe('the name that stands for', () => {
  it.each(Object.entries(ROWS))('%s', (_, use) => use());

  it('each row of the table has a test, and each test its row', () => {
    const page = readFileSync(new URL('../../docs/migration/from-original.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| (`.+?) +\| /gm)].map(([, name]) => name);
    expect(rows).toEqual(Object.keys(ROWS));
  });
});

/** A client and a server of v1 without a login, over two rings. */
async function withEndpoints(
  use: (client: eipc.ClientEndpoint, server: eipc.ServerEndpoint) => Promise<void>,
): Promise<void> {
  const [there, back] = [new eipc.RingBuffer({ name: 'there' }), new eipc.RingBuffer({ name: 'back' })];
  const client = new eipc.ClientEndpoint(eipc.ringConnection(there, back), { key, sessionId: 'a session' });
  const server = new eipc.ServerEndpoint(eipc.ringConnection(back, there), { key });
  try {
    await use(client, server);
  } finally {
    await Promise.all([client.close(), server.close()]);
  }
}
