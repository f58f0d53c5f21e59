/**
 * A received message: a small object over the slab that native code wrote it into. Every field was verified before it got here; strings and
 * payload are decoded when asked for.
 *
 * Messages to send are written in `outgoing.ts`, which also makes messages that were not received (`createMessage`).
 */
import { inspect } from 'node:util';

import type { Codec } from './codec.js';
import { jsonCodec, msgpackCodec } from './codec.js';
import { makeError } from './errors.js';

/** The types of messages, as in the original. `auth`, `challenge` and `auth_response` belong to the handshake of v1. */
export type MessageType =
  | 'intent'
  | 'features'
  | 'tool_request'
  | 'auth'
  | 'challenge'
  | 'auth_response'
  | 'ack'
  | 'policy_result'
  | 'heartbeat'
  | 'audit'
  | 'chat'
  | 'complete';

/** 0 control-critical, 1 interactive, 2 telemetry, 3 bulk. Each has a lane of its own, end to end. */
export type Priority = 0 | 1 | 2 | 3;

/** What the bytes of a payload are. `float32` is a little-endian vector. */
export type PayloadFormat = 'json' | 'msgpack' | 'bytes' | 'float32';

/** Payload formats by their number on the wire (docs/wire.md, "EIPC/2 data frames"). */
export const PAYLOAD_FORMATS: readonly PayloadFormat[] = ['json', 'msgpack', 'bytes', 'float32'];

/** Bytes of the binary meta in front of its strings. */
export const META_FIXED = 24;

const TYPE_BYTES: Readonly<Record<MessageType, number>> = {
  intent: 0x69,
  features: 0x66,
  tool_request: 0x74,
  auth: 0x41,
  challenge: 0x48,
  auth_response: 0x52,
  ack: 0x61,
  policy_result: 0x70,
  heartbeat: 0x68,
  audit: 0x75,
  chat: 0x63,
  complete: 0x43,
};

/** The same without a prototype: a name from outside finds nothing that is not here, and one lookup is enough. */
const BYTE_OF = Object.assign(Object.create(null) as Record<string, number | undefined>, TYPE_BYTES);

const TYPES: readonly (MessageType | undefined)[] = (() => {
  const types = Array.from<MessageType | undefined>({ length: 128 }).fill(undefined);
  for (const [type, byte] of Object.entries(TYPE_BYTES)) types[byte] = type as MessageType;
  return types;
})();

/**
 * Returns the byte that stands for a type on the wire.
 *
 * @throws RangeError when there is no such type
 */
export function messageTypeToByte(type: MessageType): number {
  const byte = BYTE_OF[type];
  if (byte === undefined)
    throw new RangeError(`no message type ${inspect(type)}; the types are ${Object.keys(TYPE_BYTES).join(', ')}`);
  return byte;
}

/**
 * Returns the type that a byte on the wire stands for.
 *
 * @throws RangeError when it stands for none
 */
export function messageTypeFromByte(byte: number): MessageType {
  const type = TYPES[byte];
  if (type === undefined) throw new RangeError(`no message type has the byte ${inspect(byte)}`);
  return type;
}

/** What all messages of one session have in common. */
export interface Origin {
  /** The authenticated id of the peer; of a message made here, what it was made with. */
  readonly source: string;
  /** Sixteen hex digits; empty for a message made here. */
  readonly sessionId: string;
  /** Whether the source a message names is believed. */
  readonly relays: boolean;
  readonly codec: Codec;
  readonly protocol: 1 | 2;
}

/** Milliseconds that a sender's clock may be ahead of ours. */
const MAX_CLOCK_LEAD = 5_000;
const UNDECODED = Symbol('undecoded');

