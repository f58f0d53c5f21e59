/**
 * The option `tls`: what users write, and what is left of it once it is checked. Half of a configuration is an error that names the other half:
 * nothing is ever done without TLS because something of it is missing.
 */
import { createPrivateKey } from 'node:crypto';
import { isIP } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { createSecureContext } from 'node:tls';
import { inspect } from 'node:util';

import type { Pem } from './certificate.js';
import { certificatesIn, pemText } from './certificate.js';
import { checkNames, flag } from './check.js';

/**
 * What a `tls://` address needs: always TLS 1.3. A server needs `cert` and `key`. A client checks the server's certificate by `ca`, by
 * `fingerprints`, by both, or, where neither is given, by the authorities that Node comes with.
 */
export interface TlsOptions {
  /**
   * Certificates that the other end's must come from, PEM. At a client its name is compared as well, with `servername` or else the host of
   * the address. At a server clients must then show a certificate.
   */
  readonly ca?: Pem | readonly Pem[];
  /** The own certificate, PEM; behind it those between it and its authority. Needs `key`. */
  readonly cert?: Pem;
  /** The private key of `cert`, PEM, not encrypted. */
  readonly key?: Pem;
  /** Client only: the name the server's certificate must have, where it is not the host of the address. Also sent to the server (SNI). */
  readonly servername?: string;
  /** There is no other. */
  readonly minVersion?: 'TLSv1.3';
  /**
   * The public keys that the other end may have: SHA-256 of the SubjectPublicKeyInfo, 64 hex digits each (`certificateFingerprint`). With `ca` both must
   * hold. Without it the key alone counts: neither its certificate's name and dates nor who signed it. At a server clients must then show a
   * certificate.
   */
  readonly fingerprints?: readonly string[];
  /** Server only: whether clients must show a certificate. Follows from `ca` and `fingerprints`, one of which it needs. */
  readonly requireClientCert?: boolean;
}

/** The option `tls` of one end, checked. */
export interface TlsSettings {
  /** What `node:tls` is given: versions, and own and foreign certificates. */
  readonly context: SecureContextOptions;
  /** Whether the other end's certificate must come from an authority. */
  readonly hasAuthority: boolean;
  /** The public keys the other end may have; absent: any that passes otherwise. */
  readonly fingerprints: ReadonlySet<string> | undefined;
  /** Absent: the host of the address. */
  readonly servername: string | undefined;
  /** Whether the other end must show a certificate. */
  readonly demandsCertificate: boolean;
}

const NAMES = ['ca', 'cert', 'key', 'servername', 'minVersion', 'fingerprints', 'requireClientCert'];
const FINGERPRINT = /^[0-9a-f]{64}$/;
const WITH_COLONS = /^[0-9a-f]{2}(?::[0-9a-f]{2}){31}$/i;

/**
 * Checks the option of a client.
 *
 * @throws TypeError or RangeError naming what is wrong or missing
 */
export function tlsClientSettings(options: TlsOptions = {}): TlsSettings {
  checkNames(options, NAMES, 'tls');
  if (options.requireClientCert !== undefined)
    throw new RangeError(
      'tls.requireClientCert is an option of listen; a client always demands the server’s certificate',
    );
  const { servername } = options;
  if (servername !== undefined && (typeof servername !== 'string' || servername === '' || isIP(servername) !== 0))
    throw new RangeError(
      `tls.servername is ${inspect(servername)}; it must be a host name (an IP address is taken from the address)`,
    );
  const fingerprints = checkFingerprints(options.fingerprints);
  const ca = checkAuthorities(options.ca);
  const hasAuthority = ca !== undefined || fingerprints === undefined;
  return {
    // An empty list is none; absent would be Node's own authorities.
    context: checkedContext({
      ...ownCertificate(options),
      ...(hasAuthority && ca === undefined ? {} : { ca: ca ?? [] }),
    }),
    hasAuthority,
    fingerprints,
    servername,
    demandsCertificate: true,
  };
}

/**
 * Checks the option of a server.
 *
 * @throws TypeError or RangeError naming what is wrong or missing
 */
export function tlsServerSettings(options: TlsOptions = {}): TlsSettings {
  checkNames(options, NAMES, 'tls');
  if (options.servername !== undefined)
    throw new RangeError('tls.servername is an option of connect; a server has the names of its certificate');
  const own = ownCertificate(options);
  if (own.cert === undefined)
    throw new RangeError(
      'tls.cert and tls.key are missing: a tls:// server needs a certificate and its private key, PEM (for development: developmentCertificate())',
    );
  const fingerprints = checkFingerprints(options.fingerprints);
  const ca = checkAuthorities(options.ca);
  const canTell = ca !== undefined || fingerprints !== undefined;
  const demandsCertificate =
    options.requireClientCert === undefined ? canTell : flag('tls.requireClientCert', options.requireClientCert);
  if (demandsCertificate && !canTell)
    throw new RangeError(
      'tls.requireClientCert is true, and both tls.ca and tls.fingerprints are missing: one of them must say which certificates are good',
    );
  if (!demandsCertificate && canTell)
    throw new RangeError(
      `tls.requireClientCert is false, and tls.${ca === undefined ? 'fingerprints' : 'ca'} would check nothing; leave one of them out`,
    );
  return {
    context: checkedContext({ ...own, ca: ca ?? [] }),
    hasAuthority: ca !== undefined,
    fingerprints,
    servername: undefined,
    demandsCertificate,
  };
}

