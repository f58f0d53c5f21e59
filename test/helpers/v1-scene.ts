/** What the security tests of v1 share: a real server with services of v1, what its handlers saw, and independent clients that attack it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect } from 'vitest';

import { listen } from '../../src/index.js';
import type { CloseReason, ListenOptions, LogRecord, Server, ServerEndpoint } from '../../src/index.js';
import { DEADLINE } from './independent-client.js';
import { IndependentV1Client } from './independent-v1-client.js';

/** Keys of two services of one server, and of nobody. */
export const KEYS = {
  'nia.min': Buffer.from('secret-key-32bytes!!'),
  'ail.framework': Buffer.from('another key of the same server'),
  stranger: Buffer.from('a key that this server has not'),
} as const;

export type ServiceId = 'nia.min' | 'ail.framework';

/** One server of v1 for each test. */
export class V1Scene {
  readonly folder = mkdtempSync(join(tmpdir(), 'eipc-v1-security-'));
  /** What the handlers of all servers saw of this test, in order. */
  handled: string[] = [];
  records: LogRecord[] = [];
  #count = 0;
  readonly #clients: IndependentV1Client[] = [];
  readonly #servers: Server[] = [];

  constructor() {
    afterEach(async () => {
      for (const client of this.#clients.splice(0)) client.destroy();
      await Promise.all(this.#servers.splice(0).map((server) => server.close({ timeout: 500 })));
      this.handled = [];
      this.records = [];
    });
    afterAll(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  newAddress(): string {
    this.#count += 1;
    return `unix:${join(this.folder, `s${this.#count}`)}`;
  }

  async serve(options: Partial<ListenOptions> = {}): Promise<Server> {
    const services = {
      'nia.min': { key: KEYS['nia.min'], capabilities: ['ui:control'] },
      'ail.framework': { key: KEYS['ail.framework'], capabilities: ['device:write'] },
    };
    const server = await listen(this.newAddress(), {
      protocol: 1,
      serverId: 'eipc-server',
      services,
      logger: (record) => this.records.push(record),
      ...options,
    });
    this.#servers.push(server);
    server.router?.handle('intent', (message) => {
      this.handled.push(`${message.source}: ${Buffer.from(message.bytes).toString()}`);
      return {};
    });
    return server;
  }

  /** Connects and sends nothing. */
  async peer(
    server: Server | string,
    serviceId: ServiceId = 'nia.min',
    key = KEYS[serviceId],
  ): Promise<IndependentV1Client> {
    const address = typeof server === 'string' ? server : (server.addresses[0] ?? '');
    const client = await IndependentV1Client.connect(address, { key, serviceId });
    this.#clients.push(client);
    return client;
  }

  /** Logs in. Returns the client and the server's end. */
  async open(
    server: Server,
    serviceId: ServiceId = 'nia.min',
  ): Promise<{ client: IndependentV1Client; endpoint: ServerEndpoint }> {
    const accepted = server[Symbol.asyncIterator]().next();
    const client = await this.peer(server, serviceId);
    await client.login();
    const { value } = (await accepted) as IteratorYieldResult<ServerEndpoint>;
    return { client, endpoint: value };
  }

  /** The code of the handshake that failed last, once `count` have. */
  async handshakeFailure(server: Server, count = 1): Promise<string | undefined> {
    await expect.poll(() => server.stats().handshakeFailures, { timeout: DEADLINE, interval: 1 }).toBe(count);
    return this.records.findLast(({ event }) => event === 'handshake-failed')?.error?.code;
  }
}

/** The code of the fault, or of the end where there was none. */
export function codeOf({ code, error }: CloseReason): string {
  return error?.code ?? code;
}
