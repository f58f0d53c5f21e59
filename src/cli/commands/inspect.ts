/**
 * `eipc inspect`: shows what recorded frames say, byte by byte, and what is wrong with them.
 */
import { open } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Key } from '../../index.js';
import { quoteValue } from '../escape.js';
import { CliError, errorText, EXIT } from '../exit.js';
import { decodeHex, decodeInput, findFrames } from '../inspect/frames.js';
import type { FoundFrame } from '../inspect/frames.js';
import { reportJson, reportText } from '../inspect/report.js';
import type { Report } from '../inspect/report.js';
import { explained } from '../peer-options.js';

const HELP = `
Examples:
  $ eipc inspect capture.bin                      raw bytes, or hex digits with blanks between them
  $ tcpdump -r some.pcap … | eipc inspect         what comes in on stdin
  $ eipc inspect --hex "45495043 0001 69 01 …"    hex digits of the command line
  $ eipc inspect capture.bin --key-file nia.min.key --v1 --json

Frames may have the length in front that streams have, or not. With a key, the tags of v1 frames and of an EIPC/2 client's first frame are
verified; all other tags of EIPC/2 have keys that only the two ends of the session know. A fault is named by its first byte (-4: the
length in front) and by the code that a receiver gives it. A session knows more than a frame, and may refuse one without a fault.

Exit codes:
  0  no frame has a fault
  1  a frame has a fault
  2  wrong usage, or nothing in the input
  3  the input or the key file cannot be read
`;

/** Most bytes of input. */
const MAX_INPUT = 64 << 20;

interface InspectOptions {
  readonly hex?: string;
  readonly keyFile?: string;
  readonly v1?: true;
  readonly json?: true;
}

/** Adds the command to the program. */
export function registerInspect(program: Command): void {
  program
    .command('inspect')
    .summary('show what recorded frames say, and what is wrong with them')
    .description('Decode frames of either protocol from a file, from hex digits, or from stdin.')
    .argument('[file]', 'where the frames are; - or nothing: stdin')
    .option('--hex <digits>', 'the frames themselves, in hex')
    .option('--key-file <file>', 'verify with this key')
    .option('--v1', 'the key is one of v1: 16 bytes or more, text too')
    .option('--json', 'print one JSON object for each frame')
    .addHelpText('after', HELP)
    .action(async (file: string | undefined, options: InspectOptions) => {
      process.exitCode = await runInspect(file, options);
    });
}

async function runInspect(file: string | undefined, options: InspectOptions): Promise<number> {
  if (file !== undefined && options.hex !== undefined) throw new CliError(EXIT.usage, 'give a file or --hex, not both');
  const key = options.keyFile === undefined ? undefined : await readKey(options.keyFile, options.v1 === true);
  const bytes = options.hex === undefined ? decodeInput(await readInput(file ?? '-')) : decodeHex(options.hex);
  if (bytes.length === 0) throw new CliError(EXIT.usage, 'the input is empty');
  const { inspectFrame, MAX_FRAME_SIZE } = await import('../../index.js');
  const look = (frame: FoundFrame, index: number): Report => {
    const { fields, tag, fault } = inspectFrame(frame.bytes, key);
    const report = { ...frame, number: index + 1, fields, tag, hadKey: key !== undefined };
    if (frame.prefix !== undefined && frame.prefix > MAX_FRAME_SIZE) {
      const text = `the length in front is ${frame.prefix}, above the limit of ${MAX_FRAME_SIZE}`;
      return { ...report, fault: { at: -4, code: 'EIPC_FRAME_TOO_LARGE', text } };
    }
    if (fault === undefined) return report;
    return { ...report, fault: { at: fault.at, code: fault.error.code, text: fault.error.message } };
  };
  let exitCode: number = EXIT.ok;
  for (const [index, frame] of findFrames(bytes).entries()) {
    const report = look(frame, index);
    if (report.fault !== undefined) exitCode = EXIT.refused;
    process.stdout.write(`${options.json === true ? reportJson(report) : reportText(report)}\n`);
  }
  return exitCode;
}

async function readKey(file: string, isV1: boolean): Promise<Key> {
  const { readKeyFile } = await import('../../index.js');
  return explained(readKeyFile(file, isV1 ? { protocol: 1 } : {}));
}

async function readInput(file: string): Promise<Buffer> {
  try {
    if (file === '-') return await readAll(process.stdin);
    const handle = await open(file);
    try {
      return await readAll(handle.createReadStream());
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(EXIT.environment, `cannot read ${quoteValue(file)}: ${errorText(error)}`, { cause: error });
  }
}

async function readAll(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > MAX_INPUT)
      throw new CliError(EXIT.usage, `the input is larger than ${MAX_INPUT} bytes; cut it into parts`);
  }
  return Buffer.concat(chunks);
}
