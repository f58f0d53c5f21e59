/**
 * Waiting for a socket of Node to be connected, for so long and no longer.
 */
import type { Socket } from 'node:net';

import { abortReason } from '../deadlines.js';
import type { EipcError } from '../errors.js';

/** What is said when a socket does not become connected. */
export interface Excuses {
  /** The system refused. */
  failed(cause: unknown): EipcError;
  /** Nobody answered in time. */
  late(): EipcError;
}

/**
 * Resolves when a socket that is connecting is connected; otherwise destroys it.
 *
 * @param event - what says that it is; of TLS another
 * @throws what the excuses make, and the signal's reason
 */
export function connected(
  socket: Socket,
  timeout: number,
  signal: AbortSignal | undefined,
  excuses: Excuses,
  event: 'connect' | 'secureConnect' = 'connect',
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off(event, onConnect).off('error', onError);
      if (error === undefined) {
        resolve();
        return;
      }
      socket.destroy();
      reject(error);
    };
    const onConnect = (): void => settle();
    const onError = (cause: unknown): void => settle(excuses.failed(cause));
    const onAbort = (): void => {
      if (signal !== undefined) settle(abortReason(signal));
    };
    const timer = setTimeout(() => settle(excuses.late()), timeout);
    socket.once(event, onConnect).once('error', onError);
    signal?.addEventListener('abort', onAbort);
  });
}
