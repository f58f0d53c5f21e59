/**
 * `eipc listen`: listens as a server for one service and prints what it sends. For looking at what a client does, not for production.
 */
import type { Command } from 'commander';
import type { Access, Message, ServerEndpoint } from '../../index.js';
import { escapeJson, escapeText } from '../escape.js';
import { EXIT, SIGNAL_EXIT } from '../exit.js';
import { watchInterruption } from '../interruption.js';
import { messageJson, messageLine } from '../message-line.js';
import { wholeNumber } from '../numbers.js';
import { addKeyOptions, ADDRESS_HELP, cliError, explained, forAddress, readEnvironment } from '../peer-options.js';
import type { KeyedOptions } from '../peer-options.js';
import { parseServiceId } from './keygen.js';

const HELP = `
Examples:
  $ eipc listen shm:eai --key eni.min.key
  $ eipc listen tcp://127.0.0.1:0 --key eni.min.key --capability ui:control --json | jq .payload
  $ eipc listen unix:/run/eai.sock --key eni.min.key --count 1
  $ eipc listen tls://0.0.0.0:9443 --key eni.min.key --tls-cert eai.crt --tls-key eai.tls.key --tls-ca ca.crt
  $ eipc listen tls://localhost:9443 --key eni.min.key --tls-auto-cert
  $ eipc listen shm:/run/eai/eai.sock --key eni.min.key --allow-uid 1001 --allow-gid 2000

Without --allow-uid and --allow-gid only processes of your own user are let in; with them, only those that they name.
EIPC_SESSION_TTL, EIPC_MAX_CONNECTIONS and the variables of TLS count here as for the original.
Every request is answered {"status":"ok"} unless --silent is given: nothing is done for it. Text from peers is escaped.

Exit codes:
  0  ended after --count messages
  1  a connection ended by an attack or a fault, after --count messages nevertheless
  2  wrong usage
  3  the address cannot be listened on, or the key file is not fit to be used
  130, 143, 129, 141  ended by Ctrl-C, SIGTERM, SIGHUP, a closed pipe; every connection was closed first
`;

/** The largest id of a user or a group. */
const MAX_ID = 4_294_967_294;

interface ListenCommandOptions extends KeyedOptions {
  readonly capability: readonly string[];
  readonly serverId: string;
  readonly allowUid?: readonly number[];
  readonly allowGid?: readonly number[];
  readonly count?: number;
  readonly silent?: true;
  readonly json?: true;
}

