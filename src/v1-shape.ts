/**
 * What of a v1 session shapes its records beside what all sessions have: native code writes a JSON header out of each, in the record's
 * place (docs/wire.md, "Header"). A record therefore has to leave room for it, and may say only what such a header can.
 */
import { inspect } from 'node:util';

import type { Codec } from './codec.js';
import type { V1Limits } from './limits.js';
import type { PayloadFormat } from './message.js';

const QUOTE = 0x22;
const AMPERSAND = 0x26;
const LESS = 0x3c;
const GREATER = 0x3e;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
/** First byte of U+2028 and U+2029, and of many others. */
const LINE_SEPARATOR = 0xe2;

/** Most bytes that escapes add to the strings of one message: three of 255 bytes, each byte up to six. */
export const MAX_ESCAPES = 3 * 255 * 5;

/** Who sends, and how long a header gets. */
export class V1Shape {
  /** The id that every frame of this side carries. */
  #ownId: string;
  /** The longest header of this session without the bytes of a message's own strings. */
  #headerRoom: number;
  readonly #limits: V1Limits;
  /** Takes another id, as long as nothing was sent; returns the new room. */
  #rename: ((ownId: string) => number) | undefined;

  constructor(ownId: string, headerRoom: number, limits: V1Limits, rename?: (ownId: string) => number) {
    this.#ownId = ownId;
    this.#headerRoom = headerRoom;
    this.#limits = limits;
    this.#rename = rename;
  }

  /** Checks the source of a message: v1 has no place for one beside the sender's id. The first message may give that. */
  claim(source: string): void {
    if (source !== '' && source !== this.#ownId) {
      if (this.#rename === undefined)
        throw new RangeError(
          `the source ${inspect(source)} cannot be sent: in v1 every message is from its sender, which is '${this.#ownId}' here; leave source out, or connect with that serviceId`,
        );
      this.#checkText('source', Buffer.byteLength(source));
      this.#headerRoom = this.#rename(source);
      this.#ownId = source;
    }
    this.#rename = undefined;
  }

  /**
   * Returns how many bytes escapes add to the strings of a header, which lie in `buffer` one behind the other, from `from` to `to`.
   *
   * @throws RangeError when the header, or one of its strings, is longer than the peer can read
   */
  escapes(buffer: Uint8Array, from: number, capabilityAt: number, routeAt: number, to: number): number {
    this.#checkText('requestId', capabilityAt - from);
    this.#checkText('capability', routeAt - capabilityAt);
    this.#checkText('route', to - routeAt);
    let added = 0;
    for (let at = from; at < to; at += 1) {
      const byte = buffer[at] ?? 0;
      if (byte < SPACE) added += 5;
      else if (byte === QUOTE || byte === BACKSLASH) added += 1;
      else if (byte === LESS || byte === GREATER || byte === AMPERSAND) added += 5;
      else if (byte === LINE_SEPARATOR) added += 3;
    }
    const longest = this.#headerRoom + (to - from) + added;
    const { header } = this.#limits;
    if (longest > header)
      throw new RangeError(
        `requestId, capability and route need a header of up to ${longest} bytes, and this peer reads ${header}; use shorter ones, or characters that JSON does not escape`,
      );
    return added;
  }

  #checkText(field: string, length: number): void {
    const { text } = this.#limits;
    if (length > text)
      throw new RangeError(`${field} has ${length} bytes, and this peer reads ${text} (v1.limits); use a shorter one`);
  }
}

/**
 * Returns the payload format of a v1 message: bytes go unchanged under the number of JSON, as the original sends them.
 *
 * @throws RangeError for a format that v1 has no number for
 */
export function v1Format(named: PayloadFormat | undefined, value: unknown, codec: Codec): PayloadFormat {
  if (named === 'float32' || (named === undefined && value instanceof Float32Array))
    throw new RangeError(
      "v1 has no payload of format 'float32'; send an array of numbers, or the bytes as a Uint8Array",
    );
  if (named === 'bytes' || (named === undefined && value instanceof Uint8Array)) return 'json';
  return named ?? codec.format;
}

/**
 * Refuses a max age, which v1 has no field for: the receiver could not honour it.
 *
 * @throws RangeError
 */
export function refuseMaxAge(maxAge: number): void {
  if (maxAge !== 0)
    throw new RangeError(
      `maxAge: ${maxAge} cannot be sent: v1 has no field for it, so that an old message would be delivered all the same; leave it out`,
    );
}
