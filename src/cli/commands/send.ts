/**
 * `eipc send`: connects, sends one message, prints the answer if one was asked for, closes.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Outgoing, PayloadFormat, PendingApproval, Priority } from '../../index.js';
import { escapeJson, escapeText } from '../escape.js';
import { SIGNAL_EXIT } from '../exit.js';
import { watchInterruption } from '../interruption.js';
import { messageJson, messageLine } from '../message-line.js';
import { wholeNumber } from '../numbers.js';
import { FORMATS, readPayload } from '../payload.js';
import { addPeerOptions, ADDRESS_HELP, cliError, connectAs, explained } from '../peer-options.js';
import type { PeerOptions } from '../peer-options.js';
import { SESSION_TYPES } from '../session-types.js';

const HELP = `
Examples:
  $ eipc send shm:eai --key eni.min.key --type intent --priority 0 --capability ui:control --request \\
      --payload '{"intent":"move_left","confidence":0.91}'
  $ eipc send shm:eai --key eni.min.key --type features --format float32 --payload '0.1 0.9 0.3'
  $ eipc send tcp://127.0.0.1:9090 --key eni.min.key --type chat --payload @prompt.json --request --json
  $ date | eipc send unix:/run/eai.sock --key eni.min.key --type audit --format bytes --payload -

Without --request the command succeeds when everything was handed to the peer: it does not say that anybody handled it.

Exit codes:
  0  sent; with --request: answered
  1  refused: by the handshake, by the peer's answer, or no answer in time
  2  wrong usage
  3  no server there, or the key file is not fit to be used
`;

interface SendOptions extends PeerOptions {
  readonly type: (typeof SESSION_TYPES)[number];
  readonly priority?: number;
  readonly capability?: string;
  readonly route?: string;
  readonly payload?: string;
  readonly format: PayloadFormat;
  readonly request?: true;
  readonly json?: true;
}

/** Adds the command to the program. */
export function registerSend(program: Command): void {
  const command = program
    .command('send')
    .summary('send one message and print the answer')
    .description('Connect, send one message, print the answer if one is asked for, and close.')
    .argument('<address>', ADDRESS_HELP);
  addPeerOptions(command)
    .addOption(new Option('--type <type>', 'the type of the message').choices(SESSION_TYPES).makeOptionMandatory())
    .option('--priority <0..3>', '0 control, 1 interactive, 2 telemetry, 3 bulk (default: by type)', wholeNumber(0, 3))
    .option('--capability <name>', 'the one right that the message claims to use', parseText)
    .option('--route <name>', 'where a broker should take it', parseText)
    .option('--payload <text>', 'the payload; @FILE reads a file, - reads stdin')
    .addOption(new Option('--format <format>', 'what the payload is').choices(FORMATS).default('json'))
    .option('--request', 'ask for an answer, wait for it and print it')
    .option('--json', 'print the answer as one JSON object')
    .addHelpText('after', HELP)
    .action(async (address: string, options: SendOptions) => {
      process.exitCode = await runSend(address, options);
    });
}

/** Says whom the answer waits for. Not where answers go. */
function tellPending({ approval, action, time }: PendingApproval): void {
  const text = `${escapeText(action)} waits for an operator as ${escapeText(approval)}, for ${Math.round(time / 1_000)} s`;
  process.stderr.write(`eipc: ${text} (--timeout says how long)\n`);
}

async function runSend(address: string, options: SendOptions): Promise<number> {
  const message = await messageOf(options);
  const interruption = watchInterruption();
  const { signal, reason, release } = interruption;
  try {
    const endpoint = await connectAs(address, options, signal);
    try {
      if (options.request === true) {
        const reply = await explained(endpoint.request(message, { signal, onPending: tellPending }));
        const text = options.json === true ? escapeJson(messageJson(reply)) : messageLine(reply);
        process.stdout.write(`${text}\n`);
      } else {
        await explained(endpoint.send(message, { signal }));
        await explained(endpoint.flush({ signal }));
      }
    } finally {
      await endpoint.close();
    }
    return 0;
  } catch (error) {
    const ending = reason();
    if (ending !== null) return SIGNAL_EXIT[ending];
    throw cliError(error);
  } finally {
    release();
  }
}

async function messageOf(options: SendOptions): Promise<Outgoing> {
  const { type, priority, capability, route, format } = options;
  const payload = await readPayload(options.payload, format);
  return {
    type,
    payload,
    payloadFormat: format,
    ...(priority === undefined ? {} : { priority: priority as Priority }),
    ...(capability === undefined ? {} : { capability }),
    ...(route === undefined ? {} : { route }),
  };
}

function parseText(value: string): string {
  if (/^[\x21-\x7e]{1,255}$/.test(value)) return value;
  throw new InvalidArgumentError('Give 1 to 255 printable ASCII characters without blanks.');
}
