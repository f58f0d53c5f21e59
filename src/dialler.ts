/**
 * Opens sessions with one server, as often as it is asked: reaches the address, proves who both ends are, and hands the session on. What
 * becomes of a session is the business of its endpoint.
 */
import type { OpenSession } from './open-session.js';
import { abortReason } from './deadlines.js';
import { errorFromValue, makeError } from './errors.js';
import type { EipcError } from './errors.js';
import { nativeKey } from './key.js';
import { macSession } from './mac.js';
import type { NativeV1Mac, Outcome } from './native.js';
import type { ConnectOptions } from './options.js';
import type { ClientSettings } from './settings.js';
import { suiteNumbers } from './suites.js';
import type { TlsSettings } from './tls-options.js';
import { tlsClientSettings, tlsSettings } from './tls-options.js';
import type { Address, TransportName } from './transport/address.js';
import { openConnection, startClientLink } from './transport/open.js';
import type { ClientHandshake } from './transport/open.js';
import type { RawConnection } from './transport/raw-connection.js';
import { tlsError } from './transport/tls-errors.js';
import type { LinkObserver } from './transport/transport.js';
import { checkV1Address, v1Key } from './v1-settings.js';

/** The largest segment of shared memory this accepts, in bytes (docs/shm-abi.md, "Hand-over"). */
const MAX_SEGMENT = 64 * 1024 * 1024;

/** Servers met without an expected id, by address and key: the same one is expected from then on, for the life of this thread. */
const pinnedServers = new Map<string, string>();

/** How sessions begin: by a handshake, or in v1 by the first message. Who the server must be comes on top. */
type Beginning =
  { readonly by: 'handshake'; readonly handshake: ClientHandshake } | { readonly by: 'mac'; readonly mac: NativeV1Mac };

/** Opens sessions with the server at one address. */
export class Dialler {
  readonly #target: Address;
  readonly #settings: ClientSettings;
  readonly #tls: TlsSettings | undefined;
  readonly #beginning: Beginning;
  readonly #serverId: string | undefined;
  /** Under what the server is remembered; absent in v1, which has no proof of it to remember. */
  readonly #pin: string | undefined;

  /** @throws TypeError or RangeError for options that do not go together */
  constructor(target: Address, options: ConnectOptions, settings: ClientSettings) {
    this.#target = target;
    this.#settings = settings;
    this.#serverId = options.serverId;
    this.#tls = tlsSettings(options.tls, [target], tlsClientSettings);
    if (settings.v1 === undefined) {
      const key = nativeKey(options.key, 2);
      this.#pin = `${key.id} ${target.text}`;
      this.#beginning = {
        by: 'handshake',
        handshake: {
          protocol: 2,
          serviceId: options.serviceId,
          key,
          suites: suiteNumbers(options.suites, target, settings.dangerousPlaintext),
          handshakeTimeout: settings.handshakeTimeout,
          maxSegment: MAX_SEGMENT,
          pskOnly: settings.pskOnly,
        },
      };
    } else {
      this.#beginning = v1Beginning(target, options, settings, settings.v1);
    }
  }

  /**
   * Opens a session within `handshakeTimeout`. `opened` is called the moment it is open, so that nothing that follows is missed.
   *
   * @param met - who the server was in a session before; empty when that is not known
   */
  async dial(signal: AbortSignal | undefined, opened: (session: OpenSession) => void, met = ''): Promise<void> {
    const { handshakeTimeout } = this.#settings;
    const start = performance.now();
    const connection = await openConnection(this.#target, handshakeTimeout, signal, this.#tls);
    if (signal?.aborted === true) {
      connection.close();
      throw abortReason(signal);
    }
    const pinned = this.#pin === undefined ? undefined : pinnedServers.get(this.#pin);
    const serverId = this.#serverId ?? (met === '' ? pinned : met);
    if (this.#beginning.by === 'mac') {
      const mac = serverId === undefined ? this.#beginning.mac : { ...this.#beginning.mac, peerId: serverId };
      opened(macSession(connection, this.#target.transport, mac, this.#settings, false));
      return;
    }
    const left = Math.ceil(Math.max(1, handshakeTimeout - (performance.now() - start)));
    const expected = serverId === undefined ? {} : { serverId };
    const handshake = { ...this.#beginning.handshake, handshakeTimeout: left, ...expected };
    await this.#shakeHands(connection, handshake, signal, (session) => {
      if (this.#pin !== undefined && this.#serverId === undefined)
        pinnedServers.set(this.#pin, session.session.serverId);
      opened(session);
    });
  }

  #shakeHands(
    connection: RawConnection,
    handshake: ClientHandshake,
    signal: AbortSignal | undefined,
    opened: (session: OpenSession) => void,
  ): Promise<void> {
    const { remoteAddress } = connection;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        if (signal !== undefined) reject(abortReason(signal));
        link.destroy();
      };
      const observer: LinkObserver = {
        recognised() {},
        opened(link, session) {
          signal?.removeEventListener('abort', onAbort);
          opened({ link, session, address: remoteAddress });
          resolve();
        },
        failed: (outcome, cause) => {
          signal?.removeEventListener('abort', onAbort);
          reject(handshakeError(outcome, cause, this.#target, handshake));
        },
      };
      signal?.addEventListener('abort', onAbort);
      const link = startClientLink(connection, this.#target, handshake, this.#settings, observer);
    });
  }
}

function v1Beginning(
  target: Address,
  { serviceId, key: given }: ConnectOptions,
  settings: ClientSettings,
  { isMacOnly, rules }: NonNullable<ClientSettings['v1']>,
): Beginning {
  checkV1Address(target, settings.dangerousPlaintext);
  const key = v1Key(given, serviceId, settings.logger);
  if (isMacOnly)
    return { by: 'mac', mac: { isServer: false, ownId: serviceId, key, sessionId: '', capabilities: [], rules } };
  const { handshakeTimeout } = settings;
  return { by: 'handshake', handshake: { protocol: 1, serviceId, key, handshakeTimeout, rules } };
}

function handshakeError(
  outcome: Outcome,
  cause: unknown,
  { transport, text: address }: Address,
  native: ClientHandshake,
): EipcError {
  const options = cause === undefined ? undefined : { cause };
  const ofTls = tlsError(cause, address);
  if (ofTls !== undefined) return ofTls;
  const who = native.serverId === undefined ? '' : `, whose server must be '${native.serverId}'`;
  if (outcome.code === 0)
    return makeError('EIPC_CLOSED_BY_PEER', `${address} closed the connection during the handshake`, options);
  const remedy = `connecting to ${address} as '${native.serviceId}'${who}: ${whatToCheck(outcome, transport, native)}`;
  return errorFromValue(outcome.code, outcome.context === '' ? remedy : `${outcome.context}; ${remedy}`, options);
}

function whatToCheck(outcome: Outcome, transport: TransportName, { protocol }: ClientHandshake): string {
  const key = 'check that both ends have the same key for this service id';
  // A server of EIPC/2 that refuses says so; one that only hangs up did not listen. In v1 a wrong key ends like that, too.
  if (errorFromValue(outcome.code, '').code !== 'EIPC_TRANSPORT') return key;
  const user = transport === 'unix' || transport === 'shm' ? ', or not let this user in (access)' : '';
  return `${protocol === 1 ? `${key}; ` : ''}the server may have no room (maxConnections)${user}: its log says`;
}
