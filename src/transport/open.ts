/**
 * From an address to a link: the one place that knows how to reach an address, and which session goes with which transport.
 */
import type { EipcError } from '../errors.js';
import { makeError } from '../errors.js';
import { ShmSession, StreamSession, threadPoller } from '../native.js';
import type { NativeAddress, NativeClientOptions, NativeV1Client, UnixSocket } from '../native.js';
import type { WaitStrategy } from '../options.js';
import type { Settings } from '../settings.js';
import type { TlsSettings } from '../tls-options.js';
import type { AccessSettings } from '../access-settings.js';
import { placeSocket } from './access.js';
import type { Address } from './address.js';
import { socketPath } from './address.js';
import type { ByteStream } from './byte-stream.js';
import { SocketStream } from './byte-stream.js';
import { connectMemory, MemoryAcceptor } from './memory.js';
import { connectPipe, listenPipe } from './pipe.js';
import type { Acceptor, RawConnection } from './raw-connection.js';
import { ShmLink } from './shm.js';
import { StreamLink } from './stream.js';
import { connectTcp, listenTcp } from './tcp.js';
import { connectTls, listenTls } from './tls.js';
import type { Link, LinkObserver, PeerTransport } from './transport.js';
import { connectUnix, UnixAcceptor } from './unix.js';

/** What a client brings to a handshake, by the protocol of it. */
export type ClientHandshake =
  ({ readonly protocol: 1 } & NativeV1Client) | ({ readonly protocol: 2 } & NativeClientOptions);

/** What listening needs of some transports. */
export interface AcceptorOptions {
  /** Who may connect, where the kernel says who does. */
  readonly access?: AccessSettings | undefined;
  /** Certificates, for TLS. */
  readonly tls?: TlsSettings | undefined;
  /** Milliseconds for the handshake of TLS. */
  readonly tlsTimeout?: number;
}

const WAIT_NUMBERS: Readonly<Record<WaitStrategy, number>> = { adaptive: 0, park: 1, poll: 2 };

/**
 * Connects to an address within the time.
 *
 * @param tls - for an address of TLS
 * @throws TransportError naming the address and the remedy, TimeoutError, RangeError for port 0, and the signal's reason
 */
export async function openConnection(
  address: Address,
  timeout: number,
  signal: AbortSignal | undefined,
  tls?: TlsSettings,
): Promise<RawConnection> {
  signal?.throwIfAborted();
  switch (address.transport) {
    case 'tcp':
      return connectTcp(address, timeout, signal);
    case 'tls':
      return connectTls(address, required(tls, address), timeout, signal);
    case 'pipe':
      return connectPipe(address, timeout, signal);
    case 'memory':
      return connectMemory(address);
    default:
      return connectUnix(await socketPath(address, false), address.text, timeout, signal);
  }
}

/**
 * Listens at an address. `onConnection` gets each connection, whoever it is from; `onError` what went wrong with one.
 *
 * @throws TransportError `EIPC_ADDRESS_IN_USE` when another server listens there, otherwise naming the remedy
 */
export async function openAcceptor(
  address: Address,
  onConnection: (connection: RawConnection) => void,
  onError: (error: EipcError) => void,
  { access, tls, tlsTimeout = 0 }: AcceptorOptions = {},
): Promise<Acceptor> {
  switch (address.transport) {
    case 'tcp':
      return listenTcp(address, onConnection, onError);
    case 'tls':
      return listenTls(address, required(tls, address), tlsTimeout, onConnection, onError);
    case 'pipe':
      return listenPipe(address, onConnection, onError);
    case 'memory':
      return new MemoryAcceptor(address, onConnection);
    default:
      return new UnixAcceptor(await placeSocket(address, access), address.text, onConnection, onError);
  }
}

