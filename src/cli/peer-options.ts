/**
 * The options by which a command says who it is and whom it talks to, and what the library's errors mean for its exit code.
 */
import { type Command, Option } from 'commander';
import type { ClientEndpoint, Key } from '../index.js';
import { parseServiceId } from './commands/keygen.js';
import { escapeText } from './escape.js';
import { CliError, errorCode, errorText, EXIT } from './exit.js';
import { wholeNumber } from './numbers.js';

/** Addresses as the help of the commands shows them. */
export const ADDRESS_HELP = 'where: shm:NAME, unix:/path, tcp://host:port';

const MAX_MILLISECONDS = 2_147_483_647;

/** Options of every command that has a key. */
export interface KeyedOptions {
  readonly service: string;
  readonly key: string;
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
    .addOption(
      new Option('--key <file>', 'its key file (see `eipc keygen`)').env('EIPC_KEY_FILE').makeOptionMandatory(),
    );
}

/** Adds the options of a command that connects. */
export function addPeerOptions(command: Command): Command {
  return addKeyOptions(command)
    .option('--server-id <id>', 'who the server must be (default: whoever has the key)', parseServiceId)
    .option('--timeout <ms>', 'for connecting, and for each answer', wholeNumber(1, MAX_MILLISECONDS), 5_000);
}

/** Reads the key file. */
export async function readKey({ key }: KeyedOptions): Promise<Key> {
  const { readKeyFile } = await import('../index.js');
  return explained(readKeyFile(key));
}

/** Connects as the options say. */
export async function connectAs(address: string, options: PeerOptions, signal: AbortSignal): Promise<ClientEndpoint> {
  const key = await readKey(options);
  const { connect } = await import('../index.js');
  const { service, serverId, timeout } = options;
  const attempt = connect(address, {
    serviceId: service,
    key,
    handshakeTimeout: timeout,
    requestTimeout: timeout,
    sendTimeout: timeout,
    signal,
    ...(serverId === undefined ? {} : { serverId }),
  });
  return explained(attempt);
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
