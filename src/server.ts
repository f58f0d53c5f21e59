/**
 * `listen`: accepts connections within bounds, has each prove who it is, and keeps the endpoints of those that did.
 */
import { Endpoint } from './endpoint.js';
import type { EndpointSetup } from './endpoint.js';
import { errorFromValue, nativeError } from './errors.js';
import type { EipcError } from './errors.js';
import { NativeServer } from './native.js';
import type { UnixSocket } from './native.js';
import { listenSettings, suiteNumbers } from './options.js';
import type { CloseOptions, ListenOptions, LogRecord, ServerSettings } from './options.js';
import { Queue } from './queue.js';
import type { Router } from './router.js';
import type { ServerStats } from './stats.js';
import { parseAddress, requireLocal, socketPath } from './transport/address.js';
import type { LocalAddress } from './transport/address.js';
import { checkTransportOptions, startServerLink } from './transport/open.js';
import { CLOSE_REASON } from './transport/transport.js';
import type { Link } from './transport/transport.js';
import { UnixAcceptor } from './transport/unix.js';

/** The server's end of a connection. Made by `listen`. */
export class ServerEndpoint extends Endpoint {
  readonly role = 'server';

  /** @internal */
  constructor(setup: EndpointSetup) {
    super(setup, 's');
  }
}

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
  const addresses = (typeof address === 'string' ? [address] : address).map((text) => requireLocal(parseAddress(text)));
  if (addresses.length === 0) throw new RangeError('listen needs at least one address');
  const hasCapacities = Object.values(options.lanes ?? {}).some((lane) => lane.capacity !== undefined);
  for (const target of addresses) checkTransportOptions(target, settings, hasCapacities);
  settings.signal?.throwIfAborted();
  const server = new Server(settings);
  try {
    for (const target of addresses)
      server.bind(target, await socketPath(target, true), suiteNumbers(options.suites, target));
  } catch (error) {
    await server.close();
    throw error;
  }
  settings.signal?.addEventListener('abort', () => void server.close(), { once: true });
  return server;
}

