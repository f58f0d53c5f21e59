/** Who may wait for the messages of an inbox: one call of `receive`, one turn of a loop, or one call of `receiveVectors`. */
import { Wait } from './deadlines.js';
import { makeError } from './errors.js';
import type { EipcError } from './errors.js';
import { messageTypeToByte, PAYLOAD_FORMATS } from './message.js';
import type { Message } from './message.js';

const FEATURES = messageTypeToByte('features');
const FLOAT32 = PAYLOAD_FORMATS.indexOf('float32');

/** How the inbox ended: `error` is what `receive` rejects with, and what iteration throws unless the end was agreed upon. */
export interface InboxEnd {
  readonly error: EipcError;
  readonly isAgreed: boolean;
}

/** Someone who waits. */
export abstract class Receiver<T> extends Wait<T> {
  /** Takes a message; false when it is not what is waited for. */
  abstract accept(message: Message): boolean;
  /** There will be none. */
  abstract end(end: InboxEnd): void;

  protected override timeoutError(): Error {
    return noMessage();
  }
}

/** Who called `receive`. */
export class SingleReceiver extends Receiver<Message> {
  override accept(message: Message): boolean {
    this.settle(message);
    return true;
  }

  override end({ error }: InboxEnd): void {
    this.fail(error);
  }
}

/** Who iterates. Its promise is the one the loop awaits: another one around it would cost a turn of the microtasks for each message. */
export class IteratingReceiver extends Receiver<IteratorResult<Message, undefined>> {
  override accept(message: Message): boolean {
    this.settle({ done: false, value: message });
    return true;
  }

  override end({ error, isAgreed }: InboxEnd): void {
    if (isAgreed) this.settle(DONE);
    else this.fail(error);
  }
}

export const DONE: IteratorResult<Message, undefined> = { done: true, value: undefined };

/** Who called `receiveVectors`: takes vectors of one length into its own memory, as many as one delivery brings. */
export class VectorReceiver extends Receiver<number> {
  readonly #into: Float32Array;
  readonly #length: number;
  #filled = 0;

  constructor(into: Float32Array, length: number) {
    super();
    this.#into = into;
    this.#length = length;
  }

  /** Vectors taken. */
  get count(): number {
    return this.#filled / this.#length;
  }

  /** Whether there is no room for another. */
  get isFull(): boolean {
    return this.#filled + this.#length > this.#into.length;
  }

  /** Whether a message is a vector of this length. */
  takes({ type, payloadFormat, bytes }: Message): boolean {
    return type === 'features' && payloadFormat === 'float32' && bytes.length === this.#length * 4;
  }

  /** Takes the vector of a message. */
  take(message: Message<Float32Array>): void {
    this.#into.set(message.payload, this.#filled);
    this.#filled += this.#length;
  }

  /**
   * Takes a vector straight from a delivery, without a message being made of it, if it is one and says nothing else.
   *
   * @param values - the memory of the delivery, as values
   * @param words - its descriptors (`native.ts` names them), this one's at `at`
   */
  fill(values: Float32Array, words: Uint32Array, at: number): boolean {
    const kinds = words[at + 1] ?? 0;
    const from = words[at + 4] ?? 0;
    const isPlain = words[at + 3] === 0 && words[at + 6] === 0 && words[at + 7] === 0;
    const isVector =
      (kinds & 0xff) === FEATURES && ((kinds >>> 16) & 0x3) === FLOAT32 && words[at + 5] === this.#length * 4;
    if (!isPlain || !isVector || from % 4 !== 0 || this.isOver || this.isFull) return false;
    const into = this.#into;
    const first = this.#filled;
    const shift = from / 4 - first;
    this.#filled = first + this.#length;
    for (let index = first; index < this.#filled; index += 1) into[index] = values[index + shift] ?? 0;
    return true;
  }

  /** What a delivery brought is there. */
  flush(): void {
    if (this.#filled > 0) this.settle(this.count);
  }

  override accept(message: Message): boolean {
    if (this.takes(message) && !this.isFull) {
      this.take(message as Message<Float32Array>);
      return true;
    }
    if (this.#filled > 0) this.flush();
    else this.fail(this.refusal(message));
    return false;
  }

  override end({ error }: InboxEnd): void {
    this.fail(error);
  }

  /** Says what is in the way of vectors. */
  refusal({ type, payloadFormat, bytes }: Message): TypeError {
    return new TypeError(
      `the next message is no vector of ${this.#length} values but a '${type}' of ${bytes.length} bytes of format ${payloadFormat}; take it with receive()`,
    );
  }
}

/** Makes the error of a wait that was too long. */
export function noMessage(): EipcError {
  return makeError('EIPC_TIMEOUT', 'no message came within the time given to receive()');
}
