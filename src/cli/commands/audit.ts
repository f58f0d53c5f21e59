/**
 * `eipc audit verify` and `eipc audit show`: whether an audit log is what was written, and what it says.
 */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { AuditVerdict, Key } from '../../index.js';
import { isWanted, parseMoment } from '../audit/entry-filter.js';
import type { EntryFilter } from '../audit/entry-filter.js';
import { logLines } from '../audit/log-lines.js';
import { entryText, parseEntry } from '../audit/shown-entry.js';
import { escapeText, quoteValue } from '../escape.js';
import { CliError, errorText, EXIT, SIGNAL_EXIT } from '../exit.js';
import { watchInterruption } from '../interruption.js';
import { explained } from '../peer-options.js';

const VERIFY_HELP = `
Examples:
  $ eipc audit verify audit.log --key-file audit.key --checkpoints audit.log.checkpoints
  $ eipc audit verify audit.log.000000060102 audit.log --key-file audit.key     files of one log, in the order they were written
  $ eipc audit verify audit.log                                                 without the key: form, numbers and links only

The first bad line is named with what became of it: changed, deleted, inserted, swapped, truncated, torn, rewritten, or the wrong key. A
tail that was cut off shows only against checkpoints. What is proved by what is in docs/audit.md.

Exit codes:
  0  every line is good, as far as the printed check can tell
  1  a line is bad, or the log was made with another key
  2  wrong usage
  3  a file cannot be read, or the key file is not fit to be used
`;

const SHOW_HELP = `
Examples:
  $ eipc audit show audit.log --decision deny --since 1h
  $ eipc audit show audit.log --peer eni.min --action 'motor.*' --json | jq .request_id
  $ eipc audit show audit.log --follow

Shows what is written there, verified or not. Texts of peers are escaped. With --json, lines are printed as they are in the log.

Exit codes:
  0  shown
  1  a line is no audit line; it is shown as such
  2  wrong usage
  3  the file cannot be read
  130, 143, 129, 141  ended by Ctrl-C, SIGTERM, SIGHUP, a closed pipe
`;

interface VerifyOptions {
  readonly keyFile?: string;
  readonly checkpoints?: string;
  readonly json?: true;
}

interface ShowOptions extends EntryFilter {
  readonly follow?: true;
  readonly json?: true;
}

/** Adds the commands to the program. */
export function registerAudit(program: Command): void {
  const audit = program.command('audit').description('Verify an audit log, or show what it says.');
  audit
    .command('verify')
    .summary('find the first line of an audit log that is not what was written')
    .description('Verify an audit log and name the first bad line.')
    .argument('<files...>', 'the log, or its files in the order they were written')
    .option('--key-file <file>', 'the key that the log began with')
    .option('--checkpoints <file>', 'checkpoints of the log, best from another machine')
    .option('--json', 'print one JSON object')
    .addHelpText('after', VERIFY_HELP)
    .action(async (files: readonly string[], options: VerifyOptions) => {
      process.exitCode = await runVerify(files, options);
    });
  audit
    .command('show')
    .summary('print the entries of an audit log')
    .description('Print the entries of an audit log that fit.')
    .argument('<file>', 'the log')
    .option('--peer <id>', 'of this peer only')
    .option('--action <name>', "of this action only; 'motor.*' for all that begin with motor.")
    .addOption(new Option('--decision <word>', 'of this decision only').choices(['allow', 'deny', 'confirm', 'note']))
    .option('--result <text>', 'whose result contains this')
    .option('--since <time>', 'from this time on: a date, or how long ago (90s, 15m, 2h, 1d)', (text) =>
      parseMoment(text),
    )
    .option('--until <time>', 'up to this time', (text) => parseMoment(text))
    .option('--follow', 'go on with what is written from now on, through rotations')
    .option('--json', 'print the lines as they are in the log')
    .addHelpText('after', SHOW_HELP)
    .action(async (file: string, options: ShowOptions) => {
      process.exitCode = await runShow(file, options);
    });
}

async function runVerify(files: readonly string[], options: VerifyOptions): Promise<number> {
  const { checkpoints } = options;
  const key = options.keyFile === undefined ? undefined : await readKey(options.keyFile);
  const { verifyAudit } = await import('../../index.js');
  const started = performance.now();
  const verdict = await explained(
    verifyAudit(files, {
      ...(key === undefined ? {} : { key }),
      ...(checkpoints === undefined ? {} : { checkpoints }),
    }),
  );
  const seconds = (performance.now() - started) / 1_000;
  if (options.json === true) process.stdout.write(`${JSON.stringify({ ...verdict, seconds })}\n`);
  else process.stdout.write(verdictText(verdict, files, checkpoints, seconds));
  return verdict.fault === undefined ? EXIT.ok : EXIT.refused;
}

async function readKey(file: string): Promise<Key> {
  const { readKeyFile } = await import('../../index.js');
  return explained(readKeyFile(file));
}

function verdictText(
  verdict: AuditVerdict,
  files: readonly string[],
  checkpoints: string | undefined,
  seconds: number,
): string {
  const { lines, first, last, fault } = verdict;
  const name = (file: string): string => escapeText(file, { maxBytes: 4_096 });
  const range = lines === 0 ? '' : `, numbers ${first} to ${last}`;
  const rows = [
    fault === undefined
      ? `${files.map(name).join(', ')}: ${lines} lines are good${range}`
      : `${name(fault.file)}:${fault.line}: ${fault.reason}: ${escapeText(fault.text)}`,
  ];
  if (fault !== undefined)
    rows.push(`  ${lines} lines before it are good${range}; it should have number ${fault.number}`);
  rows.push(`  checked: ${checkText(verdict)}`);
  if (verdict.recoveries > 0)
    rows.push(
      `  ${verdict.recoveries} times something was cut off after a crash: eipc audit show --action audit.recovered`,
    );
  rows.push(
    checkpoints === undefined
      ? '  a tail that was cut off would not show: that takes --checkpoints'
      : `  ${verdict.checkpoints} checkpoints compared`,
    `  in ${seconds.toFixed(2)} s`,
  );
  return `${rows.join('\n')}\n`;
}

function checkText({ check, keyId }: AuditVerdict): string {
  switch (check) {
    case 'key':
      return `every hash with the key ${keyId ?? ''}`;
    case 'hash':
      return 'every hash; the log has no key, so that whoever can write the file could have made it';
    case 'structure':
      return `form, numbers and links only: a changed text DOES NOT SHOW without the key ${keyId ?? ''} (--key-file)`;
    default:
      return 'nothing';
  }
}

async function runShow(file: string, { follow, json, ...filter }: ShowOptions): Promise<number> {
  const { signal, reason, release } = watchInterruption();
  let exitCode: number = EXIT.ok;
  try {
    for await (const line of logLines(file, follow === true, signal)) {
      const entry = parseEntry(line);
      if (entry === undefined) {
        exitCode = EXIT.refused;
        process.stderr.write(`eipc: this is no audit line: ${quoteValue(line)}\n`);
      } else if (isWanted(entry, filter)) {
        const isRoomy = process.stdout.write(`${json === true ? line : entryText(entry)}\n`);
        if (!isRoomy && !signal.aborted) await drained(signal);
      }
    }
  } catch (error) {
    throw new CliError(EXIT.environment, `cannot read ${quoteValue(file)}: ${errorText(error)}`, { cause: error });
  } finally {
    release();
  }
  const ending = reason();
  return ending === null ? exitCode : SIGNAL_EXIT[ending];
}

/** Waits until what was printed has gone, or nobody reads it any more. */
async function drained(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    process.stdout.once('drain', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
