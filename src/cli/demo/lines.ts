/**
 * Splits text that arrives in pieces into lines, with a bound on what one line may hold.
 */

export class LineTooLongError extends Error {
  readonly line: number;

  constructor(line: number, limit: number) {
    super(`line ${line} is longer than ${limit} characters`);
    this.name = 'LineTooLongError';
    this.line = line;
  }
}

/** Lines end with LF or CR LF, which are removed. */
export class LineSplitter {
  readonly #limit: number;
  #rest = '';
  #line = 0;

  /** @param limit the most characters of a line; more cannot make the program buffer without end */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The number of the line returned last, counted from 1. */
  get line(): number {
    return this.#line;
  }

  /**
   * Takes the next piece of text and returns the lines it completes.
   *
   * @throws {LineTooLongError}
   */
  *push(text: string): Generator<string> {
    let start = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      yield this.#complete(this.#rest + text.slice(start, end));
      this.#rest = '';
      start = end + 1;
    }
    this.#rest += text.slice(start);
    if (this.#rest.length > this.#limit) throw new LineTooLongError(this.#line + 1, this.#limit);
  }

  /** Returns the last line if the text did not end with a line break. */
  *end(): Generator<string> {
    if (this.#rest !== '') yield this.#complete(this.#rest);
    this.#rest = '';
  }

  #complete(line: string): string {
    this.#line++;
    if (line.length > this.#limit) throw new LineTooLongError(this.#line, this.#limit);
    return line.endsWith('\r') ? line.slice(0, -1) : line;
  }
}
