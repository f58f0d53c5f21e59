/**
 * The exit codes of `eipc` and the one error class that carries them.
 *
 * A command throws {@link CliError} for everything it can explain; `main.ts` prints the message and exits with its code.
 * Any other error reaching `main.ts` is a defect and is printed with its stack. The codes are part of the interface: the
 * help of every command lists the ones it uses.
 */

export const EXIT = {
  ok: 0,
  /** A message was lost, refused or damaged, a process died, or the command refused to do what was asked. */
  refused: 1,
  /** The command line or the input is wrong; running it again unchanged cannot work. */
  usage: 2,
  /** The machine is in the way: no permission, no space, no native module, no shared memory. */
  environment: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The shell's convention for a program ended by a signal: 128 + its number. */
export const SIGNAL_EXIT = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGPIPE: 141 } as const;

/** An outcome the user can act on: the message says what happened and what to do next. */
export class CliError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}

/** Finds the text of whatever was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Finds the `code` of a Node or EIPC error, such as `ENOENT` or `EIPC_PEER_DOWN`. */
export function errorCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}
