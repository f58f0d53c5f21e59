/** Endpoints joined by stream links over any two byte streams, without addresses and acceptors: what a test does to a stream is exact. */
import { randomBytes } from 'node:crypto';

import { Key } from '../../src/index.js';
import type { Router } from '../../src/index.js';
import { ClientEndpoint } from '../../src/client.js';
import type { Endpoint } from '../../src/endpoint.js';
import type { EndpointSetup } from '../../src/endpoint-setup.js';
import { nativeKey } from '../../src/key.js';
import { NativeServer, StreamSession } from '../../src/native.js';
import type { Outcome } from '../../src/native.js';
import { connectSettings } from '../../src/settings.js';
import { ServerEndpoint } from '../../src/server-endpoint.js';
import type { ByteStream } from '../../src/transport/byte-stream.js';
import { StreamLink } from '../../src/transport/stream.js';
import type { LinkObserver } from '../../src/transport/transport.js';

const key = nativeKey(Key.fromBytes(randomBytes(32)), 2);
const SETTINGS = connectSettings({ serviceId: 'eni', key: new Uint8Array(32).fill(200) });
const RULES = {
  anyTimestamp: false,
  anySource: false,
  sessionIdWhenPresent: false,
  ackHandshake: false,
  window: 128,
};

/** A server that serves both protocols: the client's first frame says which. */
export function serverSession(macOnly = false): StreamSession {
  const services = [{ id: 'eni', keys: [key], capabilities: [] }];
  const server = new NativeServer({
    serverId: 'eipc',
    services,
    v1: { services, macOnly, ttlMs: 0, rules: RULES },
    ttlMs: 0,
    handshakeTimeout: 10_000,
    allowPskOnly: false,
  });
  return StreamSession.server(server.address({ suites: [1], sharedMemory: false, tls: false }));
}

const CLIENTS: Readonly<Record<string, () => StreamSession>> = {
  'EIPC/2': () =>
    StreamSession.client({
      serviceId: 'eni',
      key,
      suites: [1],
      handshakeTimeout: 10_000,
      maxSegment: 0,
      pskOnly: false,
    }),
  v1: () => StreamSession.v1Client({ serviceId: 'eni', key, handshakeTimeout: 10_000, rules: RULES }),
};

export type Speech = keyof typeof CLIENTS;

/** Runs a handshake between two streams. With a router the server hands its messages to that, and not out. */
export async function join(
  clientStream: ByteStream,
  serverStream: ByteStream,
  speech: Speech = 'EIPC/2',
  router: Router | null = null,
): Promise<[ClientEndpoint, ServerEndpoint]> {
  const client = CLIENTS[speech]?.();
  if (client === undefined) throw new Error(speech);
  return Promise.all([
    opened(clientStream, client, ClientEndpoint),
    opened(serverStream, serverSession(), ServerEndpoint, router),
  ]);
}

export function opened<E extends Endpoint>(
  stream: ByteStream,
  session: StreamSession,
  Type: { of(setup: EndpointSetup): E },
  router: Router | null = null,
): Promise<E> {
  return new Promise((resolve, reject) => {
    const observer: LinkObserver = {
      recognised() {},
      opened(link, info) {
        const settings = { ...SETTINGS, router };
        const setup = { link, session: info, settings, address: 'memory:test', onClosed: () => {} };
        resolve(Type.of(setup));
      },
      failed: (outcome: Outcome) => reject(new Error(`handshake failed: ${outcome.code} ${outcome.context}`)),
    };
    new StreamLink({
      transport: 'memory',
      stream,
      session,
      credentials: undefined,
      capacities: SETTINGS.lanes.map((lane) => lane.capacity),
      poller: undefined,
      observer,
    });
  });
}
