/** The server's end of a connection. The client's is in `client.ts`. */
import { Endpoint } from './endpoint.js';
import { Opened } from './endpoint-setup.js';
import type { EndpointSetup } from './endpoint-setup.js';
import { macSetup } from './mac.js';
import type { ServerMacOptions } from './options.js';
import type { Connection } from './transport/connection.js';

/** The server's end of a connection. `listen` makes it for every protocol; by itself it is one of v1 without a handshake. */
export class ServerEndpoint extends Endpoint {
  readonly role = 'server';

  /**
   * Makes the server's end of a v1 session without a handshake over a connection, which it then owns. Both ends are open at once: the key
   * is the whole proof, and nothing separates this session from earlier ones under the same key.
   *
   * @param connection - of a transport (`await transport.accept()`) or of the user's own making
   * @throws TypeError or RangeError for a wrong argument
   *
   * @example
   * const transport = unix();
   * await transport.listen('unix:/run/eai.sock');
   * const endpoint = new ServerEndpoint(await transport.accept(), { key, capabilities: ['ui:control'] });
   */
  constructor(connection: Connection | Opened, options?: ServerMacOptions) {
    super(macSetup(connection, options, 'server'), 's');
  }

  /**
   * Makes the server's end of a session that is open.
   *
   * @internal
   */
  static of(setup: EndpointSetup): ServerEndpoint {
    return new ServerEndpoint(new Opened(setup));
  }
}
