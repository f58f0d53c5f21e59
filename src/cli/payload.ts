/**
 * The payload of a message to send: text of the command line, a file, or what comes in on stdin, in one of the payload formats.
 */
import { readFile } from 'node:fs/promises';
import type { PayloadFormat } from '../index.js';
import { quoteValue } from './escape.js';
import { CliError, errorText, EXIT } from './exit.js';

export const FORMATS = ['json', 'msgpack', 'bytes', 'float32'] as const satisfies readonly PayloadFormat[];

/**
 * Reads a payload.
 *
 * @param text - what the command line gave: the payload itself, `@FILE` or `-` for stdin
 * @throws {CliError} `usage` when it does not have the format, `environment` when it cannot be read
 */
export async function readPayload(text: string | undefined, format: PayloadFormat): Promise<unknown> {
  if (text === undefined) return undefined;
  const bytes = await bytesOf(text);
  if (format === 'bytes') return bytes;
  if (format === 'float32') return numbersOf(bytes.toString());
  try {
    return JSON.parse(bytes.toString()) as unknown;
  } catch (error) {
    const remedy = 'quote it for the shell, such as --payload \'{"intent":"move_left","confidence":0.9}\'';
    throw new CliError(
      EXIT.usage,
      `the payload ${quoteValue(bytes.toString())} is no JSON (${errorText(error)}); ${remedy}`,
    );
  }
}

async function bytesOf(text: string): Promise<Buffer> {
  if (text !== '-' && !text.startsWith('@')) return Buffer.from(text);
  try {
    if (text !== '-') return await readFile(text.slice(1));
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  } catch (error) {
    throw new CliError(EXIT.environment, `cannot read the payload: ${errorText(error)}`, { cause: error });
  }
}

function numbersOf(text: string): Float32Array {
  const words = text
    .trim()
    .split(/[\s,]+/)
    .filter((word) => word !== '');
  const numbers = Float32Array.from(words, Number);
  const wrong = words.find((word) => Number.isNaN(Number(word)));
  if (wrong === undefined) return numbers;
  throw new CliError(
    EXIT.usage,
    `${quoteValue(wrong)} is no number; a float32 payload is numbers with blanks or commas between them`,
  );
}
