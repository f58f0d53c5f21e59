/**
 * `eipc demo`: the options of the demo, its help, and the way from a run to text, JSON and an exit code.
 *
 * The work is in `demo/`: `supervise.ts` runs the processes `eni.ts` and `eai.ts`. This process does not load the library.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { EXIT, CliError, SIGNAL_EXIT } from '../exit.js';
import { watchInterruption } from '../interruption.js';
import { parseNumber, wholeNumber } from '../numbers.js';
import { Display } from '../demo/display.js';
import { Progress } from '../demo/progress.js';
import { rateProblem } from '../demo/recording.js';
import { checkSignal, type SignalSpec } from '../demo/signal.js';
import { exitCodeOf, formatSummary, summarise } from '../demo/summary.js';
import { type DemoPlan, type Observer, supervise } from '../demo/supervise.js';

const GENERATED_SECONDS = 10;
const MAX_SECONDS = 86_400;

const HELP = `
What happens:
  An ENI process (neural interface) and an EAI process (AI layer) are started. ENI reads one channel of a neural signal,
  takes the band powers of windows of 256 samples every 32 samples (Hann window, FFT) and streams them as "features"
  messages (P2). From the relative alpha power, P(8-13 Hz) / P(1-30 Hz), it decodes an intent with hysteresis: smoothed
  over about 4 windows, at or above 0.14 "hold", at or below 0.10 "move". Each change, and a confirmation every 8 windows,
  goes out as an "intent" request (P0), which EAI authorises by the capability ui:control and acknowledges. EAI stops its
  simulated actuator when the session ends, however it ends. Every message is authenticated with a key made for this run.

Attack (--attack):
  An attacker in this process, who has no key, connects to every socket of the EAI process, and stands in the path of a
  decoy: a third process, with a service id and a key of its own, that makes one short session after the other. Tampering,
  replay, reflection, deletion, downgrade and forgery are tried on each of its transports (unix, tcp, and the control
  socket of shm), many times a second, at least once each. An attack is accepted if EAI or the decoy answered it with anything but
  the generic refusal, or delivered a message that was not sent so. The honest stream goes on beside it.

Signals:
  By default a generated one: 256 Hz, in microvolts, a 1/f background (exponent 1.7) with bursts of mu rhythm; seeded.
  A file holds one value a line after header lines such as "# Sampling Rate (Hz):= 125.00" (optionally "# Units:= uV"),
  or is CSV (comma, semicolon or tab) when --column is given. Rates of 64 to 512 Hz are accepted.

Examples:
  $ eipc demo                                        10 seconds of generated signal at its own speed
  $ eipc demo --speed max --seconds 60 --seed 7      a minute of another signal, as fast as it goes
  $ eipc demo --input eyes-closed.txt                a whole recording at full speed
  $ eipc demo --input session.csv --column C3 --rate 250 --speed real
  $ eipc demo --transport unix --json | jq .ackLatencyUs
  $ eipc demo --attack --seconds 5                   the same under attack; fails if one attack is accepted

JSON: one object with transport, address, suite, input, seed, rateHz, unit, speed, seconds, samples, featuresSent,
  featuresReceived, intentsSent, acksReceived, lost, rejected, rejectedBy, corrupt, outOfOrder,
  ackLatencyUs {p50, p99, max}, alphaRatio {mean, median}, alphaPower {mean}, intents {hold, move} (shares of windows),
  lastIntents, actuator {state, reason, moves}, attacksTried, attacksAccepted, attacks {kinds {NAME {tried, accepted}},
  untouched {sessions, complete}} (null without --attack), ok, error. It is printed whenever a process was started.

Exit codes:
  0  everything sent was received in order and intact, every intent was acknowledged
  1  something was lost, refused or damaged, an attack was accepted, or a process died
  2  wrong usage, or the input is no usable recording: the message names file, line, value and remedy
  3  a process could not start or connect: the message says why (--transport unix may work where shm does not)
  130, 143, 129, 141  ended by Ctrl-C, SIGTERM, SIGHUP, a closed pipe; both processes were closed first
`;

interface DemoOptions {
  transport: 'shm' | 'unix' | 'tcp' | 'tls';
  input?: string;
  column?: string;
  rate?: number;
  speed?: 'max' | 'real';
  seconds?: number;
  seed?: number;
  attack?: true;
  json?: true;
}

/** Adds the command to the program. */
export function registerDemo(program: Command): void {
  program
    .command('demo')
    .summary('run an ENI and an EAI process that talk, on a generated or recorded neural signal')
    .description('Run an ENI and an EAI process that talk, on a generated or recorded neural signal, and measure it.')
    .addOption(new Option('--transport <name>', 'how they talk').choices(['shm', 'unix', 'tcp', 'tls']).default('shm'))
    .option('--input <file>', 'read this recording instead of generating a signal')
    .option('--column <column>', 'the file is CSV: use this column, by name or by number from 1')
    .option('--rate <hz>', "the recording's samples per second; replaces what its header says", parseRate)
    .addOption(
      new Option('--speed <speed>', 'real: samples at their own rate; max: as fast as possible').choices([
        'max',
        'real',
      ]),
    )
    .option(
      '--seconds <number>',
      `how much of the signal (default: ${GENERATED_SECONDS}, a file: all of it)`,
      parseSeconds,
    )
    .option('--seed <integer>', 'which generated signal (default: 1)', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .option(
      '--attack',
      'let an attacker without a key try everything while the stream runs, and count what it achieves',
    )
    .option('--json', 'print one JSON object at the end and nothing else')
    .addHelpText('after', `\nWithout --speed, a generated signal runs at real speed and a file at max.\n${HELP}`)
    .action(async (options: DemoOptions) => {
      process.exitCode = await runDemo(planOf(options), { isJson: options.json === true });
    });
}

/**
 * Makes the plan of a run.
 *
 * @throws {CliError} `usage` for options that do not go together
 */
export function planOf(options: DemoOptions): DemoPlan {
  const { transport, input, column, rate, seconds, seed } = options;
  const attack = options.attack === true;
  if (input === undefined) {
    const stray = [column === undefined ? [] : '--column', rate === undefined ? [] : '--rate'].flat();
    if (stray.length > 0) {
      throw new CliError(EXIT.usage, `${stray.join(' and ')} is about a recording: add --input FILE, or leave it out`);
    }
    const signal: SignalSpec = { kind: 'generated', seed: seed ?? 1, seconds: seconds ?? GENERATED_SECONDS };
    return { transport, signal, speed: options.speed ?? 'real', attack };
  }
  if (seed !== undefined) {
    throw new CliError(EXIT.usage, '--seed is about the generated signal: leave out --input, or --seed');
  }
  const signal: SignalSpec = { kind: 'recording', path: input, column, rateHz: rate, seconds };
  return { transport, signal, speed: options.speed ?? 'max', attack };
}

async function runDemo(plan: DemoPlan, { isJson }: { isJson: boolean }): Promise<number> {
  await checkSignal(plan.signal);
  const interruption = watchInterruption();
  const display = new Display(process.stdout, { env: process.env });
  try {
    const outcome = await supervise(plan, isJson ? SILENT : new Progress(display), interruption.signal);
    const interrupted = interruption.reason();
    const summary = summarise(plan, outcome, interrupted);
    if (isJson) {
      process.stdout.write(`${JSON.stringify(summary)}\n`);
    } else {
      display.clearStatus();
      // Without a session there is nothing to sum up but zeros.
      if (outcome.eni !== null) for (const line of ['', ...formatSummary(summary)]) display.line(line);
      display.line(summary.ok ? display.good('ok') : display.bad('not ok'));
    }
    if (summary.error !== null && interrupted !== 'SIGPIPE') process.stderr.write(`eipc: ${summary.error}\n`);
    return interrupted === null ? exitCodeOf(summary, outcome) : SIGNAL_EXIT[interrupted];
  } finally {
    interruption.release();
  }
}

const SILENT: Observer = { started: () => undefined, eni: () => undefined, eai: () => undefined };

function parseRate(value: string): number {
  const hertz = parseNumber(value);
  const problem = rateProblem(hertz);
  if (problem !== null) throw new InvalidArgumentError(`A rate of ${value} Hz ${problem}.`);
  return hertz;
}

function parseSeconds(value: string): number {
  const seconds = parseNumber(value);
  if (seconds > 0 && seconds <= MAX_SECONDS) return seconds;
  throw new InvalidArgumentError(`Give a number of seconds above 0 and up to ${MAX_SECONDS}.`);
}
