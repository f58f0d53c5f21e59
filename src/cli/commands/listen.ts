/**
 * `eipc listen`: listens as a server for one service and prints what it sends. For looking at what a client does, not for production.
 */
import type { Command } from 'commander';
import type { Access, EnvironmentOptions, Message, PolicyEngine, Router, ServerEndpoint } from '../../index.js';
import { escapeJson, escapeText } from '../escape.js';
import { CliError, errorText, EXIT, SIGNAL_EXIT } from '../exit.js';
import { watchInterruption } from '../interruption.js';
import { messageJson, messageLine } from '../message-line.js';
import { wholeNumber } from '../numbers.js';
import { addKeyOptions, ADDRESS_HELP, cliError, explained, forAddress, readEnvironment } from '../peer-options.js';
import type { KeyedOptions } from '../peer-options.js';
import { addPolicyOptions, Guard } from '../policy-options.js';
import type { PolicyOptions } from '../policy-options.js';
import { parseServiceId } from './keygen.js';
import { SESSION_TYPES } from '../session-types.js';

const HELP = `
Examples:
  $ eipc listen shm:eai --key eni.min.key
  $ eipc listen tcp://127.0.0.1:0 --key eni.min.key --capability ui:control --json | jq .payload
  $ eipc listen unix:/run/eai.sock --key eni.min.key --count 1
  $ eipc listen tls://0.0.0.0:9443 --key eni.min.key --tls-cert eai.crt --tls-key eai.tls.key --tls-ca ca.crt
  $ eipc listen tls://localhost:9443 --key eni.min.key --tls-auto-cert
  $ eipc listen shm:/run/eai/eai.sock --key eni.min.key --allow-uid 1001 --allow-gid 2000
  $ eipc listen shm:eai --key eni.min.key --capability ui:control --policy policy.yaml --audit audit.log \\
      --admin unix:/run/eai/admin.sock --operator ann=ann.key

Without --allow-uid and --allow-gid only processes of your own user are let in; with them, only those that they name.
EIPC_SESSION_TTL, EIPC_MAX_CONNECTIONS and the variables of TLS count here as for the original.
Every request is answered {"status":"ok"} unless --silent is given: nothing is done for it. Text from peers is escaped.
With --policy only what it allows is printed and answered so. SIGHUP then reads the policy again; a file with a fault changes nothing.

Exit codes:
  0  ended after --count messages
  1  a connection ended by an attack or a fault, after --count messages nevertheless
  2  wrong usage
  3  the address cannot be listened on, or a file is not fit to be used
  130, 143, 129, 141  ended by Ctrl-C, SIGTERM, SIGHUP, a closed pipe; every connection was closed first
`;

/** The largest id of a user or a group. */
const MAX_ID = 4_294_967_294;

interface ListenCommandOptions extends KeyedOptions, PolicyOptions {
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
  addPolicyOptions(addKeyOptions(command))
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
  if (options.silent === true && options.policy !== undefined)
    throw new CliError(EXIT.usage, '--silent is for requests that nobody handles; with --policy each is answered');
  const environment = await readEnvironment(options, given);
  const guard = await Guard.open(options);
  const desk = new Desk(options);
  const { policy } = guard;
  const { signal, reason, release } = watchInterruption(policy && (() => void reload(policy, desk)));
  try {
    await serve(given ?? environment.address, environment, options, guard, desk, signal);
    const ending = reason();
    return ending === null ? desk.exitCode : SIGNAL_EXIT[ending];
  } catch (error) {
    throw cliError(error);
  } finally {
    await guard.close();
    release();
  }
}

/** Serves until there were enough messages, or the signal aborts. */
async function serve(
  address: string,
  environment: EnvironmentOptions,
  options: ListenCommandOptions,
  guard: Guard,
  desk: Desk,
  signal: AbortSignal,
): Promise<void> {
  const { certificateFingerprint, listen, Router } = await import('../../index.js');
  const serving = forAddress(address, environment.listen);
  const services = { [options.service]: { key: environment.key, capabilities: options.capability } };
  const router = guard.policy === undefined ? null : desk.route(new Router());
  const server = await explained(
    listen(address, {
      ...serving,
      services,
      serverId: options.serverId,
      ...access(options),
      ...guard.listenOptions,
      router,
      signal,
      logger: ({ level, event, text, error }) => {
        if (level !== 'info') desk.note(event, error === undefined ? text : `${text}: ${error.message}`);
      },
    }),
  );
  try {
    const admin = await guard.serveAdmin(server);
    desk.note('listening', server.addresses.join(', '));
    if (admin !== undefined) desk.note('approvals', admin);
    const { cert } = ('tls' in serving ? serving.tls : undefined) ?? {};
    if (cert !== undefined)
      desk.note('certificate', `clients may pin --tls-fingerprint ${certificateFingerprint(cert)}`);
    const each = async (): Promise<void> => {
      for await (const endpoint of server) void desk.serve(endpoint, router === null);
    };
    await Promise.race([each(), desk.done]);
  } finally {
    await server.close();
  }
}

/** Reads the policy again; with a fault the one so far stays. */
async function reload(policy: PolicyEngine, desk: Desk): Promise<void> {
  try {
    await policy.reload();
    desk.note('policy', `${policy.listRules().length} rules are in force`);
  } catch (error) {
    desk.note('policy', `the policy so far stays in force: ${errorText(error)}`);
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

  /** Has a router print what comes by it. A request is answered `ok` for that. */
  route(router: Router): Router {
    for (const type of SESSION_TYPES)
      router.handle(type, (message) => {
        if (this.#left > 0) this.#print(message);
        this.#count();
      });
    return router;
  }

  /** Prints who an endpoint is, what it sends if it has an inbox, and its end. */
  async serve(endpoint: ServerEndpoint, hasInbox: boolean): Promise<void> {
    const { serviceId, address, pid } = endpoint.peer;
    this.note('connected', `${serviceId} at ${address}${pid === undefined ? '' : `, process ${pid}`}`);
    try {
      if (hasInbox) await this.#receive(endpoint);
    } catch {
      // Its end is told below.
    }
    const { code, error } = await endpoint.closed;
    this.note('ended', error === undefined ? code : `${code}: ${error.message}`);
    if (code !== 'EIPC_CLOSED' && code !== 'EIPC_CLOSED_BY_PEER' && code !== 'EIPC_PEER_DOWN')
      this.exitCode = EXIT.refused;
  }

  async #receive(endpoint: ServerEndpoint): Promise<void> {
    for await (const message of endpoint) {
      if (this.#left <= 0) return;
      this.#print(message);
      await this.#answer(endpoint, message);
      this.#count();
    }
  }

  #count(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#finish();
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
