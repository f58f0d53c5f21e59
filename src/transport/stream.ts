/**
 * A session over a byte stream, in either protocol: a native `StreamSession` on one side, a `ByteStream` on the other, and between them a bounded queue for each
 * lane. Records are sealed when they are written, priority 0 first; while the stream has enough, nothing more is sealed, so that a later
 * priority 0 still goes ahead. Queues are flushed in a microtask: one write a tick.
 *
 * Where the stream comes from is the business of `unix.ts`, `tcp.ts`, `tls.ts`, `pipe.ts` and `memory.ts`.
 */
import type { Priority } from '../message.js';
import type { Outcome, Poller, StreamCalls, StreamSession } from '../native.js';
import { FLAG, STATE } from '../native.js';
import { RECORD, stamp } from '../outgoing.js';
import { Queue } from '../queue.js';
import type { ByteReader, ByteStream } from './byte-stream.js';
import { SessionLink } from './session-link.js';
import type { TlsStatus } from './tls-channel.js';
import type { Credentials, Link, LinkObserver, PeerTransport, Unsent } from './transport.js';

/** Size of a chunk of queued records, and of what is sealed before the stream is asked again. */
const CHUNK = 65_536;
/** Chunks kept for the next records instead of being freed. */
const KEPT_CHUNKS = 4;
/** Receive calls in a row before the event loop gets its turn. */
const MAX_CALLS = 8;
const ALL_LANES = 15;
/** Milliseconds that the last bytes have to reach the kernel. */
const LINGER = 2_000;
const NOTHING = new Uint8Array(0);

/** Records of one lane, one behind the other, sealed and written as a whole. */
class Chunk {
  readonly buffer: Buffer;
  filled = 0;
  records = 0;

  constructor(size: number) {
    this.buffer = Buffer.allocUnsafeSlow(size);
  }
}

/** What waits to be sealed in one lane. */
interface OutLane {
  readonly capacity: number;
  readonly chunks: Queue<Chunk>;
  last: Chunk | undefined;
  bytes: number;
}

/** What a stream link is made of. */
export interface StreamOptions {
  readonly transport: PeerTransport;
  /** Connected and not started; the link owns it. */
  readonly stream: ByteStream;
  readonly session: StreamSession;
  readonly credentials: Credentials | undefined;
  /** Bytes that may wait in each lane. */
  readonly capacities: readonly number[];
  /** Keeps the loop turning after activity; absent when it should sleep at once. */
  readonly poller: Poller | undefined;
  /** Absent for a session that has no handshake. */
  readonly observer: LinkObserver | undefined;
}

/** A link over a byte stream. */
export class StreamLink extends SessionLink implements Link {
  readonly transport: PeerTransport;
  readonly credentials: Credentials | undefined;
  protected readonly link = this;
  protected readonly native: StreamSession;
  readonly #calls: StreamCalls;
  readonly #stream: ByteStream;
  readonly #poller: Poller | undefined;
  readonly #lanes: OutLane[];
  readonly #spare: Chunk[] = [];
  /** Chunks given to the stream, in order: one comes free with each write that ends. */
  readonly #writing = new Queue<Chunk | null>();
  #flushWaiters: (() => void)[] = [];
  #isFlushScheduled = false;
  /** Lanes of which a record was refused. */
  #spaceWanted = 0;
  #closeReason: number | undefined;
  /** Chunks that could not be sealed any more, and records that were spoilt by trying. */
  readonly #unsealed: Buffer[] = [];
  #lost = 0;

  #chunk: Uint8Array = NOTHING;
  #chunkAt = 0;
  #isReceiving = false;
  /** Whether the stream stopped reading until the chunk at hand is used up. */
  #isPaused = false;
  #hasEnded = false;
  #streamError: unknown;

