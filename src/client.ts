/**
 * `connect`: finds the server behind an address, proves who both ends are, and makes the client's endpoint.
 */
import { abortReason } from './deadlines.js';
import { Endpoint, Opened } from './endpoint.js';
import type { EndpointSetup } from './endpoint.js';
import { errorFromValue, makeError } from './errors.js';
import type { EipcError } from './errors.js';
import { nativeKey } from './key.js';
import { macSession, macSetup } from './mac.js';
import type { Outcome } from './native.js';
import type { ClientMacOptions, ConnectOptions } from './options.js';
import { connectSettings } from './settings.js';
import type { ClientSettings } from './settings.js';
import { suiteNumbers } from './suites.js';
import { parseAddress, requireSupported } from './transport/address.js';
import type { SupportedAddress } from './transport/address.js';
import type { Connection } from './transport/connection.js';
import { checkTransportOptions, openConnection, startClientLink } from './transport/open.js';
import type { ClientHandshake, RawConnection } from './transport/open.js';
import type { LinkObserver } from './transport/transport.js';
import { checkV1Address, v1Key } from './v1-settings.js';

/** The largest segment of shared memory this accepts, in bytes (docs/shm-abi.md, "Hand-over"). */
const MAX_SEGMENT = 64 * 1024 * 1024;

/** The client's end of a connection. `connect` makes it for every protocol; by itself it is one of v1 without a handshake. */
export class ClientEndpoint extends Endpoint {
  readonly role = 'client';
  /** What the server says it granted this client: information, never a right. */
  readonly granted: readonly string[];

  /**
   * Makes the client's end of a v1 session without a handshake over a connection, which it then owns. Both ends are open at once: the key
   * is the whole proof, and nothing separates this session from earlier ones under the same key.
   *
   * @param connection - of a transport (`await tcp().dial(address)`) or of the user's own making
   * @throws TypeError or RangeError for a wrong argument
   *
   * @example
   * const endpoint = new ClientEndpoint(await unix().dial('unix:/run/eai.sock'), { key, serviceId: 'eni.min' });
   */
  constructor(connection: Connection | Opened, options?: ClientMacOptions) {
    const setup = macSetup(connection, options, 'client');
    super(setup, 'c');
    this.granted = Object.freeze([...setup.session.capabilities]);
  }

  /**
   * Makes the client's end of a session that is open.
   *
   * @internal
   */
  static of(setup: EndpointSetup): ClientEndpoint {
    return new ClientEndpoint(new Opened(setup));
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
  const { v1 } = settings;
  return v1 === undefined ? connectEipc2(target, options, settings) : connectV1(target, options, settings, v1);
}

async function connectEipc2(
  target: SupportedAddress,
  options: ConnectOptions,
  settings: ClientSettings,
): Promise<ClientEndpoint> {
  const key = nativeKey(options.key, 2);
  const pin = `${key.id} ${target.text}`;
  const serverId = options.serverId ?? pinnedServers.get(pin);
  const endpoint = await dial(target, settings, {
    protocol: 2,
    serviceId: options.serviceId,
    key,
    suites: suiteNumbers(options.suites, target, settings.dangerousPlaintext),
    handshakeTimeout: settings.handshakeTimeout,
    maxSegment: MAX_SEGMENT,
    pskOnly: settings.pskOnly,
    ...(serverId === undefined ? {} : { serverId }),
  });
  if (options.serverId === undefined) pinnedServers.set(pin, endpoint.peer.serviceId);
  return endpoint;
}

async function connectV1(
  target: SupportedAddress,
  { serviceId, serverId, key: given }: ConnectOptions,
  settings: ClientSettings,
  { isMacOnly, rules }: NonNullable<ClientSettings['v1']>,
): Promise<ClientEndpoint> {
  checkV1Address(target, settings.dangerousPlaintext);
  const key = v1Key(given, serviceId, settings.logger);
  if (!isMacOnly) {
    const { handshakeTimeout } = settings;
    const expected = serverId === undefined ? {} : { serverId };
    return dial(target, settings, { protocol: 1, serviceId, key, handshakeTimeout, rules, ...expected });
  }
  const connection = await openConnection(target, settings.handshakeTimeout, settings.signal);
  const native = {
    isServer: false,
    ownId: serviceId,
    key,
    sessionId: '',
    capabilities: [],
    rules,
    ...(serverId === undefined ? {} : { peerId: serverId }),
  };
  const endpoint = ClientEndpoint.of(macSession(connection, target.transport, native, settings, false));
  settings.logger?.({
    level: 'info',
    event: 'connected',
    text: 'connected, without a handshake',
    address: target.text,
  });
  return endpoint;
}

/** Connects and runs the handshake in what time is left. */
async function dial(
  target: SupportedAddress,
  settings: ClientSettings,
  handshake: ClientHandshake,
): Promise<ClientEndpoint> {
  const start = performance.now();
  const connection = await openConnection(target, settings.handshakeTimeout, settings.signal);
  const left = Math.max(1, settings.handshakeTimeout - (performance.now() - start));
  return shakeHands(connection, target, { ...handshake, handshakeTimeout: Math.ceil(left) }, settings);
}

/** Runs the handshake. The endpoint is made the moment the session is open, so that nothing that follows is missed. */
function shakeHands(
  connection: RawConnection,
  target: SupportedAddress,
  handshake: ClientHandshake,
  settings: ClientSettings,
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
        const endpoint = ClientEndpoint.of({
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
      },
      failed(outcome, cause) {
        signal?.removeEventListener('abort', onAbort);
        reject(handshakeError(outcome, cause, target.text, handshake));
      },
    };
    signal?.addEventListener('abort', onAbort);
    const link = startClientLink(connection, target, handshake, settings, observer);
  });
}

function handshakeError(outcome: Outcome, cause: unknown, address: string, native: ClientHandshake): EipcError {
  const options = cause === undefined ? undefined : { cause };
  const who = native.serverId === undefined ? '' : `, whose server must be '${native.serverId}'`;
  if (outcome.code === 0)
    return makeError('EIPC_CLOSED_BY_PEER', `${address} closed the connection during the handshake`, options);
  const remedy = `connecting to ${address} as '${native.serviceId}'${who}: check that both ends have the same key for this service id`;
  return errorFromValue(outcome.code, outcome.context === '' ? remedy : `${outcome.context}; ${remedy}`, options);
}
