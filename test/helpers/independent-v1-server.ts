/** A server of v1 with node:net and node:crypto only, from the text of docs/wire.md ("Challenge-response"); see independent-v1-frames.ts. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import type { ListenOptions, Server, Socket } from 'node:net';

import { hmac } from './independent-preamble.js';
import { netOptions } from './independent-v1-client.js';
import { IndependentV1Connection, payloadOf } from './independent-v1-connection.js';
import type { V1Sending } from './independent-v1-connection.js';
import type { V1Frame } from './independent-v1-frames.js';

/** One client of the server. */
export class IndependentV1Peer extends IndependentV1Connection {
  /** The four steps, as the one who asks. Returns who logged in. */
  async login(capabilities: readonly string[] = ['ui:control']): Promise<string> {
    const hello = await this.expect('A');
    const nonce = randomBytes(32);
    nonce[0] = 0; // never the beginning of a frame
    this.challenge(nonce.toString('hex'), { request_id: hello.header.request_id });
    const answer = await this.expect('R');
    const { service_id: id, response } = payloadOf(answer);
    if (id !== hello.header.service_id || response !== hmac(this.key, nonce).toString('hex'))
      throw new Error(answer.payload.toString());
    const token = randomBytes(32).toString('hex');
    const result = { status: 'ok', session_token: token, capabilities };
    this.send('R', { payload: result, request_id: answer.header.request_id });
    this.token = token;
    return id;
  }

  challenge(nonce: unknown, lies: V1Sending = {}): void {
    this.send('H', { payload: { status: 'challenge', nonce }, ...lies });
  }

  /** Answers as the original does: an intent by its ack, a heartbeat not at all. Returns what came, at the end of the stream. */
  async serve(): Promise<V1Frame[]> {
    const seen: V1Frame[] = [];
    for (let frame = await this.next(); frame !== undefined; frame = await this.next()) {
      if (frame.header.session_id !== this.token) throw new Error(`session ${frame.header.session_id}`);
      seen.push(frame);
      if (frame.type !== 'i') continue;
      const { request_id } = frame.header;
      this.send('a', { payload: { request_id, status: 'ok' }, request_id });
    }
    this.end();
    return seen;
  }
}

export class IndependentV1Server implements AsyncDisposable {
  readonly address: string;
  /** What each connection's script resolved with, or rejected. */
  readonly results: Promise<unknown>[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** Listens, and runs the script for each connection. */
  static async listen(
    address: string,
    key: Uint8Array,
    script: (peer: IndependentV1Peer) => Promise<unknown>,
    serverId = 'eipc-server',
  ): Promise<IndependentV1Server> {
    const results: Promise<unknown>[] = [];
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      const result = script(new IndependentV1Peer(socket, key, serverId));
      result.catch(() => socket.destroy());
      results.push(result);
    });
    await new Promise<void>((resolve) => server.listen(netOptions(address) as ListenOptions, resolve));
    const bound = server.address();
    const where = typeof bound === 'string' || bound === null ? address : `tcp://127.0.0.1:${bound.port}`;
    return new IndependentV1Server(server, where, results, sockets);
  }

  private constructor(server: Server, address: string, results: Promise<unknown>[], sockets: Set<Socket>) {
    this.#server = server;
    this.address = address;
    this.results = results;
    this.#sockets = sockets;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
