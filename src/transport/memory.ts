/**
 * `memory:NAME`, for tests: client and server of one thread find each other by name and talk through two pipes in memory, with the same
 * sessions and the same link as over a socket. A pipe behaves as a socket does: it takes a bounded number of bytes, delivers them in a later
 * turn of the loop, and ends after the last of them.
 */
import { makeError } from '../errors.js';
import { Queue } from '../queue.js';
import type { MemoryAddress } from './address.js';
import type { ByteReader, ByteStream } from './byte-stream.js';
import type { Acceptor, RawConnection } from './raw-connection.js';

/** Bytes that are on their way in one direction, as in the kernel's buffers of a socket. */
const PIPE_CAPACITY = 65_536;
/** Bytes that wait to be taken by the pipe before the writer is asked to stop. */
const HIGH_WATER = 16_384;
const MAX_TIMER = 2_147_483_647;

/** Who listens on this thread, by name. */
const acceptors = new Map<string, MemoryAcceptor>();

/**
 * Connects to a name of this thread.
 *
 * @throws TransportError when nobody listens there
 */
export function connectMemory(address: MemoryAddress): RawConnection {
  const acceptor = acceptors.get(address.name);
  if (acceptor === undefined)
    throw makeError(
      'EIPC_TRANSPORT',
      `no server of this thread listens on ${address.text}; start the server first, or use shm: to reach another process or Worker`,
    );
  const [client, server] = memoryPair();
  acceptor.offer(rawConnection(server, address));
  return rawConnection(client, address);
}

/** Listens at a name of this thread. */
export class MemoryAcceptor implements Acceptor {
  readonly address: string;
  readonly #name: string;
  readonly #onConnection: (connection: RawConnection) => void;
  readonly #alive = new KeepAlive();

  /** @throws TransportError `EIPC_ADDRESS_IN_USE` when the name is taken */
  constructor({ name, text }: MemoryAddress, onConnection: (connection: RawConnection) => void) {
    if (acceptors.has(name))
      throw makeError('EIPC_ADDRESS_IN_USE', `cannot listen on ${text}: another server of this thread does`);
    this.address = text;
    this.#name = name;
    this.#onConnection = onConnection;
    acceptors.set(name, this);
    this.#alive.ref();
  }

