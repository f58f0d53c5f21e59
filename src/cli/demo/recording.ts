/**
 * Parses a recording: text with one value a line, or CSV of which one column is used, with `#` header lines.
 *
 *     # Sampling Rate (Hz):= 125.00
 *     # Units:= uV
 *     47.0
 *
 * Text comes in pieces and values go out as soon as their line is complete, so a file of any size takes little memory.
 * Whatever is wrong is said with file, line, the offending text and the remedy, and ends the parsing: a recording with a
 * hole would be decoded as if it had none. Files are opened in `signal.ts`, not here.
 */
import { escapeText, quoteValue } from '../escape.js';
import { CliError, errorText, EXIT } from '../exit.js';
import { RATE_HZ } from './bands.js';
import { chooseColumn, type ColumnChoice, detectDelimiter, splitRow } from './csv.js';
import { LineSplitter } from './lines.js';

/** A recording that cannot be used. */
export class InputError extends CliError {
  constructor(message: string, options?: ErrorOptions) {
    super(EXIT.usage, message, options);
    this.name = 'InputError';
  }
}

export interface RecordingOptions {
  /** The file's name, for messages. */
  readonly name: string;
  /** Reads CSV and uses this column, by name or by number from 1. */
  readonly column?: string | undefined;
  /** Samples per second; replaces what the header says. */
  readonly rateHz?: number | undefined;
}

const MAX_LINE_CHARACTERS = 65_536;
/** No converter or amplifier delivers more; squares of it still fit a float32. */
const MAX_MAGNITUDE = 1e12;

const HEADER = /^#\s*([^:=]+?)\s*(?::=|[:=])\s*(.*?)\s*$/;
const RATE_KEY = /^sampl(?:ing|e)[\s_-]*(?:rate|frequency)(?:\s*\(\s*hz\s*\))?$/i;
const UNIT_KEY = /^units?$/i;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const NON_FINITE = /^[+-]?(?:nan|inf(?:inity)?)$/i;

export class RecordingParser {
  readonly #name: string;
  readonly #column: string | undefined;
  readonly #lines = new LineSplitter(MAX_LINE_CHARACTERS);
  #rate: { hertz: number; line: number | null } | null = null;
  #unit = 'a.u.';
  #isRateFixed = false;
  #delimiter = ',';
  #choice: ColumnChoice | null = null;
  #samples = 0;

  constructor(options: RecordingOptions) {
    this.#name = escapeText(options.name);
    this.#column = options.column;
    if (options.rateHz !== undefined) {
      this.#isRateFixed = true;
      this.#rate = { hertz: options.rateHz, line: null };
    }
  }

  /** Samples per second; known for certain once a value has been returned. */
  get rateHz(): number | null {
    return this.#rate?.hertz ?? null;
  }

  /** The unit the header names, otherwise `a.u.` (arbitrary units, such as the steps of a converter). */
  get unit(): string {
    return this.#unit;
  }

  /**
   * Takes the next piece of text and returns the values it completes.
   *
   * @throws {InputError}
   */
  push(text: string): Float64Array<ArrayBuffer> {
    const isStart = this.#lines.line === 0 && text.startsWith('\ufeff'); // a byte-order mark, as some editors write
    return this.#collect(this.#lines.push(isStart ? text.slice(1) : text));
  }

  /**
   * Takes the end of the text and returns the value of an unfinished last line.
   *
   * @throws {InputError} also when there was no value at all
   */
  end(): Float64Array<ArrayBuffer> {
    const values = this.#collect(this.#lines.end());
    if (this.#samples === 0) {
      throw new InputError(`${this.#name}: there are no values in this file (${this.#lines.line} lines)`);
    }
    return values;
  }

