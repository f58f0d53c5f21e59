// Options of v1: what they become, which go together, and whose a key may be.
import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { connect, Key, listen } from '../../src/index.js';
import type { ListenOptions, LogRecord, ServiceOptions } from '../../src/index.js';
import { connectSettings, listenSettings, macSettings } from '../../src/settings.js';

const TEXT = Buffer.from('secret-key-32bytes!!');
const KEY = randomBytes(32);
const STRICT = {
  anyTimestamp: false,
  anySource: false,
  sessionIdWhenPresent: false,
  ackHandshake: false,
  window: 128,
};

const client = (options: object) => connectSettings({ serviceId: 'nia.min', key: TEXT, ...options });
const server = (services: object, options: object = {}) =>
  listenSettings({ services, ...options } as unknown as ListenOptions);
const service = (key: ServiceOptions['key'], more: Partial<ServiceOptions> = {}): ServiceOptions => ({
  key,
  capabilities: [],
  protocols: [1],
  ...more,
});

describe('options of v1', () => {
  it('become the strict rules unless they say otherwise, each for itself', () => {
    expect(client({ protocol: 1 }).v1).toEqual({ isMacOnly: false, rules: STRICT });
    expect(client({ protocol: 1, auth: 'mac' }).v1).toEqual({ isMacOnly: true, rules: STRICT });
    for (const [option, rule] of [
      [{ timestamp: 'any' }, { anyTimestamp: true }],
      [{ source: 'any' }, { anySource: true }],
      [{ sessionId: 'when-present' }, { sessionIdWhenPresent: true }],
      [{ handshakeTypes: 'ack' }, { ackHandshake: true }],
      [{ window: 4_096 }, { window: 4_096 }],
      [{ timestamp: 'strict', source: 'peer', sessionId: 'always', handshakeTypes: 'typed' }, {}],
    ])
      expect(client({ protocol: 1, v1: option }).v1?.rules, JSON.stringify(option)).toEqual({ ...STRICT, ...rule });
    expect(client({}).v1).toBeUndefined();
  });

  it('out of range name the value', () => {
    for (const window of [0, 63, 100, 4_160, 128.5, '128'])
      expect(() => client({ protocol: 1, v1: { window } })).toThrow(
        `v1.window is ${typeof window === 'string' ? "'128'" : window}`,
      );
    for (const name of ['timestamp', 'source', 'sessionId', 'handshakeTypes'])
      expect(() => client({ protocol: 1, v1: { [name]: 'lax' } })).toThrow(`v1.${name} is 'lax'`);
    expect(() => client({ protocol: 1, v1: { strict: true } })).toThrow(/no option 'strict'.*timestamp/);
    expect(() => client({ protocol: 3 })).toThrow(/protocol is 3/);
    expect(() => client({ protocol: 1, auth: 'password' })).toThrow(/auth is 'password'.*challenge, mac/);
  });

  it('and of EIPC/2 do not mix', () => {
    const key = KEY;
    for (const options of [{ auth: 'mac' }, { v1: {} }])
      expect(() => client({ key, ...options }), JSON.stringify(options)).toThrow(/option of v1, which is not spoken/);
    for (const options of [{ suites: ['hmac-sha256'] }, { pskOnly: true }])
      expect(() => client({ protocol: 1, ...options }), JSON.stringify(options)).toThrow(/option of EIPC\/2/);
    expect(() => server({ a: service(key, { protocols: [2] }) }, { auth: 'mac' })).toThrow(/not spoken here/);
    expect(() => server({ a: service(key) }, { suites: ['hmac-sha256'] })).toThrow(/option of EIPC\/2/);
    const both = { a: service(key), b: service(randomBytes(32), { protocols: [2] }) };
    expect(server(both, { auth: 'mac', suites: ['hmac-sha256'] }).v1?.macOnly).toBe(true);
  });

  it('give a session an hour, or what the server says', () => {
    expect(server({ a: service(TEXT) }).v1?.ttlMs).toBe(3_600_000);
    expect(server({ a: service(TEXT) }, { sessionTtl: 5_000 }).v1?.ttlMs).toBe(5_000);
  });

  it('keep v1 away from shared memory and unencrypted networks', async () => {
    const options = { serviceId: 'nia.min', key: TEXT, protocol: 1 } as const;
    const services = { 'nia.min': service(TEXT) };
    await expect(connect('shm:x', options)).rejects.toThrow(TypeError);
    await expect(listen('shm:x', { services })).rejects.toThrow(/shared memory carries EIPC\/2 only/);
    await expect(connect('tcp://192.0.2.1:9', options)).rejects.toThrow(/does not encrypt.*dangerousPlaintext/);
    await expect(listen('tcp://0.0.0.0:0', { services })).rejects.toThrow(/does not encrypt.*dangerousPlaintext/);
    const open = await listen('tcp://0.0.0.0:0', { services, dangerousPlaintext: true });
    await open.close();
  });

  it('take the ids of the original, which has no rule for them', () => {
    for (const serviceId of ['NIA min', 'nià', 'X'.repeat(64)]) {
      expect(() => client({ protocol: 1, serviceId })).not.toThrow();
      expect(() => server({ [serviceId]: service(TEXT) })).not.toThrow();
      expect(() => server({ [serviceId]: service(KEY, { protocols: [2] }) })).toThrow(/a-z 0-9/);
    }
    for (const serviceId of ['', 'a\nb', 'ü'.repeat(33), '\ud800'])
      expect(() => client({ protocol: 1, serviceId }), serviceId).toThrow(/1 to 64 bytes without control characters/);
    expect(() => server({ a: service(TEXT) }, { serverId: 'EIPC Server' })).not.toThrow();
    expect(() =>
      server({ a: service(TEXT), b: service(KEY, { protocols: [2] }) }, { serverId: 'EIPC Server' }),
    ).toThrow(/a-z 0-9/);
    expect(() => server({ eipc: service(TEXT) })).toThrow(/serverId too/);
  });

  it('keep to what a small peer can read: its name gives the limits, and what every frame says has to fit', () => {
    const c = { v1: { limits: 'c-sdk' }, auth: 'mac' };
    expect(client({ protocol: 1 }).v1Limits).toEqual({ payload: 1_048_576, header: 4_096, text: 255 });
    expect(client({ protocol: 1, ...c }).v1Limits).toEqual({ payload: 4_096, header: 1_024, text: 63 });
    expect(client({ protocol: 1, ...c }).v1?.rules).toEqual(STRICT);
    expect(() => client({ protocol: 1, ...c, auth: 'challenge' })).toThrow(/'c-sdk' needs auth: 'mac': the token/);
    expect(() => client({ protocol: 1, v1: c.v1 })).toThrow(/needs auth: 'mac'/);
    expect(() => client({ protocol: 1, v1: { limits: 63 } })).toThrow(
      /v1.limits is 63; it must be one of frame, c-sdk/,
    );
    const long = 'x'.repeat(64);
    expect(() => client({ protocol: 1, ...c, serviceId: long })).toThrow(/serviceId has 64 bytes.*the peer reads 63/);
    expect(client({ protocol: 1, ...c, serverId: long }).v1Limits.text).toBe(63);
    expect(() => server({ a: service(KEY) }, { ...c, serverId: long })).toThrow(/serverId has 64 bytes/);
    const mac = (options: object) => () => macSettings({ key: KEY, v1: { limits: 'c-sdk' }, ...options }, 'client');
    expect(mac({ sessionId: 'x'.repeat(63) })().v1Limits.text).toBe(63);
    expect(mac({ sessionId: long })).toThrow(/sessionId has 64 bytes/);
    expect(mac({ serviceId: long })).toThrow(/serviceId has 64 bytes/);
  });

  it('have no reconnect without a handshake: nothing would prove that the server is the same', () => {
    expect(() => client({ protocol: 1, reconnect: {} })).not.toThrow();
    expect(() => client({ protocol: 1, auth: 'mac', reconnect: false })).not.toThrow();
    expect(() => client({ protocol: 1, auth: 'mac', reconnect: {} })).toThrow(/reconnect needs a handshake.*leave out/);
  });

  it('of an endpoint made of a connection are checked like the others', () => {
    const mac = (options: object) => () => macSettings({ key: KEY, ...options }, 'client');
    expect(mac({ sessionId: 'mine' })()).toMatchObject({ sessionId: 'mine', rules: STRICT, capabilities: [] });
    expect(mac({ sessionId: 'x'.repeat(257) })).toThrow(/sessionId/);
    expect(mac({ sessionId: 7 })).toThrow(/sessionId is 7/);
    for (const sessionId of ['a\0b', 'a\ud800'])
      expect(mac({ sessionId })).toThrow(/it must be text of up to 256 bytes without NUL/);
    expect(mac({ serviceId: 'a', serverId: 'a' })).toThrow(/different ids/);
    expect(mac({ serviceId: '' })).toThrow(RangeError);
    expect(mac({ capabilities: [] })).toThrow(/no option 'capabilities'/);
    expect(mac({ services: {} })).toThrow(/no option 'services'/);
    for (const options of [{ reconnect: {} }, { heartbeat: { interval: 5 } }])
      expect(mac(options)).toThrow(
        /^(reconnect|heartbeat) is \{.*\}, but an endpoint made of a connection .* use connect\(address, \{ protocol: 1.* \1 \}\)$/,
      );
    expect(() => macSettings({ key: KEY, capabilities: 'ui:control' as never }, 'server')).toThrow(TypeError);
  });
});

