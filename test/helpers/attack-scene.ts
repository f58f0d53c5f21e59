/**
 * A real server and real clients of the package with an attacker's proxy between them. A session here is short: it is
 * made, used and over within milliseconds, so that thousands of manipulations fit into a test.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Proxy, type Script, type SeenFrame } from '../../src/cli/demo/attack/proxy.js';
import { connect, EipcError, listen } from '../../src/index.js';
import type { ClientEndpoint, Endpoint, LogRecord, Message, Server, ServerEndpoint } from '../../src/index.js';
import { within } from './independent-client.js';

/** One key may begin 128 handshakes at once and 64 a second; this many keys give thousands of sessions their turn. */
const KEYS = 64;

export interface Service {
  readonly id: string;
  readonly key: Buffer;
}

/** An attempt of the real client to have a session through the proxy. */
export interface Attempt {
  /** The client's end; undefined where its handshake failed. */
  readonly client: ClientEndpoint | undefined;
  /** The code with which the client's handshake failed. */
  readonly clientCode: string | undefined;
  /** Everything both honest ends sent, in order. */
  readonly seen: readonly SeenFrame[];
}

export class AttackScene implements AsyncDisposable {
  readonly server: Server;
  readonly records: LogRecord[];
  /** Path of the server itself; the proxy's is for the real clients. */
  readonly serverPath: string;
  readonly services: readonly Service[];
  readonly #folder: string;
  readonly #proxy: Proxy;
  readonly #endpoints: AsyncIterator<ServerEndpoint>;
  #next = 0;
  /** Scripts of the connections that will come, in their order. */
  readonly #scripts: Script[];

  /** @param services those of another scene, for a server that starts again with the same keys */
  static async make(services = makeServices()): Promise<AttackScene> {
    const folder = await mkdtemp(join(tmpdir(), 'eipc-attack-'));
    const records: LogRecord[] = [];
    const server = await listen(`unix:${join(folder, 'server')}`, {
      services: Object.fromEntries(services.map(({ id, key }) => [id, { key, capabilities: [] }])),
      router: null,
      maxConnections: 256,
      logger: (record) => records.push(record),
    });
    const scripts: Script[] = [];
    const proxy = await Proxy.open({
      listen: { path: join(folder, 'proxy') },
      target: { path: join(folder, 'server') },
      script: () => scripts.shift() ?? (() => undefined),
    });
    return new AttackScene({ folder, services, records, server, proxy, scripts });
  }

  private constructor(parts: {
    folder: string;
    services: readonly Service[];
    records: LogRecord[];
    server: Server;
    proxy: Proxy;
    scripts: Script[];
  }) {
    this.#folder = parts.folder;
    this.services = parts.services;
    this.records = parts.records;
    this.server = parts.server;
    this.serverPath = join(parts.folder, 'server');
    this.#proxy = parts.proxy;
    this.#scripts = parts.scripts;
    this.#endpoints = parts.server[Symbol.asyncIterator]();
  }

  /** Lets the real client connect through the proxy under this script, and waits for the outcome of its handshake. */
  async attempt(script: Script, service = this.nextService(), handshakeTimeout = 5_000): Promise<Attempt> {
    const seen: SeenFrame[] = [];
    this.#scripts.push((frame, tap) => {
      seen.push(frame);
      script(frame, tap);
    });
    try {
      const options = { serviceId: service.id, key: service.key, serverId: 'eipc', handshakeTimeout };
      const client = await within(connect(`unix:${join(this.#folder, 'proxy')}`, options), 'the handshake');
      return { client, clientCode: undefined, seen };
    } catch (error) {
      if (!(error instanceof EipcError)) throw error;
      await within(this.#proxy.quiet(), 'the end of a refused connection');
      return { client: undefined, clientCode: error.code, seen };
    }
  }

  /** A session through the proxy, both ends of it. */
  async session(
    script: Script,
    service?: Service,
  ): Promise<{ client: ClientEndpoint; server: ServerEndpoint; attempt: Attempt }> {
    const attempt = await this.attempt(script, service);
    if (attempt.client === undefined) throw new Error(`no session: ${attempt.clientCode}`);
    return { client: attempt.client, server: await this.nextEndpoint(), attempt };
  }

  /** The server's end of the next session that authenticates. */
  async nextEndpoint(): Promise<ServerEndpoint> {
    const next = await within(this.#endpoints.next(), 'a session of the server');
    if (next.done === true) throw new Error('the server has ended');
    return next.value;
  }

  /** Sends bytes to the server over a connection of the attacker's own; what it answers until it hangs up. */
  send(...chunks: readonly Uint8Array[]): Promise<Buffer> {
    return this.sendTo(this.serverPath, ...chunks);
  }

  /** The same, to another path. */
  async sendTo(path: string, ...chunks: readonly Uint8Array[]): Promise<Buffer> {
    const socket = dial({ path });
    const answer: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => answer.push(chunk));
    const closed = new Promise<void>((resolve) => {
      socket.on('error', () => undefined);
      socket.on('close', () => resolve());
    });
    for (const chunk of chunks) socket.write(chunk);
    await within(closed, 'the end of a hostile connection').finally(() => socket.destroy());
    return Buffer.concat(answer);
  }

  /** Takes the codes the server has logged since last asked: one for each handshake that failed. */
  takeFailures(): string[] {
    const failures = this.records.filter((record) => record.event === 'handshake-failed');
    this.records.length = 0;
    return failures.map((record) => record.error?.code ?? 'none');
  }

  /** The next service, in turn. */
  nextService(): Service {
    const service = this.services[this.#next++ % KEYS];
    if (service === undefined) throw new Error('there are no services');
    return service;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy.close();
    await this.server.close({ timeout: 1_000 });
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Reads an endpoint's inbox to its end. */
export async function readAll(endpoint: Endpoint): Promise<Message[]> {
  const messages: Message[] = [];
  try {
    for await (const message of endpoint) messages.push(message.copy());
  } catch {
    // How it ended is `closed`'s to say.
  }
  return messages;
}

function makeServices(): readonly Service[] {
  return Array.from({ length: KEYS }, (_, i) => ({ id: `eni.${10 + i}`, key: makeKey() }));
}

/** A key that is not printable: one of printable characters only is refused. */
export function makeKey(): Buffer {
  return Buffer.concat([randomBytes(31), Buffer.of(0)]);
}
