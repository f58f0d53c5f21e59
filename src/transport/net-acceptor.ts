/**
 * What listening by `node:net` has in common, whatever is listened on.
 */
import type { ListenOptions, Server, Socket } from 'node:net';

import type { EipcError } from '../errors.js';
import type { Acceptor } from './raw-connection.js';

/** A server of Node that listens. */
export class NetAcceptor implements Acceptor {
  readonly address: string;
  readonly #server: Server;

  constructor(server: Server, address: string) {
    this.#server = server;
    this.address = address;
  }

  ref(): void {
    this.#server.ref();
  }

  unref(): void {
    this.#server.unref();
  }

  close(): void {
    // Also forgets those that the kernel accepted and nobody took; open connections go on.
    this.#server.close();
  }
}

/**
 * Has a server listen. Each socket it accepts from then on goes to `accept`; what goes wrong with one goes to `failed`.
 *
 * @throws what `explain` makes of the system's refusal
 */
export async function startListening(
  server: Server,
  options: ListenOptions,
  explain: (cause: unknown) => EipcError,
  accept: (socket: Socket) => void,
  failed: (cause: unknown) => void,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(explain(cause)));
    server.listen(options, resolve);
  });
  server.removeAllListeners('error').on('error', failed);
  server.on('connection', (socket) => {
    try {
      accept(socket);
    } catch (cause) {
      socket.destroy();
      failed(cause);
    }
  });
}
