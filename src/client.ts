/**
 * `connect`: finds the server behind an address, proves who both ends are, and makes the client's endpoint. An endpoint that reconnects does
 * the same again, with the same server.
 */
import type { OpenSession } from './active-session.js';
import { abortReason } from './deadlines.js';
import { Endpoint } from './endpoint.js';
import type { EndpointSetup } from './endpoint.js';
import { errorFromValue, makeError } from './errors.js';
import type { EipcError } from './errors.js';
import { nativeKey } from './key.js';
import type { NativeClientOptions, Outcome } from './native.js';

import type { ConnectOptions } from './options.js';
import { connectSettings } from './settings.js';
import type { ClientSettings } from './settings.js';
import { suiteNumbers } from './suites.js';
import { parseAddress, requireSupported } from './transport/address.js';
import type { SupportedAddress } from './transport/address.js';
import { checkTransportOptions, openConnection, startClientLink } from './transport/open.js';
import type { RawConnection } from './transport/open.js';
import type { LinkObserver, LinkReceiver } from './transport/transport.js';

/** The largest segment of shared memory this accepts, in bytes (docs/shm-abi.md, "Hand-over"). */
const MAX_SEGMENT = 64 * 1024 * 1024;

/** The client's end of a connection. Made by `connect`. */
export class ClientEndpoint extends Endpoint {
  readonly role = 'client';

  /** @internal */
  constructor(setup: EndpointSetup) {
    super(setup, 'c');
  }

  /** What the server says it granted this client in this session: information, never a right. */
  get granted(): readonly string[] {
    return Object.freeze(this.sessionInfo.capabilities);
  }
}

/** Servers met without an expected id, by address and key: the same one is expected from then on, for the life of this thread. */
const pinnedServers = new Map<string, string>();

/**
 * Connects to a server and resolves when both ends have proven who they are. With `reconnect` a connection that is lost later is made again
 * (docs/reconnect.md).
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
  const dialler = new Dialler(target, options, settings);
  let endpoint: ClientEndpoint | undefined;
  await dialler.dial(settings.signal, (session) => {
    endpoint = new ClientEndpoint({
      ...session,
      settings,
      reconnect:
        settings.reconnect === undefined
          ? undefined
          : { settings: settings.reconnect, dial: (signal, opened) => dialler.dial(signal, opened) },
      onClosed: () => {},
    });
    const { serviceId } = endpoint.peer;
    const text = `connected to '${serviceId}'`;
    settings.logger?.({ level: 'info', event: 'connected', text, address: target.text, serviceId });
    return Endpoint.receiverOf(endpoint);
  });
  if (endpoint === undefined) throw makeError('EIPC_INTERNAL', `${target.text} opened no session`);
  return endpoint;
}

/** Opens sessions with one server. */
class Dialler {
  readonly #target: SupportedAddress;
  readonly #settings: ClientSettings;
  readonly #native: NativeClientOptions;
  readonly #pin: string;

  constructor(target: SupportedAddress, options: ConnectOptions, settings: ClientSettings) {
    const key = nativeKey(options.key);
    this.#target = target;
    this.#settings = settings;
    this.#pin = `${key.id} ${target.text}`;
    this.#native = {
      serviceId: options.serviceId,
      key,
      suites: suiteNumbers(options.suites, target, settings.dangerousPlaintext),
      handshakeTimeout: settings.handshakeTimeout,
      maxSegment: MAX_SEGMENT,
      pskOnly: settings.pskOnly,
      ...(options.serverId === undefined ? {} : { serverId: options.serverId }),
    };
  }

  /** Opens a session within `handshakeTimeout`. `opened` is called the moment it is open, so that nothing that follows is missed. */
  async dial(signal: AbortSignal | undefined, opened: (session: OpenSession) => LinkReceiver): Promise<void> {
    const { handshakeTimeout } = this.#settings;
    const start = performance.now();
    const connection = await openConnection(this.#target, handshakeTimeout, signal);
    const left = Math.ceil(Math.max(1, handshakeTimeout - (performance.now() - start)));
    const serverId = this.#native.serverId ?? pinnedServers.get(this.#pin);
    const native = { ...this.#native, handshakeTimeout: left, ...(serverId === undefined ? {} : { serverId }) };
    await this.#shakeHands(connection, native, signal, (session) => {
      if (this.#native.serverId === undefined) pinnedServers.set(this.#pin, session.session.serverId);
      return opened(session);
    });
  }

  #shakeHands(
    connection: RawConnection,
    native: NativeClientOptions,
    signal: AbortSignal | undefined,
    opened: (session: OpenSession) => LinkReceiver,
  ): Promise<void> {
    const { remoteAddress } = connection;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        connection.close();
        reject(abortReason(signal));
        return;
      }
      const onAbort = (): void => {
        if (signal !== undefined) reject(abortReason(signal));
        link.destroy();
      };
      const observer: LinkObserver = {
        recognised() {},
        opened(link, session) {
          signal?.removeEventListener('abort', onAbort);
          resolve();
          return opened({ link, session, address: remoteAddress });
        },
        failed: (outcome, cause) => {
          signal?.removeEventListener('abort', onAbort);
          reject(handshakeError(outcome, cause, this.#target.text, native));
        },
      };
      signal?.addEventListener('abort', onAbort);
      const link = startClientLink(connection, this.#target, native, this.#settings, observer);
    });
  }
}

function handshakeError(outcome: Outcome, cause: unknown, address: string, native: NativeClientOptions): EipcError {
  const options = cause === undefined ? undefined : { cause };
  const who = native.serverId === undefined ? '' : `, whose server must be '${native.serverId}'`;
  if (outcome.code === 0)
    return makeError('EIPC_CLOSED_BY_PEER', `${address} closed the connection during the handshake`, options);
  const remedy = `connecting to ${address} as '${native.serviceId}'${who}: check that both ends have the same key for this service id`;
  return errorFromValue(outcome.code, outcome.context === '' ? remedy : `${outcome.context}; ${remedy}`, options);
}
