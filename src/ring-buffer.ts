/**
 * A ring of records within one thread: the in-process twin of shared memory, for tests and for code that was written against the original's
 * ring. It takes whole records, holds no more than its bytes and slots, wakes who waits, and ends after the last record. Between processes
 * that is `shm:`, which also signs what it carries.
 */
import { inspect } from 'node:util';

import { integer } from './check.js';
import { abortReason, DeadlineWheel, Wait } from './deadlines.js';
import { makeError } from './errors.js';
import type { WaitOptions } from './options.js';
import { Queue } from './queue.js';

const DEFAULT_BUFFER_SIZE = 65_536;
const DEFAULT_SLOT_COUNT = 256;
const MAX_BUFFER_SIZE = 1 << 30;
const MAX_SLOT_COUNT = 1 << 24;
const DEFAULT_TIMEOUT = 5_000;

/** Options of a ring. */
export interface RingBufferOptions {
  /** For people: it stands in errors. */
  readonly name: string;
  /** Bytes of all records together, default 65 536. */
  readonly bufferSize?: number;
  /** Records, default 256. */
  readonly slotCount?: number;
}

/** A bounded queue of byte records with one writer and one reader. */
export class RingBuffer {
  readonly name: string;
  readonly bufferSize: number;
  readonly slotCount: number;
  readonly #bytes: Buffer;
  readonly #lengths = new Queue<number>();
  readonly #wheel = new DeadlineWheel();
  #head = 0;
  #used = 0;
  #isClosed = false;
  #writer: Writer | undefined;
  #reader: Reader | undefined;

  /** @throws TypeError or RangeError naming the option */
  constructor({ name, bufferSize = DEFAULT_BUFFER_SIZE, slotCount = DEFAULT_SLOT_COUNT }: RingBufferOptions) {
    if (typeof name !== 'string') throw new TypeError(`name must be a string, not ${inspect(name)}`);
    this.name = name;
    this.bufferSize = integer('bufferSize', bufferSize, 1, MAX_BUFFER_SIZE);
    this.slotCount = integer('slotCount', slotCount, 1, MAX_SLOT_COUNT);
    this.#bytes = Buffer.alloc(this.bufferSize);
  }

  /** Records that wait to be read. */
  get length(): number {
    return this.#lengths.length;
  }

  /** Whether no more can be written. What was written can still be read. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Copies a record in if there is room for it, and tells whether there was.
   *
   * @throws RangeError for a record that never fits, ClosedError after `close()`
   */
  tryWrite(record: Uint8Array): boolean {
    this.#checkRecord(record);
    if (this.#isClosed) throw this.#closed();
    if (this.#writer !== undefined || !this.#hasRoom(record.length)) return false;
    this.#put(record);
    return true;
  }

  /**
   * Copies a record in as soon as there is room for it. The record is read now or then: leave it alone until it is written.
   *
   * @throws BackpressureError after `timeout` (5 000 ms), ClosedError, the signal's reason; RangeError for a record that never fits,
   * TypeError when another write waits
   */
  async write(record: Uint8Array, options: WaitOptions = {}): Promise<void> {
    const { signal, timeout = DEFAULT_TIMEOUT } = options;
    if (signal?.aborted === true) throw abortReason(signal);
    if (this.#writer !== undefined)
      throw new TypeError(`a write to the ring '${this.name}' waits already; await it first`);
    if (this.tryWrite(record)) return;
    const writer = new Writer(record, this.name);
    this.#writer = writer;
    try {
      await writer.start(this.#wheel, timeout, signal);
    } finally {
      this.#writer = undefined;
    }
  }

  /** Takes the oldest record out, if there is one. */
  tryRead(): Uint8Array | undefined {
    const length = this.#lengths.shift();
    if (length === undefined) return undefined;
    const record = Buffer.allocUnsafeSlow(length);
    const first = Math.min(length, this.bufferSize - this.#head);
    this.#bytes.copy(record, 0, this.#head, this.#head + first);
    this.#bytes.copy(record, first, 0, length - first);
    this.#head = (this.#head + length) % this.bufferSize;
    this.#used -= length;
    this.#admitWriter();
    return record;
  }

  /**
   * Takes the oldest record out, when there is one; resolves with `undefined` when the ring is closed and empty.
   *
   * @throws TimeoutError after `timeout` if one is given, the signal's reason; TypeError when another read waits
   */
  async read(options: WaitOptions = {}): Promise<Uint8Array | undefined> {
    const { signal, timeout } = options;
    if (signal?.aborted === true) throw abortReason(signal);
    if (this.#reader !== undefined)
      throw new TypeError(`a read of the ring '${this.name}' waits already; await it first`);
    const record = this.tryRead();
    if (record !== undefined || this.#isClosed) return record;
    const reader = new Reader(this.name);
    this.#reader = reader;
    try {
      await reader.start(this.#wheel, timeout, signal);
    } finally {
      this.#reader = undefined;
    }
    return this.tryRead();
  }

  /** Ends the ring after what was written. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#writer?.fail(this.#closed());
    this.#reader?.settle();
  }

  #checkRecord(record: Uint8Array): void {
    if (!(record instanceof Uint8Array)) throw new TypeError(`a record must be a Uint8Array, not ${inspect(record)}`);
    if (record.length > this.bufferSize)
      throw new RangeError(
        `a record of ${record.length} bytes never fits into the ${this.bufferSize} of '${this.name}'`,
      );
  }

  #hasRoom(length: number): boolean {
    return this.#lengths.length < this.slotCount && length <= this.bufferSize - this.#used;
  }

  #put(record: Uint8Array): void {
    const tail = (this.#head + this.#used) % this.bufferSize;
    const first = Math.min(record.length, this.bufferSize - tail);
    this.#bytes.set(record.subarray(0, first), tail);
    this.#bytes.set(record.subarray(first), 0);
    this.#used += record.length;
    this.#lengths.push(record.length);
    this.#reader?.settle();
  }

  /** The record goes in here, not when its writer wakes up: nobody gets in between. */
  #admitWriter(): void {
    const writer = this.#writer;
    if (writer === undefined || writer.isOver || !this.#hasRoom(writer.record.length)) return;
    this.#put(writer.record);
    writer.settle();
  }

  #closed(): Error {
    return makeError('EIPC_CLOSED', `the ring '${this.name}' is closed`);
  }
}

class Writer extends Wait<void> {
  readonly record: Uint8Array;
  readonly #name: string;

  constructor(record: Uint8Array, name: string) {
    super();
    this.record = record;
    this.#name = name;
  }

  protected override timeoutError(): Error {
    return makeError('EIPC_BACKPRESSURE', `the ring '${this.#name}' stayed full; read faster or write less`);
  }
}

class Reader extends Wait<void> {
  readonly #name: string;

  constructor(name: string) {
    super();
    this.#name = name;
  }

  protected override timeoutError(): Error {
    return makeError('EIPC_TIMEOUT', `nothing was written to the ring '${this.#name}' in time`);
  }
}