describe('keys of v1', () => {
  it('have at least 16 bytes, and a warning below 32', () => {
    expect(() => Key.fromBytes(randomBytes(15), { protocol: 1 })).toThrow(
      /15 bytes is too short; v1 needs at least 16/,
    );
    expect(() => client({ protocol: 1, key: TEXT })).not.toThrow();
    const warned = (bytes: Buffer): LogRecord[] => {
      const records: LogRecord[] = [];
      server({ 'nia.min': service(bytes) }, { logger: (record: LogRecord) => records.push(record) });
      return records;
    };
    expect(warned(randomBytes(31))).toMatchObject([{ level: 'warn', event: 'short-key', serviceId: 'nia.min' }]);
    expect(warned(randomBytes(32))).toEqual([]);
  });

  it('print no id, which a phrase could be guessed by', () => {
    const key = Key.fromBytes(TEXT, { protocol: 1 });
    expect([String(key), key.id, key.protocol]).toEqual(['Key(v1)', '', 1]);
    expect(String(Key.fromBytes(KEY, { protocol: 1 }))).toBe('Key(v1)');
    expect(() => Key.fromBytes(KEY, { protocol: 3 as 1 })).toThrow(/protocol is 3/);
  });

  it('are for one protocol, unless they were made for neither', async () => {
    const [first, second, neither] = [
      Key.fromBytes(KEY, { protocol: 1 }),
      Key.fromBytes(KEY, { protocol: 2 }),
      Key.fromBytes(KEY),
    ];
    const v1 = { serviceId: 'nia.min', protocol: 1 } as const;
    await expect(connect('memory:none', { ...v1, key: second })).rejects.toThrow(/made for protocol 2/);
    await expect(connect('memory:none', { ...v1, protocol: 2, key: first })).rejects.toThrow(/made for protocol 1/);
    await expect(connect('memory:none', { ...v1, key: neither })).rejects.toThrow(/no server/);
    expect(() => server({ a: service(second) })).toThrow(/made for protocol 2/);
    expect(() => server({ a: service(first, { protocols: [2] }) })).toThrow(/made for protocol 1/);
    expect(() => server({ a: service(neither) })).not.toThrow();
  });

  // The attacker breaks v1's use of a key, and EIPC/2 is not to suffer from it.
  it('are not those of EIPC/2 too, unless that is written out', () => {
    const protocols = [1, 2] as const;
    const key = Key.fromBytes(KEY);
    for (const given of [KEY, key, [key]])
      expect(() => server({ a: service(given, { protocols }) })).toThrow(/dangerousSharedKey/);
    const shared = server({ a: service(KEY, { protocols, dangerousSharedKey: true }) });
    expect([shared.services.length, shared.v1?.services.length]).toEqual([1, 1]);
    const apart = [Key.fromBytes(TEXT, { protocol: 1 }), Key.fromBytes(KEY, { protocol: 2 })];
    const settings = server({ a: service(apart, { protocols }) });
    expect(settings.services[0]?.keys[0]?.id).toBe(apart[1]?.id);
    expect(settings.v1?.services[0]?.keys[0]?.id).toBe('');
    expect(() => server({ a: service(apart.slice(0, 1), { protocols }) })).toThrow(/no key for protocol 2/);
    // Neither in another service.
    expect(() => server({ a: service(KEY), b: service(KEY, { protocols: [2] }) })).toThrow(/same key/);
    expect(() => server({ a: service(KEY, { protocols: [2] }), b: service(KEY) })).toThrow(/same key/);
  });

  // The attacker is a service with a key that HMAC takes for another's.
  it('differ as HMAC sees them', () => {
    const long = randomBytes(65);
    for (const [one, other] of [
      [TEXT, TEXT],
      [TEXT, Buffer.concat([TEXT, Buffer.alloc(3)])],
      [TEXT, Buffer.concat([TEXT, Buffer.alloc(44)])],
      [long, createHash('sha256').update(long).digest()],
    ] as const) {
      expect(() => server({ a: service(one), b: service(other) })).toThrow(/'a' and 'b' have the same key/);
      expect(() => server({ a: service([one, other]) })).toThrow(/the same key twice/);
    }
    expect(() => server({ a: service(TEXT), b: service(Buffer.concat([TEXT, Buffer.alloc(45)])) })).not.toThrow();
  });

  it('are at most 64 at one server', () => {
    const services = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`s${n}`, service(randomBytes(32))]));
    expect(() => server(services(64))).not.toThrow();
    expect(() => server(services(65))).toThrow(/65 keys for v1 are too many/);
  });

  it('and protocols of a service are checked', () => {
    for (const protocols of [[], [3], 1, ['1']])
      expect(() => server({ a: service(KEY, { protocols: protocols as never }) })).toThrow(/protocols is/);
    expect(() => server({ a: service(KEY, { dangerousSharedKey: 1 as never }) })).toThrow(TypeError);
    expect(server({ a: service(KEY, { protocols: [1, 1] }) }).v1?.services).toHaveLength(1);
    const byDefault = { a: { key: KEY, capabilities: [] } };
    expect([server(byDefault).v1, server(byDefault, { protocol: 1 }).services]).toEqual([undefined, []]);
  });
});
