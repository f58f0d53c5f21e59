/**
 * The way out of one endpoint: writes messages as records, hands them to the link, and leaves to `lanes.ts` what finds its lane full. The
 * fast path makes no object and returns one shared promise.
 */
import { abortReason } from './deadlines.js';
import { errorFromValue } from './errors.js';
import type { Delivered, EipcError } from './errors.js';
import { ACCEPTED, AWAY } from './lanes.js';
import type { Outlet, SendLanes, SendWait } from './lanes.js';
import type { Message, Priority } from './message.js';
import type { OnFull } from './options.js';
import type { Settings } from './settings.js';
import { borrowBatchWriter, RECORD, returnBatchWriter, scratch } from './outgoing.js';
import type { Outgoing, RecordShape, RecordWriter } from './outgoing.js';
import { laneOf } from './record.js';
import type { Requests, RequestWait } from './request.js';
import type { Counters } from './stats.js';
import { appendVectors } from './vector-records.js';

/** Bytes of records pushed at once by `sendBatch`: fewer records than may wait in a lane. */
const BATCH_BYTES = 65_536;

/** Sends the messages of one endpoint. */
export class Sender {
  /** Whether messages may be sent; replies are not asked. */
  isOpen = true;
  #outlet: Outlet;
  readonly #lanes: SendLanes;
  readonly #counters: Counters;
  #shape: RecordShape;
  readonly #settings: Settings;
  readonly #makeEndError: (delivered: Delivered) => EipcError;

  constructor(
    outlet: Outlet,
    lanes: SendLanes,
    counters: Counters,
    shape: RecordShape,
    settings: Settings,
    makeEndError: (delivered: Delivered) => EipcError,
  ) {
    this.#outlet = outlet;
    this.#lanes = lanes;
    this.#counters = counters;
    this.#shape = shape;
    this.#settings = settings;
    this.#makeEndError = makeEndError;
  }

  /** Lets everything wait that is sent from now on, until `use`. The lanes hold it. */
  hold(): void {
    this.#outlet = AWAY;
  }

  /** Goes on with the link of a new session. */
  use(outlet: Outlet, shape: RecordShape): void {
    this.#outlet = outlet;
    this.#shape = shape;
  }

