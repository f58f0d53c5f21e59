/**
 * TLS: connecting and listening. A connection is made or accepted as one of TCP (`tcp.ts`) and then taken over by `node:tls`; what each end demands
 * of the other is checked in `tls-channel.ts`, and what travels inside is up to `stream.ts`.
 *
 * TLS 1.3 only. Sessions are never resumed: a ticket would let a client in whose certificate is not looked at again. ALPN is not used.
 */
import { isIP } from 'node:net';
import { connect } from 'node:tls';

import type { EipcError } from '../errors.js';
import type { TlsSettings } from '../tls-options.js';
import type { TlsAddress } from './address.js';
import { SocketStream } from './byte-stream.js';
import { connected } from './connected.js';
import type { Acceptor, RawConnection } from './raw-connection.js';
import { connectSocket, lateError, listenTcp } from './tcp.js';
import { channelOf } from './tls-channel.js';
import { tlsConnectError } from './tls-errors.js';
import { TlsServer } from './tls-server.js';

/**
 * Connects to a server and checks that it is one that may be there.
 *
 * @throws AuthError for a server that is not believed, RangeError for port 0, TransportError naming the address and the remedy, TimeoutError, and
 * the signal's reason
 */
export async function connectTls(
  address: TlsAddress,
  settings: TlsSettings,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<RawConnection> {
  const start = performance.now();
  const raw = await connectSocket(address, timeout, signal);
  // A name that ends with a dot is written without it in certificates, and in SNI (RFC 6066), which has no IP addresses.
  const name = settings.servername ?? address.host.replace(/\.$/, '');
  const socket = connect({
    ...settings.context,
    socket: raw,
    host: name,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    // Where only the key counts, it is compared below, before anything is sent.
    rejectUnauthorized: settings.hasAuthority,
  }).pause();
  const left = Math.max(1, timeout - (performance.now() - start));
  const excuses = {
    failed: (cause: unknown) => tlsConnectError(cause, address.text),
    late: () => lateError(address, timeout),
  };
  await connected(socket, left, signal, excuses, 'secureConnect');
  let channel;
  try {
    channel = channelOf(socket, settings, address.text);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  const stream = SocketStream.ofPaused(socket, channel);
  return {
    carrier: stream,
    credentials: undefined,
    source: undefined,
    remoteAddress: address.text,
    from: address.text,
    close: () => stream.destroy(),
  };
}

/**
 * Listens at a port. Connections are handed out as they are accepted, before the handshake of TLS, so that who never finishes it is counted and
 * cut like anybody who says nothing.
 *
 * @param timeout - milliseconds for the handshake of TLS
 * @throws TransportError `EIPC_ADDRESS_IN_USE` when the port is taken, otherwise naming the remedy
 */
export function listenTls(
  address: TlsAddress,
  settings: TlsSettings,
  timeout: number,
  onConnection: (connection: RawConnection) => void,
  onError: (error: EipcError) => void,
): Promise<Acceptor> {
  const server = new TlsServer(settings, timeout);
  return listenTcp(address, onConnection, onError, (socket, from) => server.carry(socket, from));
}