/** Starts the client's side of a handshake over a connection, which the link then owns. */
export function startClientLink(
  connection: RawConnection,
  address: Address,
  options: ClientHandshake,
  settings: Settings,
  observer: LinkObserver,
): Link {
  if (options.protocol === 1)
    return startStream(connection, address.transport, StreamSession.v1Client(options), settings, observer);
  if (address.transport === 'shm') {
    const wait = WAIT_NUMBERS[settings.wait];
    return startShm(connection, observer, (socket, onEvent) =>
      ShmSession.client(threadPoller(), socket, options, wait, onEvent),
    );
  }
  const session = StreamSession.client(bound(connection, options));
  return startStream(connection, address.transport, session, settings, observer);
}

/** Starts the server's side of a handshake over a connection, which the link then owns. */
export function startServerLink(
  connection: RawConnection,
  address: Address,
  native: NativeAddress,
  settings: Settings,
  observer: LinkObserver,
): Link {
  if (address.transport === 'shm') {
    const wait = WAIT_NUMBERS[settings.wait];
    return startShm(connection, observer, (socket, onEvent) =>
      ShmSession.server(threadPoller(), socket, native, wait, onEvent),
    );
  }
  return startStream(connection, address.transport, StreamSession.server(native), settings, observer);
}

/**
 * Refuses options that make no sense for a transport.
 *
 * @throws RangeError naming the option
 */
export function checkTransportOptions(address: Address, settings: Settings, hasCapacities: boolean): void {
  if (address.transport === 'shm' && hasCapacities) {
    throw new RangeError(
      `${address.text}: the lanes of shm have fixed sizes in this build; leave out lanes[…].capacity`,
    );
  }
  if (address.transport !== 'shm' && settings.wait === 'poll') {
    throw new RangeError(`${address.text}: wait: 'poll' is for shm only; use 'adaptive' or 'park'`);
  }
}

function startShm(
  { carrier, credentials }: RawConnection,
  observer: LinkObserver,
  start: (socket: UnixSocket, onEvent: () => void) => ShmSession,
): Link {
  if (!isUnixSocket(carrier) || credentials === undefined)
    throw new TypeError('shared memory is handed over on a Unix socket');
  return new ShmLink({ start: (onEvent) => start(carrier, onEvent), credentials, observer });
}

/** Runs a session over a connection, which the link then owns. */
export function startStream(
  connection: RawConnection,
  transport: PeerTransport,
  session: StreamSession,
  settings: Settings,
  observer: LinkObserver | undefined,
): StreamLink {
  return new StreamLink({
    transport,
    stream: streamOf(connection),
    session,
    credentials: connection.credentials,
    capacities: settings.lanes.map((lane) => lane.capacity),
    // In memory both ends are on this thread, and of the user's own connections nothing is known.
    poller: settings.wait === 'adaptive' && POLLED.has(transport) ? threadPoller() : undefined,
    observer,
  });
}

/** Returns the bytes of a connection that has no session. */
export function streamOf({ carrier }: RawConnection): ByteStream {
  return isUnixSocket(carrier) ? SocketStream.ofDescriptor(carrier.takeFd()) : carrier;
}

/** Binds a client's handshake to the TLS it goes through. */
function bound({ carrier }: RawConnection, options: NativeClientOptions): NativeClientOptions {
  const channel = isUnixSocket(carrier) ? undefined : carrier.channel;
  return channel === undefined ? options : { ...options, tlsExporter: channel.exporter };
}

function required(tls: TlsSettings | undefined, { text }: Address): TlsSettings {
  if (tls === undefined) throw makeError('EIPC_INTERNAL', `${text}: nothing says whom to believe`);
  return tls;
}

/** Tells the two apart by what they do: the addon of Windows has no class to compare with. */
function isUnixSocket(carrier: RawConnection['carrier']): carrier is UnixSocket {
  return 'takeFd' in carrier;
}

/** Transports whose bytes come out of the kernel. */
const POLLED: ReadonlySet<PeerTransport> = new Set(['unix', 'tcp', 'tls', 'pipe']);
