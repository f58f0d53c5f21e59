/**
 * A real `shm:` server with a real client whose requests go on, and an attacker on its control socket: the independent
 * client, which offers shared memory and can speak everything on the socket, but cannot take the segment's descriptor.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';

import { connect, listen } from '../../src/index.js';
import type { ClientEndpoint, LogRecord, Server, ServerEndpoint } from '../../src/index.js';
import { makeKey } from './attack-scene.js';
import { IndependentClient, type ClientOptions, type Sending } from './independent-client.js';
import { buildFrame, sequenceOf } from './independent-frames.js';
import { trafficKeys } from './independent-keys.js';

/** Strict sequence, binary meta, shared memory. */
const SHM_FEATURES = 0b1101;

const HOSTILE = 'eni.hostile';
const HONEST = 'eni.honest';

/** `S` payloads of a client: docs/shm-abi.md, "Hand-over". */
export const READY = Buffer.from('0200000100000000', 'hex');
export const refusal = (reason: number): Buffer => Buffer.from([3, 0, 0, 1, 0, 0, 0, reason]);

export class ShmScene implements AsyncDisposable {
  readonly server: Server;
  readonly path: string;
  readonly records: LogRecord[];
  readonly #folder: string;
  readonly #honest: ClientEndpoint;
  readonly #keys: Readonly<Record<string, Buffer>>;
  readonly #hostile: IndependentClient[] = [];
  #asked = 0;

  static async make(options: { handshakeTimeout?: number } = {}): Promise<ShmScene> {
    const folder = await mkdtemp(join(tmpdir(), 'eipc-control-'));
    const path = join(folder, 'socket');
    const keys = { [HOSTILE]: makeKey(), [HONEST]: makeKey() };
    const records: LogRecord[] = [];
    const server = await listen(`shm:${path}`, {
      services: Object.fromEntries(Object.entries(keys).map(([id, key]) => [id, { key, capabilities: [] }])),
      logger: (record) => records.push(record),
      ...options,
    });
    server.router?.handle('intent', (message) => ({ echo: message.payload }));
    const key = keys[HONEST] ?? makeKey();
    const honest = await connect(`shm:${path}`, { serviceId: HONEST, key });
    return new ShmScene(folder, server, records, honest, keys);
  }

  private constructor(
    folder: string,
    server: Server,
    records: LogRecord[],
    honest: ClientEndpoint,
    keys: Readonly<Record<string, Buffer>>,
  ) {
    this.#folder = folder;
    this.path = join(folder, 'socket');
    this.server = server;
    this.records = records;
    this.#honest = honest;
    this.#keys = keys;
  }

  /** A connection that has sent nothing. */
  async connect(hello: Exclude<ClientOptions['hello'], undefined> = {}): Promise<IndependentClient> {
    const options = { psk: this.#keys[HOSTILE] ?? makeKey(), serviceId: HOSTILE };
    const client = await IndependentClient.connect(this.path, {
      ...options,
      hello: { features: SHM_FEATURES, ...hello },
    });
    this.#hostile.push(client);
    return client;
  }

  /** A client that has a session and was offered a segment. */
  async offered(): Promise<IndependentClient> {
    const client = await this.connect();
    await client.handshake();
    const offer = await client.receive();
    expect([offer.type, offer.payload.readUInt8(0)]).toEqual(['S', 1]);
    return client;
  }

  /** A client that said it was ready (without the segment), and the server's end of its session. */
  async ready(): Promise<{ client: IndependentClient; endpoint: ServerEndpoint }> {
    const client = await this.offered();
    client.send(segmentFrame(READY));
    const id = client.session.sessionId.toString(16).padStart(16, '0');
    const find = (): ServerEndpoint | undefined =>
      [...this.server.endpoints].find((endpoint) => endpoint.peer.sessionId === id);
    await expect.poll(find, { interval: 1, timeout: 5_000 }).toBeDefined();
    const endpoint = find();
    if (endpoint === undefined) throw new Error('the session has ended already');
    return { client, endpoint };
  }

  /** A frame sealed with the keys of the other plane, that of the rings. */
  ringFrame(client: IndependentClient, counter: bigint): Buffer {
    const { sessionId, master } = client.session;
    return buildFrame(
      {
        type: 'f',
        sessionId,
        sequence: sequenceOf(2, counter),
        metaKind: 0,
        meta: Buffer.from('{"priority":2}'),
        payload: Buffer.from('{}'),
      },
      trafficKeys(master, 'shm', 'c2s').key,
    );
  }

  /** The honest client still gets its answers, and it is the only one with a session. */
  async expectUnharmed(): Promise<void> {
    const payload = { asked: ++this.#asked };
    const ack = await this.#honest.request<{ echo: unknown }>({ type: 'intent', payload });
    expect(ack.payload.echo).toEqual(payload);
    await expect.poll(() => this.server.stats(), { interval: 1 }).toMatchObject({ open: 1, handshaking: 0 });
  }

  /** A hostile session is open still, and the honest client gets its answers beside it. */
  async expectServed(endpoint: ServerEndpoint): Promise<void> {
    const payload = { asked: ++this.#asked };
    const ack = await this.#honest.request<{ echo: unknown }>({ type: 'intent', payload });
    expect(ack.payload.echo).toEqual(payload);
    expect(endpoint.state).toBe('open');
  }

  /** Waits for the server's record of a handshake that failed, and forgets it. */
  async nextFailure(): Promise<string> {
    const failed = (): LogRecord | undefined => this.records.find((record) => record.event === 'handshake-failed');
    await expect.poll(failed, { interval: 1, timeout: 5_000 }).toBeDefined();
    const record = failed();
    this.records.length = 0;
    return record?.error?.code ?? 'none';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#hostile) client.destroy();
    await this.#honest.close();
    await this.server.close({ timeout: 1_000 });
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** An `S` frame with this payload. */
export function segmentFrame(payload: Uint8Array): Sending {
  return controlFrame('S', payload);
}

export function controlFrame(type: string, payload: Uint8Array): Sending {
  return { type, metaKind: 0, metaBytes: Buffer.from('{}'), payload };
}
