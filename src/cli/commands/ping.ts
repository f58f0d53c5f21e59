/**
 * `eipc ping`: measures round trips to the endpoint of a peer, past its handlers, and prints percentiles.
 */
import type { Command } from 'commander';
import type { ClientEndpoint } from '../../index.js';
import { Distribution } from '../distribution.js';
import { EXIT, SIGNAL_EXIT } from '../exit.js';
import { watchInterruption } from '../interruption.js';
import { wholeNumber } from '../numbers.js';
import { addPeerOptions, ADDRESS_HELP, cliError, connectAs, explained } from '../peer-options.js';
import type { PeerOptions } from '../peer-options.js';

/** Microseconds; a slower answer counts as this slow. */
const SLOWEST = 60_000_000;

const HELP = `
Examples:
  $ eipc ping shm:eai --key eni.min.key
  $ eipc ping tcp://127.0.0.1:9090 --key eni.min.key --count 1000 --interval 0 --json
  $ eipc ping tls://eai.example:9443 --key eni.min.key --tls-ca ca.crt

The time is that of a request and its acknowledgement, both authenticated, through the whole public API of both ends. The
first one warms up both programs: it is sent and not counted. What another program measures with its own hot loop is less.

Exit codes:
  0  every ping was answered
  1  refused by the handshake, or an answer did not come in time
  2  wrong usage
  3  no server there, or the key file is not fit to be used
  130, 143, 129, 141  ended by Ctrl-C, SIGTERM, SIGHUP, a closed pipe; what was measured until then is printed
`;

interface PingOptions extends PeerOptions {
  readonly count: number;
  readonly interval: number;
  readonly json?: true;
}

/** What a run found. Times in microseconds. */
interface PingReport {
  readonly address: string;
  readonly server: string;
  readonly suite: string;
  /** Null without TLS. */
  readonly tls: { readonly protocol: string; readonly cipher: string } | null;
  readonly sent: number;
  readonly answered: number;
  readonly us: Record<'min' | 'mean' | 'p50' | 'p90' | 'p99' | 'p999' | 'max', number | null>;
}

/** Adds the command to the program. */
export function registerPing(program: Command): void {
  const command = program
    .command('ping')
    .summary('measure round trips to a server')
    .description('Measure authenticated round trips to a server, and print their percentiles.')
    .argument('<address>', ADDRESS_HELP);
  addPeerOptions(command)
    .option('--count <n>', 'how many', wholeNumber(1, 1_000_000_000), 10)
    .option('--interval <ms>', 'between two of them; 0: one follows the other', wholeNumber(0, 3_600_000), 100)
    .option('--json', 'print one JSON object at the end and nothing else')
    .addHelpText('after', HELP)
    .action(async (address: string, options: PingOptions) => {
      process.exitCode = await runPing(address, options);
    });
}

async function runPing(address: string, options: PingOptions): Promise<number> {
  const { signal, reason, release } = watchInterruption();
  try {
    const endpoint = await connectAs(address, options, signal);
    try {
      const report = await measure(endpoint, options, signal);
      process.stdout.write(options.json === true ? `${JSON.stringify(report)}\n` : summary(report));
      const ending = reason();
      if (ending !== null) return SIGNAL_EXIT[ending];
      return report.answered === report.sent ? EXIT.ok : EXIT.refused;
    } finally {
      await endpoint.close();
    }
  } catch (error) {
    const ending = reason();
    if (ending !== null) return SIGNAL_EXIT[ending];
    throw cliError(error);
  } finally {
    release();
  }
}

async function measure(
  endpoint: ClientEndpoint,
  { count, interval, json }: PingOptions,
  signal: AbortSignal,
): Promise<PingReport> {
  const times = new Distribution({ resolution: 0.1, highest: SLOWEST });
  await explained(endpoint.ping({ signal }));
  let sent = 0;
  let least = Infinity;
  while (sent < count && !signal.aborted && endpoint.state === 'open') {
    if (interval > 0) await pause(interval, signal);
    if (signal.aborted) break;
    sent += 1;
    const time = await endpoint.ping({ signal }).catch((error: unknown) => error);
    if (typeof time === 'number') {
      times.record(time);
      least = Math.min(least, time);
    } else if (signal.aborted) {
      sent -= 1; // nobody waited for its answer
    }
    // One after the other is for measuring; a line for each would be what is measured.
    if (json !== true && interval > 0 && !signal.aborted) process.stdout.write(lineOf(sent, time));
  }
  const us = {
    min: times.count === 0 ? null : round(least),
    mean: round(times.mean()),
    p50: round(times.percentile(50)),
    p90: round(times.percentile(90)),
    p99: round(times.percentile(99)),
    p999: round(times.percentile(99.9)),
    max: round(times.max()),
  };
  const { serviceId, suite, tls } = endpoint.peer;
  const inside = tls === undefined ? null : { protocol: tls.protocol, cipher: tls.cipher };
  return { address: endpoint.remoteAddress, server: serviceId, suite, tls: inside, sent, answered: times.count, us };
}

function lineOf(number: number, time: unknown): string {
  if (typeof time === 'number') return `${number}  ${time.toFixed(1)} µs\n`;
  return `${number}  no answer\n`;
}

function summary({ address, server, suite, tls, sent, answered, us }: PingReport): string {
  const times = Object.entries(us).map(([name, value]) => `${name} ${value === null ? '-' : value.toFixed(1)}`);
  const inside = tls === null ? '' : ` in ${tls.protocol} (${tls.cipher})`;
  return `\n${server} at ${address}, ${suite}${inside}: ${answered} of ${sent} answered\n${times.join('  ')}  (µs)\n`;
}

function round(value: number | null): number | null {
  return value === null ? null : Math.round(value * 10) / 10;
}

/** Waits, or until the signal aborts. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
  });
}
