// The option tls: half of a configuration, or one that would check nothing, is refused with the name of what is missing. Nothing is connected here.
import { describe, expect, it } from 'vitest';

import type { TlsOptions } from '../../src/index.js';
import { connect, developmentCertificate, listen } from '../../src/index.js';
import { tlsClientSettings, tlsServerSettings } from '../../src/tls-options.js';
import { own, pem } from '../helpers/certificates.js';

const AUTHORITY = pem('authority');
const SERVER = own('server');
const FINGERPRINT = 'ab'.repeat(32);

const client = (options: object) => () => tlsClientSettings(options);
const server = (options: object) => () => tlsServerSettings(options);

describe('half of a TLS configuration', () => {
  it.each([
    ['a server without any', server({}), /tls\.cert and tls\.key are missing/],
    [
      'a server’s certificate without its key',
      server({ cert: SERVER.cert }),
      /tls\.cert is given and tls\.key is missing/,
    ],
    [
      'a server’s key without its certificate',
      server({ key: SERVER.key }),
      /tls\.key is given and tls\.cert is missing/,
    ],
    ['a client’s certificate without its key', client({ cert: SERVER.cert }), /tls\.key is missing/],
    ['a client’s key without its certificate', client({ key: SERVER.key }), /tls\.cert is missing/],
    [
      'client certificates that nothing says how to check',
      server({ ...SERVER, requireClientCert: true }),
      /both tls\.ca and tls\.fingerprints are missing/,
    ],
    [
      'an authority for certificates that nobody asks for',
      server({ ...SERVER, ca: AUTHORITY, requireClientCert: false }),
      /tls\.ca would check nothing/,
    ],
    [
      'fingerprints of certificates that nobody asks for',
      server({ ...SERVER, fingerprints: [FINGERPRINT], requireClientCert: false }),
      /tls\.fingerprints would check nothing/,
    ],
    ['an empty list of authorities, which would be everybody', client({ ca: [] }), /tls\.ca is an empty list/],
    ['an empty text of authorities, which would be everybody', client({ ca: '' }), /tls\.ca has no PEM block/],
    ['an empty list of fingerprints', client({ fingerprints: [] }), /nobody could be the other end/],
  ])('is refused: %s', (_, check, text) => {
    expect(check).toThrow(RangeError);
    expect(check).toThrow(text);
  });

  it('is refused before anything is bound or connected to', async () => {
    const services = {};
    await expect(listen('tls://127.0.0.1:0', { services })).rejects.toThrow(/tls\.cert and tls\.key are missing/);
    await expect(listen(['tcp://127.0.0.1:0', 'tls://127.0.0.1:0'], { services })).rejects.toThrow(/missing/);
    const half: TlsOptions = { cert: SERVER.cert };
    const refused = connect('tls://127.0.0.1:1', { serviceId: 'eni', key: new Uint8Array(32).fill(200), tls: half });
    await expect(refused).rejects.toThrow(/tls\.key is missing/);
  });
});

describe('a TLS configuration', () => {
  it.each([
    ['an unknown name', client({ rejectUnauthorized: false }), /no option 'rejectUnauthorized'/],
    ['another version', client({ minVersion: 'TLSv1.2' }), /'TLSv1.2'; it can only be 'TLSv1.3'/],
    ['a path for a certificate', server({ ...SERVER, cert: '/etc/cert.pem' }), /content of the file, not its path/],
    ['a path for a key', server({ ...SERVER, key: '/etc/key.pem' }), /content of the file, not its path/],
    [
      'a key of another certificate',
      server({ ...SERVER, key: own('client').key }),
      /does not take tls\.cert with tls\.key/,
    ],
    [
      'a certificate that is none',
      client({ ca: AUTHORITY.replace('\nM', '\nA') }),
      /tls\.ca has a certificate that cannot be read/,
    ],
    ['one that is none among others', client({ ca: [AUTHORITY, 'x'] }), /tls\.ca has no PEM block/],
    [
      'a key that is none',
      server({ ...SERVER, key: SERVER.key.replace('\nM', '\nA') }),
      /tls\.key has a private key that cannot/,
    ],
    ['a number for PEM', client({ ca: 7 }), /tls\.ca must be PEM/],
    ['a fingerprint that is too short', client({ fingerprints: ['ab'] }), /64 hex digits/],
    [
      'the fingerprint of a certificate',
      client({ fingerprints: [Array.from({ length: 32 }, () => 'AB').join(':')] }),
      /what counts here is that of its public key/,
    ],
    ['a text for a list', client({ fingerprints: FINGERPRINT }), /must be a list/],
    ['an IP address as servername', client({ servername: '127.0.0.1' }), /must be a host name/],
    ['servername at a server', server({ ...SERVER, servername: 'a' }), /option of connect/],
    ['requireClientCert at a client', client({ requireClientCert: true }), /option of listen/],
    ['a text for requireClientCert', server({ ...SERVER, ca: AUTHORITY, requireClientCert: 'no' }), /true or false/],
  ])('names what is wrong: %s', (_, check, text) => {
    expect(check).toThrow(text);
  });

  it('with a key that is encrypted says how to decrypt it', () => {
    const key =
      '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END ENCRYPTED PRIVATE KEY-----\n';
    expect(server({ ...SERVER, key })).toThrow(/tls\.key is encrypted; decrypt it first.*openssl pkey/);
  });

  it('demands client certificates as soon as something says which are good', () => {
    expect(tlsServerSettings(SERVER)).toMatchObject({ demandsCertificate: false, hasAuthority: false });
    expect(tlsServerSettings({ ...SERVER, ca: AUTHORITY })).toMatchObject({
      demandsCertificate: true,
      hasAuthority: true,
    });
    expect(tlsServerSettings({ ...SERVER, fingerprints: [FINGERPRINT] })).toMatchObject({
      demandsCertificate: true,
      hasAuthority: false,
    });
  });

  it('believes the authorities of Node only where nothing else says whom', () => {
    expect(tlsClientSettings()).toMatchObject({ hasAuthority: true, fingerprints: undefined });
    expect(tlsClientSettings().context.ca).toBeUndefined();
    expect(tlsClientSettings({ ca: AUTHORITY })).toMatchObject({ hasAuthority: true, context: { ca: [AUTHORITY] } });
    expect(tlsClientSettings({ fingerprints: [FINGERPRINT.toUpperCase()] })).toMatchObject({
      hasAuthority: false,
      fingerprints: new Set([FINGERPRINT]),
      context: { ca: [] },
    });
  });

  it('takes bytes as well as text, several authorities in one, and chains', () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    const chain = SERVER.cert + AUTHORITY;
    const { context } = tlsServerSettings({
      cert: bytes(chain),
      key: bytes(SERVER.key),
      ca: bytes(AUTHORITY + pem('stranger')),
    });
    expect(context).toMatchObject({ cert: chain, ca: [AUTHORITY, pem('stranger')] });
    const { cert, key } = developmentCertificate();
    expect(() => tlsServerSettings({ cert, key, ca: [cert, bytes(AUTHORITY)] })).not.toThrow();
  });
});
