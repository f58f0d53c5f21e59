/**
 * `listen`: accepts connections within bounds, has each prove who it is, and keeps the endpoints of those that did.
 */
import type { Gate } from './admission.js';
import { Endpoint } from './endpoint.js';
import { EipcError, errorFromValue, nativeError } from './errors.js';
import { EventStream } from './event-stream.js';
import type { Key } from './key.js';
import { NativeServer } from './native.js';
import type { NativeAddress } from './native.js';
import type { CloseOptions, ListenOptions, LogRecord } from './options.js';
import type { Queue } from './queue.js';
import { listenSettings } from './settings.js';
import type { ServerSettings } from './settings.js';
import { Approvals } from './policy/approvals.js';
import { ServerAudit } from './server-audit.js';
import { ServerEndpoint } from './server-endpoint.js';
import { ServerKeys } from './server-keys.js';
import type { KeyChange } from './server-keys.js';
import { ServerSessions } from './server-sessions.js';
import type { SessionEntry } from './server-sessions.js';
import type { Router } from './router.js';
import type { ServerStats } from './stats.js';
import { suiteNumbers } from './suites.js';
import { ThreadBound } from './thread-bound.js';
import type { TlsSettings } from './tls-options.js';
import { tlsServerSettings, tlsSettings } from './tls-options.js';
import { checkAccess, isRefusedUser } from './transport/access.js';
import { parseAddress, requireSupported } from './transport/address.js';
import type { Address } from './transport/address.js';
import { checkTransportOptions, openAcceptor, startServerLink } from './transport/open.js';
import type { Acceptor, RawConnection } from './transport/raw-connection.js';
import { CLOSE_REASON } from './transport/transport.js';
import type { Link } from './transport/transport.js';
import { Unauthenticated } from './unauthenticated.js';
import type { Crowding } from './unauthenticated.js';
import { checkV1Address } from './v1-settings.js';

/**
 * Listens on one address or several and resolves when all are bound.
 *
 * @throws TypeError or RangeError for a wrong option, TransportError when an address cannot be bound (then none is)
 *
 * @example
 * const server = await listen('shm:eai', { services: { 'eni.min': { key, capabilities: ['ui:control'] } } });
 */
export async function listen(address: string | readonly string[], options: ListenOptions): Promise<Server> {
  const settings = listenSettings(options);
  const addresses = (typeof address === 'string' ? [address] : address).map((text) =>
    requireSupported(parseAddress(text)),
  );
  if (addresses.length === 0) throw new RangeError('listen needs at least one address');
  const hasCapacities = Object.values(options.lanes ?? {}).some((lane) => lane.capacity !== undefined);
  for (const target of addresses) {
    checkTransportOptions(target, settings, hasCapacities);
    checkAccess(target, settings.access);
  }
  checkV1Addresses(addresses, settings);
  const suites = addresses.map((target) => suiteNumbers(options.suites, target, settings.dangerousPlaintext));
  const tls = tlsSettings(options.tls, addresses, tlsServerSettings);
  settings.signal?.throwIfAborted();
  const server = new Server(settings, tls);
  try {
    for (const [index, target] of addresses.entries()) await server.bind(target, suites[index] ?? []);
    settings.signal?.throwIfAborted();
  } catch (error) {
    await server.close();
    throw error;
  }
  settings.signal?.addEventListener('abort', () => void server.close(), { once: true });
  return server;
}

