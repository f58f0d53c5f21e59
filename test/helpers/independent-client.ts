/**
 * An EIPC/2 client over a Unix socket, or any other, written from the text of docs/wire.md alone (see independent-preamble.ts).
 * It is honest by default and strict in what it takes; its hooks let a test lie about one thing at a time.
 * Frames are read in order of arrival by whoever asks next; every wait has a deadline.
 */
import { randomBytes, type KeyObject } from 'node:crypto';
import { connect, type Socket } from 'node:net';

import {
  acceptServerHello,
  buildClientHello,
  type ClientHelloFields,
  type ClientSession,
} from './independent-hellos.js';
import {
  Opener,
  alertPayload,
  buildFrame,
  closePayload,
  plainAlert,
  sequenceOf,
  type OpenFrame,
} from './independent-frames.js';
import {
  pskKeys,
  trafficKeys,
  x25519Generate,
  x25519Public,
  type Direction,
  type PskKeys,
} from './independent-keys.js';
import { binaryMeta, jsonMeta, strictObject, type Meta } from './independent-meta.js';
import { HANDSHAKE_LIMIT, MAX_FRAME_SIZE, PREAMBLE_SIZE, Refusal, withPrefix } from './independent-preamble.js';

export const DEADLINE = 5_000;

export interface ClientOptions {
  readonly psk: Uint8Array;
  readonly serviceId: string;
  readonly hello?: Partial<ClientHelloFields>;
}

export interface SessionAccept {
  readonly server_id: string;
  readonly capabilities: readonly string[];
  readonly ttl_ms: number;
  readonly max_frame: number;
}

/** What a frame says, and what it lies about. Left out: the next counter, our own direction, epoch 0. */
export interface Sending {
  readonly type: string;
  readonly meta?: Meta;
  readonly metaKind?: number;
  readonly metaBytes?: Uint8Array;
  readonly payload?: Uint8Array | string;
  readonly counter?: bigint;
  readonly lane?: number;
  readonly sessionId?: bigint;
  readonly epoch?: number;
  readonly suite?: number;
  readonly reserved?: number;
  readonly direction?: Direction;
}

/** What the server did after a fault: the frames until its end of stream. */
export interface Ending {
  readonly alert: 'plain' | 'sealed' | 'none';
  readonly frames: readonly Buffer[];
}

export class IndependentClient {
  readonly clientHello: Buffer;
  readonly #socket: Socket;
  readonly #serviceId: string;
  readonly #secret: KeyObject;
  readonly #keys: PskKeys;
  readonly #frames: Buffer[] = [];
  #received: Buffer = Buffer.alloc(0);
  #hasEnded = false;
  #wake: () => void = () => undefined;
  #session: ClientSession | undefined;
  #opener: Opener | undefined;
  #counter = 0n;