  constructor(options: StreamOptions) {
    super(options.observer);
    this.native = options.session;
    this.#calls = options.session.calls();
    this.transport = options.transport;
    this.credentials = options.credentials;
    this.#poller = options.poller;
    this.#lanes = options.capacities.map((capacity) => ({
      capacity,
      chunks: new Queue<Chunk>(),
      last: undefined,
      bytes: 0,
    }));
    this.#stream = options.stream;
    this.#stream.start(this.#reader());
    this.transmit();
    const timeout = this.native.timeoutMs();
    if (timeout >= 0) this.arm(timeout);
  }

  get tls(): TlsStatus | undefined {
    return this.#stream.channel?.status;
  }

  push(batch: Buffer, length: number): number {
    const isCongested = this.#stream.needsDrain;
    let at = 0;
    while (at < length) {
      const size = batch.readUInt32LE(at + RECORD.length);
      const lane = this.#lanes[batch[at + RECORD.lane] ?? 0];
      // An empty lane takes any record: one that is larger than the whole capacity must not wait forever.
      if (lane === undefined || (lane.bytes > 0 && lane.bytes + size > lane.capacity)) break;
      const chunk = this.#chunkFor(lane, size);
      batch.copy(chunk.buffer, chunk.filled, at, at + size);
      // A record that goes out with the next microtask gets its time when it is sealed; one that has to wait has it from now.
      if (isCongested || lane.bytes > 0) stamp(chunk.buffer, chunk.filled);
      chunk.filled += size;
      chunk.records += 1;
      lane.bytes += size;
      at += size;
    }
    if (at > 0) this.#scheduleFlush();
    return at;
  }

  waitForSpace(lane: Priority): boolean {
    const queue = this.#lanes[lane];
    if (queue === undefined || queue.bytes <= queue.capacity / 2) return true;
    this.#spaceWanted |= 1 << lane;
    return false;
  }

  flush(): Promise<void> {
    if (this.#isIdle() || this.isFinished) return Promise.resolve();
    return new Promise((resolve) => this.#flushWaiters.push(resolve));
  }

  resume(): void {
    if (!this.#isReceiving) this.#receive();
  }

  // A stream has one queue for both ends: what was dropped here is known here only.
  noteDropped(): void {}

  droppedByPeer(): number {
    return 0;
  }

  close(reason: number): void {
    if (this.#closeReason !== undefined || this.isFinished) return;
    this.#closeReason = reason;
    this.#flush();
  }

  destroy(): void {
    this.finish({ code: 0, byPeer: false, context: 'cut here', reason: 0 });
    this.#stream.destroy();
  }

  ref(): void {
    this.#stream.ref();
  }

  unref(): void {
    this.#stream.unref();
  }

  protected receiveInto(slab: Buffer, from: number, descriptors: Uint32Array): number {
    return this.#calls.receive(this.#chunk, this.#chunkAt, slab, from, descriptors);
  }

  protected transmit(): void {
    const bytes = this.native.takeTransmit();
    if (bytes !== null && this.#stream.isWritable) this.#write(bytes, null);
  }

  protected peerClosed(): void {
    // The peer reads until our goodbye: what was accepted before, and replies of handlers that have just run, still reach it.
    this.#flush();
    this.native.finishClose();
    this.transmit();
  }

  protected release(): void {
    for (const resolve of this.#flushWaiters) resolve();
    this.#flushWaiters = [];
    this.#stream.end();
    // A peer that does not read must not keep the descriptor.
    if (this.#writing.length > 0) setTimeout(() => this.#stream.destroy(), LINGER).unref();
  }

  protected override finish(outcome: Outcome, unsent = this.#unsent(), cause: unknown = this.#streamError): void {
    super.finish(outcome, unsent, cause);
  }

  #chunkFor(lane: OutLane, size: number): Chunk {
    const last = lane.last;
    if (last !== undefined && last.filled + size <= last.buffer.length) return last;
    const chunk = size <= CHUNK ? (this.#spare.pop() ?? new Chunk(CHUNK)) : new Chunk(size);
    lane.chunks.push(chunk);
    lane.last = chunk;
    return chunk;
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled || this.#stream.needsDrain) return;
    this.#isFlushScheduled = true;
    queueMicrotask(this.#flushNow);
  }

  readonly #flushNow = (): void => {
    this.#isFlushScheduled = false;
    this.#flush();
  };

  /** Seals and writes what waits, priority 0 first, until the stream has enough. */
  #flush(): void {
    const stream = this.#stream;
    if (this.isFinished || !stream.isWritable) return;
    let budget = CHUNK;
    stream.cork();
    for (const lane of this.#lanes) {
      while (budget > 0 && !stream.needsDrain) {
        const chunk = lane.chunks.shift();
        if (chunk === undefined) break;
        if (lane.last === chunk) lane.last = undefined;
        lane.bytes -= chunk.filled;
        budget -= chunk.filled;
        const bytes = chunk.buffer.subarray(0, chunk.filled);
        const length = bytes.readUInt32LE(RECORD.length);
        const sealed = this.#calls.seal(bytes, bytes.length);
        // A session that cannot seal any more says so by its state, which the next receive call or the end of the stream brings.
        if (sealed > 0) this.#write(bytes.subarray(0, sealed), chunk);
        // Records are sealed one after the other, and a sealed one begins with the length of its frame.
        else if (bytes.readUInt32LE(RECORD.length) === length) this.#unsealed.push(bytes);
        else this.#lost += chunk.records;
      }
    }
    stream.uncork();
    this.#poller?.keepTurning();
    this.#offerSpace();
    if (this.#isQueueEmpty()) this.#sendClose();
    else if (!stream.needsDrain) this.#scheduleFlush();
    this.#settleFlushes();
  }

  /** Our goodbye follows the last record that was accepted: X, or in v1 the end of our half of the stream. */
  #sendClose(): void {
    if (this.#closeReason === undefined || this.hasClosed || this.native.state() !== STATE.open) return;
    this.hasClosed = true;
    this.native.close(this.#closeReason);
    this.transmit();
    if (this.native.info()?.protocol === 1) this.#stream.endWriting();
    const timeout = this.native.timeoutMs();
    if (timeout >= 0) this.arm(timeout);
  }

  #offerSpace(): void {
    let mask = 0;
    for (const [priority, lane] of this.#lanes.entries()) {
      if ((this.#spaceWanted & (1 << priority)) !== 0 && lane.bytes <= lane.capacity / 2) mask |= 1 << priority;
    }
    if (mask === 0) return;
    this.#spaceWanted &= ~mask;
    this.receiver?.space(mask);
  }

  #write(bytes: Uint8Array, chunk: Chunk | null): void {
    this.#writing.push(chunk);
    this.#stream.write(bytes, this.#onWritten);
  }

  readonly #onWritten = (): void => {
    // Writes end in the order they were made, whether they failed or not.
    const chunk = this.#writing.shift();
    if (chunk !== undefined && chunk !== null && chunk.buffer.length === CHUNK && this.#spare.length < KEPT_CHUNKS) {
      chunk.filled = 0;
      chunk.records = 0;
      this.#spare.push(chunk);
    }
    this.#settleFlushes();
  };

  #isQueueEmpty(): boolean {
    return this.#lanes.every((lane) => lane.chunks.length === 0);
  }

  #isIdle(): boolean {
    return this.#writing.length === 0 && this.#isQueueEmpty();
  }

  #settleFlushes(): void {
    if (this.#flushWaiters.length === 0 || !this.#isIdle()) return;
    for (const resolve of this.#flushWaiters) resolve();
    this.#flushWaiters = [];
  }

  #unsent(): Unsent {
    const batches = this.#unsealed;
    for (const { chunks } of this.#lanes) {
      for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift())
        batches.push(chunk.buffer.subarray(0, chunk.filled));
    }
    return { batches, lost: this.#lost };
  }

  #reader(): ByteReader {
    return {
      secured: () => this.#bindTls(),
      read: (chunk) => this.#onRead(chunk),
      drained: () => this.#flush(),
      ended: (error) => {
        this.#streamError ??= error;
        this.#onEnd();
      },
    };
  }

  /** The session of a server that accepts TLS reads nothing before this. */
  #bindTls(): void {
    const { channel } = this.#stream;
    if (channel !== undefined) this.native.bindTls(channel.exporter);
  }

  /** Takes what was read; false stops the stream until everything of it is delivered. */
  #onRead(chunk: Uint8Array): boolean {
    this.#chunk = chunk;
    this.#chunkAt = 0;
    this.#poller?.keepTurning();
    const isUsedUp = this.#receive();
    this.#isPaused = !isUsedUp;
    // The rest waits for the endpoint; the stream reads the next bytes into the same memory.
    this.#chunk = isUsedUp ? NOTHING : Buffer.from(this.#chunk.subarray(this.#chunkAt));
    this.#chunkAt = 0;
    return isUsedUp;
  }

  /** Receives out of the chunk at hand until it is used up or the endpoint has enough. Returns whether it is used up. */
  #receive(): boolean {
    if (this.isFinished) return false;
    this.#isReceiving = true;
    let isUsedUp = false;
    for (let calls = 0; ; calls += 1) {
      const room = this.receiver?.room(ALL_LANES) ?? 1;
      if (room === 0) break;
      if (calls === MAX_CALLS) {
        setImmediate(() => this.resume());
        break;
      }
      const flags = this.receiveBatch(room);
      this.#chunkAt += this.consumed;
      if (this.isFinished) break;
      if ((flags & (FLAG.more | FLAG.slab)) === 0 && this.#chunkAt >= this.#chunk.length) {
        isUsedUp = true;
        break;
      }
      if (this.state === STATE.closed) break;
    }
    this.#isReceiving = false;
    this.followState();
    if (isUsedUp && this.#isPaused) this.#continueReading();
    return isUsedUp;
  }

  #continueReading(): void {
    this.#isPaused = false;
    if (this.isFinished) return;
    if (this.#hasEnded) this.#onEnd();
    else this.#stream.resume();
  }

  /** The stream ended or broke. What was read before and waits for the endpoint comes first. */
  #onEnd(): void {
    this.#hasEnded = true;
    if (this.isFinished || this.#chunkAt < this.#chunk.length) return;
    this.native.handleEnd(this.#streamError !== undefined);
    this.transmit();
    // In v1 this is the peer's goodbye, and answered as such.
    this.followState();
    // Still not closed: the peer had said goodbye, which is the ordinary end also when our own goodbye came first.
    if (!this.isFinished && this.native.state() !== STATE.closed) this.native.finishClose();
    this.transmit();
    this.followState();
  }
}
