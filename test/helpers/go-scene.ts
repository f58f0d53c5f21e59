/** What the tests against Go share: one Go peer for each file, and servers and clients of ours that are closed after each test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';

import { connect, listen } from '../../src/index.js';
import type {
  ClientEndpoint,
  CloseReason,
  ConnectOptions,
  ListenOptions,
  Server,
  ServerEndpoint,
} from '../../src/index.js';
import { GoPeer } from './go-peer.js';
import type { GoConnection, GoListener } from './go-peer.js';
import { addressOf } from './scene.js';

/** As the original's: text, and short. */
export const KEY = Buffer.from('secret-key-32bytes!!');
export const STRANGER = Buffer.from('a key that this server has not');
export const ID = 'nia.min';

/** The streams that the original has too. */
export const WAYS = ['unix', 'tcp'] as const;
export type Way = (typeof WAYS)[number];

/** The types of messages, by name and by byte. */
export const TYPES = [
  ['intent', 'i'],
  ['features', 'f'],
  ['tool_request', 't'],
  ['ack', 'a'],
  ['policy_result', 'p'],
  ['heartbeat', 'h'],
  ['audit', 'u'],
  ['chat', 'c'],
  ['complete', 'C'],
] as const;

/** Ids that two JSON encoders could write, and two decoders read, in different ways. */
export const TEXTS = [
  'a<b>&c',
  'line\u2028and\u2029paragraph',
  'quote " backslash \\ slash /',
  '\u0001\u0008\u000b\u000c\n\r\t\u001f\u007f',
  'é ß ſ K ı İ',
  '🧠 mind',
  '日本語',
  '\ufeff\ufffd\uffff',
] as const;

/** A Go client and our end of its connection. */
export interface Guest {
  readonly go: GoConnection;
  readonly endpoint: ServerEndpoint;
  readonly token: string;
}

/** Our client and the Go server's end of its connection. */
export interface Visit {
  readonly client: ClientEndpoint;
  readonly go: GoConnection;
}

export class GoScene {
  peer!: GoPeer;
  readonly #folder = mkdtempSync(join(tmpdir(), 'eipc-go-'));
  readonly #cleanups: (() => unknown)[] = [];
  #count = 0;

  constructor() {
    beforeAll(() => {
      this.peer = GoPeer.start();
    });
    afterEach(async () => {
      for (const clean of this.#cleanups.splice(0).reverse()) await clean();
    });
    afterAll(async () => {
      await this.peer.stop();
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  newAddress(way: Way): string {
    this.#count += 1;
    return way === 'tcp' ? 'tcp://127.0.0.1:0' : `unix:${join(this.#folder, `s${this.#count}`)}`;
  }

  /** A server of ours whose messages go to its endpoints' inboxes unless the options say otherwise. */
  async serve(way: Way, options: Partial<ListenOptions> = {}): Promise<Server> {
    const services = { [ID]: { key: KEY, capabilities: ['ui:control', 'device:read'], protocols: [1] as const } };
    const server = await listen(this.newAddress(way), {
      serverId: 'eipc-server',
      services,
      router: null,
      ...options,
    });
    this.#cleanups.push(() => server.close({ timeout: 500 }));
    return server;
  }

  /** A connection of Go's to a server, on which nothing was said. */
  async knock(server: Server, key: Uint8Array = KEY, id = ID): Promise<GoConnection> {
    const go = await this.peer.dial(addressOf(server), key, id);
    this.#cleanups.push(() => go.close().catch(() => undefined)); // a test may have closed it
    return go;
  }

  /** A client of Go's that has logged in, and our end. */
  async guest(way: Way, options: Partial<ListenOptions> = {}): Promise<Guest> {
    const server = await this.serve(way, options);
    const accepted = server[Symbol.asyncIterator]().next();
    const go = await this.knock(server);
    const { token } = await go.logIn({ allAck: options.v1?.handshakeTypes === 'ack' });
    const { value } = (await accepted) as IteratorYieldResult<ServerEndpoint>;
    return { go, endpoint: value, token };
  }

  async listen(way: Way): Promise<GoListener> {
    const listener = await this.peer.listen(this.newAddress(way));
    this.#cleanups.push(() => listener.close());
    return listener;
  }

  async dial(address: string, options: Partial<ConnectOptions> = {}): Promise<ClientEndpoint> {
    const client = await connect(address, { protocol: 1, serviceId: ID, key: KEY, ...options });
    this.#cleanups.push(() => client.close({ timeout: 500 }));
    return client;
  }

  /** Our client, logged in at a server of Go's. */
  async visit(way: Way, options: Partial<ConnectOptions> = {}): Promise<Visit> {
    const listener = await this.listen(way);
    const dialled = this.dial(listener.address, options);
    const go = await listener.accept(KEY);
    this.#cleanups.push(() => go.close().catch(() => undefined));
    if (options.auth !== 'mac') await go.letIn(['ui:control'], { allAck: options.v1?.handshakeTypes === 'ack' });
    return { client: await dialled, go };
  }
}

/** The code of the fault, or of the end where there was none. */
export function codeOf({ code, error }: CloseReason): string {
  return error?.code ?? code;
}
