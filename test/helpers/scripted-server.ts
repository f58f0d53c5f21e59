/**
 * The server's side of EIPC/2 from the text of docs/wire.md alone (see independent-preamble.ts), as a peer that holds a
 * key and lies about one thing at a time, or speaks another protocol. A script says what it does with each connection.
 */
import { randomBytes, type KeyObject } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';

import { FrameSplitter, withPrefix } from '../../src/cli/demo/attack/frames.js';
import { within } from './independent-client.js';
import { buildFrame, type FrameFields } from './independent-frames.js';
import { buildServerHello, type ServerHelloFields } from './independent-hellos.js';
import {
  handshakeKeys,
  masterSecret,
  pskKeys,
  trafficKeys,
  transcript1,
  transcript2,
  x25519,
  x25519Generate,
  x25519Public,
} from './independent-keys.js';
import { PREAMBLE_SIZE, hmac } from './independent-preamble.js';

/** What a ServerHello lies about; `shared` replaces the result of the key exchange. */
export interface HelloLies extends Partial<ServerHelloFields> {
  readonly version?: number;
  readonly reserved?: number;
  readonly shared?: Uint8Array;
}

export class ScriptedPeer {
  /** Every frame of the client. */
  readonly received: Buffer[] = [];
  readonly #socket: Socket;
  readonly #psk: Uint8Array;
  readonly #queue: Buffer[] = [];
  #hasEnded = false;
  #wake: () => void = () => undefined;
  #key: Buffer = Buffer.alloc(0);
  #sessionId = 0n;
  #counter = 0n;

  constructor(socket: Socket, psk: Uint8Array) {
    this.#socket = socket;
    this.#psk = psk;
    const splitter = new FrameSplitter();
    socket.on('data', (chunk: Buffer) => {
      const frames = splitter.push(chunk);
      this.received.push(...frames);
      this.#queue.push(...frames);
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#hasEnded = true;
      this.#wake();
    });
  }

  /** The client's next frame; undefined when it has hung up. */
  async next(): Promise<Buffer | undefined> {
    const arrived = new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#queue.length === 0 && !this.#hasEnded) await within(arrived, 'a frame of the client');
    return this.#queue.shift();
  }

  send(frame: Uint8Array): void {
    this.#socket.write(withPrefix(frame));
  }

  end(): void {
    this.#socket.end();
  }

  /** A ServerHello with a proof that is right for what it says. The keys of the session are known from here on. */
  serverHello(clientHello: Buffer, lies: HelloLies = {}): Buffer {
    const secret: KeyObject = x25519Generate();
    const fields: ServerHelloFields = {
      kx: 1,
      suite: 1,
      features: clientHello.readUInt32BE(PREAMBLE_SIZE + 4) & 0b101,
      sessionId: randomBytes(8).readBigUInt64BE() | 1n,
      nonce: randomBytes(32),
      publicKey: x25519Public(secret),
      ...lies,
    };
    const open = buildServerHello(fields);
    open.writeUInt8(lies.version ?? 1, PREAMBLE_SIZE);
    open.writeUInt8(lies.reserved ?? 0, PREAMBLE_SIZE + 3);
    const clientPublic = clientHello.subarray(PREAMBLE_SIZE + 48, PREAMBLE_SIZE + 80);
    const { prk1, serverHelloKey } = handshakeKeys(
      pskKeys(this.#psk).derived,
      lies.shared ?? x25519(secret, clientPublic),
    );
    const th1 = transcript1(clientHello, open);
    const tag = hmac(serverHelloKey, th1);
    this.#sessionId = fields.sessionId;
    this.#key = trafficKeys(masterSecret(prk1, transcript2(th1, tag)), 'stream', 's2c').key;
    return Buffer.concat([open, tag]);
  }

  /** The next sealed frame of this side. */
  build(fields: Partial<FrameFields> & Pick<FrameFields, 'type'>, payload: unknown): Buffer {
    return buildFrame(
      {
        sessionId: this.#sessionId,
        sequence: ++this.#counter,
        metaKind: 0,
        meta: Buffer.from('{}'),
        payload: Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)),
        ...fields,
      },
      this.#key,
    );
  }

  sessionAccept(lies: Readonly<Record<string, unknown>> = {}): Buffer {
    const honest = { status: 'ok', server_id: 'eipc', capabilities: [], ttl_ms: 0, max_frame: 1_048_576 };
    return this.build({ type: 'R' }, { ...honest, ...lies });
  }
}

export class ScriptedServer implements AsyncDisposable {
  /** One for each connection that came. */
  readonly peers: ScriptedPeer[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async listen(
    path: string,
    psk: Uint8Array,
    script: (peer: ScriptedPeer) => Promise<void>,
  ): Promise<ScriptedServer> {
    const server = new ScriptedServer(psk, script);
    await new Promise<void>((resolve) => server.#server.listen({ path }, resolve));
    return server;
  }

  private constructor(psk: Uint8Array, script: (peer: ScriptedPeer) => Promise<void>) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      const peer = new ScriptedPeer(socket, psk);
      this.#sockets.add(socket);
      this.peers.push(peer);
      script(peer).catch((error: unknown) => socket.destroy(error instanceof Error ? error : undefined));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