/**
 * Checks the option for the addresses it is for, of which some or none may be `tls://`.
 *
 * @param check - of the role
 * @returns nothing where no address needs it
 * @throws TypeError or RangeError naming what is wrong or missing; also for an option that no address would use
 */
export function tlsSettings(
  options: TlsOptions | undefined,
  addresses: readonly { readonly transport: string; readonly text: string }[],
  check: (options?: TlsOptions) => TlsSettings,
): TlsSettings | undefined {
  if (addresses.some(({ transport }) => transport === 'tls')) return check(options);
  if (options === undefined) return undefined;
  // Whoever writes it expects encryption.
  throw new RangeError(
    `the option tls is given, and ${addresses.map(({ text }) => text).join(', ')} has no TLS; use tls://host:port, or leave the option out`,
  );
}

/** Certificate and key, both or neither. */
function ownCertificate({ cert, key, minVersion }: TlsOptions): { readonly cert?: string; readonly key?: string } {
  if (minVersion !== undefined && minVersion !== 'TLSv1.3')
    throw new RangeError(`tls.minVersion is ${inspect(minVersion)}; it can only be 'TLSv1.3', which it is anyway`);
  if (cert === undefined && key === undefined) return {};
  if (cert === undefined || key === undefined) {
    const [there, missing] = cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
    throw new RangeError(`tls.${there} is given and tls.${missing} is missing: half of a TLS configuration; give both`);
  }
  certificatesIn('tls.cert', cert);
  const text = pemText('tls.key', key);
  if (!/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/.test(text))
    throw new RangeError('tls.key has no PEM block of a private key; give the content of the file, not its path');
  try {
    createPrivateKey(text);
  } catch (cause) {
    const isEncrypted = text.includes('ENCRYPTED');
    throw new RangeError(
      isEncrypted
        ? 'tls.key is encrypted; decrypt it first, such as with `openssl pkey -in key.pem`'
        : 'tls.key has a private key that cannot be read',
      { cause },
    );
  }
  return { cert: pemText('tls.cert', cert), key: text };
}

function checkAuthorities(ca: TlsOptions['ca']): string[] | undefined {
  if (ca === undefined) return undefined;
  const list = isList(ca) ? ca : [ca];
  // Of an empty list Node would make nobody, of an empty string everybody it knows.
  if (list.length === 0) throw new RangeError('tls.ca is an empty list; give a certificate, or leave it out');
  return list.flatMap((pem) => certificatesIn('tls.ca', pem).map((certificate) => certificate.toString()));
}

function checkFingerprints(fingerprints: TlsOptions['fingerprints']): ReadonlySet<string> | undefined {
  if (fingerprints === undefined) return undefined;
  const list: unknown = fingerprints;
  if (!Array.isArray(list)) throw new TypeError(`tls.fingerprints must be a list, not ${inspect(list)}`);
  if (list.length === 0) throw new RangeError('tls.fingerprints is an empty list, so nobody could be the other end');
  return new Set(list.map(checkFingerprint));
}

function checkFingerprint(fingerprint: unknown): string {
  const digits = typeof fingerprint === 'string' ? fingerprint.toLowerCase() : '';
  if (FINGERPRINT.test(digits)) return digits;
  throw new RangeError(
    `tls.fingerprints has ${inspect(fingerprint)}; ${
      WITH_COLONS.test(digits)
        ? 'with colons that is usually the fingerprint of a certificate; what counts here is that of its public key'
        : 'a fingerprint is SHA-256 of a public key (SPKI)'
    }, 64 hex digits, as certificateFingerprint() gives it`,
  );
}

/** Has OpenSSL look at everything once, so that what does not go together is told before anything is opened. */
function checkedContext(material: SecureContextOptions): SecureContextOptions {
  const context = { ...material, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const;
  try {
    createSecureContext(context);
  } catch (cause) {
    throw new RangeError(`OpenSSL does not take tls.cert with tls.key: ${(cause as Error).message}`, { cause });
  }
  return context;
}

function isList(ca: Pem | readonly Pem[]): ca is readonly Pem[] {
  return Array.isArray(ca);
}
