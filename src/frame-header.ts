/**
 * The header of a v1 frame: one JSON object, written in the original's order and read by the strict rules (docs/wire.md, "v1, hardened").
 */
import { inspect } from 'node:util';

import { integer } from './check.js';
import { nativeError } from './errors.js';
import { PAYLOAD_FORMATS } from './message.js';
import type { PayloadFormat, Priority } from './message.js';
import * as native from './native.js';

const MAX_SEQUENCE = 2n ** 64n - 1n;
const MAX_TIMESTAMP = 2n ** 63n - 1n;

/** What a v1 header says. */
export interface FrameHeader {
  /** Who sent the frame. */
  readonly serviceId: string;
  /** The token of the session. Default: empty. */
  readonly sessionId?: string;
  /** Joins a request and its reply. Default: empty. */
  readonly requestId?: string;
  /** Counts the frames of a connection and direction, from 1. */
  readonly sequence: bigint | number;
  /** Unix nanoseconds; written as RFC 3339. */
  readonly timestamp: bigint;
  /** Default 1. */
  readonly priority?: Priority;
  /** The right that the sender claims to use. Default: none. */
  readonly capability?: string;
  /** Where a broker is to take it. Default: nowhere. */
  readonly route?: string;
  /** Default `json`. */
  readonly payloadFormat?: Extract<PayloadFormat, 'json' | 'msgpack'>;
}

/** A header that was read: every field is there. */
export interface DecodedHeader extends Required<FrameHeader> {
  readonly sequence: bigint;
}

/**
 * Returns the JSON of a header.
 *
 * @throws TypeError or RangeError naming the field
 */
export function encodeHeader(header: FrameHeader): Uint8Array {
  const { serviceId, sequence, timestamp } = header;
  const { sessionId = '', requestId = '', capability = '', route = '', priority = 1, payloadFormat = 'json' } = header;
  for (const [name, value] of Object.entries({ serviceId, sessionId, requestId, capability, route }))
    if (typeof value !== 'string') throw new TypeError(`${name} must be a string, not ${inspect(value)}`);
  const format = payloadFormat === 'json' || payloadFormat === 'msgpack' ? PAYLOAD_FORMATS.indexOf(payloadFormat) : -1;
  if (format === -1)
    throw new RangeError(`payloadFormat is ${inspect(payloadFormat)}; a v1 header says json or msgpack`);
  const fields = {
    serviceId,
    sessionId,
    requestId,
    sequence: sequenceNumber('sequence', sequence),
    timestamp: nanoseconds(timestamp),
    priority: integer('priority', priority, 0, 3),
    capability,
    route,
    payloadFormat: format,
  };
  try {
    return native.encodeHeader(fields);
  } catch (error) {
    throw nativeError(error, 'this header cannot be written');
  }
}

/**
 * Reads the JSON of a header by the strict rules: no duplicate, no other spelling of a known name, plain numbers, a date that exists.
 *
 * @throws ProtocolError `EIPC_BAD_HEADER`
 */
export function decodeHeader(json: Uint8Array): DecodedHeader {
  if (!(json instanceof Uint8Array)) throw new TypeError(`a header must be a Uint8Array, not ${inspect(json)}`);
  try {
    const { priority, payloadFormat, ...rest } = native.decodeHeader(json);
    return {
      ...rest,
      priority: priority as Priority,
      payloadFormat: PAYLOAD_FORMATS[payloadFormat] === 'msgpack' ? 'msgpack' : 'json',
    };
  } catch (error) {
    throw nativeError(error, 'this header is refused');
  }
}

/** Checks a number of 64 bits. */
export function sequenceNumber(name: string, value: bigint | number): bigint {
  if (typeof value === 'bigint') {
    if (value >= 0n && value <= MAX_SEQUENCE) return value;
  } else if (typeof value !== 'number') {
    throw new TypeError(`${name} must be a bigint or a number, not ${inspect(value)}`);
  } else if (Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw new RangeError(`${name} is ${value}; it must be a whole number from 0 to 2^64 - 1, above 2^53 a bigint`);
}

function nanoseconds(value: bigint): bigint {
  if (typeof value !== 'bigint')
    throw new TypeError(`timestamp must be a bigint of Unix nanoseconds, not ${inspect(value)}`);
  if (value >= -MAX_TIMESTAMP && value <= MAX_TIMESTAMP) return value;
  throw new RangeError(`timestamp is ${value}; it must fit into 63 bits of nanoseconds, the years 1677 to 2262`);
}
