/**
 * What Node and OpenSSL say went wrong with TLS, in words and with a remedy. Nothing is decided here.
 */
import type { EipcError } from '../errors.js';
import { makeError, nativeError, systemCode } from '../errors.js';

/** Why a certificate was not believed, by the code of OpenSSL's verification or of Node's comparison of names. */
const CERTIFICATE_FAULTS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'it is self-signed and not in tls.ca; for a certificate of development give its fingerprint (tls.fingerprints) as the server prints it',
  SELF_SIGNED_CERT_IN_CHAIN: 'its authority is not in tls.ca',
  UNABLE_TO_GET_ISSUER_CERT: 'its authority is not in tls.ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its authority is not in tls.ca',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its authority is not in tls.ca, or certificates between the two are missing in tls.cert at the server',
  CERT_SIGNATURE_FAILURE: 'its signature is not that of its authority',
  CERT_HAS_EXPIRED: 'it has expired; renew it, or check the clock of this machine',
  CERT_NOT_YET_VALID: 'it is not valid yet; check the clocks of both machines',
  CERT_REVOKED: 'it was revoked',
  INVALID_PURPOSE: 'it is not made for a server (extended key usage serverAuth)',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'it is for another name; use the name it has in the address, or give that in tls.servername',
};

/** What the other end said against this one, by Node's code for its alert, and what to do. */
const ALERTS: Readonly<Record<string, string>> = {
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it demands a client certificate; give tls.cert and tls.key',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'it does not know the authority of the certificate it was shown',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'it does not accept the certificate it was shown',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'the certificate it was shown has expired',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'it does not accept the certificate it was shown',
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: 'it cannot use the certificate it was shown',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'it does not speak TLS 1.3, which is the only version here',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'it has no cipher or signature in common with this end',
  ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR: 'a signature or the end of the handshake did not verify there',
};

/** The other end does not speak TLS, or not this one. */
const NO_TLS = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_HTTPS_PROXY_REQUEST',
  'ERR_SSL_UNEXPECTED_MESSAGE',
  'ERR_SSL_BAD_RECORD_TYPE',
]);
const OTHER_VERSION = new Set([
  'ERR_SSL_UNSUPPORTED_PROTOCOL',
  'ERR_SSL_VERSION_TOO_LOW',
  'ERR_SSL_NO_PROTOCOLS_AVAILABLE',
]);

/** Makes the error of a client whose TLS handshake failed. */
export function tlsConnectError(cause: unknown, address: string): EipcError {
  const code = systemCode(cause);
  const fault = CERTIFICATE_FAULTS[code];
  if (fault !== undefined) {
    const detail = code === 'ERR_TLS_CERT_ALTNAME_INVALID' && cause instanceof Error ? ` (${cause.message})` : '';
    return makeError('EIPC_IDENTITY', `${address}: the server's certificate is not believed: ${fault}${detail}`, {
      cause,
    });
  }
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return makeError(
      'EIPC_TRANSPORT',
      `${address} ended the connection during the handshake of TLS; check that a tls:// server listens there, and speaks TLS 1.3`,
      { cause },
    );
  return tlsError(cause, address) ?? nativeError(cause, `${address}: the handshake of TLS failed`);
}

/** Makes the error of either end that TLS broke, or nothing for a cause that is none of TLS. */
export function tlsError(cause: unknown, address: string): EipcError | undefined {
  const code = systemCode(cause);
  const alert = ALERTS[code];
  if (alert !== undefined)
    return makeError('EIPC_HANDSHAKE_FAILED', `${address}: the other end refuses TLS: ${alert}`, { cause });
  if (NO_TLS.has(code)) return noTls(address, { cause });
  if (OTHER_VERSION.has(code))
    return makeError(
      'EIPC_HANDSHAKE_FAILED',
      `${address}: the other end does not offer TLS 1.3, which is the only version here`,
      {
        cause,
      },
    );
  return undefined;
}

/** Makes the error of an end that hears something else than TLS. */
export function noTls(address: string, options?: { readonly cause: unknown }): EipcError {
  return makeError(
    'EIPC_TRANSPORT',
    `${address}: what the other end sends is no TLS; use tls:// at both ends or at neither`,
    options,
  );
}