/** A server that listens. Iterate over it for the endpoints that authenticate from now on. */
export class Server implements AsyncIterable<ServerEndpoint>, AsyncDisposable {
  /** Where the messages of every endpoint go; null when each endpoint has its inbox. */
  readonly router: Router | null;
  /** Resolves when the server was closed and its last endpoint is gone. */
  readonly closed: Promise<void>;
  readonly #settings: ServerSettings;
  readonly #addresses: string[] = [];
  readonly #acceptors: UnixAcceptor[] = [];
  readonly #endpoints = new Set<ServerEndpoint>();
  readonly #handshaking = new Set<Link>();
  readonly #readers = new Set<EndpointReader>();
  readonly #counts = {
    accepted: 0,
    authenticated: 0,
    handshakeFailures: 0,
    refusedConnections: 0,
    refusedUnauthenticated: 0,
    refusedUsers: 0,
  };
  readonly #resolveClosed: () => void;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(settings: ServerSettings) {
    this.#settings = settings;
    this.router = settings.router;
    let resolveClosed: () => void = () => {};
    this.closed = new Promise((resolve) => {
      resolveClosed = resolve;
    });
    this.#resolveClosed = resolveClosed;
  }

  /** The addresses that are bound, in canonical form. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** The endpoints that are open. Only authenticated ones. */
  get endpoints(): ReadonlySet<ServerEndpoint> {
    return this.#endpoints;
  }

  /** Returns the open endpoints of one service, which may be connected more than once. */
  endpointsOf(serviceId: string): readonly ServerEndpoint[] {
    return [...this.#endpoints].filter((endpoint) => endpoint.peer.serviceId === serviceId);
  }

  /** Iterates over endpoints that authenticate from now on; ends when the server closes. */
  [Symbol.asyncIterator](): AsyncIterableIterator<ServerEndpoint> {
    const reader = new EndpointReader(this.#readers);
    if (this.#closing === undefined) this.#readers.add(reader);
    else reader.end();
    return reader;
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
    return Object.freeze({ ...this.#counts, open: this.#endpoints.size, handshaking: this.#handshaking.size });
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
  bind(address: LocalAddress, path: string, suites: number[]): void {
    const { serverId, services, sessionTtl, handshakeTimeout } = this.#settings;
    const sharedMemory = address.transport === 'shm';
    let native: NativeServer;
    try {
      native = new NativeServer({ serverId, services, suites, ttlMs: sessionTtl, handshakeTimeout, sharedMemory });
    } catch (error) {
      throw nativeError(error, 'these services cannot be served');
    }
    const onSocket = (socket: UnixSocket): void => this.#accept(socket, address, native);
    const acceptor = new UnixAcceptor(path, address.text, onSocket, (error) =>
      this.#log('error', 'accept-failed', error.message, address, error),
    );
    this.#acceptors.push(acceptor);
    this.#addresses.push(address.text);
  }

  #accept(socket: UnixSocket, address: LocalAddress, native: NativeServer): void {
    this.#counts.accepted += 1;
    const refusal = this.#refusal(socket);
    if (refusal !== undefined) {
      this.#counts[refusal] += 1;
      socket.close();
      this.#log(
        'warn',
        'refused',
        `a connection of uid ${socket.uid}, pid ${socket.pid ?? 'unknown'} was closed: ${refusal}`,
        address,
      );
      return;
    }
    const link = startServerLink(socket, address, native, this.#settings, {
      opened: (opened, session) => {
        this.#handshaking.delete(opened);
        const endpoint = new ServerEndpoint({
          link: opened,
          session,
          settings: this.#settings,
          address: address.text,
          onClosed: () => this.#endpoints.delete(endpoint),
        });
        this.#counts.authenticated += 1;
        this.#admit(endpoint, opened, address);
        return Endpoint.receiverOf(endpoint);
      },
      failed: (outcome, cause) => {
        this.#handshaking.delete(link);
        this.#counts.handshakeFailures += 1;
        const error =
          outcome.code === 0
            ? undefined
            : errorFromValue(outcome.code, outcome.context, cause === undefined ? undefined : { cause });
        this.#log(
          'warn',
          'handshake-failed',
          `the handshake with uid ${socket.uid}, pid ${socket.pid ?? 'unknown'} failed`,
          address,
          error,
        );
      },
    });
    this.#handshaking.add(link);
  }

  #refusal(socket: UnixSocket): 'refusedUsers' | 'refusedConnections' | 'refusedUnauthenticated' | undefined {
    if (process.getuid !== undefined && socket.uid !== process.getuid()) return 'refusedUsers';
    if (this.#endpoints.size >= this.#settings.maxConnections) return 'refusedConnections';
    if (this.#handshaking.size >= this.#settings.maxUnauthenticated) return 'refusedUnauthenticated';
    return undefined;
  }

  #admit(endpoint: ServerEndpoint, link: Link, address: LocalAddress): void {
    // Several handshakes can end together: the limit holds for those that are open, and closing needs the endpoint's receiver first.
    this.#endpoints.add(endpoint);
    if (this.#closing !== undefined || this.#endpoints.size > this.#settings.maxConnections) {
      if (this.#closing === undefined) this.#counts.refusedConnections += 1;
      queueMicrotask(() => link.close(CLOSE_REASON.shutdown));
      return;
    }
    this.#log('info', 'connected', `'${endpoint.peer.serviceId}' connected`, address);
    for (const reader of this.#readers) reader.put(endpoint);
  }

  async #close(options: CloseOptions): Promise<void> {
    for (const acceptor of this.#acceptors) acceptor.close();
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
    for (const link of this.#handshaking) link.destroy();
    await Promise.all([...this.#endpoints].map((endpoint) => endpoint.close(options)));
    this.#resolveClosed();
  }

  #log(level: LogRecord['level'], event: string, text: string, address: LocalAddress, error?: EipcError): void {
    this.#settings.logger?.({ level, event, text, address: address.text, ...(error === undefined ? {} : { error }) });
  }
}

/** One iteration over new endpoints. Holds only open ones, so that the connection limit bounds it. */
class EndpointReader implements AsyncIterableIterator<ServerEndpoint> {
  readonly #readers: Set<EndpointReader>;
  readonly #queue = new Queue<ServerEndpoint>();
  #isOver = false;
  #wake: ((result: IteratorResult<ServerEndpoint>) => void) | undefined;

  constructor(readers: Set<EndpointReader>) {
    this.#readers = readers;
  }

  put(endpoint: ServerEndpoint): void {
    const wake = this.#wake;
    this.#wake = undefined;
    if (wake !== undefined) {
      wake({ done: false, value: endpoint });
      return;
    }
    for (let count = this.#queue.length; count > 0; count -= 1) {
      const queued = this.#queue.shift();
      if (queued !== undefined && queued.state === 'open') this.#queue.push(queued);
    }
    this.#queue.push(endpoint);
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.({ done: true, value: undefined });
    this.#wake = undefined;
  }

  next(): Promise<IteratorResult<ServerEndpoint>> {
    const endpoint = this.#queue.shift();
    if (endpoint !== undefined) return Promise.resolve({ done: false, value: endpoint });
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    if (this.#wake !== undefined)
      return Promise.reject(
        new TypeError('another next() of this iteration is waiting; an iterator has one reader at a time'),
      );
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  return(): Promise<IteratorResult<ServerEndpoint>> {
    this.#readers.delete(this);
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
