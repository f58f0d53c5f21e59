/**
 * The options by which a command says who it is and whom it talks to, and what the library's errors mean for its exit code.
 */
import type { Command } from 'commander';
import type { ClientEndpoint, EnvironmentOptions } from '../index.js';
import { parseServiceId } from './commands/keygen.js';
import { escapeText } from './escape.js';
import { CliError, errorCode, errorText, EXIT } from './exit.js';
import { wholeNumber } from './numbers.js';

/** Addresses as the help of the commands shows them. */
export const ADDRESS_HELP = 'where: shm:NAME, unix:/path, tcp://host:port, tls://host:port, or on Windows pipe:NAME';

const MAX_MILLISECONDS = 2_147_483_647;

/** Options of every command that has a key. */
export interface KeyedOptions {
  readonly service: string;
  readonly key?: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsFingerprint?: readonly string[];
  readonly tlsAutoCert?: true;
}

/** The options of TLS, and the variables whose place they take. */
const TLS_VARIABLES = {
  tlsCa: 'EIPC_TLS_CA',
  tlsCert: 'EIPC_TLS_CERT',
  tlsKey: 'EIPC_TLS_KEY',
  tlsFingerprint: 'EIPC_TLS_FINGERPRINTS',
  tlsAutoCert: 'EIPC_TLS_AUTO_CERT',
} as const satisfies Partial<Record<keyof KeyedOptions, string>>;

/** Options of every command that connects. */
export interface PeerOptions extends KeyedOptions {
  readonly serverId?: string;
  readonly timeout: number;
}

/** Adds `--service`, `--key` and the options of TLS. */
export function addKeyOptions(command: Command): Command {
  return command
    .option('--service <id>', 'the service whose key it is', parseServiceId, 'eni.min')
    .option('--key <file>', 'its key file, see `eipc keygen` (default: EIPC_KEY_FILE, or the key in EIPC_HMAC_KEY)')
    .option('--tls-ca <file>', 'tls: certificates that the other end must have one of, or from (default: EIPC_TLS_CA)')
    .option('--tls-cert <file>', 'tls: the own certificate, PEM (default: EIPC_TLS_CERT)')
    .option('--tls-key <file>', 'tls: its private key, PEM (default: EIPC_TLS_KEY)')
    .option(
      '--tls-fingerprint <sha256...>',
      'tls: public keys that the other end may have (default: EIPC_TLS_FINGERPRINTS)',
    );
}

/** Adds the options of a command that connects. */
export function addPeerOptions(command: Command): Command {
  return addKeyOptions(command)
    .option('--server-id <id>', 'who the server must be (default: whoever has the key)', parseServiceId)
    .option('--timeout <ms>', 'for connecting, and for each answer', wholeNumber(1, MAX_MILLISECONDS), 5_000);
}

/**
 * Reads the environment for an address; a key file of the command line takes the place of its key, and the options of TLS that of its variables.
 *
 * @param address - absent: the environment has it
 */
export async function readEnvironment(options: KeyedOptions, address?: string): Promise<EnvironmentOptions> {
  const { key } = options;
  const { EIPC_KEY_FILE: file = '', EIPC_HMAC_KEY: text = '' } = process.env;
  if (key === undefined && file === '' && text === '')
    throw new CliError(
      EXIT.usage,
      'a key is needed: --key FILE (see `eipc keygen`), or EIPC_KEY_FILE or EIPC_HMAC_KEY',
    );
  const { optionsFromEnvironment } = await import('../index.js');
  const ofKey = key === undefined ? {} : { EIPC_KEY_FILE: key, EIPC_HMAC_KEY: undefined };
  const ofTls = tlsVariables(options);
  // Whoever writes one expects TLS.
  if (address !== undefined && !isTls(address) && Object.keys(ofTls).length > 0)
    throw new CliError(
      EXIT.usage,
      `the options --tls-… are for tls:// addresses, and ${escapeText(address)} is none: use tls://host:port, or leave them out`,
    );
  return explained(optionsFromEnvironment({ env: { ...process.env, ...ofKey, ...ofTls } }));
}

/** The variables that options of the command line stand for. */
function tlsVariables(options: KeyedOptions): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [name, variable] of Object.entries(TLS_VARIABLES)) {
    const value = options[name as keyof typeof TLS_VARIABLES];
    if (value !== undefined) variables[variable] = String(value);
  }
  return variables;
}

/** Connects as the options say. */
export async function connectAs(address: string, options: PeerOptions, signal: AbortSignal): Promise<ClientEndpoint> {
  const environment = await readEnvironment(options, address);
  const { connect } = await import('../index.js');
  const { service, serverId, timeout } = options;
  const attempt = connect(address, {
    serviceId: service,
    ...forAddress(address, environment.connect),
    handshakeTimeout: timeout,
    requestTimeout: timeout,
    sendTimeout: timeout,
    signal,
    ...(serverId === undefined ? {} : { serverId }),
  });
  return explained(attempt);
}

/** Leaves out what only some addresses take. */
export function forAddress<T extends { readonly tls?: object }>(address: string, options: T): T | Omit<T, 'tls'> {
  if (isTls(address)) return options;
  const { tls: _, ...others } = options;
  return others;
}

function isTls(address: string): boolean {
  return address.startsWith('tls:');
}

/** Waits for the library; what it throws becomes a message and an exit code. */
export async function explained<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw cliError(error);
  }
}

/** Makes the error a command ends with out of what the library threw. */
export function cliError(error: unknown): unknown {
  if (error instanceof CliError) return error;
  const text = escapeText(errorText(error), { maxBytes: 1_024 });
  // The library throws these two for wrong arguments only.
  if (error instanceof TypeError || error instanceof RangeError)
    return new CliError(EXIT.usage, text, { cause: error });
  const code = errorCode(error);
  if (code === undefined || !code.startsWith('EIPC_')) return error;
  const isEnvironment = code === 'EIPC_TRANSPORT' || code === 'EIPC_ADDRESS_IN_USE' || code === 'EIPC_KEY';
  return new CliError(isEnvironment ? EXIT.environment : EXIT.refused, `${code}: ${text}`, { cause: error });
}
