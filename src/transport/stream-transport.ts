/**
 * The transports that a user can hold: `tcp()`, `tls()`, `unix()`, `pipe()` and `memory()`, which make connections for endpoints of v1 without a
 * handshake, or for whoever handles frames. `connect` and `listen` do not need them. (Shared memory does not belong here: it carries EIPC/2
 * only.)
 */
import { duration } from '../check.js';
import { abortReason, DeadlineWheel, Wait } from '../deadlines.js';
import type { EipcError } from '../errors.js';
import { makeError } from '../errors.js';
import type { WaitOptions } from '../options.js';
import { Queue } from '../queue.js';
import type { TlsOptions } from '../tls-options.js';
import { tlsClientSettings, tlsServerSettings, tlsSettings } from '../tls-options.js';
import type { Address } from './address.js';
import { parseAddress, requireSupported } from './address.js';
import type { Connection, Transport } from './connection.js';
import { isRefusedUser } from './access.js';
import { openAcceptor, openConnection } from './open.js';
import type { Acceptor, RawConnection } from './raw-connection.js';
import { StreamConnection } from './stream-connection.js';
import { AcceptedTlsStream } from './tls-server.js';

/** Milliseconds to connect, unless told otherwise; for those who connect here, to do the handshake of TLS. */
const DIAL_TIMEOUT = 10_000;
/** Connections that wait to be accepted here; beyond, new ones are closed. As many may be in the handshake of TLS; beyond, the oldest is closed. */
const MAX_WAITING = 64;

class AcceptWait extends Wait<Connection> {
  protected override timeoutError(): Error {
    return makeError('EIPC_TIMEOUT', 'no connection came within the time given to accept()');
  }
}

/** Makes TCP connections, for addresses such as `tcp://127.0.0.1:9090`. Nothing on them is encrypted. */
export function tcp(): Transport {
  return new StreamTransport('tcp');
}

/**
 * Makes TLS connections, for addresses such as `tls://eai.example:9443`. What it accepts has passed the handshake and what `options` demand of a
 * certificate; who does not, never shows. The frames of v1 know nothing of the TLS around them (docs/tls.md).
 *
 * @param options - of a server where it listens, of a client where it dials; checked there
 */
export function tls(options: TlsOptions = {}): Transport {
  return new StreamTransport('tls', options);
}

/** Makes connections over Unix sockets, for addresses such as `unix:/run/eai.sock`. Other users are not accepted. */
export function unix(): Transport {
  return new StreamTransport('unix');
}

/** Makes connections over named pipes of Windows, for addresses such as `pipe:eai`. Elsewhere its addresses are refused. */
export function pipe(): Transport {
  return new StreamTransport('pipe');
}

/** Makes connections within this thread, for tests, for addresses such as `memory:eai`. */
export function memory(): Transport {
  return new StreamTransport('memory');
}

/** Connections over byte streams. */
class StreamTransport implements Transport {
  readonly #name: StreamTransportName;
  readonly #tls: TlsOptions | undefined;
  /** In the handshake of TLS, the oldest first. */
  readonly #handshaking = new Set<RawConnection>();
  readonly #acceptors: Acceptor[] = [];
  readonly #queue = new Queue<Connection>();
  readonly #waiting = new Queue<AcceptWait>();
  readonly #wheel = new DeadlineWheel();
  #failure: EipcError | undefined;
  #isClosed = false;

  constructor(name: StreamTransportName, tls?: TlsOptions) {
    this.#name = name;
    this.#tls = tls;
  }

  async listen(address: string): Promise<string> {
    if (this.#isClosed) throw this.#closedError();
    const parsed = this.#parse(address);
    const settings = tlsSettings(this.#tls, [parsed], tlsServerSettings);
    const acceptor = await openAcceptor(
      parsed,
      (connection) => this.#arrived(connection),
      (error) => {
        this.#failure = error;
        this.#next()?.fail(error);
      },
      { tls: settings, tlsTimeout: DIAL_TIMEOUT },
    );
    this.#acceptors.push(acceptor);
    if (this.#isClosed) acceptor.close();
    return acceptor.address;
  }

  async dial(address: string, options: WaitOptions = {}): Promise<Connection> {
    const timeout = duration('timeout', options.timeout ?? DIAL_TIMEOUT);
    const parsed = this.#parse(address);
    const settings = tlsSettings(this.#tls, [parsed], tlsClientSettings);
    return new StreamConnection(await openConnection(parsed, timeout, options.signal, settings), this.#name);
  }

  accept(options: WaitOptions = {}): Promise<Connection> {
    const queued = this.#queue.shift();
    if (queued !== undefined) return Promise.resolve(queued);
    if (this.#isClosed) return Promise.reject(this.#closedError());
    if (this.#acceptors.length === 0)
      return Promise.reject(new TypeError('this transport does not listen; call listen() before accept()'));
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) return Promise.reject(failure);
    if (options.signal?.aborted === true) return Promise.reject(abortReason(options.signal));
    if (options.timeout !== undefined) duration('timeout', options.timeout);
    // Those that gave up make room, so that waiting again and again costs nothing.
    while (this.#waiting.peek()?.isOver === true) this.#waiting.shift();
    const wait = new AcceptWait();
    this.#waiting.push(wait);
    return wait.start(this.#wheel, options.timeout, options.signal);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    for (const acceptor of this.#acceptors) acceptor.close();
    for (let wait = this.#next(); wait !== undefined; wait = this.#next()) wait.fail(this.#closedError());
    for (let connection = this.#queue.shift(); connection !== undefined; connection = this.#queue.shift())
      void connection.close();
    for (const raw of this.#handshaking) raw.close();
    this.#wheel.clear();
    return Promise.resolve();
  }

  #parse(address: string): Address {
    const parsed = parseAddress(address);
    if (parsed.transport !== this.#name)
      throw new RangeError(`${parsed.text} is no address of ${this.#name}(); use the transport of its scheme`);
    return requireSupported(parsed);
  }

  #arrived(raw: RawConnection): void {
    if (this.#isClosed || isRefusedUser(raw, undefined)) {
      raw.close();
    } else if (raw.carrier instanceof AcceptedTlsStream) {
      this.#secure(raw, raw.carrier);
    } else {
      this.#offer(raw);
    }
  }

  /** Who has not finished makes room for who comes: an honest handshake is over in milliseconds. */
  #secure(raw: RawConnection, stream: AcceptedTlsStream): void {
    const [oldest] = this.#handshaking;
    if (this.#handshaking.size >= MAX_WAITING) oldest?.close();
    this.#handshaking.add(raw);
    const leave = (isGood: boolean): void => {
      this.#handshaking.delete(raw);
      if (isGood && !this.#isClosed) this.#offer(raw);
      else raw.close();
    };
    stream.secured().then(
      () => leave(true),
      () => leave(false),
    );
  }

  #offer(raw: RawConnection): void {
    const connection = new StreamConnection(raw, this.#name);
    const wait = this.#next();
    if (wait !== undefined) wait.settle(connection);
    else if (this.#queue.length < MAX_WAITING) this.#queue.push(connection);
    else raw.close();
  }

  /** Returns who waits longest for a connection. */
  #next(): AcceptWait | undefined {
    for (let wait = this.#waiting.shift(); wait !== undefined; wait = this.#waiting.shift())
      if (!wait.isOver) return wait;
    return undefined;
  }

  #closedError(): EipcError {
    return makeError('EIPC_CLOSED', `this ${this.#name} transport was closed; make another`);
  }
}

type StreamTransportName = 'tcp' | 'tls' | 'unix' | 'pipe' | 'memory';
