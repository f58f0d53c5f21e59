/**
 * Unix sockets: connecting with a limit in time, and listening. Sockets are made natively, because only there the kernel's credentials of
 * the peer can be read; what travels on them is up to `stream.ts` and `shm.ts`.
 */
import { makeError, nativeError, systemCode } from '../errors.js';
import type { EipcError } from '../errors.js';
import type { UnixSocket as Socket } from '../native.js';
import { threadPoller, UnixListener, UnixSocket } from '../native.js';
import type { SocketPlace } from './access.js';
import type { Acceptor, RawConnection } from './raw-connection.js';
import type { Credentials } from './transport.js';

/** Milliseconds between two tries while the server's queue of connections is full. */
const RETRY_DELAY = 5;

/**
 * Connects to the socket at a path. While the server is too busy to take connections this tries again until the time is over.
 *
 * @throws TransportError naming the address and the remedy
 */
export async function connectUnix(
  path: string,
  address: string,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<RawConnection> {
  const end = performance.now() + timeout;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return rawConnection(UnixSocket.connect(path), address);
    } catch (error) {
      if (systemCode(error) !== 'EAGAIN' || performance.now() >= end) throw connectError(error, path, address);
    }
    await new Promise((resolve) => {
      setTimeout(resolve, RETRY_DELAY);
    });
  }
}

/** Listens at a path. `onSocket` gets each connection that is waiting. */
export class UnixAcceptor implements Acceptor {
  readonly address: string;
  readonly #listener: UnixListener;

  /**
   * Binds the path.
   *
   * @throws TransportError `EIPC_ADDRESS_IN_USE` when another server listens there
   */
  constructor(
    { path, mode }: SocketPlace,
    address: string,
    onConnection: (connection: RawConnection) => void,
    onError: (error: EipcError) => void,
  ) {
    this.address = address;
    try {
      this.#listener = new UnixListener(threadPoller(), path, mode, () => {
        try {
          for (let socket = this.#listener.accept(); socket !== null; socket = this.#listener.accept())
            onConnection(rawConnection(socket, address));
        } catch (error) {
          onError(nativeError(error, `${address}: a connection could not be accepted`));
        }
      });
    } catch (error) {
      throw listenError(error, path, address);
    }
  }

  ref(): void {
    this.#listener.setReferenced(true);
  }

  unref(): void {
    this.#listener.setReferenced(false);
  }

  close(): void {
    this.#listener.close();
  }
}

function rawConnection(socket: Socket, address: string): RawConnection {
  const { uid, gid, pid } = socket;
  const credentials: Credentials = { uid, gid, ...(pid === null ? {} : { pid }) };
  return {
    carrier: socket,
    credentials,
    // Processes of this user are not held to a share: to count them as one would let any of them shut out the others.
    source: uid === process.geteuid?.() ? undefined : `uid ${uid}`,
    remoteAddress: address,
    from: `uid ${uid}, gid ${gid}, pid ${pid ?? 'unknown'}`,
    close: () => socket.close(),
  };
}

function listenError(cause: unknown, path: string, address: string): EipcError {
  switch (systemCode(cause)) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return makeError(
        'EIPC_TRANSPORT',
        `cannot listen on ${address}: this user may not make ${path} and ${path}.lock, or they belong to another user's server; use a path in a folder of your own`,
        { cause },
      );
    case 'ENOENT':
      return makeError('EIPC_TRANSPORT', `cannot listen on ${address}: there is no folder for ${path}; make it first`, {
        cause,
      });
    default:
      return nativeError(cause, `cannot listen on ${address}`);
  }
}

function connectError(cause: unknown, path: string, address: string): EipcError {
  const where = address.endsWith(path) ? address : `${address} (${path})`;
  switch (systemCode(cause)) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return makeError('EIPC_TRANSPORT', `no server listens on ${where}; start the server first, as the same user`, {
        cause,
      });
    case 'EACCES':
    case 'EPERM':
      return makeError(
        'EIPC_TRANSPORT',
        `this user may not connect to ${where}; the socket belongs to somebody else, whose server can let others in (access)`,
        {
          cause,
        },
      );
    case 'EAGAIN':
      return makeError(
        'EIPC_TRANSPORT',
        `the server on ${where} does not take connections: it is too busy or stopped`,
        { cause },
      );
    default:
      return nativeError(cause, `cannot connect to ${where}`);
  }
}
