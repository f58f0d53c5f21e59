/**
 * What is known of a TLS connection once its handshake is over: read from the connection itself, never from a configuration. Also where a pinned
 * key is compared.
 */
import type { TLSSocket } from 'node:tls';

import { fingerprintOf } from '../certificate.js';
import { makeError } from '../errors.js';
import type { TlsSettings } from '../tls-options.js';

/** How a connection is protected by TLS, as its live end says. Frozen. */
export interface TlsStatus {
  readonly protocol: 'TLSv1.3';
  /** Such as `TLS_AES_256_GCM_SHA384`. */
  readonly cipher: string;
  /** Whether the other end had to show a certificate and it passed every check that is configured here. */
  readonly authorized: boolean;
  /** SHA-256 of the other end's public key (SPKI), 64 hex digits; absent where it showed no certificate. */
  readonly fingerprint?: string;
}

/** A connection inside TLS. */
export interface TlsChannel {
  readonly status: TlsStatus;
  /** What both ends of this connection, and nobody else, can derive: 32 bytes. */
  readonly exporter: Uint8Array;
}

/** RFC 9266: the same at both ends of one TLS 1.3 connection, and different at those of two. */
const EXPORTER_LABEL = 'EXPORTER-Channel-Binding';
const EXPORTER_BYTES = 32;
const NO_CONTEXT = Buffer.alloc(0);

/**
 * Checks a TLS connection whose handshake is over.
 *
 * @throws AuthError when the other end is not one that may be there
 */
export function channelOf(socket: TLSSocket, settings: TlsSettings, address: string): TlsChannel {
  const protocol = socket.getProtocol();
  if (protocol !== 'TLSv1.3')
    throw makeError('EIPC_HANDSHAKE_FAILED', `${address}: the connection speaks ${protocol ?? 'no TLS'}, not TLS 1.3`);
  const certificate = socket.getPeerX509Certificate();
  const fingerprint = certificate === undefined ? undefined : fingerprintOf(certificate);
  // Node has ended the connection of who did not pass before; a check that is left to others is made once more where it costs nothing.
  if (settings.demandsCertificate && settings.hasAuthority && !socket.authorized)
    throw makeError(
      'EIPC_IDENTITY',
      `${address}: the other end's certificate did not pass: ${String(socket.authorizationError)}`,
    );
  if (settings.fingerprints !== undefined && (fingerprint === undefined || !settings.fingerprints.has(fingerprint)))
    throw makeError(
      'EIPC_IDENTITY',
      fingerprint === undefined
        ? `${address}: the other end shows no certificate, so no key of tls.fingerprints`
        : `${address}: the other end's public key has the fingerprint ${fingerprint}, which is not one of tls.fingerprints; compare it with what that end says of itself before you believe it`,
    );
  return {
    status: Object.freeze({
      protocol,
      cipher: socket.getCipher().standardName,
      authorized: settings.demandsCertificate,
      ...(fingerprint === undefined ? {} : { fingerprint }),
    }),
    exporter: socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, NO_CONTEXT),
  };
}
