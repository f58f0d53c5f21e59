/**
 * Named pipes of Windows: connecting with a limit in time, listening, and what went wrong in words. What travels on them is up to
 * `stream.ts`; who may open them is up to Windows and cannot be chosen here (docs/decisions/0010), so that nothing rests on it.
 */
import type { Server } from 'node:net';
import { createServer } from 'node:net';

import type { EipcError } from '../errors.js';
import { makeError, nativeError, systemCode } from '../errors.js';
import type { PipeAddress } from './address.js';
import { HALF_OPEN, SocketStream } from './byte-stream.js';
import { connected } from './connected.js';
import { NetAcceptor, startListening } from './net-acceptor.js';
import type { Acceptor, RawConnection } from './raw-connection.js';
import { pipePath } from './pipe-path.js';

/**
 * Connects to a pipe. While all of a server's ends are taken, Windows waits for a new one until the time is over.
 *
 * @throws TransportError naming the address and the remedy, TimeoutError, and the signal's reason
 */
export async function connectPipe(
  address: PipeAddress,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<RawConnection> {
  const { stream, socket } = SocketStream.connecting({ path: requirePath(address) });
  await connected(socket, timeout, signal, {
    failed: (cause) => connectError(cause, address),
    late: () => lateError(address, timeout),
  });
  // Where writing is refused Node tries to read alone, and takes that for a connection.
  if (!stream.isWritable) {
    stream.destroy();
    throw notAllowed(address);
  }
  return rawConnection(stream, address);
}

/**
 * Listens at a pipe's name, which nobody may have yet.
 *
 * @throws TransportError `EIPC_ADDRESS_IN_USE` when somebody has the name, otherwise naming the remedy
 */
export async function listenPipe(
  address: PipeAddress,
  onConnection: (connection: RawConnection) => void,
  onError: (error: EipcError) => void,
): Promise<Acceptor> {
  const server: Server = createServer({ ...HALF_OPEN, pauseOnConnect: true });
  await startListening(
    server,
    // Left out, as everything is that would let others write: readableAll, writableAll.
    { path: requirePath(address) },
    (cause) => listenError(cause, address),
    (socket) => onConnection(rawConnection(SocketStream.ofPaused(socket), address)),
    (cause) => onError(nativeError(cause, `${address.text}: a connection could not be accepted`)),
  );
  return new NetAcceptor(server, address.text);
}

function requirePath({ name, text }: PipeAddress): string {
  const path = pipePath(name);
  if (path === undefined) throw makeError('EIPC_INTERNAL', `${text}: this system has no named pipes`);
  return path;
}

function rawConnection(stream: SocketStream, { text }: PipeAddress): RawConnection {
  return {
    carrier: stream,
    credentials: undefined,
    source: undefined,
    remoteAddress: text,
    from: text,
    close: () => stream.destroy(),
  };
}

function connectError(cause: unknown, address: PipeAddress): EipcError {
  switch (systemCode(cause)) {
    case 'ENOENT':
      return makeError('EIPC_TRANSPORT', `no server listens on ${address.text}; start the server first`, { cause });
    case 'EACCES':
    case 'EPERM':
      return notAllowed(address, cause);
    default:
      return nativeError(cause, `cannot connect to ${address.text}`);
  }
}

function lateError({ text }: PipeAddress, timeout: number): EipcError {
  return makeError(
    'EIPC_TIMEOUT',
    `${text} had no end free within ${Math.round(timeout)} ms: its server is too busy or stopped`,
  );
}

function notAllowed({ text }: PipeAddress, cause?: unknown): EipcError {
  return makeError(
    'EIPC_TRANSPORT',
    `this user may not write to ${text}: its server belongs to another user, or runs as administrator; run both as one user, or use tcp://127.0.0.1:port`,
    cause === undefined ? undefined : { cause },
  );
}

function listenError(cause: unknown, { text }: PipeAddress): EipcError {
  if (systemCode(cause) === 'EADDRINUSE')
    return makeError(
      'EIPC_ADDRESS_IN_USE',
      `cannot listen on ${text}: another program has that pipe; unless it is a server of yours, choose another name`,
      { cause },
    );
  return nativeError(cause, `cannot listen on ${text}`);
}
