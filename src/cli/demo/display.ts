/**
 * Writes the demo's progress: a status line that is refreshed in place on a terminal, plain lines anywhere else.
 *
 * It knows terminals and nothing about the demo. Text from elsewhere must have been escaped by the caller.
 */

/** What it needs of `process.stdout`. */
export interface Screen {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

const ERASE_LINE = '\r\u001b[2K';
/** Where nothing is refreshed, a status is worth a line only now and then. */
const PLAIN_INTERVAL = 1_000;
const REFRESH_INTERVAL = 100;

export class Display {
  readonly #screen: Screen;
  readonly #isLive: boolean;
  readonly #hasColour: boolean;
  readonly #now: () => number;
  #status = '';
  #nextStatus: number;

  /**
   * @param options.env `NO_COLOR` (no-color.org) and `TERM=dumb` are respected
   * @param options.now a clock in milliseconds
   */
  constructor(screen: Screen, options: { env: Readonly<Record<string, string | undefined>>; now?: () => number }) {
    const { env, now = () => performance.now() } = options;
    this.#screen = screen;
    this.#now = now;
    this.#isLive = screen.isTTY === true && env['TERM'] !== 'dumb';
    this.#hasColour = this.#isLive && (env['NO_COLOR'] ?? '') === '';
    this.#nextStatus = this.#isLive ? 0 : now() + PLAIN_INTERVAL;
  }

  /** Writes a line that stays. */
  line(text: string): void {
    if (this.#isLive && this.#status !== '') this.#screen.write(`${ERASE_LINE}${text}\n${this.#status}`);
    else this.#screen.write(`${text}\n`);
  }

  /** Shows the newest status, or skips it if the last one is fresh enough. */
  status(text: string): void {
    if (this.#now() < this.#nextStatus) return;
    this.#nextStatus = this.#now() + (this.#isLive ? REFRESH_INTERVAL : PLAIN_INTERVAL);
    if (!this.#isLive) {
      this.#screen.write(`${text}\n`);
      return;
    }
    // A status that wraps could not be erased again.
    const columns = this.#screen.columns ?? 0; // 0 as well where nobody told the terminal its size
    const width = (columns > 0 ? columns : 80) - 1;
    this.#status = text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text;
    this.#screen.write(ERASE_LINE + this.#status);
  }

  /** Removes the status line. */
  clearStatus(): void {
    if (this.#status !== '') this.#screen.write(ERASE_LINE);
    this.#status = '';
  }

  good(text: string): string {
    return this.#hasColour ? `\u001b[32m${text}\u001b[39m` : text;
  }

  bad(text: string): string {
    return this.#hasColour ? `\u001b[31m${text}\u001b[39m` : text;
  }
}