/** A server that listens. Iterate over it for the endpoints that authenticate from now on. */
export class Server extends ThreadBound implements AsyncIterable<ServerEndpoint>, AsyncDisposable {
  /** Where the messages of every endpoint go; null when each endpoint has its inbox. */
  readonly router: Router | null;
  /** The requests that wait for an operator; null without a `policy`. */
  readonly approvals: Approvals | null;
  /** Resolves when the server was closed and its last endpoint is gone. */
  readonly closed: Promise<void>;
  readonly #settings: ServerSettings;
  readonly #tls: TlsSettings | undefined;
  readonly #native: NativeServer;
  readonly #acceptors: Acceptor[] = [];
  readonly #endpoints = new Set<ServerEndpoint>();
  readonly #handshaking: Unauthenticated;
  readonly #arrivals = new EventStream<ServerEndpoint>(keepOpen);
  readonly #audit: ServerAudit | undefined;
  readonly #gate: Gate | undefined;
  readonly #keys: ServerKeys;
  readonly #sessions: ServerSessions;
  readonly #counts = {
    accepted: 0,
    authenticated: 0,
    handshakeFailures: 0,
    refusedConnections: 0,
    refusedUnauthenticated: 0,
    refusedSources: 0,
    refusedUsers: 0,
  };
  readonly #resolveClosed: () => void;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(settings: ServerSettings, tls: TlsSettings | undefined) {
    super('a server');
    this.#settings = settings;
    this.#tls = tls;
    this.#native = nativeServer(settings);
    this.router = settings.router;
    this.#audit = settings.audit === undefined ? undefined : new ServerAudit(settings.audit, settings.logger);
    this.#sessions = new ServerSessions({
      endpoints: this.#endpoints,
      native: this.#native,
      grants: settings.grants,
      audit: this.#audit,
      log: (event, text, serviceId) => this.#log('info', event, text, undefined, undefined, serviceId),
    });
    this.approvals = settings.policy === undefined ? null : new Approvals();
    this.#gate =
      settings.policy === undefined || this.approvals === null
        ? undefined
        : { policy: settings.policy, approvals: this.approvals };
    this.#keys = new ServerKeys(this.#native, settings.live, settings.grants, {
      changed: (serviceId, change, key) => this.#keyChanged(serviceId, change, key),
      refused: (serviceId, error) => this.#log('error', 'key-refused', error.message, undefined, error, serviceId),
    });
    this.#handshaking = new Unauthenticated(settings.maxUnauthenticated, (link, crowding) => this.#cut(link, crowding));
    let resolveClosed: () => void = () => {};
    this.closed = new Promise((resolve) => {
      resolveClosed = resolve;
    });
    this.#resolveClosed = resolveClosed;
  }

  /** The addresses that are bound, in canonical form and with the port that port 0 became. */
  get addresses(): readonly string[] {
    return this.#acceptors.map((acceptor) => acceptor.address);
  }

  /** The endpoints that are open. Only authenticated ones. */
  get endpoints(): ReadonlySet<ServerEndpoint> {
    return this.#endpoints;
  }

  /** Returns the open endpoints of one service, which may be connected more than once. */
  endpointsOf(serviceId: string): readonly ServerEndpoint[] {
    return [...this.#endpoints].filter((endpoint) => endpoint.peer.serviceId === serviceId);
  }

  /** Returns the sessions that are open now, the oldest first, of one service or of all. */
  sessions(serviceId?: string): SessionEntry[] {
    return this.#sessions.list(serviceId);
  }

  /**
   * Ends one session: nothing of its peer is handled from now on, handlers that run are told by their signal, and the peer is told that it was
   * revoked (`EIPC_REVOKED`; in v1 its stream ends). Its key is good for another one: revoke that in the keyring to keep the service out.
   *
   * @param id - as `sessions()` tells it
   * @returns when the session is over: true; false at once when there is no such session
   */
  revokeSession(id: string): Promise<boolean> {
    return this.#sessions.revoke(id);
  }

  /**
   * Gives a service a capability, in its open sessions too: what its next message may do depends on it.
   *
   * @returns false when the service has it already
   * @throws RangeError for a service that is not in `services`, what is no capability, or one too many; ProtocolError
   * `EIPC_MESSAGE_TOO_LARGE` for more than the login of v1 can tell
   */
  grant(serviceId: string, capability: string): boolean {
    return this.#sessions.changeRight('capability.grant', serviceId, capability);
  }

  /**
   * Takes a capability from a service, in its open sessions too: no handler that needs it is started from now on, also not for a message that
   * came before and waits. Handlers that run go on.
   *
   * @returns false when the service does not have it
   * @throws RangeError for a service that is not in `services`, and for what is no capability
   */
  revoke(serviceId: string, capability: string): boolean {
    return this.#sessions.changeRight('capability.revoke', serviceId, capability);
  }

  /** Iterates over endpoints that authenticate from now on; ends when the server closes. */
  [Symbol.asyncIterator](): AsyncIterableIterator<ServerEndpoint> {
    return this.#arrivals.read();
  }

  /** Stops accepting, closes every endpoint, and resolves when all are gone. Idempotent. */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  /** Closes; for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Returns a frozen copy of the counters. */
  stats(): ServerStats {
    return Object.freeze({
      ...this.#counts,
      auditFailures: this.#audit?.trail.failures ?? 0,
      open: this.#endpoints.size,
      handshaking: this.#handshaking.size,
    });
  }

  /** Lets listening keep the process alive again, which is how it starts. */
  ref(): void {
    for (const acceptor of this.#acceptors) acceptor.ref();
  }

  /** Lets the process end although this listens. Open endpoints have an `unref` of their own. */
  unref(): void {
    for (const acceptor of this.#acceptors) acceptor.unref();
  }

  /**
   * Binds one address.
   *
   * @internal
   */
  async bind(address: Address, suites: number[]): Promise<void> {
    const { transport } = address;
    const native = this.#native.address({ suites, sharedMemory: transport === 'shm', tls: transport === 'tls' });
    const acceptor = await openAcceptor(
      address,
      (connection) => this.#accept(connection, address, native),
      (error) => this.#log('error', 'accept-failed', error.message, address.text, error),
      { access: this.#settings.access, tls: this.#tls, tlsTimeout: this.#settings.handshakeTimeout },
    );
    this.#acceptors.push(acceptor);
  }

  #accept(connection: RawConnection, address: Address, native: NativeAddress): void {
    this.#counts.accepted += 1;
    const refusal = this.#refusal(connection);
    if (refusal !== undefined) {
      this.#counts[refusal] += 1;
      connection.close();
      const text = `a connection of ${connection.from} was closed: ${refusal}`;
      this.#log('warn', 'refused', text, address.text);
      this.#audit?.refused('connection.refuse', '', `${text}, at ${address.text}`);
      return;
    }
    const link = startServerLink(connection, address, native, this.#settings, {
      recognised: (recognised) => this.#handshaking.recognise(recognised),
      opened: (opened, session) => {
        this.#handshaking.delete(opened);
        const endpoint = ServerEndpoint.of({
          link: opened,
          session,
          settings: this.#settings,
          address: connection.remoteAddress,
          audit: this.#audit?.trail,
          grants: this.#settings.grants,
          gate: this.#gate,
          onClosed: () => this.#endpoints.delete(endpoint),
        });
        this.#counts.authenticated += 1;
        this.#admit(endpoint, opened, session.keyId);
      },
      failed: (outcome, cause) => {
        const place = this.#handshaking.delete(link);
        if (place === undefined) return; // it was cut for another, which is counted there
        this.#counts.handshakeFailures += 1;
        if (outcome.isHelloForged === true) this.#handshaking.spend(place.source);
        const error =
          outcome.code === 0
            ? undefined
            : cause instanceof EipcError // of a transport, which says more than that the connection ended
              ? cause
              : errorFromValue(outcome.code, outcome.context, cause === undefined ? undefined : { cause });
        const text = `the handshake with ${connection.from} failed`;
        this.#log('warn', 'handshake-failed', text, address.text, error);
        this.#audit?.refused('session.refuse', '', `${text}, at ${address.text}`, error);
      },
    });
    this.#handshaking.add(link, connection.source);
  }

  #cut(link: Link, crowding: Crowding): void {
    this.#counts[crowding] += 1;
    link.destroy();
    const text = `a connection that had proven nothing was cut for a newer one: ${crowding}`;
    this.#log('warn', 'refused', text, undefined);
    this.#audit?.refused('connection.refuse', '', text);
  }

  #refusal(connection: RawConnection): Refusal | undefined {
    if (isRefusedUser(connection, this.#settings.access)) return 'refusedUsers';
    if (this.#endpoints.size >= this.#settings.maxConnections) return 'refusedConnections';
    return this.#handshaking.hasSpent(connection.source) ? 'refusedSources' : undefined;
  }

  #keyChanged(serviceId: string, change: KeyChange, key: Key): void {
    this.#log('info', change, `a key of '${serviceId}': ${key.toString()}`, undefined, undefined, serviceId);
    this.#audit?.keyChanged(serviceId, change, key.id);
    if (change === 'key.revoke') for (const endpoint of this.#endpoints) this.#sessions.revokeUnder(key, endpoint);
  }

  #admit(endpoint: ServerEndpoint, link: Link, keyId: string): void {
    // Several handshakes can end together: the limit holds for those that are open, and closing needs the endpoint's receiver first.
    this.#endpoints.add(endpoint);
    if (this.#closing !== undefined || this.#endpoints.size > this.#settings.maxConnections) {
      if (this.#closing === undefined) this.#counts.refusedConnections += 1;
      const why = this.#closing === undefined ? 'there are as many connections as may be' : 'the server is closing';
      this.#audit?.refused('session.refuse', endpoint.peer.serviceId, why);
      queueMicrotask(() => link.close(CLOSE_REASON.shutdown));
      return;
    }
    const { serviceId, protocol, sessionId, tls } = endpoint.peer;
    const inside = tls === undefined ? '' : ` inside ${tls.protocol} (${tls.cipher})`;
    this.#sessions.opened(endpoint, keyId);
    this.#audit?.opened(endpoint.peer, keyId);
    this.#log('info', 'connected', `'${serviceId}' connected${inside}`, endpoint.remoteAddress, undefined, serviceId);
    if (protocol === 1) {
      const how = sessionId === '' ? 'by MAC only' : 'by challenge';
      const text = `'${serviceId}' speaks v1 (${how}): no encryption, no keys of the session's own`;
      this.#log('warn', 'legacy', text, endpoint.remoteAddress, undefined, serviceId);
    }
    this.#arrivals.emit(endpoint);
    // The handshake may have been done while its key was being revoked. The endpoint needs its receiver first.
    for (const key of this.#keys.revoked) queueMicrotask(() => this.#sessions.revokeUnder(key, endpoint));
  }

  async #close(options: CloseOptions): Promise<void> {
    for (const acceptor of this.#acceptors) acceptor.close();
    this.#keys.close();
    this.#arrivals.end();
    this.#handshaking.destroy();
    await Promise.all([...this.#endpoints].map((endpoint) => Endpoint.shutDown(endpoint, options)));
    this.approvals?.close();
    this.#audit?.closed();
    this.#resolveClosed();
  }

  #log(
    level: LogRecord['level'],
    event: string,
    text: string,
    address: string | undefined,
    error?: EipcError,
    serviceId?: string,
  ): void {
    this.#settings.logger?.({
      level,
      event,
      text,
      ...(address === undefined ? {} : { address }),
      ...(serviceId === undefined ? {} : { serviceId }),
      ...(error === undefined ? {} : { error }),
    });
  }
}

/** What waits for a reader of arrivals is open: so the connection limit bounds it. */
function keepOpen(waiting: Queue<ServerEndpoint>): void {
  for (let left = waiting.length; left > 0; left -= 1) {
    const endpoint = waiting.shift();
    if (endpoint?.state === 'open') waiting.push(endpoint);
  }
}

/** Services of v1 are served at every address that is not shared memory; there has to be one. */
function checkV1Addresses(addresses: readonly Address[], { v1, dangerousPlaintext }: ServerSettings): void {
  if (v1 === undefined) return;
  const streams = addresses.filter((address) => address.transport !== 'shm');
  for (const address of streams.length > 0 ? streams : addresses) checkV1Address(address, dangerousPlaintext);
}

function nativeServer(settings: ServerSettings): NativeServer {
  const { serverId, services, v1, sessionTtl, handshakeTimeout, allowPskOnly } = settings;
  const ofV1 = v1 === undefined ? {} : { v1 };
  try {
    return new NativeServer({ serverId, services, ...ofV1, ttlMs: sessionTtl, handshakeTimeout, allowPskOnly });
  } catch (error) {
    throw nativeError(error, 'these services cannot be served');
  }
}

/** Why a connection was closed before its handshake: the counter that counts it. */
type Refusal = 'refusedUsers' | 'refusedConnections' | 'refusedSources';