/** A message with its envelope. Immutable; its bytes are a view of memory that is never written again. */
export class Message<T = unknown> {
  readonly #origin: Origin;
  readonly #slab: Buffer;
  /** What the slab is a view of: asking for it takes as long as making a view of it. */
  readonly #memory: ArrayBufferLike;
  readonly #frame: number;
  readonly #kinds: number;
  readonly #meta: number;
  readonly #lengths: number;
  readonly #payload: number;
  readonly #payloadLength: number;
  /** Milliseconds after `timestamp` at which the message is too old to be delivered; 0 means never. */
  readonly maxAge: number;
  /** Bytes of the session id behind the meta, where each message says its own (v1). */
  readonly #sessionIdLength: number;
  #value: unknown = UNDECODED;

  /**
   * Wraps one descriptor of a receive call.
   *
   * @internal
   */
  constructor(origin: Origin, slab: Buffer, memory: ArrayBufferLike, descriptors: Uint32Array, at: number) {
    this.#origin = origin;
    this.#slab = slab;
    this.#memory = memory;
    this.#frame = descriptors[at] ?? 0;
    this.#kinds = descriptors[at + 1] ?? 0;
    this.#meta = descriptors[at + 2] ?? 0;
    this.#lengths = descriptors[at + 3] ?? 0;
    this.#payload = descriptors[at + 4] ?? 0;
    this.#payloadLength = descriptors[at + 5] ?? 0;
    this.maxAge = descriptors[at + 6] ?? 0;
    this.#sessionIdLength = descriptors[at + 7] ?? 0;
  }

