/**
 * The signals that end a program, and a reader that went away, as one abort: so that a command closes what it opened before it ends.
 */
import type { SIGNAL_EXIT } from './exit.js';

/** What ended the program. */
type Ending = keyof typeof SIGNAL_EXIT;

/** A watch over them; call `release` when the command is over. */
export interface Interruption {
  readonly signal: AbortSignal;
  readonly reason: () => Ending | null;
  readonly release: () => void;
}

/**
 * Turns the signals that end a program, and a reader that went away, into one abort.
 *
 * @param onHangup - what SIGHUP does instead of ending the program
 */
export function watchInterruption(onHangup?: () => void): Interruption {
  const controller = new AbortController();
  let reason: Ending | null = null;
  const handler = (name: Ending) => () => {
    reason ??= name;
    controller.abort();
  };
  const handlers = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map(
    (name) => [name, name === 'SIGHUP' && onHangup !== undefined ? onHangup : handler(name)] as const,
  );
  const onClosedPipe = handler('SIGPIPE'); // Node ignores the signal itself
  for (const [name, onSignal] of handlers) process.on(name, onSignal);
  process.stdout.on('error', onClosedPipe);
  const release = () => {
    for (const [name, onSignal] of handlers) process.removeListener(name, onSignal);
    process.stdout.removeListener('error', onClosedPipe);
  };
  return { signal: controller.signal, reason: () => reason, release };
}
