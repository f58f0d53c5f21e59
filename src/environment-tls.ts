/**
 * The variables of TLS: the files they name, read and checked, and the certificates for development that are made where they ask for it.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, rm, stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { inspect } from 'node:util';

import { developmentCertificate } from './certificate.js';
import { nativeError, systemCode } from './errors.js';

/** Certificates and keys of `tls://`, as the option `tls` takes them: PEM, not paths. */
export interface EnvironmentTls {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly fingerprints?: readonly string[];
}

/** What the variables come to at each end. */
export interface BothEndsTls {
  /** Absent where a client has nothing to know but what Node knows. */
  readonly connect: EnvironmentTls | undefined;
  readonly listen: EnvironmentTls & { readonly requireClientCert?: boolean };
}

/** A larger file holds no certificates. */
const MAX_PEM = 1 << 20;
/** Milliseconds for another process that makes the same files to be done with both, and between two looks. */
const PATIENCE = 2_000;
const PAUSE = 20;

/**
 * Reads `EIPC_TLS_CERT`, `EIPC_TLS_KEY`, `EIPC_TLS_CA`, `EIPC_TLS_FINGERPRINTS` and `EIPC_TLS_AUTO_CERT`.
 *
 * @param value - gives a variable, or nothing where it is empty
 * @returns nothing where none of them is set
 * @throws RangeError naming the variable, TransportError for a file that cannot be read or made
 */
export async function tlsOf(value: (name: string) => string | undefined): Promise<BothEndsTls | undefined> {
  const [certPath, keyPath, caPath] = [value('EIPC_TLS_CERT'), value('EIPC_TLS_KEY'), value('EIPC_TLS_CA')];
  const isAuto = isOn('EIPC_TLS_AUTO_CERT', value('EIPC_TLS_AUTO_CERT'));
  if ((certPath === undefined) !== (keyPath === undefined)) {
    const [there, missing] = certPath === undefined ? ['KEY', 'CERT'] : ['CERT', 'KEY'];
    throw new RangeError(
      `EIPC_TLS_${there} is ${inspect(certPath ?? keyPath)}, and EIPC_TLS_${missing} is not set: half of a TLS configuration; set both or neither`,
    );
  }
  const fingerprints = value('EIPC_TLS_FINGERPRINTS')
    ?.split(',')
    .map((one) => one.trim());
  if (isAuto && certPath !== undefined && keyPath !== undefined) await makeFiles(certPath, keyPath);
  const given: EnvironmentTls = {
    ...(certPath === undefined ? {} : { cert: await readPem('EIPC_TLS_CERT', certPath, 'CERTIFICATE') }),
    ...(keyPath === undefined ? {} : { key: await readPem('EIPC_TLS_KEY', keyPath, 'PRIVATE KEY') }),
    ...(caPath === undefined ? {} : { ca: await readPem('EIPC_TLS_CA', caPath, 'CERTIFICATE') }),
    ...(fingerprints === undefined ? {} : { fingerprints }),
  };
  const isGiven = Object.keys(given).length > 0;
  if (!isGiven && !isAuto) return undefined;
  const made = isAuto && certPath === undefined ? developmentCertificate() : undefined;
  const own = made === undefined ? {} : { cert: made.cert, key: made.key };
  const demands = caPath !== undefined || fingerprints !== undefined;
  return {
    connect: isGiven ? given : undefined,
    listen: { ...given, ...own, ...(demands ? { requireClientCert: true } : {}) },
  };
}

function isOn(name: string, value: string | undefined): boolean {
  if (value === undefined || value === '0' || value === 'false') return false;
  if (value === '1' || value === 'true') return true;
  throw wrong(name, value, 'give true or false');
}

/**
 * Makes the two files of a certificate for development, unless they are there. The key's is its owner's alone from the beginning, and neither is ever
 * seen half written. Of several processes that begin at once one makes them, and all use the same.
 */
async function makeFiles(certPath: string, keyPath: string): Promise<void> {
  for (const end = performance.now() + PATIENCE; ; await setTimeout(PAUSE)) {
    const [hasCert, hasKey] = [await isThere(certPath), await isThere(keyPath)];
    if (hasCert && hasKey) return;
    if (!hasCert && !hasKey) {
      const { cert, key } = developmentCertificate();
      if (await create('EIPC_TLS_KEY', keyPath, key, 0o600)) await create('EIPC_TLS_CERT', certPath, cert, 0o644);
    } else if (performance.now() > end) {
      const [there, missing] = hasCert ? [certPath, keyPath] : [keyPath, certPath];
      throw new RangeError(
        `EIPC_TLS_AUTO_CERT: ${inspect(there)} is there and ${inspect(missing)} is not: half of a certificate for development; remove the one, and both are made`,
      );
    }
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw nativeError(error, `${inspect(path)} cannot be looked at`);
  }
}

/** Makes a file with its whole content at once. Returns false where one is there. */
async function create(name: string, path: string, content: string, mode: number): Promise<boolean> {
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    const file = await open(draft, 'wx', mode);
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
    await link(draft, path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw nativeError(error, `${name} is ${inspect(path)}, where no file can be made`);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Reads a PEM file. A private key that everybody can read is refused. */
async function readPem(name: string, path: string, what: 'CERTIFICATE' | 'PRIVATE KEY'): Promise<string> {
  let file;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw nativeError(error, `${name} is ${inspect(path)}, which cannot be read`);
  }
  try {
    const status = await file.stat();
    if (!status.isFile() || status.size > MAX_PEM) throw wrong(name, path, 'that is no PEM file');
    if (what === 'PRIVATE KEY' && process.platform !== 'win32' && (status.mode & 0o007) !== 0)
      throw wrong(name, path, 'everybody on this machine can read that key; run `chmod o-rwx` on it, and replace it');
    const pem = await file.readFile('utf8');
    if (!new RegExp(`-----BEGIN (?:[A-Z]+ )*${what}-----`).test(pem))
      throw wrong(name, path, `that file has no PEM block of a ${what.toLowerCase()}`);
    return pem;
  } finally {
    await file.close();
  }
}

function wrong(name: string, value: string, remedy: string): RangeError {
  return new RangeError(`${name} is ${inspect(value)}: ${remedy}`);
}
