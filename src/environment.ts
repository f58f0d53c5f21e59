/**
 * The original's environment variables, as options for `connect` and `listen`. Read when a program asks for it, never by the library itself.
 */
import { inspect } from 'node:util';

import { duration, integer } from './check.js';
import { tlsOf } from './environment-tls.js';
import type { EnvironmentTls } from './environment-tls.js';
import { Key } from './key.js';
import type { KeyOptions } from './key.js';
import { readKeyFile } from './key-file.js';
import { decodeKey } from './key-text.js';
import { parseAddress } from './transport/address.js';

/** Where the original listens when nothing else is said. */
const DEFAULT_HOST = '127.0.0.1:9090';
const MILLISECONDS = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
/** A duration as Go writes it. */
const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/;
const DURATION_PART = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g;

/** What the environment says. */
export interface EnvironmentOptions {
  /** `EIPC_LISTEN_ADDR` as an address: for `listen`, and for clients on the same machine. */
  readonly address: string;
  /** The key of `EIPC_KEY_FILE` or `EIPC_HMAC_KEY`: for `services` of `listen`. */
  readonly key: Key;
  /** To be spread into the options of `connect`. */
  readonly connect: { readonly key: Key; readonly protocol?: 1 | 2; readonly tls?: EnvironmentTls };
  /** To be spread into the options of `listen`. With `EIPC_TLS_CA` or `EIPC_TLS_FINGERPRINTS`, clients must show a certificate that fits. */
  readonly listen: {
    readonly protocol?: 1 | 2;
    readonly maxConnections?: number;
    readonly sessionTtl?: number;
    readonly tls?: EnvironmentTls & { readonly requireClientCert?: boolean };
  };
}

/** Options of reading the environment. */
export interface EnvironmentSource extends KeyOptions {
  /** The variables. Default: `process.env`. An empty value counts as none. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads `EIPC_KEY_FILE` or `EIPC_HMAC_KEY`, `EIPC_LISTEN_ADDR`, `EIPC_SESSION_TTL`, `EIPC_MAX_CONNECTIONS`, `EIPC_TLS_CERT`,
 * `EIPC_TLS_KEY`, `EIPC_TLS_CA`, `EIPC_TLS_AUTO_CERT`, and of our own `EIPC_TLS_FINGERPRINTS` (docs/tls.md).
 *
 * @throws RangeError naming the variable and its value, AuthError `EIPC_KEY` for a key that cannot be used (its value is not shown),
 * TransportError for a file that cannot be read
 *
 * @example
 * const { address, connect: options } = await optionsFromEnvironment();
 * const eai = await connect(address, { serviceId: 'eni.min', ...options });
 */
export async function optionsFromEnvironment(source: EnvironmentSource = {}): Promise<EnvironmentOptions> {
  const { env = process.env, ...keyOptions } = source;
  const value = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  const tls = await tlsOf(value);
  const address = addressOf(value('EIPC_LISTEN_ADDR'), tls !== undefined);
  const maxConnections = maxConnectionsOf(value('EIPC_MAX_CONNECTIONS'));
  const sessionTtl = sessionTtlOf(value('EIPC_SESSION_TTL'));
  const key = await keyOf(value('EIPC_KEY_FILE'), value('EIPC_HMAC_KEY'), keyOptions);
  const protocol = keyOptions.protocol === undefined ? {} : { protocol: keyOptions.protocol };
  return {
    address,
    key,
    connect: { key, ...protocol, ...(tls?.connect === undefined ? {} : { tls: tls.connect }) },
    listen: {
      ...protocol,
      ...(maxConnections === undefined ? {} : { maxConnections }),
      ...(sessionTtl === undefined ? {} : { sessionTtl }),
      ...(tls === undefined ? {} : { tls: tls.listen }),
    },
  };
}

async function keyOf(path: string | undefined, text: string | undefined, options: KeyOptions): Promise<Key> {
  if (path !== undefined && text !== undefined)
    throw new RangeError('EIPC_KEY_FILE and EIPC_HMAC_KEY are both set; unset the one that is not to be used');
  if (path !== undefined) return readKeyFile(path, options);
  if (text === undefined)
    throw new RangeError(
      'neither EIPC_KEY_FILE nor EIPC_HMAC_KEY is set; let EIPC_KEY_FILE name a file of `eipc keygen`',
    );
  const stored = Buffer.from(text);
  let bytes: Buffer | undefined;
  try {
    bytes = decodeKey(stored, 'EIPC_HMAC_KEY');
    return Key.fromBytes(bytes, options);
  } catch (error) {
    if (error instanceof RangeError) throw new RangeError(`EIPC_HMAC_KEY: ${error.message}`, { cause: error });
    throw error;
  } finally {
    stored.fill(0);
    bytes?.fill(0);
  }
}

/** Makes an address of what the original takes, `host:port`, or of an address. */
function addressOf(value: string | undefined, hasTls: boolean): string {
  const text = value ?? DEFAULT_HOST;
  if (!/^(?:[a-z]+:\/\/|(?:shm|unix|pipe|memory):)/.test(text)) {
    if (!/^[^/]*[^/:]:\d+$/.test(text))
      throw wrong(
        'EIPC_LISTEN_ADDR',
        text,
        'give host:port, such as 127.0.0.1:9090 (0.0.0.0:9090 for every interface)',
      );
    return checkedAddress(`${hasTls ? 'tls' : 'tcp'}://${text}`, text);
  }
  // Whoever sets certificates expects encryption; the original went on in clear text.
  if (hasTls && !text.startsWith('tls://'))
    throw wrong(
      'EIPC_LISTEN_ADDR',
      text,
      'variables of TLS are set, so it must be tls://host:port, or host:port alone',
    );
  return checkedAddress(text, text);
}

function checkedAddress(address: string, value: string): string {
  try {
    return parseAddress(address).text;
  } catch (error) {
    throw wrong('EIPC_LISTEN_ADDR', value, error instanceof Error ? error.message : String(error));
  }
}

function maxConnectionsOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d{1,6}$/.test(value)) throw wrong('EIPC_MAX_CONNECTIONS', value, 'give a whole number from 1 to 65536');
  return integer('EIPC_MAX_CONNECTIONS', Number(value), 1, 65_536);
}

function sessionTtlOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!DURATION.test(value))
    throw wrong('EIPC_SESSION_TTL', value, 'give a duration with its units, such as 1h or 1h30m');
  let milliseconds = 0;
  for (const [, amount, unit] of value.matchAll(DURATION_PART))
    milliseconds += Number(amount) * MILLISECONDS[unit as keyof typeof MILLISECONDS];
  return duration(`EIPC_SESSION_TTL (${value})`, Math.round(milliseconds));
}

function wrong(name: string, value: string, remedy: string): RangeError {
  return new RangeError(`${name} is ${inspect(value)}: ${remedy}`);
}