  #collect(lines: Iterable<string>): Float64Array<ArrayBuffer> {
    const values: number[] = [];
    try {
      for (const line of lines) {
        const text = line.trim();
        if (text === '') continue;
        if (text.startsWith('#')) this.#readHeader(text);
        else this.#readRow(text, values);
      }
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(`${this.#name}: ${errorText(error)}: is this a text file?`, { cause: error });
    }
    this.#samples += values.length;
    return Float64Array.from(values);
  }

  #readHeader(text: string): void {
    const [, key, value] = HEADER.exec(text) ?? [];
    if (key === undefined || value === undefined) return; // a comment
    if (UNIT_KEY.test(key) && value !== '') this.#unit = escapeText(value, { maxBytes: 16 });
    if (!RATE_KEY.test(key) || this.#isRateFixed) return;
    if (this.#rate !== null) {
      const first = `line ${this.#rate.line} gave the sampling rate already (${this.#rate.hertz} Hz)`;
      this.#fail(`${first} and this line gives ${quoteValue(value)}`, 'remove one of them, or decide with --rate HZ');
    }
    const hertz = NUMBER.test(value) ? Number(value) : Number.NaN;
    const problem = rateProblem(hertz);
    if (problem !== null) {
      this.#fail(`the sampling rate ${quoteValue(value)} ${problem}`, 'correct the line, or give --rate HZ');
    }
    this.#rate = { hertz, line: this.#lines.line };
  }

  #readRow(text: string, values: number[]): void {
    if (this.#rate === null) {
      this.#fail(
        'the values begin and no sampling rate was given',
        'put "# Sampling Rate (Hz):= 125" at the top of the file, or give --rate HZ',
      );
    }
    if (this.#column === undefined) {
      values.push(this.#parseValue(text));
      return;
    }
    const fields = this.#attempt(() => {
      if (this.#choice === null) this.#delimiter = detectDelimiter(text);
      return splitRow(text, this.#delimiter);
    });
    if (this.#choice === null) {
      const column = this.#column;
      this.#choice = this.#attempt(() => chooseColumn(column, fields, looksNumeric));
      if (this.#choice.isHeader) return;
    }
    const field = fields[this.#choice.index];
    if (field === undefined || field === '') {
      const place = `column ${this.#choice.index + 1} is empty or missing`;
      this.#fail(`${place} in ${quoteValue(text)}`, 'a recording must not have holes; cut the file or fill the gap');
    }
    values.push(this.#parseValue(field));
  }

  #parseValue(text: string): number {
    if (NON_FINITE.test(text)) {
      this.#fail(`${quoteValue(text)} is not a finite number`, 'cut the recording there, or fill the gap');
    }
    if (!NUMBER.test(text)) this.#fail(`${quoteValue(text)} is not a number`, this.#remedyFor(text));
    const value = Number(text);
    if (Math.abs(value) > MAX_MAGNITUDE) {
      this.#fail(
        `${quoteValue(text)} is beyond ±1e12, more than any amplifier delivers`,
        'check the file or its scale',
      );
    }
    return value;
  }

  #remedyFor(text: string): string {
    if (this.#column !== undefined) return 'write numbers with a decimal point, and check --column';
    const isCsv = /[,;\t]/.test(text) || this.#samples === 0;
    return isCsv ? 'one value a line is expected; for CSV give --column NAME or a number from 1' : 'correct the line';
  }

  #attempt<T>(step: () => T): T {
    try {
      return step();
    } catch (error) {
      throw new InputError(`${this.#place()}: ${errorText(error)}`, { cause: error });
    }
  }

  #fail(problem: string, remedy: string): never {
    throw new InputError(`${this.#place()}: ${problem}: ${remedy}`);
  }

  #place(): string {
    return `${this.#name}:${this.#lines.line}`;
  }
}

/** Says why a number cannot be the sampling rate, or null if it can. */
export function rateProblem(hertz: number): string | null {
  if (!Number.isFinite(hertz)) return 'is not a number';
  if (hertz >= RATE_HZ.least && hertz <= RATE_HZ.most) return null;
  return `is outside ${RATE_HZ.least} to ${RATE_HZ.most} Hz, where a window of 256 samples shows 1 to 30 Hz well`;
}

function looksNumeric(field: string): boolean {
  return NUMBER.test(field) || NON_FINITE.test(field);
}
