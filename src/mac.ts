/**
 * Sessions of v1 without a handshake: made of a key both ends have and anything that carries frames. What `new ClientEndpoint` and
 * `new ServerEndpoint` begin with, and `connect` with `auth: 'mac'`.
 */
import { inspect } from 'node:util';

import type { OpenSession } from './open-session.js';
import { Endpoint } from './endpoint.js';
import { Opened } from './endpoint-setup.js';
import type { EndpointSetup } from './endpoint-setup.js';
import { makeError, nativeError } from './errors.js';
import { StreamSession } from './native.js';
import type { NativeV1Mac, SessionInfo } from './native.js';
import type { ClientMacOptions, ServerMacOptions } from './options.js';
import { macSettings } from './settings.js';
import type { Settings } from './settings.js';
import type { Connection } from './transport/connection.js';
import { ConnectionStream } from './transport/connection-stream.js';
import { startStream } from './transport/open.js';
import type { RawConnection } from './transport/raw-connection.js';
import { StreamConnection } from './transport/stream-connection.js';
import type { PeerTransport } from './transport/transport.js';
import { v1Key } from './v1-settings.js';

/** Who sends, when neither an option nor the first message says it. */
const DEFAULT_IDS = { client: 'eipc-client', server: 'eipc-server' } as const;

/**
 * Begins a session over a connection of the user's.
 *
 * @throws TypeError or RangeError for a wrong argument
 */
export function macSetup(
  connection: Connection | Opened,
  options: ClientMacOptions | ServerMacOptions | undefined,
  role: 'client' | 'server',
): EndpointSetup {
  if (connection instanceof Opened) return connection.setup;
  checkConnection(connection);
  if (options === undefined) throw new TypeError('an endpoint made of a connection needs options: at least { key }');
  const settings = macSettings(options, role);
  const { serviceId, serverId } = options;
  const [ownId, peerId] = role === 'client' ? [serviceId, serverId] : [serverId, serviceId];
  const name = ownId ?? otherThan(DEFAULT_IDS[role], peerId);
  const native: NativeV1Mac = {
    isServer: role === 'server',
    ownId: name,
    key: v1Key(options.key, ownId ?? name, settings.logger),
    sessionId: settings.sessionId,
    capabilities: settings.capabilities,
    rules: settings.rules,
    ...(peerId === undefined ? {} : { peerId }),
  };
  const { raw, transport } = carrierOf(connection);
  return { ...macSession(raw, transport, native, settings, ownId === undefined), settings, onClosed: () => {} };
}

/**
 * Begins a session over a connection, which it then owns.
 *
 * @param mayRename - whether the first message says who this is
 */
export function macSession(
  raw: RawConnection,
  transport: PeerTransport,
  native: NativeV1Mac,
  settings: Settings,
  mayRename: boolean,
): OpenSession {
  let session: StreamSession;
  try {
    session = StreamSession.v1Mac(native);
  } catch (error) {
    raw.close();
    throw nativeError(error, 'this session cannot begin');
  }
  const rename = (ownId: string): number => {
    try {
      session.rename(ownId);
    } catch (error) {
      throw new RangeError(
        `${inspect(ownId)} cannot be who this is: it must be 1 to 64 bytes without control characters, and not the peer's id`,
        { cause: error },
      );
    }
    return infoOf(session).headerRoom;
  };
  return {
    link: startStream(raw, transport, session, settings, undefined),
    session: infoOf(session),
    address: raw.remoteAddress,
    ...(mayRename ? { rename } : {}),
  };
}

function infoOf(session: StreamSession): SessionInfo {
  const info = session.info();
  if (info === null) throw makeError('EIPC_INTERNAL', 'a session without a handshake is open from its beginning');
  return info;
}

/** Our own connections give their stream away; a user's is made one. */
function carrierOf(connection: Connection): { raw: RawConnection; transport: PeerTransport } {
  const taken = connection instanceof StreamConnection ? StreamConnection.take(connection) : undefined;
  if (taken !== undefined) return taken;
  const stream = new ConnectionStream(connection);
  const { remoteAddress } = connection;
  const raw = {
    carrier: stream,
    credentials: undefined,
    source: undefined,
    remoteAddress,
    from: remoteAddress,
    close: () => stream.destroy(),
  };
  return { raw, transport: 'custom' };
}

function checkConnection(connection: Connection): void {
  const isOne =
    typeof connection === 'object' &&
    connection !== null &&
    typeof connection.send === 'function' &&
    typeof connection.receive === 'function' &&
    typeof connection.close === 'function' &&
    typeof connection.remoteAddress === 'string';
  if (!isOne || connection instanceof Endpoint)
    throw new TypeError(
      `an endpoint is made of a connection { send, receive, close, remoteAddress }, such as \`await tcp().dial(address)\`, not of ${inspect(connection, { depth: 0 })}; connect() and listen() make those of every other protocol`,
    );
}

function otherThan(id: string, peerId: string | undefined): string {
  return id === peerId ? `${id}-2` : id;
}
