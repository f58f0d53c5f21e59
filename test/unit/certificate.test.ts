// Certificates for development, and the fingerprint by which keys are pinned: as Node and OpenSSL see them.
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { certificateFingerprint, developmentCertificate } from '../../src/index.js';
import { encodeCertificate } from '../../src/native.js';
import { pem } from '../helpers/certificates.js';

const DAY = 86_400_000;

describe('a development certificate', () => {
  it('is for this machine, for both roles, signed by its own key, and signs no other', () => {
    const { cert, key } = developmentCertificate();
    const certificate = new X509Certificate(cert);
    expect(certificate.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');
    expect([certificate.subject, certificate.issuer]).toEqual([
      'CN=EIPC development certificate',
      'CN=EIPC development certificate',
    ]);
    expect(certificate.ca).toBe(false);
    // serverAuth and clientAuth
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
  });

  it('has the names and days that were asked for', () => {
    const names = ['eai.example', '192.0.2.7', '2001:db8::1'];
    const certificate = new X509Certificate(developmentCertificate({ names, days: 2 }).cert);
    expect(certificate.checkHost('eai.example')).toBe('eai.example');
    expect(certificate.checkIP('192.0.2.7')).toBe('192.0.2.7');
    expect(certificate.checkHost('localhost')).toBeUndefined();
    const left = (Date.parse(certificate.validTo) - Date.now()) / DAY;
    const been = (Date.now() - Date.parse(certificate.validFrom)) / DAY;
    expect([Math.round(left), Math.round(been)]).toEqual([2, 1]);
  });

  it('is another one each time, with another number and key', () => {
    const [one, other] = [developmentCertificate(), developmentCertificate()];
    expect(one.fingerprint).not.toBe(other.fingerprint);
    expect(new X509Certificate(one.cert).serialNumber).not.toBe(new X509Certificate(other.cert).serialNumber);
  });

  it.each([
    [{ names: [] }, /names must be a list/],
    [{ names: 'localhost' }, /names must be a list/],
    [{ names: ['a b'] }, /names has 'a b'/],
    [{ names: ['host:1'] }, /without a port/],
    [{ names: [''] }, /names has ''/],
    [{ names: ['-a'] }, /names has '-a'/],
    [{ names: Array.from({ length: 101 }, () => 'a') }, /1 to 100/],
    [{ days: 0 }, /days is 0/],
    [{ days: 366 }, /days is 366/],
    [{ validity: 1 }, /no option 'validity'/],
  ])('refuses %o', (options, text) => {
    expect(() => developmentCertificate(options as object)).toThrow(text);
  });

  it('is not made when signing fails, and the addon is none the worse for it', () => {
    const { cert } = developmentCertificate();
    const fields = {
      publicKey: new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' }).subarray(-65),
      commonName: 'x',
      names: ['a'],
      notBefore: 0,
      notAfter: 1,
      serialNumber: Buffer.of(1),
      keyIdentifier: Buffer.of(1),
    };
    const signing = () => {
      throw new Error('the token was pulled out');
    };
    expect(() => encodeCertificate(fields, signing)).toThrow();
    expect(() => encodeCertificate({ ...fields, notAfter: 2 ** 53 }, () => Buffer.alloc(8))).toThrow(
      /certificate cannot be made/,
    );
    expect(() => encodeCertificate({ ...fields, names: ['ü'] }, () => Buffer.alloc(8))).toThrow(
      /certificate cannot be made/,
    );
    expect(developmentCertificate().cert).toMatch(/^-----BEGIN CERTIFICATE-----\n/);
  });
});

describe('a fingerprint', () => {
  it('is SHA-256 of the public key, whatever certificate it is in', () => {
    const cert = pem('server');
    const key = createPublicKey(cert).export({ type: 'spki', format: 'der' });
    expect(certificateFingerprint(cert)).toBe(createHash('sha256').update(key).digest('hex'));
    expect(certificateFingerprint(Buffer.from(pem('server') + pem('authority')))).toBe(certificateFingerprint(cert));
    const made = developmentCertificate();
    expect(made.fingerprint).toBe(certificateFingerprint(made.cert));
  });

  it('of what is no certificate is an error', () => {
    expect(() => certificateFingerprint('server.pem')).toThrow(/no PEM block of a certificate/);
    expect(() => certificateFingerprint(pem('server-key'))).toThrow(/no PEM block of a certificate/);
    expect(() => certificateFingerprint(5 as never)).toThrow(TypeError);
  });
});
