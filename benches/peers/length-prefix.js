/** Length prefixes for the node:net peers: `[length:4 BE][body]`. */

export const PREFIX = 4;

/** Cuts what a stream delivers into bodies; each is a view that is valid until the next chunk. */
export class Splitter {
  #onBody;
  /** @type {Buffer | null} */
  #partial = null;
  #filled = 0;

  /** @param {(body: Buffer) => void} onBody */
  constructor(onBody) {
    this.#onBody = onBody;
  }

  /** @param {Buffer} chunk */
  push(chunk) {
    let at = this.#partial === null ? 0 : this.#complete(chunk);
    while (chunk.length - at >= PREFIX) {
      const length = chunk.readUInt32BE(at);
      const end = at + PREFIX + length;
      if (end > chunk.length) {
        this.#keep(chunk, at, PREFIX + length);
        return;
      }
      this.#onBody(chunk.subarray(at + PREFIX, end));
      at = end;
    }
    if (at < chunk.length) this.#keep(chunk, at, PREFIX);
  }

  /** Copies the start of a frame, once, into a buffer that will hold all of it. */
  #keep(chunk, at, total) {
    this.#partial = Buffer.allocUnsafeSlow(total);
    this.#filled = chunk.copy(this.#partial, 0, at);
  }

  /** Adds to the kept frame and hands it on when it is whole. Returns how much of the chunk that took. */
  #complete(chunk) {
    let at = this.#fill(chunk, 0);
    if (this.#filled === PREFIX && this.#partial.length === PREFIX) {
      const prefix = this.#partial;
      this.#partial = Buffer.allocUnsafeSlow(PREFIX + prefix.readUInt32BE(0));
      prefix.copy(this.#partial);
      at = this.#fill(chunk, at);
    }
    if (this.#filled < this.#partial.length) return chunk.length;
    const frame = this.#partial;
    this.#partial = null;
    this.#onBody(frame.subarray(PREFIX));
    return at;
  }

  #fill(chunk, at) {
    const copied = chunk.copy(this.#partial, this.#filled, at);
    this.#filled += copied;
    return at + copied;
  }
}
