/**
 * One of the two processes of a point: started, spoken to over Node's own IPC channel, and ended whatever happens.
 *
 * The channel carries a few control messages around the measurement, none during it.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./side.js', import.meta.url));

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The contestant cannot be loaded here: its row is skipped, with this reason. */
export class Unavailable extends Error {}

/** A process that answers or drives. */
export class SideProcess {
  #child;
  #name;
  /** @type {{ kind: string, resolve: (message: any) => void, reject: (error: Error) => void } | null} */
  #waiting = null;
  /** @type {Error | null} */
  #failure = null;
  /** @type {Promise<void>} */
  #ended;

  /**
   * @param {string} name - for messages
   * @param {readonly string[]} prefix - the pinning
   */
  constructor(name, prefix) {
    this.#name = name;
    const [command, ...commandArguments] = [...prefix, process.execPath, PROGRAM];
    this.#child = spawn(command, commandArguments, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    running.add(this.#child);
    this.#child.on('message', (message) => this.#handleMessage(message));
    this.#child.on('error', (error) => this.#fail(error));
    this.#ended = new Promise((resolve) => {
      this.#child.on('exit', (code, signal) => {
        running.delete(this.#child);
        this.#fail(new Error(`the ${name} ended early (${signal ?? `code ${code}`})`));
        resolve();
      });
    });
  }

  /** @param {object} message */
  tell(message) {
    // A process that is gone shows up in `hear`, with the reason.
    this.#child.send(message, () => undefined);
  }

  /**
   * Waits for a message of this kind.
   *
   * @param {string} kind
   * @param {number} timeout - milliseconds
   * @returns {Promise<any>}
   * @throws Unavailable when the contestant cannot be loaded; Error when the process failed, ended or kept silent
   */
  async hear(kind, timeout) {
    if (this.#failure !== null) throw this.#failure;
    let timer;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting = { kind, resolve, reject };
        timer = setTimeout(
          () => reject(new Error(`the ${this.#name} did not say '${kind}' within ${timeout} ms`)),
          timeout,
        );
      });
    } finally {
      clearTimeout(timer);
      this.#waiting = null;
    }
  }

  /** Rejects once this side has failed; lets the other side's wait end with the true reason. */
  async failed() {
    await this.#ended;
    throw this.#failure ?? new Error(`the ${this.#name} ended`);
  }

  /**
   * Lets the process close what it opened, and kills it if it takes too long.
   *
   * @param {number} grace - milliseconds
   */
  async end(grace) {
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), grace);
    await this.#ended;
    clearTimeout(timer);
  }

  /** @param {any} message */
  #handleMessage(message) {
    if (message.kind === 'unavailable') return this.#fail(new Unavailable(message.reason));
    if (message.kind === 'failed') return this.#fail(new Error(`${this.#name}: ${message.reason}`));
    if (message.kind === this.#waiting?.kind) return this.#waiting.resolve(message);
    return this.#fail(new Error(`the ${this.#name} said '${message.kind}' out of turn`));
  }

  /** @param {Error} error */
  #fail(error) {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
  }
}
