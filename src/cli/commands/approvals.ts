/**
 * `eipc approvals list | watch | approve ID | deny ID`: what an operator sees of the requests that wait, and decides.
 */
import type { Command } from 'commander';
import type { ApprovalRequest, ClientEndpoint } from '../../index.js';
import { eventText, parseEvent, parseRequests, requestText } from '../approvals/shown-request.js';
import { escapeJson, escapeText } from '../escape.js';
import { CliError, EXIT, SIGNAL_EXIT } from '../exit.js';
import { watchInterruption } from '../interruption.js';
import { wholeNumber } from '../numbers.js';
import { cliError, connectAs } from '../peer-options.js';
import { parseServiceId } from './keygen.js';

const HELP = `
Examples:
  $ eipc approvals list --admin unix:/run/eai/admin.sock --key ann.key --service ann
  $ eipc approvals watch --admin unix:/run/eai/admin.sock --key ann.key --service ann
  $ eipc approvals approve K7QM-2XWB --admin unix:/run/eai/admin.sock --key ann.key --service ann

An approval is for the one message that the id stands for, once, and within the time that is shown. EIPC_ADMIN_ADDR and EIPC_KEY_FILE may
stand for --admin and --key. Texts of peers are escaped. What was decided, and by whom, is in the audit of the server.

Exit codes:
  0  listed, watched to the end of the server, or decided
  1  no such request waits any more, or it was not let through after all
  2  wrong usage
  3  no server there, or the key file is not fit to be used
  130, 143, 129, 141  ended by Ctrl-C, SIGTERM, SIGHUP, a closed pipe
`;
const MAX_MILLISECONDS = 2_147_483_647;
const ID = /^[2-9A-HJ-NP-Z]{4}-?[2-9A-HJ-NP-Z]{4}$/;

interface ApprovalsOptions {
  readonly admin?: string;
  readonly service: string;
  readonly key?: string;
  readonly timeout: number;
  readonly json?: true;
}

/** What a command does once it is connected. */
type Work = (endpoint: ClientEndpoint, options: ApprovalsOptions, signal: AbortSignal) => Promise<void>;

/** Adds the commands to the program. */
export function registerApprovals(program: Command): void {
  const approvals = program
    .command('approvals')
    .description('Decide on requests that wait for an operator.')
    .addHelpText('after', HELP);
  addOptions(approvals.command('list').description('Print the requests that wait now.')).action(
    async (options: ApprovalsOptions) => run(options, list),
  );
  addOptions(approvals.command('watch').description('Print requests as they come, and what becomes of them.')).action(
    async (options: ApprovalsOptions) => run(options, watch),
  );
  for (const [name, past] of [
    ['approve', 'approved'],
    ['deny', 'denied'],
  ] as const) {
    const words = { approve: 'Approve a request: it is done once.', deny: 'Deny a request: it is never done.' };
    addOptions(approvals.command(name).description(words[name]).argument('<id>', 'as it is listed')).action(
      async (id: string, options: ApprovalsOptions) => run(options, decide(name, past, id)),
    );
  }
}

function addOptions(command: Command): Command {
  return command
    .option('--admin <address>', 'where the server takes decisions: unix:/path or shm:NAME (default: EIPC_ADMIN_ADDR)')
    .option('--service <id>', 'the operator whose key it is', parseServiceId, 'operator')
    .option('--key <file>', 'the key file of the operator (default: EIPC_KEY_FILE)')
    .option('--timeout <ms>', 'for connecting, and for each answer', wholeNumber(1, MAX_MILLISECONDS), 5_000)
    .option('--json', 'print one JSON object for each request or event');
}

async function run(options: ApprovalsOptions, work: Work): Promise<void> {
  const { EIPC_ADMIN_ADDR: ofEnvironment = '' } = process.env;
  const address = options.admin ?? ofEnvironment;
  if (address === '') throw new CliError(EXIT.usage, 'an address is needed: --admin ADDRESS, or EIPC_ADMIN_ADDR');
  const { signal, reason, release } = watchInterruption();
  try {
    const endpoint = await connectAs(address, options, signal);
    try {
      await work(endpoint, options, signal);
    } finally {
      await endpoint.close();
    }
    process.exitCode = ending(reason());
  } catch (error) {
    const why = reason();
    if (why === null) throw cliError(error);
    process.exitCode = SIGNAL_EXIT[why];
  } finally {
    release();
  }
}

function ending(reason: keyof typeof SIGNAL_EXIT | null): number {
  return reason === null ? EXIT.ok : SIGNAL_EXIT[reason];
}

async function list(endpoint: ClientEndpoint, { json }: ApprovalsOptions): Promise<void> {
  const requests = await ask(endpoint, 'list');
  for (const request of requests) print(request, requestText(request), json);
  if (requests.length === 0 && json !== true) process.stdout.write('nothing waits for an operator\n');
}

async function watch(endpoint: ClientEndpoint, { json }: ApprovalsOptions, signal: AbortSignal): Promise<void> {
  for (const request of await ask(endpoint, 'watch')) {
    const event = { event: 'parked', by: '', reason: '', request };
    print(event, eventText(event), json);
  }
  const stop = (): void => void endpoint.close();
  signal.addEventListener('abort', stop, { once: true });
  for await (const message of endpoint) {
    const event = parseEvent(message.payload);
    if (event !== undefined) print(event, eventText(event), json);
  }
}

function decide(name: 'approve' | 'deny', past: string, given: string): Work {
  return async (endpoint, { json }) => {
    const text = given.toUpperCase();
    if (!ID.test(text))
      throw new CliError(
        EXIT.usage,
        `${escapeText(given)} is no id of a request: it is two times four letters and digits`,
      );
    const id = text.length === 9 ? text : `${text.slice(0, 4)}-${text.slice(4)}`;
    const request = (await ask(endpoint, 'list')).find((one) => one.id === id);
    if (request === undefined)
      throw new CliError(EXIT.refused, `no request ${id} waits: it was decided, it expired, or its requester is gone`);
    const { digest } = request;
    await endpoint.request({ type: 'tool_request', payload: { tool: `eipc.approvals.${name}`, args: { id, digest } } });
    print({ decision: past, request }, `${past}: ${requestText(request)}`, json);
  };
}

/** Asks for the requests that wait. The answer may be long, and comes by the lane of the request. */
async function ask(endpoint: ClientEndpoint, tool: 'list' | 'watch'): Promise<ApprovalRequest[]> {
  const payload = { tool: `eipc.approvals.${tool}` };
  const reply = await endpoint.request({ type: 'tool_request', priority: 3, payload });
  return parseRequests(reply.payload);
}

function print(value: object, text: string, json: true | undefined): void {
  process.stdout.write(`${json === true ? escapeJson(value) : text}\n`);
}
