/**
 * One end of a stream that carries frames of v1, whichever role (see independent-v1-frames.ts): counts what it sends, and checks that what it
 * receives counts from 1 without a gap, which is what a correct peer does.
 */
import type { Socket } from 'node:net';

import { within } from './independent-client.js';
import { Refusal, withPrefix } from './independent-preamble.js';
import { readV1Frame, v1Frame, v1Header } from './independent-v1-frames.js';
import type { V1Frame, V1Header, V1Lies } from './independent-v1-frames.js';

/** What a frame says and what it lies about; left out: the next sequence number, the own id, the session's token. */
export interface V1Sending extends Partial<V1Header>, V1Lies {
  readonly payload?: Uint8Array | string | object;
  /** Instead of the header that the fields make. */
  readonly headerBytes?: Uint8Array | string;
  readonly key?: Uint8Array;
}

export class IndependentV1Connection {
  readonly key: Uint8Array;
  readonly ownId: string;
  /** The session's token, once there is one. */
  token = '';
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #hasEnded = false;
  #wake: () => void = () => undefined;
  #sent = 0n;
  #seen = 0n;

  constructor(socket: Socket, key: Uint8Array, ownId: string) {
    this.#socket = socket;
    this.key = key;
    this.ownId = ownId;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on('error', () => undefined);
    for (const event of ['end', 'close'])
      socket.on(event, () => {
        this.#hasEnded = true;
        this.#wake();
      });
  }

  /** The next frame of this side, whole and with its length in front. */
  build(type: string, sending: V1Sending = {}): Buffer {
    this.#sent += 1n;
    const { payload = '', headerBytes, key = this.key, ...fields } = sending;
    const header =
      headerBytes ?? v1Header({ service_id: this.ownId, session_id: this.token, sequence: this.#sent, ...fields });
    return withPrefix(v1Frame(type, Buffer.from(header), payloadBytes(payload), key, sending));
  }

  /** Sends a frame and returns its bytes. */
  send(type: string, sending: V1Sending = {}): Buffer {
    const bytes = this.build(type, sending);
    this.sendBytes(bytes);
    return bytes;
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The next frame with its length in front, unread; undefined at the end of the stream. */
  async nextBytes(): Promise<Buffer | undefined> {
    while (!this.#hasEnded && !this.#hasFrame())
      await within(new Promise<void>((resolve) => (this.#wake = resolve)), 'a frame of the peer');
    if (!this.#hasFrame()) {
      if (this.#received.length > 0)
        throw new Error(`the stream ended inside a frame: ${this.#received.toString('hex')}`);
      return undefined;
    }
    const length = 4 + this.#received.readUInt32BE(0);
    const bytes = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return bytes;
  }

  /** The next frame, verified; undefined at the end of the stream. */
  async next(): Promise<V1Frame | undefined> {
    const bytes = await this.nextBytes();
    if (bytes === undefined) return undefined;
    const frame = readV1Frame(bytes.subarray(4), this.key);
    this.#seen += 1n;
    if (frame.header.sequence !== this.#seen)
      throw new Refusal('REPLAY', `${frame.header.sequence} instead of ${this.#seen}`);
    if (frame.header.service_id === this.ownId) throw new Refusal('REFLECTION', frame.header.service_id);
    return frame;
  }

  /** The next frame, which has to be of a type. */
  async expect(type: string): Promise<V1Frame> {
    const frame = await this.next();
    if (frame?.type !== type) throw new Error(`${frame?.type ?? 'the end'} instead of ${type}`);
    return frame;
  }

  /** Waits for the end of the stream. Returns the frames that came before it. */
  async untilEnd(): Promise<Buffer[]> {
    const frames: Buffer[] = [];
    for (let bytes = await this.nextBytes(); bytes !== undefined; bytes = await this.nextBytes()) frames.push(bytes);
    return frames;
  }

  /** Ends this half of the stream. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #hasFrame(): boolean {
    return this.#received.length >= 4 && this.#received.length >= 4 + this.#received.readUInt32BE(0);
  }
}

/** The payload of a frame as JSON. */
export function payloadOf(frame: V1Frame): Record<string, unknown> {
  return JSON.parse(frame.payload.toString()) as Record<string, unknown>;
}

function payloadBytes(payload: Uint8Array | string | object): Buffer {
  if (payload instanceof Uint8Array) return Buffer.from(payload);
  return Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload));
}
