/**
 * What somebody without a key can know of EIPC/2 frames on a stream (docs/wire.md, "Preamble"): where they begin and end,
 * their type, and the few fields that stand at fixed places. Nothing here can seal or verify anything.
 */

/** Client to server, server to client. */
export type Direction = 'c2s' | 's2c';

export const OPPOSITE: Readonly<Record<Direction, Direction>> = { c2s: 's2c', s2c: 'c2s' };

const PREFIX_SIZE = 4;
const PREAMBLE_SIZE = 16;
const MAX_FRAME_SIZE = 1_048_576;

/** The one answer that a peer whose handshake failed may get: `E` without tag, code 1. */
export const PLAIN_ALERT: Buffer = Buffer.from('454950430002450000000000000000040100' + '0000', 'hex');

/** Puts the length in front of a frame, as it goes on a stream. */
export function withPrefix(frame: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX_SIZE);
  prefix.writeUInt32BE(frame.length, 0);
  return Buffer.concat([prefix, frame]);
}

/** Returns a copy with one bit changed. */
export function flipBit(bytes: Uint8Array, bit: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return changed;
}

/** Returns the type letter of a frame, `?` for something shorter than a preamble. */
export function typeOf(frame: Buffer): string {
  return frame.length < PREAMBLE_SIZE ? '?' : String.fromCharCode(frame.readUInt8(6));
}

/** Returns the session id that a ServerHello announces, as `Peer.sessionId` writes it; null if it is none. */
export function sessionIdOf(frame: Buffer): string | null {
  if (typeOf(frame) !== 'H' || frame.length < PREAMBLE_SIZE + 80) return null;
  return frame.subarray(PREAMBLE_SIZE + 8, PREAMBLE_SIZE + 16).toString('hex');
}

/** Cuts one direction of a stream into frames. */
export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);

  /**
   * Takes the next bytes and returns the frames they complete, without their prefix.
   *
   * @throws {RangeError} if the stream is none of frames: where the next one begins can never be known again
   */
  push(chunk: Uint8Array): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const frames: Buffer[] = [];
    while (this.#rest.length >= PREFIX_SIZE) {
      const length = this.#rest.readUInt32BE(0);
      if (length < PREAMBLE_SIZE || length > MAX_FRAME_SIZE) throw new RangeError(`a frame of ${length} bytes`);
      if (this.#rest.length < PREFIX_SIZE + length) break;
      frames.push(this.#rest.subarray(PREFIX_SIZE, PREFIX_SIZE + length));
      this.#rest = this.#rest.subarray(PREFIX_SIZE + length);
    }
    return frames;
  }
}
