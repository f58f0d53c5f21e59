/**
 * Single frames of v1, for programs that carry or look at frames themselves: taken apart, put together, signed and verified by the core.
 * Sessions do not pass here; `connect` and `listen` do all of this, and count, which a frame by itself cannot.
 */
import { inspect } from 'node:util';

import { makeError, nativeError } from './errors.js';
import { frameKey } from './key.js';
import type { Key } from './key.js';
import { messageTypeFromByte, messageTypeToByte } from './message.js';
import type { MessageType } from './message.js';
import * as native from './native.js';

export { MAX_FRAME_SIZE } from './limits.js';

/** The first four bytes of every frame, "EIPC" in ASCII, as the big-endian number that they are. */
export const MAGIC = 0x4549_5043;
/** The version of v1 in its frames. EIPC/2 has 2. */
export const PROTOCOL_VERSION = 1;
/** Bytes of a tag. */
export const MAC_SIZE = 32;
/** The flag of a frame with a tag: every frame of a session of v1 has it and no other. */
export const FLAG_HMAC = 0x01;
/** The flag that the original reserves for compression. No frame of EIPC has it. */
export const FLAG_COMPRESS = 0x02;
/** The flag of an encrypted frame, which only EIPC/2 has. */
export const FLAG_ENCRYPTED = 0x04;

/** The parts of a v1 frame. */
export interface Frame {
  readonly type: MessageType;
  /** The header's bytes: `encodeHeader` makes them, `decodeHeader` reads them. At most 4 096. */
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
  /** The tag, `MAC_SIZE` bytes. */
  readonly mac?: Uint8Array;
  /** What follows from the tag: `FLAG_HMAC` with one, 0 without. */
  readonly flags?: number;
}

/** A frame that was taken apart. */
export interface DecodedFrame extends Frame {
  readonly flags: number;
}

/**
 * Returns the bytes of a frame, without the length that streams have in front: with the tag that the key makes, with the tag that the frame
 * has, or without one.
 *
 * @param key - signs the frame: bytes of any length from 1, or a `Key` that is not of EIPC/2 alone
 * @throws TypeError or RangeError for parts that no frame has, ProtocolError `EIPC_FRAME_TOO_LARGE` above `MAX_FRAME_SIZE` or for a header
 * above 4 096 bytes
 *
 * @example
 * const header = encodeHeader({ serviceId: 'nia.min', sequence: 1, timestamp: 1_775_217_600_000_000_000n });
 * const frame = encodeFrame({ type: 'intent', header, payload: Buffer.from('{"intent":"stop"}') }, key);
 */
export function encodeFrame(frame: Frame, key?: Key | Uint8Array): Uint8Array {
  const kind = checkFrame(frame, key !== undefined);
  const { mac } = frame;
  if (key !== undefined && mac !== undefined)
    throw new TypeError('the frame has a mac, and a key that would make one; leave one of them out');
  return called('this frame cannot be encoded', () =>
    native.encodeFrame(kind, frame.header, frame.payload, mac, key === undefined ? undefined : frameKey(key)),
  );
}

/**
 * Takes a frame apart, by the rules of wire.md: exact length, known flags, a header of at most 4 096 bytes.
 *
 * Without a key nothing of what it says is proved. With one, a frame that has no tag is refused like one that has a wrong one.
 *
 * @param bytes - one frame, without the length that streams have in front
 * @throws ProtocolError or IntegrityError with the code of what is wrong, RangeError for an empty key
 */
export function decodeFrame(bytes: Uint8Array, key?: Key | Uint8Array): DecodedFrame {
  checkBytes('a frame', bytes);
  const frame = called('this frame is refused', () =>
    native.decodeFrame(bytes, key === undefined ? undefined : frameKey(key)),
  );
  const { header, payload, mac } = frame;
  const parts = { type: typeOf(frame.kind), header, payload };
  return mac === undefined ? { ...parts, flags: 0 } : { ...parts, flags: FLAG_HMAC, mac };
}

/**
 * Returns what the tag of a frame covers: preamble, header and payload as they are sent with a tag.
 *
 * @throws as `encodeFrame`
 */
export function signableBytes(frame: Frame): Uint8Array {
  const kind = checkFrame(frame, true);
  return called('this frame cannot be signed', () => native.signableBytes(kind, frame.header, frame.payload, true));
}

/**
 * Returns the tag of bytes: HMAC-SHA256, 32 bytes.
 *
 * @param key - bytes of any length from 1, or a `Key` that is not of EIPC/2 alone
 * @throws RangeError for an empty key
 */
export function sign(key: Key | Uint8Array, data: Uint8Array): Uint8Array {
  checkBytes('data', data);
  return called('this cannot be signed', () => native.sign(frameKey(key), data));
}

/**
 * Tells in constant time whether `mac` is the tag of bytes. False for a tag of any other length, too.
 *
 * @throws RangeError for an empty key
 */
export function verify(key: Key | Uint8Array, data: Uint8Array, mac: Uint8Array): boolean {
  checkBytes('data', data);
  checkBytes('mac', mac);
  return called('this cannot be verified', () => native.verify(frameKey(key), data, mac));
}

function checkFrame(frame: Frame, willBeSigned: boolean): number {
  if (typeof frame !== 'object' || frame === null)
    throw new TypeError(`a frame is { type, header, payload }, not ${inspect(frame)}`);
  const { header, payload, mac, flags } = frame;
  checkBytes('header', header);
  checkBytes('payload', payload);
  if (mac !== undefined) checkBytes('mac', mac);
  if (mac !== undefined && mac.length !== MAC_SIZE)
    throw new RangeError(`mac has ${mac.length} bytes; a tag has ${MAC_SIZE}`);
  // A flag that nothing follows from would be a promise that the bytes do not keep.
  const right = willBeSigned || mac !== undefined ? FLAG_HMAC : 0;
  if (flags !== undefined && flags !== right && !(willBeSigned && flags === 0))
    throw new RangeError(
      `flags is ${inspect(flags)}; v1 has FLAG_HMAC in a frame with a tag and 0 in one without, so it can be left out`,
    );
  return messageTypeToByte(frame.type);
}

function checkBytes(name: string, bytes: Uint8Array): void {
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`${name} must be a Uint8Array, not ${inspect(bytes)}`);
}

function typeOf(byte: number): MessageType {
  try {
    return messageTypeFromByte(byte);
  } catch (error) {
    throw makeError('EIPC_UNSUPPORTED_TYPE', `this frame is refused: no type has the byte ${byte}`, { cause: error });
  }
}

/** Calls native code; its failures become errors of the table. */
function called<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw error;
    throw nativeError(error, what);
  }
}
