/**
 * The certificates in test/certificates, made by OpenSSL: for server and client, of the authority that the other end knows, and such that must not be
 * believed.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { certificateFingerprint } from '../../src/index.js';
import type { TlsOptions } from '../../src/index.js';

/** A certificate of test/certificates, by its name. */
export function pem(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../certificates/${name}.pem`, import.meta.url)), 'utf8');
}

/** What `tls.fingerprints` has to hold for it. */
export function fingerprintOf(name: string): string {
  return certificateFingerprint(pem(name));
}

/** A certificate and its key. */
export function own(name: string): { readonly cert: string; readonly key: string } {
  return { cert: pem(name), key: pem(`${name}-key`) };
}

/** Mutual TLS, for either end. */
export const EITHER_END: TlsOptions = { ca: pem('authority'), ...own('either') };
