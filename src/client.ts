/**
 * `connect`: finds the server behind an address, proves who both ends are, and makes the client's endpoint.
 */
import { abortReason } from './deadlines.js';
import { Endpoint } from './endpoint.js';
import type { EndpointSetup } from './endpoint.js';
import { errorFromValue, makeError } from './errors.js';
import type { EipcError } from './errors.js';
import { nativeKey } from './key.js';
import type { NativeClientOptions, Outcome } from './native.js';

import type { ConnectOptions } from './options.js';
import { connectSettings } from './settings.js';
import type { Settings } from './settings.js';
import { suiteNumbers } from './suites.js';
import { parseAddress, requireSupported } from './transport/address.js';
import type { SupportedAddress } from './transport/address.js';
import { checkTransportOptions, openConnection, startClientLink } from './transport/open.js';
import type { RawConnection } from './transport/open.js';
import type { LinkObserver } from './transport/transport.js';

/** The largest segment of shared memory this accepts, in bytes (docs/shm-abi.md, "Hand-over"). */
const MAX_SEGMENT = 64 * 1024 * 1024;

/** The client's end of a connection. Made by `connect`. */
export class ClientEndpoint extends Endpoint {
  readonly role = 'client';
  /** What the server says it granted this client: information, never a right. */
  readonly granted: readonly string[];

  /** @internal */
  constructor(setup: EndpointSetup) {
    super(setup, 'c');
    this.granted = Object.freeze([...setup.session.capabilities]);
  }
}

/** Servers met without an expected id, by address and key: the same one is expected from then on, for the life of this thread. */
const pinnedServers = new Map<string, string>();

/**
 * Connects to a server and resolves when both ends have proven who they are.
 *
 * @param address - such as `shm:eai`, `unix:/run/eai.sock` or `tcp://127.0.0.1:9090`
 * @throws TypeError or RangeError for a wrong option, TransportError when no server is there, AuthError when one end is not who it must be,
 * TimeoutError after `handshakeTimeout`, and the signal's reason
 *
 * @example
 * const eai = await connect('shm:eai', { serviceId: 'eni.min', key: await readKeyFile('eni.key') });
 */
export async function connect(address: string, options: ConnectOptions): Promise<ClientEndpoint> {
  const settings = connectSettings(options);
  const target = requireSupported(parseAddress(address));
  checkTransportOptions(
    target,
    settings,
    Object.values(options.lanes ?? {}).some((lane) => lane.capacity !== undefined),
  );
  const key = nativeKey(options.key);
  const pin = `${key.id} ${target.text}`;
  const serverId = options.serverId ?? pinnedServers.get(pin);
  const native: NativeClientOptions = {
    serviceId: options.serviceId,
    key,
    suites: suiteNumbers(options.suites, target, settings.dangerousPlaintext),
    handshakeTimeout: settings.handshakeTimeout,
    maxSegment: MAX_SEGMENT,
    pskOnly: settings.pskOnly,
    ...(serverId === undefined ? {} : { serverId }),
  };
  const start = performance.now();
  const connection = await openConnection(target, settings.handshakeTimeout, settings.signal);
  const left = Math.max(1, settings.handshakeTimeout - (performance.now() - start));
  const endpoint = await shakeHands(connection, target, { ...native, handshakeTimeout: Math.ceil(left) }, settings);
  if (options.serverId === undefined) pinnedServers.set(pin, endpoint.peer.serviceId);
  return endpoint;
}

/** Runs the handshake. The endpoint is made the moment the session is open, so that nothing that follows is missed. */
function shakeHands(
  connection: RawConnection,
  target: SupportedAddress,
  native: NativeClientOptions,
  settings: Settings,
): Promise<ClientEndpoint> {
  const { signal } = settings;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      if (signal !== undefined) reject(abortReason(signal));
      link.destroy();
    };
    const observer: LinkObserver = {
      opened(opened, session) {
        signal?.removeEventListener('abort', onAbort);
        const endpoint = new ClientEndpoint({
          link: opened,
          session,
          settings,
          address: connection.remoteAddress,
          onClosed: () => {},
        });
        settings.logger?.({
          level: 'info',
          event: 'connected',
          text: `connected to '${session.serverId}'`,
          address: target.text,
          serviceId: session.serverId,
        });
        resolve(endpoint);
        return Endpoint.receiverOf(endpoint);
      },
      failed(outcome, cause) {
        signal?.removeEventListener('abort', onAbort);
        reject(handshakeError(outcome, cause, target.text, native));
      },
    };
    signal?.addEventListener('abort', onAbort);
    const link = startClientLink(connection, target, native, settings, observer);
  });
}

function handshakeError(outcome: Outcome, cause: unknown, address: string, native: NativeClientOptions): EipcError {
  const options = cause === undefined ? undefined : { cause };
  const who = native.serverId === undefined ? '' : `, whose server must be '${native.serverId}'`;
  if (outcome.code === 0)
    return makeError('EIPC_CLOSED_BY_PEER', `${address} closed the connection during the handshake`, options);
  const remedy = `connecting to ${address} as '${native.serviceId}'${who}: check that both ends have the same key for this service id`;
  return errorFromValue(outcome.code, outcome.context === '' ? remedy : `${outcome.context}; ${remedy}`, options);
}
