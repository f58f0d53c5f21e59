/**
 * Opens the signal the demo runs on, generated or recorded, as one kind of thing: blocks of samples with a rate and a unit.
 *
 * The parent opens it once to refuse bad input before any process starts, the ENI process opens it again to stream it.
 * Pacing ("real speed") is the ENI process's business.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { escapeText } from '../escape.js';
import { errorCode, errorText } from '../exit.js';
import { WINDOW_SAMPLES } from './bands.js';
import { GENERATED_RATE_HZ, generateSignal } from './generator.js';
import { InputError, RecordingParser } from './recording.js';

/** Which signal; travels from the parent to the ENI process as JSON. */
export type SignalSpec =
  | { readonly kind: 'generated'; readonly seed: number; readonly seconds: number }
  | {
      readonly kind: 'recording';
      readonly path: string;
      readonly column?: string | undefined;
      readonly rateHz?: number | undefined;
      /** Use only the beginning. */
      readonly seconds?: number | undefined;
    };

export interface Signal {
  readonly rateHz: number;
  /** `µV`, the unit a recording's header names (escaped), or `a.u.`. */
  readonly unit: string;
  /** Where to stop; Infinity for a whole recording. */
  readonly limit: number;
  /** The samples, once; leaving the loop early closes the file. */
  readonly blocks: AsyncGenerator<Float64Array>;
}

/**
 * Opens a signal and reads a recording up to its first values.
 *
 * @throws {InputError} if there is no such file, or it is no recording
 */
export async function openSignal(spec: SignalSpec): Promise<Signal> {
  if (spec.kind === 'recording') return openRecording(spec);
  const limit = sampleLimit(spec.seconds, GENERATED_RATE_HZ);
  const blocks = asyncBlocks(generateSignal({ seed: spec.seed, samples: limit }));
  return { rateHz: GENERATED_RATE_HZ, unit: 'µV', limit, blocks };
}

/**
 * Opens a signal, reads the samples of one window, and closes it again.
 *
 * @throws {InputError}
 */
export async function checkSignal(spec: SignalSpec): Promise<void> {
  const signal = await openSignal(spec);
  let samples = 0;
  for await (const block of signal.blocks) {
    samples += block.length;
    if (samples >= WINDOW_SAMPLES) return;
  }
  const source = spec.kind === 'recording' ? escapeText(spec.path) : 'the generated signal';
  throw new InputError(`${source} has ${samples} samples, fewer than the ${WINDOW_SAMPLES} of one window`);
}

async function openRecording(spec: Extract<SignalSpec, { kind: 'recording' }>): Promise<Signal> {
  const blocks = parseFile(spec);
  // The first block exists only if the header was complete and the first value good.
  const first = await blocks.next();
  if (first.done === true) throw new InputError(`${escapeText(spec.path)}: there are no values in this file`);
  const { rateHz, unit } = first.value;
  try {
    const limit = spec.seconds === undefined ? Infinity : sampleLimit(spec.seconds, rateHz);
    return { rateHz, unit, limit, blocks: valuesOf(first.value, blocks) };
  } catch (error) {
    await blocks.return(undefined);
    throw error;
  }
}

interface ParsedBlock {
  readonly values: Float64Array;
  readonly rateHz: number;
  readonly unit: string;
}

async function* parseFile(spec: Extract<SignalSpec, { kind: 'recording' }>): AsyncGenerator<ParsedBlock, undefined> {
  const parser = new RecordingParser({ name: spec.path, column: spec.column, rateHz: spec.rateHz });
  const parsed = (values: Float64Array): ParsedBlock => ({ values, rateHz: parser.rateHz ?? 0, unit: parser.unit });
  for await (const text of readText(spec.path)) {
    const values = parser.push(text);
    if (values.length > 0) yield parsed(values);
  }
  const last = parser.end();
  if (last.length > 0) yield parsed(last);
  return undefined;
}

async function* readText(path: string): AsyncGenerator<string> {
  const shown = escapeText(path);
  try {
    // A pipe would be used up by the check, and could keep us waiting for ever.
    const isFile = (await stat(path)).isFile();
    if (!isFile) throw new InputError(`${shown} is not a regular file: save the recording to a file first`);
    for await (const chunk of createReadStream(path, { encoding: 'utf8' })) yield String(chunk);
  } catch (error) {
    if (error instanceof InputError) throw error;
    if (errorCode(error) === 'ENOENT') {
      throw new InputError(`${shown}: there is no such file: check --input`, { cause: error });
    }
    throw new InputError(`cannot read ${shown}: ${escapeText(errorText(error))}`, { cause: error });
  }
}

async function* valuesOf(first: ParsedBlock, rest: AsyncGenerator<ParsedBlock>): AsyncGenerator<Float64Array> {
  try {
    yield first.values;
    for await (const block of rest) yield block.values;
  } finally {
    await rest.return(undefined); // closes the file also when the reader stops at the first block
  }
}

async function* asyncBlocks(blocks: Iterable<Float64Array>): AsyncGenerator<Float64Array> {
  yield* blocks;
}

function sampleLimit(seconds: number, rateHz: number): number {
  const samples = Math.round(seconds * rateHz);
  if (samples >= WINDOW_SAMPLES) return samples;
  const least = Math.ceil((WINDOW_SAMPLES / rateHz) * 100) / 100;
  throw new InputError(
    `--seconds ${seconds} is too short: one window is ${WINDOW_SAMPLES} samples, so at least ${least}`,
  );
}