/** Adds the command to the program. */
export function registerListen(program: Command): void {
  const command = program
    .command('listen')
    .summary('listen for one service and print what it sends')
    .description('Listen for one service, print its messages, and acknowledge its requests.')
    .argument('[address]', `${ADDRESS_HELP} (default: EIPC_LISTEN_ADDR, or tcp://127.0.0.1:9090)`);
  addKeyOptions(command)
    .option(
      '--tls-auto-cert',
      'tls: make a certificate for development; the files of --tls-cert and --tls-key, if named',
    )
    .option('--capability <names...>', 'what the service may do', [])
    .option('--server-id <id>', 'who this server is', parseServiceId, 'eipc')
    .option('--allow-uid <ids...>', 'users of this machine that may connect, by number (default: you alone)', eachId)
    .option('--allow-gid <ids...>', 'groups whose processes may connect, by number', eachId)
    .option('--count <n>', 'end after so many messages', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--silent', 'answer no request')
    .option('--json', 'print one JSON object for each message and event')
    .addHelpText('after', HELP)
    .action(async (address: string | undefined, options: ListenCommandOptions) => {
      process.exitCode = await runListen(address, options);
    });
}

async function runListen(given: string | undefined, options: ListenCommandOptions): Promise<number> {
  const environment = await readEnvironment(options, given);
  const { key } = environment;
  const address = given ?? environment.address;
  const { certificateFingerprint, listen } = await import('../../index.js');
  const { signal, reason, release } = watchInterruption();
  const desk = new Desk(options);
  try {
    const serving = forAddress(address, environment.listen);
    const services = { [options.service]: { key, capabilities: options.capability } };
    const server = await explained(
      listen(address, {
        ...serving,
        services,
        serverId: options.serverId,
        ...access(options),
        router: null,
        signal,
        logger: ({ level, event, text, error }) => {
          if (level !== 'info') desk.note(event, error === undefined ? text : `${text}: ${error.message}`);
        },
      }),
    );
    try {
      desk.note('listening', server.addresses.join(', '));
      const { cert } = ('tls' in serving ? serving.tls : undefined) ?? {};
      if (cert !== undefined)
        desk.note('certificate', `clients may pin --tls-fingerprint ${certificateFingerprint(cert)}`);
      const serve = async (): Promise<void> => {
        for await (const endpoint of server) void desk.serve(endpoint);
      };
      await Promise.race([serve(), desk.done]);
    } finally {
      await server.close();
    }
    const ending = reason();
    return ending === null ? desk.exitCode : SIGNAL_EXIT[ending];
  } catch (error) {
    throw cliError(error);
  } finally {
    release();
  }
}

/** Reads one id of several. */
function eachId(value: string, before: readonly number[] | undefined): readonly number[] {
  return [...(before ?? []), wholeNumber(0, MAX_ID)(value)];
}

function access({ allowUid: uids, allowGid: gids }: ListenCommandOptions): { access?: Access } {
  if (uids === undefined && gids === undefined) return {};
  return { access: { ...(uids === undefined ? {} : { uids }), ...(gids === undefined ? {} : { gids }) } };
}

/** Prints messages and events, and answers requests. */
class Desk {
  /** Resolves when there were as many messages as wanted. */
  readonly done: Promise<void>;
  exitCode: number = EXIT.ok;
  readonly #isJson: boolean;
  readonly #isSilent: boolean;
  #left: number;
  #finish: () => void = () => undefined;

  constructor({ count, json, silent }: ListenCommandOptions) {
    this.#isJson = json === true;
    this.#isSilent = silent === true;
    this.#left = count ?? Infinity;
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** Prints what an endpoint sends until it ends. */
  async serve(endpoint: ServerEndpoint): Promise<void> {
    const { serviceId, address, pid } = endpoint.peer;
    this.note('connected', `${serviceId} at ${address}${pid === undefined ? '' : `, process ${pid}`}`);
    try {
      for await (const message of endpoint) {
        if (this.#left <= 0) return;
        this.#print(message);
        await this.#answer(endpoint, message);
        this.#left -= 1;
        if (this.#left <= 0) this.#finish();
      }
    } catch {
      // Its end is told below.
    }
    const { code, error } = await endpoint.closed;
    this.note('ended', error === undefined ? code : `${code}: ${error.message}`);
    if (code !== 'EIPC_CLOSED' && code !== 'EIPC_CLOSED_BY_PEER' && code !== 'EIPC_PEER_DOWN')
      this.exitCode = EXIT.refused;
  }

  /** Prints something that is no message. */
  note(event: string, text: string): void {
    if (this.#isJson) process.stdout.write(`${escapeJson({ event, text })}\n`);
    else process.stdout.write(`-- ${event}: ${escapeText(text, { maxBytes: 1_024 })}\n`);
  }

  #print(message: Message): void {
    process.stdout.write(`${this.#isJson ? escapeJson(messageJson(message)) : messageLine(message)}\n`);
  }

  async #answer(endpoint: ServerEndpoint, { requestId, priority, type }: Message): Promise<void> {
    if (requestId === '' || this.#isSilent) return;
    const payload = { request_id: requestId, status: 'ok' };
    const isInKind = type === 'chat' || type === 'complete';
    // A peer that has gone meanwhile is told of by the end of its connection.
    await endpoint.send({ type: isInKind ? type : 'ack', payload, requestId, priority }).catch(() => undefined);
  }
}
