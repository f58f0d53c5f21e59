/**
 * `connect`: makes the client's endpoint of a session that the dialler opens. An endpoint that reconnects has it open others, with the same
 * server.
 */
import { Dialler } from './dialler.js';
import { Endpoint } from './endpoint.js';
import { Opened } from './endpoint-setup.js';
import type { EndpointSetup } from './endpoint-setup.js';
import { makeError } from './errors.js';
import { macSetup } from './mac.js';
import type { ClientMacOptions, ConnectOptions } from './options.js';
import { connectSettings } from './settings.js';
import { parseAddress, requireSupported } from './transport/address.js';
import type { Connection } from './transport/connection.js';
import { checkTransportOptions } from './transport/open.js';

/** The client's end of a connection. `connect` makes it for every protocol; by itself it is one of v1 without a handshake. */
export class ClientEndpoint extends Endpoint {
  readonly role = 'client';

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
    super(macSetup(connection, options, 'client'), 'c');
  }

  /** What the server said it grants this client when the session began: information, never a right, and it may have changed since. */
  get granted(): readonly string[] {
    return Object.freeze(this.sessionInfo.capabilities);
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
  const { reconnect, logger } = settings;
  let endpoint: ClientEndpoint | undefined;
  await dialler.dial(settings.signal, (session) => {
    const made = ClientEndpoint.of({
      ...session,
      settings,
      reconnect: reconnect && {
        settings: reconnect,
        dial: (signal, opened) => dialler.dial(signal, opened, made.peer.serviceId),
      },
      onClosed: () => {},
    });
    const { serviceId } = made.peer;
    const text = serviceId === '' ? 'connected, without a handshake' : `connected to '${serviceId}'`;
    logger?.({
      level: 'info',
      event: 'connected',
      text,
      address: target.text,
      ...(serviceId === '' ? {} : { serviceId }),
    });
    endpoint = made;
  });
  if (endpoint === undefined) throw makeError('EIPC_INTERNAL', `${target.text} opened no session`);
  return endpoint;
}
