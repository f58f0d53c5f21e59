/**
 * Certificates of `tls://` addresses: reading the PEM that users pass, the fingerprint by which a public key is pinned, and certificates for
 * development.
 */
import { createHash, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { inspect } from 'node:util';

import { checkNames, integer } from './check.js';
import { encodeCertificate } from './native.js';

/** The text or the bytes of a PEM file. */
export type Pem = string | Uint8Array;

/** A certificate for development, and what a client needs to trust it. */
export interface DevelopmentCertificate {
  /** The certificate, self-signed: PEM, for `tls.cert` here, and for `tls.ca` there where the fingerprint is not used. */
  readonly cert: string;
  /** Its private key: PEM, not encrypted. Anybody who has it can be this server. */
  readonly key: string;
  /** For `tls.fingerprints` at the other end. Not secret. */
  readonly fingerprint: string;
}

/** Options of `developmentCertificate`. */
export interface DevelopmentCertificateOptions {
  /** Host names and IP addresses it is for: up to 100. Default: `localhost`, `127.0.0.1` and `::1`. */
  readonly names?: readonly string[];
  /** Days it is valid for, 1 … 365. Default 30. */
  readonly days?: number;
}

const LOCAL_NAMES = ['localhost', '127.0.0.1', '::1'];
const MAX_NAMES = 100;
/** Seconds. */
const DAY = 86_400;
/** What a SubjectPublicKeyInfo of P-256 ends with: the point, uncompressed (RFC 5480). */
const POINT = 65;
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i;
const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * Makes a self-signed certificate and its key, new at each call and kept nowhere: for development and tests, where no authority gives one. The
 * other end trusts it by its `fingerprint`, never by itself.
 *
 * @throws TypeError or RangeError for a wrong option
 *
 * @example
 * const { cert, key: certKey, fingerprint } = developmentCertificate();
 * const server = await listen('tls://127.0.0.1:0', { services, tls: { cert, key: certKey } });
 * const client = await connect(server.addresses[0], { serviceId, key, tls: { fingerprints: [fingerprint] } });
 */
export function developmentCertificate(options: DevelopmentCertificateOptions = {}): DevelopmentCertificate {
  checkNames(options, ['names', 'days'], 'developmentCertificate');
  const names: unknown = options.names ?? LOCAL_NAMES;
  if (!Array.isArray(names) || names.length === 0 || names.length > MAX_NAMES)
    throw new TypeError(`names must be a list of 1 to ${MAX_NAMES} host names or IP addresses, not ${inspect(names)}`);
  for (const name of names as unknown[])
    if (typeof name !== 'string' || (isIP(name) === 0 && !HOST_NAME.test(name)))
      throw new RangeError(`names has ${inspect(name)}; it must be host names or IP addresses, without a port`);
  const days = integer('days', options.days ?? 30, 1, 365);
  // The key is Node's from beginning to end: native code encodes what is to be signed, and never has it.
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const now = Math.floor(Date.now() / 1_000);
  const serialNumber = randomBytes(16);
  serialNumber[0] = ((serialNumber[0] ?? 0) & 0x3f) | 0x40; // positive, and never shorter
  const point = publicKey.export({ type: 'spki', format: 'der' }).subarray(-POINT);
  const der = encodeCertificate(
    {
      publicKey: point,
      commonName: 'EIPC development certificate',
      names: names as string[],
      notBefore: now - DAY, // clocks of two machines differ
      notAfter: now + days * DAY,
      serialNumber,
      keyIdentifier: createHash('sha256').update(point).digest().subarray(0, 20),
    },
    (toBeSigned) => sign('sha256', toBeSigned, privateKey),
  );
  const certificate = new X509Certificate(der);
  return Object.freeze({
    cert: certificate.toString(),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    fingerprint: fingerprintOf(certificate),
  });
}

/**
 * Returns the fingerprint of a certificate's public key, for `tls.fingerprints` at the other end: SHA-256 of its SubjectPublicKeyInfo, 64 hex
 * digits. A certificate that is renewed with the same key keeps it.
 *
 * @param pem - the certificate; of a chain, the first one counts
 * @throws RangeError when it is none
 */
export function certificateFingerprint(pem: Pem): string {
  const [first] = certificatesIn('certificateFingerprint', pem);
  if (first === undefined) throw new RangeError('there is no certificate');
  return fingerprintOf(first);
}

/** The same for a certificate that was read. */
export function fingerprintOf(certificate: X509Certificate): string {
  const key = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('hex');
}

/**
 * Reads the certificates of a PEM text.
 *
 * @param name - what errors call it
 * @throws TypeError or RangeError when there is none, or one cannot be read
 */
export function certificatesIn(name: string, pem: Pem): X509Certificate[] {
  const blocks = pemText(name, pem).match(CERTIFICATES);
  if (blocks === null)
    throw new RangeError(`${name} has no PEM block of a certificate; give the content of the file, not its path`);
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new RangeError(`${name} has a certificate that cannot be read: ${(cause as Error).message}`, { cause });
    }
  });
}

/** Returns PEM as text. */
export function pemText(name: string, pem: Pem): string {
  if (typeof pem === 'string') return pem;
  // Not shown: it may be a private key.
  if (!(pem instanceof Uint8Array))
    throw new TypeError(`${name} must be PEM, as a string or bytes, not a ${typeof pem}`);
  return Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength).toString('utf8');
}
