/**
 * The byte stream that a session needs, over a `Connection` of a user's own making: batches are cut into frames going out, frames get their
 * length in front coming in. As many frames are in the user's hands as a stream would have in the kernel's.
 */
import { MAX_FRAME, PREFIX } from '../limits.js';
import { Queue } from '../queue.js';
import type { ByteReader, ByteStream } from './byte-stream.js';
import type { Connection } from './connection.js';

/** Bytes that wait to be sent before the writer is asked to stop. */
const HIGH_WATER = 65_536;

interface Write {
  readonly bytes: Uint8Array;
  readonly onWritten: () => void;
}

/** A byte stream over frames. */
export class ConnectionStream implements ByteStream {
  readonly #connection: Connection;
  readonly #writes = new Queue<Write>();
  /** Bytes of `#writes`, the one being sent included. */
  #waiting = 0;
  #needsDrain = false;
  #reader: ByteReader | undefined;
  #isSending = false;
  #isEnding = false;
  #isOver = false;
  #resume: (() => void) | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get isWritable(): boolean {
    return !this.#isEnding && !this.#isOver;
  }

  get needsDrain(): boolean {
    return this.#needsDrain;
  }

  start(reader: ByteReader): void {
    this.#reader = reader;
    void this.#read(reader);
  }

  write(bytes: Uint8Array, onWritten: () => void): void {
    this.#writes.push({ bytes, onWritten });
    this.#waiting += bytes.length;
    if (this.#waiting >= HIGH_WATER) this.#needsDrain = true;
    if (!this.#isSending) void this.#send();
  }

  // A batch is handed on frame by frame anyway.
  cork(): void {}

  uncork(): void {}

  resume(): void {
    this.#resume?.();
    this.#resume = undefined;
  }

  // Frames have no half to end by itself.
  endWriting(): void {
    this.end();
  }

  end(): void {
    if (this.#isEnding || this.#isOver) return;
    this.#isEnding = true;
    if (!this.#isSending) this.destroy();
  }

  destroy(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // The user's code runs when nobody of ours is in the middle of something.
    queueMicrotask(() => void this.#close());
  }

  ref(): void {
    this.#connection.ref?.();
  }

  unref(): void {
    this.#connection.unref?.();
  }

  async #close(): Promise<void> {
    let failure: unknown;
    try {
      await this.#connection.close();
    } catch (error) {
      failure = error;
    }
    this.#leave(failure);
  }

  /** Tells the link that it is over, and whoever wrote that it need not keep its bytes. */
  #leave(error: unknown): void {
    this.#isOver = true;
    for (let write = this.#writes.shift(); write !== undefined; write = this.#writes.shift()) write.onWritten();
    this.#resume?.();
    this.#reader?.ended(error);
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    // The session is not called from inside its own call.
    await Promise.resolve();
    try {
      for (let write = this.#writes.shift(); write !== undefined; write = this.#writes.shift()) {
        if (!this.#isOver) await this.#sendFrames(write.bytes);
        this.#waiting -= write.bytes.length;
        write.onWritten();
      }
    } catch (error) {
      this.#leave(error);
    }
    this.#isSending = false;
    if (this.#needsDrain && !this.#isOver) {
      this.#needsDrain = false;
      this.#reader?.drained();
    }
    if (this.#isEnding && this.#writes.length === 0) this.destroy();
  }

  async #sendFrames(bytes: Uint8Array): Promise<void> {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length && !this.#isOver;) {
      const end = at + PREFIX + view.getUint32(at);
      // A copy, which `slice` of a Buffer would not be: the user may keep the frame, and the chunk is used again.
      await this.#connection.send(Uint8Array.prototype.slice.call(bytes, at + PREFIX, end));
      at = end;
    }
  }

  async #read(reader: ByteReader): Promise<void> {
    try {
      for (;;) {
        const frame = await this.#connection.receive();
        if (this.#isOver) return;
        if (frame === undefined) break;
        if (!(frame instanceof Uint8Array))
          throw new TypeError('receive() of a Connection resolves with a Uint8Array, or with undefined at the end');
        if (!reader.read(withPrefix(frame))) await this.#untilResumed();
        if (this.#isOver) return;
      }
      reader.ended(undefined);
    } catch (error) {
      this.#leave(error);
    }
  }

  #untilResumed(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }
}

/** Puts the length in front of a frame; of one that is too large the length alone, which the session refuses as it would any. */
function withPrefix(frame: Uint8Array): Buffer {
  const length = frame.length > MAX_FRAME ? 0 : frame.length;
  const bytes = Buffer.allocUnsafe(PREFIX + length);
  bytes.writeUInt32BE(frame.length, 0);
  if (length > 0) bytes.set(frame, PREFIX);
  return bytes;
}
