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
export const ADDRESS_HELP = 'where: shm:NAME, unix:/path, tcp://host:port, or on Windows pipe:NAME';

const MAX_MILLISECONDS = 2_147_483_647;

/** Options of every command that has a key. */
export interface KeyedOptions {
  readonly service: string;
  readonly key?: string;
}

/** Options of every command that connects. */
export interface PeerOptions extends KeyedOptions {
  readonly serverId?: string;
  readonly timeout: number;
}

/** Adds `--service` and `--key`. */
export function addKeyOptions(command: Command): Command {
  return command
    .option('--service <id>', 'the service whose key it is', parseServiceId, 'eni.min')
    .option('--key <file>', 'its key file, see `eipc keygen` (default: EIPC_KEY_FILE, or the key in EIPC_HMAC_KEY)');
}

/** Adds the options of a command that connects. */
export function addPeerOptions(command: Command): Command {
  return addKeyOptions(command)
    .option('--server-id <id>', 'who the server must be (default: whoever has the key)', parseServiceId)
    .option('--timeout <ms>', 'for connecting, and for each answer', wholeNumber(1, MAX_MILLISECONDS), 5_000);
}

/** Reads the environment; a key file of the command line takes the place of its key. */
export async function readEnvironment({ key }: KeyedOptions): Promise<EnvironmentOptions> {
  const { EIPC_KEY_FILE: file = '', EIPC_HMAC_KEY: text = '' } = process.env;
  if (key === undefined && file === '' && text === '')
    throw new CliError(
      EXIT.usage,
      'a key is needed: --key FILE (see `eipc keygen`), or EIPC_KEY_FILE or EIPC_HMAC_KEY',
    );
  const { optionsFromEnvironment } = await import('../index.js');
  const env = key === undefined ? process.env : { ...process.env, EIPC_KEY_FILE: key, EIPC_HMAC_KEY: undefined };
  return explained(optionsFromEnvironment({ env }));
}

/** Connects as the options say. */
export async function connectAs(address: string, options: PeerOptions, signal: AbortSignal): Promise<ClientEndpoint> {
  const environment = await readEnvironment(options);
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
  if (address.startsWith('tls:')) return options;
  const { tls: _, ...others } = options;
  return others;
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
