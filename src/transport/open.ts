/**
 * Makes the link of a connected socket: the one place that knows which session goes with which transport.
 */
import { ShmSession, StreamSession, threadPoller } from '../native.js';
import type { NativeClientOptions, NativeServer, UnixSocket } from '../native.js';
import type { Settings, WaitStrategy } from '../options.js';
import type { LocalAddress } from './address.js';
import { ShmLink } from './shm.js';
import { StreamLink } from './stream.js';
import type { Link, LinkObserver } from './transport.js';
import { credentialsOf } from './unix.js';

const WAIT_NUMBERS: Readonly<Record<WaitStrategy, number>> = { adaptive: 0, park: 1, poll: 2 };

/** Starts the client's side of a handshake over a connected socket, which the link then owns. */
export function startClientLink(
  socket: UnixSocket,
  address: LocalAddress,
  options: NativeClientOptions,
  settings: Settings,
  observer: LinkObserver,
): Link {
  if (address.transport === 'shm') {
    const wait = WAIT_NUMBERS[settings.wait];
    return startShm(socket, observer, (onEvent) => ShmSession.client(threadPoller(), socket, options, wait, onEvent));
  }
  return startStream(socket, StreamSession.client(options), settings, observer);
}

/** Starts the server's side of a handshake over an accepted socket, which the link then owns. */
export function startServerLink(
  socket: UnixSocket,
  address: LocalAddress,
  server: NativeServer,
  settings: Settings,
  observer: LinkObserver,
): Link {
  if (address.transport === 'shm') {
    const wait = WAIT_NUMBERS[settings.wait];
    return startShm(socket, observer, (onEvent) => ShmSession.server(threadPoller(), socket, server, wait, onEvent));
  }
  return startStream(socket, StreamSession.server(server), settings, observer);
}

/**
 * Refuses options that make no sense for a transport.
 *
 * @throws RangeError naming the option
 */
export function checkTransportOptions(address: LocalAddress, settings: Settings, hasCapacities: boolean): void {
  if (address.transport === 'shm' && hasCapacities) {
    throw new RangeError(
      `${address.text}: the lanes of shm have fixed sizes in this build; leave out lanes[…].capacity`,
    );
  }
  if (address.transport !== 'shm' && settings.wait === 'poll') {
    throw new RangeError(`${address.text}: wait: 'poll' is for shm only; use 'adaptive' or 'park'`);
  }
}

function startShm(socket: UnixSocket, observer: LinkObserver, start: (onEvent: () => void) => ShmSession): Link {
  return new ShmLink({ start, credentials: credentialsOf(socket), observer });
}

function startStream(socket: UnixSocket, session: StreamSession, settings: Settings, observer: LinkObserver): Link {
  return new StreamLink({
    fd: socket.takeFd(),
    session,
    credentials: credentialsOf(socket),
    capacities: settings.lanes.map((lane) => lane.capacity),
    poller: settings.wait === 'adaptive' ? threadPoller() : undefined,
    observer,
  });
}