  /** What kind of message this is. */
  get type(): MessageType {
    return messageTypeFromByte(this.#kinds & 0xff);
  }

  /** The lane it came by: 0 control-critical … 3 bulk. */
  get priority(): Priority {
    return ((this.#kinds >>> 8) & 0x3) as Priority;
  }

  /** What the payload's bytes are. */
  get payloadFormat(): PayloadFormat {
    return PAYLOAD_FORMATS[(this.#kinds >>> 16) & 0x3] ?? 'bytes';
  }

  /** Who it is from: the authenticated peer, or whom a peer that may relay names. */
  get source(): string {
    const length = this.#lengths & 0xff;
    return length === 0 || !this.#origin.relays ? this.#origin.source : this.#text(this.#meta + META_FIXED, length);
  }

  /** The id that a reply has to carry; empty when no reply is wanted. */
  get requestId(): string {
    return this.#text(this.#meta + META_FIXED + (this.#lengths & 0xff), (this.#lengths >>> 8) & 0xff);
  }

  /** The one capability the sender claims to use; empty when it claims none. A claim narrows rights, it never gives any. */
  get capability(): string {
    return this.#text(
      this.#meta + META_FIXED + (this.#lengths & 0xff) + ((this.#lengths >>> 8) & 0xff),
      (this.#lengths >>> 16) & 0xff,
    );
  }

  /** Where a broker should take it; empty when nowhere. */
  get route(): string {
    const before = (this.#lengths & 0xff) + ((this.#lengths >>> 8) & 0xff) + ((this.#lengths >>> 16) & 0xff);
    return this.#text(this.#meta + META_FIXED + before, this.#lengths >>> 24);
  }

  /** The session it came by: sixteen hex digits, in v1 the token or what the sender puts in its place; empty for a message made here. */
  get sessionId(): string {
    if (this.#origin.protocol === 2) return this.#origin.sessionId;
    return this.#text(this.#meta + this.#metaLength(), this.#sessionIdLength);
  }

  /** When the sender says it was sent, in Unix nanoseconds; 0 when it does not say. */
  get timestamp(): bigint {
    return this.#slab.readBigInt64BE(this.#meta + 8);
  }

  /** Its number in its lane, in v1 in its direction, from 1; 0 for a message made here. */
  get sequence(): bigint {
    const sequence = this.#slab.readBigUInt64BE(this.#frame + 24);
    return this.#origin.protocol === 2 ? sequence & 0x3fff_ffff_ffff_ffffn : sequence;
  }

  /** The payload as received: a view. Use `copy()` to keep it for long, since it keeps a whole receive slab alive. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#memory, this.#slab.byteOffset + this.#payload, this.#payloadLength);
  }

  /**
   * The payload, decoded once by its format. An empty payload of format `json` or `msgpack` is `undefined`.
   *
   * @throws ProtocolError `EIPC_BAD_PAYLOAD` when the bytes are not of the format the message names
   */
  get payload(): T {
    if (this.#value === UNDECODED) this.#value = this.#decode();
    return this.#value as T;
  }

  /**
   * Whether it came by the session whose origin this is.
   *
   * @internal
   */
  isFrom(origin: Origin): boolean {
    return this.#origin === origin;
  }

  /**
   * Whether it is too old to be delivered at `now`, in Unix milliseconds by the wall clock (docs/wire.md, "EIPC/2 data frames").
   *
   * @internal
   */
  isExpired(now: number): boolean {
    if (this.maxAge === 0) return false;
    const age = now - this.sentAt();
    return age > this.maxAge || age < -MAX_CLOCK_LEAD;
  }

  /**
   * Returns `timestamp` in milliseconds, exact enough to compare with clocks.
   *
   * @internal
   */
  sentAt(): number {
    const at = this.#meta + 8;
    return (this.#slab.readUInt32BE(at) * 0x1_0000_0000 + this.#slab.readUInt32BE(at + 4)) / 1_000_000;
  }

  /** Copies the message into memory of its own, which releases the receive slab. */
  copy(): Message<T> {
    const metaLength = this.#metaLength() + this.#sessionIdLength;
    const own = Buffer.allocUnsafeSlow(32 + metaLength + this.#payloadLength);
    this.#slab.copy(own, 0, this.#frame, this.#frame + 32);
    this.#slab.copy(own, 32, this.#meta, this.#meta + metaLength);
    this.#slab.copy(own, 32 + metaLength, this.#payload, this.#payload + this.#payloadLength);
    const words = new Uint32Array([
      0,
      this.#kinds,
      32,
      this.#lengths,
      32 + metaLength,
      this.#payloadLength,
      this.maxAge,
      this.#sessionIdLength,
    ]);
    return new Message<T>(this.#origin, own, own.buffer, words, 0);
  }

  /** Shows the envelope, and how long the payload is. Text of the peer is escaped by `inspect`. */
  [inspect.custom](): object {
    const { type, source, priority, requestId, capability, route, payloadFormat } = this;
    return {
      message: type,
      source,
      priority,
      requestId,
      capability,
      route,
      payloadFormat,
      payloadLength: this.#payloadLength,
    };
  }

  #metaLength(): number {
    const lengths = this.#lengths;
    return META_FIXED + (lengths & 0xff) + ((lengths >>> 8) & 0xff) + ((lengths >>> 16) & 0xff) + (lengths >>> 24);
  }

  #text(at: number, length: number): string {
    return length === 0 ? '' : this.#slab.toString('utf8', at, at + length);
  }

  #decode(): unknown {
    const format = this.payloadFormat;
    const bytes = this.bytes;
    if (format === 'bytes') return bytes;
    if (format === 'float32') return decodeFloat32(bytes);
    if (bytes.length === 0) return undefined;
    const own = this.#origin.codec;
    const codec = own.format === format ? own : format === 'json' ? jsonCodec : msgpackCodec;
    try {
      return codec.unmarshal(bytes);
    } catch (cause) {
      throw makeError('EIPC_BAD_PAYLOAD', `the payload of this ${this.type} is not valid ${format}`, { cause });
    }
  }
}

/** A view where the values are aligned, as they are behind a meta without strings; a copy elsewhere. Every platform here is little-endian. */
function decodeFloat32(bytes: Uint8Array): Float32Array {
  if (bytes.length % 4 !== 0)
    throw makeError('EIPC_BAD_PAYLOAD', `a float32 payload of ${bytes.length} bytes is not a whole number of values`);
  const isAligned = bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0;
  const { buffer, byteOffset } = isAligned ? bytes : Uint8Array.from(bytes);
  return new Float32Array(buffer, byteOffset, bytes.length / 4);
}