  /** Sends a message: `ACCEPTED` when there was room. */
  send(message: Outgoing, wait: SendWait): Promise<void> {
    const lane = scratch.writeOne(message, this.#shape);
    if (!this.isOpen) return this.#refuse();
    if (wait.signal?.aborted === true) return Promise.reject(abortReason(wait.signal));
    return this.#push(lane, wait, undefined);
  }

  /** Sends a reply, which waits for room whatever the lane's setting: it was asked for. In v1 it is always from this end itself. */
  reply(message: Outgoing, wait: SendWait): Promise<void> {
    const reply = this.#shape.v1 === undefined ? message : { ...message, source: '', maxAge: 0 };
    return this.#push(scratch.writeOne(reply, this.#shape), wait, 'block');
  }

  /** Sends a message if there is room, and says whether it did. */
  trySend(message: Outgoing): boolean {
    const lane = scratch.writeOne(message, this.#shape);
    if (!this.isOpen) throw this.#makeEndError('no');
    if (this.#lanes.isWaiting(lane)) return false;
    const taken = this.#outlet.push(scratch.buffer, scratch.length);
    if (taken < 0) throw pushError(taken);
    if (taken !== scratch.length) return false;
    this.#counters.sent[lane] += 1;
    return true;
  }

  /** Sends a request under a new id and resolves with its reply. */
  request(message: Outgoing, requests: Requests, wait: RequestWait): Promise<Message> {
    requests.issue();
    const lane = scratch.writeOne(message, this.#shape, requests.id, Math.ceil(wait.timeout));
    // Pending before it is pushed: over a fast link the reply can be there before push returns.
    const { pending, reply } = requests.wait(message.type, wait);
    // A request that is dropped would only time out, so that dropping it is failing it.
    const onFull = this.#settings.lanes[lane]?.onFull === 'block' ? 'block' : 'fail';
    const sent = this.#push(
      lane,
      { timeout: Math.min(wait.timeout, this.#settings.sendTimeout), signal: wait.signal },
      onFull,
    );
    if (sent === ACCEPTED) {
      pending.isSent = true;
    } else {
      sent.then(
        () => {
          pending.isSent = true;
        },
        (error: unknown) => pending.fail(error),
      );
    }
    return reply;
  }

  /** Sends messages in order with few calls. Rejects with the first failure; the messages behind those pushed with it are not tried. */
  sendBatch(messages: readonly Outgoing[], wait: SendWait): Promise<void> {
    let next = 0;
    return this.#sendRecords(wait, (writer) => {
      for (; next < messages.length; next += 1) {
        if (writer.length >= BATCH_BYTES) return true;
        writer.append(messages[next] as Outgoing, this.#shape);
      }
      return false;
    });
  }

  /** Sends the vectors of a block in order, `length` values each, as `sendBatch` sends messages. */
  sendVectors(block: Float32Array, length: number, priority: Priority, wait: SendWait): Promise<void> {
    let next = 0;
    return this.#sendRecords(wait, (writer) => {
      while (next < block.length) {
        if (writer.length >= BATCH_BYTES) return true;
        next = appendVectors(writer, block, length, next, BATCH_BYTES, priority, this.#shape);
      }
      return false;
    });
  }

  /** @param append - writes some records, and says whether there are more */
  async #sendRecords(wait: SendWait, append: (writer: RecordWriter) => boolean): Promise<void> {
    if (!this.isOpen) return this.#refuse();
    wait.signal?.throwIfAborted();
    const writer = borrowBatchWriter();
    const waiting: Promise<void>[] = [];
    try {
      while (append(writer)) {
        this.#pushBatch(writer, wait, waiting);
        // What found no room waits before more is added: the number of waiting sends is bounded.
        await allSettled(waiting.splice(0));
        if (!this.isOpen) throw this.#makeEndError('no');
      }
    } finally {
      // Also when a message is wrong: those before it are sent, those after it are not.
      this.#pushBatch(writer, wait, waiting);
      returnBatchWriter(writer);
      await allSettled(waiting);
    }
  }

  /** Hands on the record in the scratch. */
  #push(lane: Priority, wait: SendWait, onFull: OnFull | undefined): Promise<void> {
    if (!this.#lanes.isWaiting(lane)) {
      const taken = this.#outlet.push(scratch.buffer, scratch.length);
      if (taken === scratch.length) {
        this.#counters.sent[lane] += 1;
        return ACCEPTED;
      }
      if (taken < 0) return Promise.reject(pushError(taken));
    }
    return this.#lanes.refused(lane, scratch.buffer.subarray(0, scratch.length), wait, onFull);
  }

  /** Hands on the records of a batch. Those whose lane is full wait; those of other lanes go past them. */
  #pushBatch(writer: RecordWriter, wait: SendWait, waiting: Promise<void>[]): void {
    let records = writer.buffer.subarray(0, writer.length);
    writer.clear();
    while (records.length > 0) {
      const free = this.#lengthBeforeWaiting(records);
      // A record that was taken may have been sealed where it lay: its lane is read before, and what was not taken is counted back.
      this.#count(records, 0, free, 1);
      const taken = free === 0 ? 0 : this.#outlet.push(records, free);
      this.#count(records, Math.max(0, taken), free, -1);
      if (taken < 0) {
        waiting.push(Promise.reject(pushError(taken)));
        return;
      }
      records = records.subarray(taken);
      if (records.length === 0) return;
      const length = records.readUInt32LE(RECORD.length);
      const sent = this.#lanes.refused(laneOf(records, 0), records.subarray(0, length), wait);
      if (sent !== ACCEPTED) waiting.push(sent);
      records = records.subarray(length);
    }
  }

  #count(records: Buffer, from: number, to: number, by: 1 | -1): void {
    for (let at = from; at < to; at += records.readUInt32LE(at + RECORD.length))
      this.#counters.sent[laneOf(records, at)] += by;
  }

  /** Returns how many bytes of records come before the first whose lane has something waiting. */
  #lengthBeforeWaiting(records: Buffer): number {
    if (this.#lanes.waiting === 0) return records.length;
    let at = 0;
    while (at < records.length && !this.#lanes.isWaiting(laneOf(records, at)))
      at += records.readUInt32LE(at + RECORD.length);
    return at;
  }

  #refuse(): Promise<never> {
    return Promise.reject(this.#makeEndError('no'));
  }
}

/** Waits for all, then rejects with the first failure. */
async function allSettled(promises: readonly Promise<void>[]): Promise<void> {
  if (promises.length === 0) return;
  await Promise.allSettled(promises);
  await Promise.all(promises);
}

function pushError(taken: number): EipcError {
  return errorFromValue(-taken, 'when sending', { delivered: 'no' });
}
