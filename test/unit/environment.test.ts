/** The original's environment variables: options that are ready to use, or an error with the variable and its value. */
import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { certificateFingerprint, connect, Key, listen, optionsFromEnvironment } from '../../src/index.js';

const SECRET = randomBytes(32);
const HEX = `hex:${SECRET.toString('hex')}`;
const CERT = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n';
const PRIVATE = '-----BEGIN EC PRIVATE KEY-----\nMA==\n-----END EC PRIVATE KEY-----\n';

let folder = '';
const at = (name: string): string => join(folder, name);
const read = (env: Record<string, string>): ReturnType<typeof optionsFromEnvironment> =>
  optionsFromEnvironment({ env: { EIPC_HMAC_KEY: HEX, ...env } });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-env-'));
  for (const [name, content, mode] of [
    ['eni.key', SECRET, 0o600],
    ['cert.pem', CERT, 0o644],
    ['key.pem', PRIVATE, 0o640],
    ['open.pem', PRIVATE, 0o644],
  ] as const) {
    writeFileSync(at(name), content);
    chmodSync(at(name), mode);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the environment', () => {
  it('gives the options of a client and a server that find each other', async () => {
    const {
      address,
      key,
      connect: client,
      listen: server,
    } = await optionsFromEnvironment({
      env: {
        EIPC_KEY_FILE: at('eni.key'),
        EIPC_LISTEN_ADDR: '127.0.0.1:0',
        EIPC_MAX_CONNECTIONS: '3',
        EIPC_SESSION_TTL: '1h30m',
      },
    });
    expect([address, key.id]).toEqual(['tcp://127.0.0.1:0', Key.fromBytes(SECRET).id]);
    expect(server).toEqual({ maxConnections: 3, sessionTtl: 5_400_000 });
    const eai = await listen(address, { services: { eni: { key, capabilities: [] } }, ...server });
    try {
      const eni = await connect(eai.addresses[0] ?? '', { serviceId: 'eni', ...client });
      expect(eni.peer.serviceId).toBe('eipc');
      await eni.close();
    } finally {
      await eai.close();
    }
  });

  it('means what the original means when it says nothing', async () => {
    const {
      address,
      listen: server,
      connect: client,
    } = await read({ EIPC_LISTEN_ADDR: '', EIPC_TLS_AUTO_CERT: 'false' });
    expect(address).toBe('tcp://127.0.0.1:9090');
    expect(server).toEqual({});
    expect(Object.keys(client)).toEqual(['key']);
  });

  it('takes the key as text too, by the rules of key files', async () => {
    const { key } = await optionsFromEnvironment({ env: { EIPC_HMAC_KEY: 'secret-key-32bytes!!' }, protocol: 1 });
    expect(key.protocol).toBe(1);
    expect((await read({})).key.id).toBe(Key.fromBytes(SECRET).id);
    expect(
      (await optionsFromEnvironment({ env: { EIPC_HMAC_KEY: 'secret-key-32bytes!!' }, protocol: 1 })).connect.protocol,
    ).toBe(1);
  });

  it('takes addresses of every kind, and host and port', async () => {
    for (const [value, address] of [
      ['localhost:9090', 'tcp://localhost:9090'],
      ['[::1]:9090', 'tcp://[::1]:9090'],
      ['tcp://127.0.0.1:1', 'tcp://127.0.0.1:1'],
      ['shm:eai', 'shm:eai'],
      ['unix:/run/eai.sock', 'unix:/run/eai.sock'],
    ])
      expect((await read({ EIPC_LISTEN_ADDR: value ?? '' })).address).toBe(address);
  });

  it('gives the contents of certificates, and then nothing in clear text', async () => {
    const tls = { EIPC_TLS_CERT: at('cert.pem'), EIPC_TLS_KEY: at('key.pem') };
    const both = await read({ ...tls, EIPC_LISTEN_ADDR: 'localhost:9443' });
    expect(both.address).toBe('tls://localhost:9443');
    expect(both.listen.tls).toEqual({ cert: CERT, key: PRIVATE });
    expect(both.connect.tls).toEqual({ cert: CERT, key: PRIVATE });
    const mutual = await read({ ...tls, EIPC_TLS_CA: at('cert.pem') });
    expect(mutual.listen.tls).toEqual({ cert: CERT, key: PRIVATE, ca: CERT, requireClientCert: true });
    expect((await read({ EIPC_TLS_CA: at('cert.pem') })).connect.tls).toEqual({ ca: CERT });
    // What the original did: a certificate in the configuration, and a plain socket.
    await expect(read({ ...tls, EIPC_LISTEN_ADDR: 'tcp://127.0.0.1:9090' })).rejects.toThrow(/must be tls:\/\//);
  });

  it.each([
    [{ EIPC_TLS_CERT: 'c.pem' }, /EIPC_TLS_CERT is 'c\.pem', and EIPC_TLS_KEY is not set: half/],
    [{ EIPC_TLS_KEY: 'k.pem' }, /EIPC_TLS_KEY is 'k\.pem', and EIPC_TLS_CERT is not set: half/],
    [{ EIPC_TLS_CA: '/nowhere/ca.pem' }, /EIPC_TLS_CA is '\/nowhere\/ca\.pem', which cannot be read/],
    [{ EIPC_TLS_AUTO_CERT: 'yes' }, /EIPC_TLS_AUTO_CERT is 'yes': give true or false/],
    [{ EIPC_TLS_AUTO_CERT: 'true', EIPC_TLS_CERT: 'c.pem' }, /EIPC_TLS_KEY is not set: half/],
    [
      { EIPC_TLS_AUTO_CERT: 'true', EIPC_TLS_CERT: '/nowhere/c.pem', EIPC_TLS_KEY: '/nowhere/k.pem' },
      /EIPC_TLS_KEY is '\/nowhere\/k\.pem', where no file can be made/,
    ],
    [{ EIPC_MAX_CONNECTIONS: '0' }, /EIPC_MAX_CONNECTIONS is 0; .* from 1 to 65536/],
    [{ EIPC_MAX_CONNECTIONS: '1e3' }, /EIPC_MAX_CONNECTIONS is '1e3'/],
    [{ EIPC_SESSION_TTL: '3600' }, /EIPC_SESSION_TTL is '3600': give a duration with its units/],
    [{ EIPC_SESSION_TTL: '0s' }, /EIPC_SESSION_TTL \(0s\) is 0/],
    [{ EIPC_SESSION_TTL: '1000h' }, /EIPC_SESSION_TTL \(1000h\)/],
    [{ EIPC_LISTEN_ADDR: ':9090' }, /EIPC_LISTEN_ADDR is ':9090': give host:port/],
    [{ EIPC_LISTEN_ADDR: 'localhost' }, /EIPC_LISTEN_ADDR is 'localhost': give host:port/],
    [{ EIPC_LISTEN_ADDR: 'http://localhost:1' }, /EIPC_LISTEN_ADDR is 'http:\/\/localhost:1'/],
    [{ EIPC_LISTEN_ADDR: 'localhost:99999' }, /EIPC_LISTEN_ADDR is 'localhost:99999'/],
    [{ EIPC_KEY_FILE: 'eni.key' }, /both set/],
    [{ EIPC_HMAC_KEY: '' }, /neither EIPC_KEY_FILE nor EIPC_HMAC_KEY is set/],
  ])('that is wrong is refused with its name and value: %j', async (env, said) => {
    await expect(read(env)).rejects.toThrow(said);
  });

  it('asks for a certificate for development: in memory, for a server, which gives its fingerprint to its clients', async () => {
    const { address, listen: options, connect: client } = await read({ EIPC_TLS_AUTO_CERT: '1' });
    expect(address).toBe('tls://127.0.0.1:9090');
    expect(client.tls).toBeUndefined();
    const { cert = '', key = '' } = options.tls ?? {};
    expect(new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))).toBe(true);
    const fingerprint = certificateFingerprint(cert);
    const pinned = await read({ EIPC_TLS_FINGERPRINTS: ` ${fingerprint}, ${'ab'.repeat(32)}` });
    expect(pinned.connect.tls).toEqual({ fingerprints: [fingerprint, 'ab'.repeat(32)] });
    expect(pinned.listen.tls).toEqual({ fingerprints: [fingerprint, 'ab'.repeat(32)], requireClientCert: true });
    expect((await read({ EIPC_TLS_AUTO_CERT: '1' })).listen.tls?.cert).not.toBe(cert);
  });

  it('asks for a certificate for development in files: made once, the key for its owner alone, and used from then on', async () => {
    const names = { EIPC_TLS_CERT: at('dev.crt'), EIPC_TLS_KEY: at('dev.key') };
    const env = { ...names, EIPC_TLS_CA: at('dev.crt'), EIPC_TLS_AUTO_CERT: 'true' };
    const all = await Promise.all(Array.from({ length: 8 }, () => read(env)));
    const [first] = all;
    for (const { listen: options, connect: client } of all) {
      expect(options.tls).toEqual(first?.listen.tls);
      expect(client.tls).toEqual({ cert: options.tls?.cert, key: options.tls?.key, ca: options.tls?.cert });
    }
    expect(readFileSync(at('dev.crt'), 'utf8')).toBe(first?.listen.tls?.cert);
    if (process.platform !== 'win32') expect(statSync(at('dev.key')).mode & 0o777).toBe(0o600);
    // No draft is left, and without the variable the files are simply there.
    expect(readdirSync(folder).filter((name) => name.startsWith('dev.'))).toEqual(['dev.crt', 'dev.key']);
    expect((await read(names)).listen.tls?.cert).toBe(first?.listen.tls?.cert);
    const other = { ...env, EIPC_TLS_KEY: at('other.key') };
    await expect(read(other)).rejects.toThrow(/dev\.crt' is there and .*other\.key' is not.*remove the one/);
  });

  it('with a file of the wrong kind, or a private key for everybody, is refused', async () => {
    const swapped = { EIPC_TLS_CERT: at('key.pem'), EIPC_TLS_KEY: at('cert.pem') };
    await expect(read(swapped)).rejects.toThrow(/EIPC_TLS_CERT is .* no PEM block of a certificate/);
    await expect(read({ EIPC_TLS_CERT: at('cert.pem'), EIPC_TLS_KEY: at('open.pem') })).rejects.toThrow(
      /everybody .* can read/,
    );
    await expect(read({ EIPC_TLS_CA: folder })).rejects.toThrow(/no PEM file/);
  });

  it('shows nothing of a key that cannot be used', async () => {
    for (const text of [
      'swordfish',
      'swordfish swordfish swordfish swordfish',
      'hex:swordfish',
      'hex:5w',
      'base64:swordfish!',
    ]) {
      const error: unknown = await optionsFromEnvironment({ env: { EIPC_HMAC_KEY: text } }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(Error);
      expect(inspect(error)).not.toMatch(/swordfish|5w/);
    }
  });
});
