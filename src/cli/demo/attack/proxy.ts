/**
 * A man in the middle of byte streams: sits between a client and a server, cuts both directions into frames, and lets a
 * script decide what goes on. It holds no key.
 *
 * What is done with the frames is in the scripts (`manipulations.ts`, and those of the tests). Descriptors that travel
 * with bytes (the segment of shared memory) do not pass: Node cannot take or send them.
 */
import { connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net';
import { type Direction, FrameSplitter, OPPOSITE, withPrefix } from './frames.js';

/** A frame on its way, without its prefix. */
export interface SeenFrame {
  readonly direction: Direction;
  /** Counts from 0 in each direction of a connection. */
  readonly index: number;
  readonly bytes: Buffer;
}

/** What a script can do with a connection. */
export interface Tap {
  /** Sends a frame on, with a prefix that fits. */
  send(direction: Direction, frame: Uint8Array): void;
  /** Sends bytes as they are. */
  sendBytes(direction: Direction, bytes: Uint8Array): void;
  /** Ends the stream towards the receiver of this direction. */
  end(direction: Direction): void;
}

/** Decides about every frame. What it does not send is lost. */
export type Script = (frame: SeenFrame, tap: Tap) => void;

/** Sends everything on as it came. */
export const forward: Script = (frame, tap) => tap.send(frame.direction, frame.bytes);

/** One connection through the proxy. */
class Connection implements Tap {
  /** Resolves when both ends are gone. */
  readonly closed: Promise<void>;
  /** Where a frame of each direction goes. */
  readonly #receivers: Readonly<Record<Direction, Socket>>;

  constructor(client: Socket, server: Socket, script: Script) {
    this.#receivers = { c2s: server, s2c: client };
    this.closed = Promise.all(
      (['c2s', 's2c'] as const).map((direction) => this.#pipe(direction, this.#receivers[OPPOSITE[direction]], script)),
    ).then(() => undefined);
  }

  send(direction: Direction, frame: Uint8Array): void {
    this.sendBytes(direction, withPrefix(frame));
  }

  sendBytes(direction: Direction, bytes: Uint8Array): void {
    const receiver = this.#receivers[direction];
    if (receiver.writable) receiver.write(bytes);
  }

  end(direction: Direction): void {
    this.#receivers[direction].end();
  }

  destroy(): void {
    this.#receivers.c2s.destroy();
    this.#receivers.s2c.destroy();
  }

  #pipe(direction: Direction, sender: Socket, script: Script): Promise<void> {
    const splitter = new FrameSplitter();
    let index = 0;
    sender.on('data', (chunk: Buffer) => {
      try {
        for (const bytes of splitter.push(chunk)) script({ direction, index: index++, bytes }, this);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        this.destroy(); // an end that does not speak in frames is none of ours
      }
    });
    sender.on('end', () => this.end(direction));
    sender.on('error', () => undefined); // 'close' follows
    return new Promise((resolve) => {
      sender.once('close', () => {
        this.end(direction);
        resolve();
      });
    });
  }
}

/** Listens in place of a server and passes everything through scripts. */
export class Proxy {
  readonly #server: Server;
  readonly #connections = new Set<Connection>();

  /**
   * Begins to listen.
   *
   * @param options.listen a path, or host and port
   * @param options.target where the real server is
   * @param options.script called for each connection, gives its script
   */
  static async open(options: {
    listen: { path: string } | { host: string; port: number };
    target: NetConnectOpts;
    script: () => Script;
  }): Promise<Proxy> {
    const server = createServer({ allowHalfOpen: true });
    const proxy = new Proxy(server);
    server.on('connection', (client) => {
      const connection = new Connection(client, connect({ ...options.target, allowHalfOpen: true }), options.script());
      proxy.#connections.add(connection);
      void connection.closed.then(() => proxy.#connections.delete(connection));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.listen, () => resolve());
    });
    return proxy;
  }

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Where it listens: a path, or the port that was chosen. */
  get port(): number | null {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : null;
  }

  /** Resolves when no connection is open at this moment. */
  async quiet(): Promise<void> {
    await Promise.all([...this.#connections].map((connection) => connection.closed));
  }

  /** Stops listening and cuts every connection. */
  async close(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
