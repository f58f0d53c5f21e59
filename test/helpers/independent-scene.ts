/** A real server of the package with one service, what it saw, and the independent clients that talk to it. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';

import { listen } from '../../src/index.js';
import type { CloseReason, LogRecord, Server } from '../../src/index.js';
import { DEADLINE, IndependentClient, type ClientOptions } from './independent-client.js';

const SERVICE_ID = 'eni.min';
export const PSK = Buffer.concat([randomBytes(31), Buffer.of(0)]); // a key of printable characters only is refused

/** An intent with a request id: 0 fields left out, so that every region of its frame has bytes. */
export const REQUEST = {
  type: 'i',
  meta: { priority: 0, requestId: 'req-1', capability: 'ui:control' },
  payload: '{"intent":"move_left","confidence":0.91}',
} as const;

export class Scene implements AsyncDisposable {
  readonly server: Server;
  /** Request ids in the order in which the handler saw them. */
  readonly handled: string[] = [];
  readonly records: LogRecord[] = [];
  readonly #folder: string;
  readonly #ends: CloseReason[] = [];
  readonly #clients: IndependentClient[] = [];

  static async make(): Promise<Scene> {
    const folder = await mkdtemp(join(tmpdir(), 'eipc-interop-'));
    const records: LogRecord[] = [];
    const server = await listen(`unix:${join(folder, 'socket')}`, {
      services: { [SERVICE_ID]: { key: PSK, capabilities: ['ui:control'] } },
      logger: (record) => records.push(record),
    });
    return new Scene(server, folder, records);
  }

  private constructor(server: Server, folder: string, records: LogRecord[]) {
    this.server = server;
    this.#folder = folder;
    this.records = records;
    server.router?.handle('intent', (message) => {
      this.handled.push(message.requestId);
      return { status: 'ok' };
    });
    void this.#watch();
  }

  /** A client that is connected and has sent nothing. */
  async connect(options: Partial<ClientOptions> = {}): Promise<IndependentClient> {
    const path = join(this.#folder, 'socket');
    const client = await IndependentClient.connect(path, { psk: PSK, serviceId: SERVICE_ID, ...options });
    this.#clients.push(client);
    return client;
  }

  /** A client with a session. */
  async open(): Promise<IndependentClient> {
    const client = await this.connect();
    await client.handshake();
    return client;
  }

  /** Why the next session ended, in the order in which they did. */
  async nextEnd(): Promise<CloseReason> {
    await expect.poll(() => this.#ends.length, { timeout: DEADLINE, interval: 1 }).toBeGreaterThan(0);
    const reason = this.#ends.shift();
    if (reason === undefined) throw new Error('no session has ended');
    return reason;
  }

  /** Another server, with fresh budgets of handshakes and failures. */
  async renew(): Promise<Scene> {
    await this[Symbol.asyncDispose]();
    return Scene.make();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await this.server.close({ timeout: 1_000 });
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #watch(): Promise<void> {
    for await (const endpoint of this.server) void endpoint.closed.then((reason) => this.#ends.push(reason));
  }
}

/** The code of the fault, or of the end where there was no fault. */
export function codeOf(reason: CloseReason): string {
  return reason.error?.code ?? reason.code;
}

export function flip(bytes: Buffer, bit: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return changed;
}