  /** Takes a connection, in the next turn of the loop: the client is not to run in the server's calls, nor the server in the client's. */
  offer(connection: RawConnection): void {
    setImmediate(() => {
      if (acceptors.get(this.#name) === this) this.#onConnection(connection);
      else connection.close();
    });
  }

  ref(): void {
    if (acceptors.get(this.#name) === this) this.#alive.ref();
  }

  unref(): void {
    this.#alive.unref();
  }

  close(): void {
    if (acceptors.get(this.#name) === this) acceptors.delete(this.#name);
    this.#alive.unref();
  }
}

/**
 * Makes two streams that are joined.
 *
 * @param cut - how long the next chunk to deliver is to be, given how many bytes there are; default: all of them
 */
export function memoryPair(cut: (available: number) => number = (available) => available): [ByteStream, ByteStream] {
  const there = new Pipe(cut);
  const back = new Pipe(cut);
  return [new MemoryStream(back, there), new MemoryStream(there, back)];
}

/** Bytes that wait for room in a pipe. */
interface Write {
  readonly bytes: Uint8Array;
  readonly onWritten: () => void;
  taken: number;
}

/** One direction. */
class Pipe {
  /** The end that reads; absent before it starts and when it is gone. */
  reader: ByteReader | undefined;
  /** The reader of the end that writes: told when it may write again. */
  writer: ByteReader | undefined;
  /** Whether enough waits for room. */
  needsDrain = false;
  readonly #cut: (available: number) => number;
  readonly #writes = new Queue<Write>();
  /** Whom to tell that their write is over. */
  readonly #written = new Queue<() => void>();
  /** Bytes of `#writes` that are not taken. */
  #waiting = 0;
  /** What was taken and not delivered: `#from` … `#to`. */
  readonly #bytes = Buffer.allocUnsafeSlow(PIPE_CAPACITY);
  #from = 0;
  #to = 0;
  #isScheduled = false;
  #isPaused = false;
  #hasWriterEnded = false;
  #isReaderGone = false;
  #hasToldEnd = false;

  constructor(cut: (available: number) => number) {
    this.#cut = cut;
  }

  get isWritable(): boolean {
    return !this.#hasWriterEnded && !this.#isReaderGone;
  }

  write(bytes: Uint8Array, onWritten: () => void): void {
    this.#writes.push({ bytes, onWritten, taken: 0 });
    this.#waiting += bytes.length;
    // Like a socket: what there is room for is on its way when this returns, and survives the end of the writer.
    this.#take();
    if (this.#waiting >= HIGH_WATER) this.needsDrain = true;
    this.schedule();
  }

  resume(): void {
    this.#isPaused = false;
    this.schedule();
  }

  /** No more will be written; what waits still goes out. */
  endWriting(): void {
    this.#hasWriterEnded = true;
    this.schedule();
  }

  /** No more will be written, and what waits is lost. */
  abandonWriting(): void {
    for (let write = this.#writes.shift(); write !== undefined; write = this.#writes.shift())
      this.#written.push(write.onWritten);
    this.#waiting = 0;
    this.endWriting();
  }

  /** Nobody reads any more: what is on its way is lost, and what comes. */
  endReading(): void {
    this.reader = undefined;
    this.#isReaderGone = true;
    this.schedule();
  }

  /** Everybody is called in a later turn of the loop, so that nobody is called from inside a call. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#turn();
    });
  }

  /** Takes what fits, delivers what there is, and takes into the room that this made. */
  #turn(): void {
    this.#tellWritten();
    this.#take();
    for (let budget = PIPE_CAPACITY; budget > 0 && this.#canDeliver();) budget -= this.#deliver();
    this.#take();
    this.#tellWritten();
    if (this.needsDrain && this.#waiting === 0) {
      this.needsDrain = false;
      this.writer?.drained();
    }
    if (this.#canDeliver()) this.schedule();
    else if (this.#hasWriterEnded && this.#writes.length === 0 && this.#to === this.#from) this.#tellEnd();
  }

  #take(): void {
    for (let write = this.#writes.peek(); write !== undefined; write = this.#writes.peek()) {
      const rest = write.bytes.subarray(write.taken);
      const room = this.#isReaderGone ? rest.length : this.#room();
      if (room === 0) break;
      const part = rest.subarray(0, room);
      if (!this.#isReaderGone) {
        this.#bytes.set(part, this.#to);
        this.#to += part.length;
      }
      write.taken += part.length;
      this.#waiting -= part.length;
      if (part.length < rest.length) continue;
      this.#writes.shift();
      this.#written.push(write.onWritten);
    }
  }

  #tellWritten(): void {
    for (let tell = this.#written.shift(); tell !== undefined; tell = this.#written.shift()) tell();
  }

  #room(): number {
    if (this.#to === this.#bytes.length) {
      this.#bytes.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
    return this.#bytes.length - this.#to;
  }

  #canDeliver(): boolean {
    return this.reader !== undefined && !this.#isPaused && this.#to > this.#from;
  }

  #deliver(): number {
    const available = this.#to - this.#from;
    const length = Math.max(1, Math.min(this.#cut(available), available));
    // A copy, because more may be taken while it is read.
    const chunk = Buffer.from(this.#bytes.subarray(this.#from, this.#from + length));
    this.#from += length;
    this.#isPaused = this.reader?.read(chunk) === false;
    return length;
  }

  #tellEnd(): void {
    if (this.#hasToldEnd || this.reader === undefined) return;
    this.#hasToldEnd = true;
    this.reader.ended(undefined);
  }
}

/** One end of two pipes. */
class MemoryStream implements ByteStream {
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;
  readonly #alive = new KeepAlive();
  #isOver = false;

  constructor(incoming: Pipe, outgoing: Pipe) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  get isWritable(): boolean {
    return this.#outgoing.isWritable;
  }

  get needsDrain(): boolean {
    return this.#outgoing.needsDrain;
  }

  start(reader: ByteReader): void {
    this.#incoming.reader = reader;
    this.#outgoing.writer = reader;
    this.#incoming.schedule();
    this.#alive.ref();
  }

  write(bytes: Uint8Array, onWritten: () => void): void {
    this.#outgoing.write(bytes, onWritten);
  }

  // Writes of one turn of the loop go out together anyway.
  cork(): void {}

  uncork(): void {}

  resume(): void {
    this.#incoming.resume();
  }

  endWriting(): void {
    this.#outgoing.endWriting();
  }

  end(): void {
    this.#outgoing.endWriting();
    this.#leave();
  }

  destroy(): void {
    this.#outgoing.abandonWriting();
    this.#leave();
  }

  ref(): void {
    if (!this.#isOver) this.#alive.ref();
  }

  unref(): void {
    this.#alive.unref();
  }

  #leave(): void {
    this.#isOver = true;
    this.#outgoing.writer = undefined;
    this.#incoming.endReading();
    this.#alive.unref();
  }
}

/** Keeps the process alive as an open socket does: nothing else in here would. */
class KeepAlive {
  #timer: NodeJS.Timeout | undefined;

  ref(): void {
    this.#timer ??= setInterval(() => {}, MAX_TIMER);
  }

  unref(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function rawConnection(stream: ByteStream, { text }: MemoryAddress): RawConnection {
  return {
    carrier: stream,
    credentials: undefined,
    source: undefined,
    remoteAddress: text,
    from: 'this thread',
    close: () => stream.destroy(),
  };
}