  /** Connects and sends nothing. */
  static async connect(path: string, options: ClientOptions): Promise<IndependentClient> {
    const socket = connect({ path });
    await within(
      new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('error', reject);
      }),
      'connect',
    );
    return new IndependentClient(socket, options);
  }

  /** Speaks on a socket that is connected; sends nothing yet. */
  static on(socket: Socket, options: ClientOptions): IndependentClient {
    return new IndependentClient(socket, options);
  }

  /** Connects and completes the handshake. */
  static async open(path: string, options: ClientOptions): Promise<IndependentClient> {
    const client = await IndependentClient.connect(path, options);
    await client.handshake();
    return client;
  }

  private constructor(socket: Socket, options: ClientOptions) {
    this.#socket = socket;
    this.#serviceId = options.serviceId;
    this.#secret = x25519Generate();
    this.#keys = pskKeys(options.psk);
    const fields: ClientHelloFields = {
      kx: 1,
      suites: 1,
      features: 0b101, // strict sequence, binary meta
      keyId: this.#keys.keyId,
      nonce: randomBytes(32),
      publicKey: x25519Public(this.#secret),
      channelBinding: Buffer.alloc(32),
      serviceId: options.serviceId,
      ...options.hello,
    };
    this.clientHello = buildClientHello(fields, this.#keys.helloKey);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => undefined); // 'close' follows, and a reset is an end of stream to us
    socket.on('close', () => {
      this.#hasEnded = true;
      this.#wake();
    });
  }

  get session(): ClientSession {
    if (this.#session === undefined) throw new Error('the handshake has not reached ServerHello');
    return this.#session;
  }

  /** Counter of the last frame sent with the default sequence. */
  get lastCounter(): bigint {
    return this.#counter;
  }

  /** The whole handshake with `clientHello`, or with the bytes given in its place. */
  async handshake(): Promise<SessionAccept> {
    this.sendFrame(this.clientHello);
    this.verifyServerHello(await this.receiveFrame());
    this.sendFrame(this.session.finish);
    return this.verifySessionAccept(await this.receiveFrame());
  }

  /** Derives the session; sends nothing. */
  verifyServerHello(frame: Buffer): void {
    if (frame.length > HANDSHAKE_LIMIT) throw new Refusal('FRAME_TOO_LARGE', 'ServerHello');
    this.#session = acceptServerHello(this.clientHello, this.#secret, this.#keys, frame);
    this.#opener = new Opener(this.#session, 'stream', 's2c');
  }

  verifySessionAccept(frame: Buffer): SessionAccept {
    const { payload } = this.#open(frame, true);
    const accept = strictObject(payload);
    const isAccepted =
      accept?.['status'] === 'ok' &&
      typeof accept['server_id'] === 'string' &&
      accept['server_id'] !== this.#serviceId &&
      isStrings(accept['capabilities']) &&
      isInteger(accept['ttl_ms']) &&
      isInteger(accept['max_frame']) &&
      accept['max_frame'] >= HANDSHAKE_LIMIT &&
      accept['max_frame'] <= MAX_FRAME_SIZE;
    if (!isAccepted) throw new Refusal('HANDSHAKE_FAILED', `SessionAccept ${payload.toString()}`);
    return {
      server_id: accept['server_id'] as string,
      capabilities: accept['capabilities'] as string[],
      ttl_ms: accept['ttl_ms'] as number,
      max_frame: accept['max_frame'] as number,
    };
  }

  /** A sealed frame of this session. Takes a counter unless one is given. */
  build(sending: Sending): Buffer {
    const metaKind = sending.metaKind ?? 1;
    const meta = sending.metaBytes ?? (metaKind === 1 ? binaryMeta : jsonMeta)(sending.meta ?? {});
    const counter = sending.counter ?? ++this.#counter;
    return buildFrame(
      {
        type: sending.type,
        sessionId: sending.sessionId ?? this.session.sessionId,
        sequence: sequenceOf(sending.lane ?? 0, counter),
        epoch: sending.epoch ?? 0,
        suite: sending.suite ?? 1,
        reserved: sending.reserved ?? 0,
        metaKind,
        meta,
        payload: Buffer.from(sending.payload ?? ''),
      },
      trafficKeys(this.session.master, 'stream', sending.direction ?? 'c2s').key,
    );
  }

  /** An `X` that claims `lastCounter` frames before it. */
  buildClose(lastCounter: bigint): Buffer {
    return this.build({ type: 'X', metaKind: 0, metaBytes: Buffer.from('{}'), payload: closePayload(0, lastCounter) });
  }

  sendFrame(frame: Uint8Array): void {
    this.sendBytes(withPrefix(frame));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Builds and sends. */
  send(sending: Sending): void {
    this.sendFrame(this.build(sending));
  }

  /** The next frame as it came, its prefix checked. */
  async receiveFrame(): Promise<Buffer> {
    const frame = await this.#next();
    if (frame === undefined) throw new Refusal('TRUNCATION', 'end of stream');
    return frame;
  }

  /** The next frame, verified. */
  async receive(): Promise<OpenFrame> {
    return this.verify(await this.receiveFrame());
  }

  /** Verifies a frame that `receiveFrame` gave. */
  verify(frame: Buffer): OpenFrame {
    return this.#open(frame);
  }

  /** Reads to the end of the stream and names the alert, if it is the only frame there. */
  async ending(): Promise<Ending> {
    const frames: Buffer[] = [];
    for (let frame = await this.#next(); frame !== undefined; frame = await this.#next()) frames.push(frame);
    const [first] = frames;
    if (first === undefined || frames.length > 1) return { alert: 'none', frames };
    return { alert: this.#alertOf(first), frames };
  }

  /** Sends X, reads to the server's X and the end of the stream. */
  async close(): Promise<OpenFrame> {
    this.sendFrame(this.buildClose(this.#counter));
    const answer = await this.receive();
    const rest = await this.#next();
    if (answer.type !== 'X' || rest !== undefined) throw new Refusal('TRUNCATION', 'no authenticated close');
    return answer;
  }

  /** Ends our half of the stream without X. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #alertOf(frame: Buffer): Ending['alert'] {
    if (frame.readUInt8(7) === 0) return frame.equals(plainAlert(1)) ? 'plain' : 'none';
    const { type, payload } = this.#open(frame);
    return type === 'E' && payload.equals(alertPayload(2)) ? 'sealed' : 'none';
  }

  #open(frame: Buffer, accept = false): OpenFrame {
    if (this.#opener === undefined) throw new Error('no keys yet');
    return this.#opener.open(frame, accept);
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= 4) {
      const length = this.#received.readUInt32BE(0);
      if (length > MAX_FRAME_SIZE || length < PREAMBLE_SIZE) {
        this.#socket.destroy(new Refusal(length < PREAMBLE_SIZE ? 'TRUNCATED' : 'FRAME_TOO_LARGE', 'stream prefix'));
        return;
      }
      if (this.#received.length < 4 + length) return;
      this.#frames.push(this.#received.subarray(4, 4 + length));
      this.#received = this.#received.subarray(4 + length);
      this.#wake();
    }
  }

  async #next(): Promise<Buffer | undefined> {
    const arrived = new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#frames.length === 0 && !this.#hasEnded) await within(arrived, 'a frame or the end of the stream');
    return this.#frames.shift();
  }
}

/** Rejects when `promise` has not settled by the deadline. */
export async function within<T>(promise: Promise<T>, what: string, deadline = DEADLINE): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing in ${deadline} ms`)), deadline);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function isInteger(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
