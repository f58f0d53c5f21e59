/**
 * Payload codecs: how a value becomes the bytes of a payload, and back. The envelope is not encoded here (see `outgoing.ts`).
 */
import { decode, encode } from '@msgpack/msgpack';

import { checkMsgpackCounts } from './msgpack-counts.js';

/** Turns values into payload bytes and back. `format` is what the message says about its bytes. */
export interface Codec {
  readonly format: 'json' | 'msgpack';
  /** Encodes a value. The result is copied before anything else runs. */
  marshal(value: unknown): Uint8Array;
  /** Decodes bytes that the peer sent; throws when they are not of this format. */
  unmarshal(bytes: Uint8Array): unknown;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Encodes values as JSON, UTF-8. The default. */
export const jsonCodec: Codec = {
  format: 'json',
  marshal(value) {
    const text: string | undefined = JSON.stringify(value);
    if (text === undefined)
      throw new TypeError(`a ${typeof value} has no JSON form; give an object, array, string, number, boolean or null`);
    return Buffer.from(text);
  },
  unmarshal(bytes) {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    return value;
  },
};

/** Encodes values as MessagePack. */
export const msgpackCodec: Codec = {
  format: 'msgpack',
  marshal: (value) => encode(value),
  unmarshal(bytes) {
    checkMsgpackCounts(bytes);
    return decode(bytes);
  },
};
