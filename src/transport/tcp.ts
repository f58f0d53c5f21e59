/**
 * TCP: connecting with a limit in time, listening, and what went wrong in words. What travels on the sockets is up to `stream.ts`; whether
 * it may do so unencrypted is up to `suites.ts`.
 */
import type { LookupAddress } from 'node:dns';
import type { LookupFunction, Socket, TcpSocketConnectOpts } from 'node:net';
import { connect, createServer, isIPv6 } from 'node:net';

import type { EipcError } from '../errors.js';
import { makeError, nativeError, systemCode } from '../errors.js';
import type { NetworkAddress, TcpAddress, TlsAddress } from './address.js';
import { hostAndPort } from './address.js';
import type { ByteStream } from './byte-stream.js';
import { HALF_OPEN, SocketStream } from './byte-stream.js';
import { connected } from './connected.js';
import type { Excuses } from './connected.js';
import { NetAcceptor, startListening } from './net-acceptor.js';
import type { Acceptor, RawConnection } from './raw-connection.js';

/** Milliseconds without traffic after which the kernel asks whether the peer's machine is still there. */
const KEEP_ALIVE_DELAY = 15_000;
/** A frame goes out when it is written; a peer that vanished without a word is found out. */
const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY } as const;
/** Connections the kernel holds for the acceptor, as many as it likes to: one it has no place for tries again a whole second later. */
const BACKLOG = 4_096;

/**
 * `localhost` is this machine whatever a resolver says (RFC 6761, 6.3): the suites that are allowed there depend on it.
 */
const LOCALHOST: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/**
 * Connects to a port of a machine.
 *
 * @throws RangeError for port 0, TransportError naming the address and the remedy, TimeoutError, and the signal's reason
 */
export async function connectTcp(
  address: TcpAddress,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<RawConnection> {
  const { stream, socket } = SocketStream.connecting(connectOptions(address));
  await connected(socket, timeout, signal, excusesOf(address, timeout));
  return {
    carrier: stream,
    credentials: undefined,
    source: undefined,
    remoteAddress: address.text,
    from: address.text,
    close: () => stream.destroy(),
  };
}

/** Connects a socket for TLS to take over. It is paused. */
export async function connectSocket(
  address: TlsAddress,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const socket = connect({ ...connectOptions(address), ...HALF_OPEN }).pause();
  // What breaks it from now on is told by the end of what takes it over.
  socket.on('error', () => {});
  await connected(socket, timeout, signal, excusesOf(address, timeout));
  return socket;
}

/**
 * Listens at a port. `localhost` is 127.0.0.1; a name is bound at the first address it has.
 *
 * @param carry - makes the stream of an accepted socket, which is paused
 * @throws TransportError `EIPC_ADDRESS_IN_USE` when the port is taken, otherwise naming the remedy
 */
export async function listenTcp(
  address: NetworkAddress,
  onConnection: (connection: RawConnection) => void,
  onError: (error: EipcError) => void,
  carry: Carry = (socket) => SocketStream.ofPaused(socket),
): Promise<Acceptor> {
  const server = createServer({ ...SOCKET_OPTIONS, ...HALF_OPEN, pauseOnConnect: true });
  await startListening(
    server,
    { host: address.host === 'localhost' ? '127.0.0.1' : address.host, port: address.port, backlog: BACKLOG },
    (cause) => listenError(cause, address),
    (socket) => accept(socket, address.transport, carry, onConnection),
    (cause) => onError(nativeError(cause, `${address.text}: a connection could not be accepted`)),
  );
  const bound = server.address();
  // A string stands for a path, null for a server that does not listen: neither is one that just bound a port.
  if (bound === null || typeof bound === 'string') throw makeError('EIPC_INTERNAL', `${address.text} has no port`);
  return new NetAcceptor(server, hostAndPort(address.transport, bound.address, bound.port));
}

/**
 * Returns whom a share of the unauthenticated connections is held against: an IPv4 address, or the /64 network of an IPv6 address, of which
 * a single machine has every address.
 */
export function sourceOf(remoteAddress: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(remoteAddress)?.[1];
  if (mapped !== undefined || !isIPv6(remoteAddress)) return mapped ?? remoteAddress;
  const [left = '', right] = (remoteAddress.split('%')[0] ?? '').split('::');
  const groups = left === '' ? [] : left.split(':');
  // `::` stands for the groups that are missing of eight; a dotted end stands for two.
  const after = right === undefined || right === '' ? [] : right.replace(/\d+\.\d+\.\d+\.\d+$/, '0:0').split(':');
  while (right !== undefined && groups.length + after.length < 8) groups.push('0');
  const network = [...groups, ...after].slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}

/** Makes the stream of a socket that was accepted. */
type Carry = (socket: Socket, from: string) => ByteStream;

function connectOptions(address: NetworkAddress): TcpSocketConnectOpts {
  if (address.port === 0)
    throw new RangeError(`${address.text}: port 0 is for listening; connect to the port that server.addresses names`);
  const options: TcpSocketConnectOpts = { host: address.host, port: address.port, ...SOCKET_OPTIONS };
  return address.host === 'localhost' ? { ...options, lookup: lookupLocalhost } : options;
}

function excusesOf(address: NetworkAddress, timeout: number): Excuses {
  return { failed: (cause) => connectError(cause, address), late: () => lateError(address, timeout) };
}

function accept(
  socket: Socket,
  transport: 'tcp' | 'tls',
  carry: Carry,
  onConnection: (connection: RawConnection) => void,
): void {
  const { remoteAddress, remotePort } = socket;
  // A peer that is gone already has no address; nothing it sent would be answered.
  if (remoteAddress === undefined || remotePort === undefined) {
    socket.destroy();
    return;
  }
  const from = hostAndPort(transport, remoteAddress, remotePort);
  const stream = carry(socket, from);
  onConnection({
    carrier: stream,
    credentials: undefined,
    source: sourceOf(remoteAddress),
    remoteAddress: from,
    from,
    close: () => stream.destroy(),
  });
}

export function lateError({ text }: NetworkAddress, timeout: number): EipcError {
  return makeError(
    'EIPC_TIMEOUT',
    `${text} did not answer within ${Math.round(timeout)} ms; check host and port, and whether something on the way drops connections`,
  );
}

const lookupLocalhost: LookupFunction = (_host, options, callback) => {
  if (options.all === true) callback(null, [...LOCALHOST]);
  else callback(null, '127.0.0.1', 4);
};

function connectError(cause: unknown, address: NetworkAddress): EipcError {
  const { host, text } = address;
  switch (systemCode(cause)) {
    case 'ECONNREFUSED':
      return makeError(
        'EIPC_TRANSPORT',
        `no server listens on ${text}; start the server first, or check host and port`,
        {
          cause,
        },
      );
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'EHOSTDOWN':
    case 'ENETUNREACH':
    case 'ENETDOWN':
      return makeError(
        'EIPC_TRANSPORT',
        `${text} cannot be reached; check the host, the network and firewalls on the way`,
        {
          cause,
        },
      );
    case 'ECONNRESET':
    case 'EPIPE':
      return makeError(
        'EIPC_TRANSPORT',
        `${text} closed the connection at once; the server may be ending, or refuse this host`,
        {
          cause,
        },
      );
    default:
      return nameError(cause, host, text) ?? nativeError(cause, `cannot connect to ${text}`);
  }
}

function listenError(cause: unknown, address: NetworkAddress): EipcError {
  const { host, port, text } = address;
  switch (systemCode(cause)) {
    case 'EADDRINUSE':
      return makeError(
        'EIPC_ADDRESS_IN_USE',
        `cannot listen on ${text}: another program has the port; choose another, or 0 for any`,
        {
          cause,
        },
      );
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return makeError(
        'EIPC_TRANSPORT',
        `cannot listen on ${text}: this machine does not have the address ${host}; use one it has, 127.0.0.1 for itself alone, or 0.0.0.0 for all`,
        { cause },
      );
    case 'EACCES':
      return makeError(
        'EIPC_TRANSPORT',
        `cannot listen on ${text}: this user may not have port ${port}; use one from 1024 on`,
        {
          cause,
        },
      );
    default:
      return nameError(cause, host, text) ?? nativeError(cause, `cannot listen on ${text}`);
  }
}

/** What a resolver that failed means. */
function nameError(cause: unknown, host: string, text: string): EipcError | undefined {
  switch (systemCode(cause)) {
    case 'ENOTFOUND':
    case 'ENODATA':
      return makeError('EIPC_TRANSPORT', `${text}: there is no host '${host}'; check the name, or use its IP address`, {
        cause,
      });
    case 'EAI_AGAIN':
      return makeError(
        'EIPC_TRANSPORT',
        `${text}: the name '${host}' cannot be looked up now; try again, or use its IP address`,
        {
          cause,
        },
      );
    default:
      return undefined;
  }
}
