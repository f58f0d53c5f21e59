/**
 * The ids that an endpoint gives its requests: a role letter and a base-36 counter, written as bytes and compared as a number, so that a request
 * and its reply need no string.
 */

const ZERO = 0x30;
const NINE = 0x39;
const LETTER_A = 0x61;
const LETTER_Z = 0x7a;
/** More digits than 2^53 has in base 36. */
const MAX_DIGITS = 11;

/** The id of the newest request as bytes. Counts in place. */
export class IssuedId {
  /** The role letter and the digits, most significant first; only the last `length` bytes count. */
  readonly bytes = new Uint8Array(1 + MAX_DIGITS).fill(ZERO);
  length = 2;
  readonly #letter: number;

  constructor(letter: number) {
    this.#letter = letter;
    this.#placeLetter();
  }

  /** Moves to the next id. */
  next(): void {
    for (let at = this.bytes.length - 1; at > 0; at -= 1) {
      const digit = this.bytes[at] ?? ZERO;
      if (digit === LETTER_Z) {
        this.bytes[at] = ZERO;
        continue;
      }
      const isNewPlace = at <= this.bytes.length - this.length;
      this.bytes[at] = isNewPlace ? ZERO + 1 : digit === NINE ? LETTER_A : digit + 1;
      if (isNewPlace) {
        this.length += 1;
        this.#placeLetter();
      }
      return;
    }
  }

  #placeLetter(): void {
    this.bytes[this.bytes.length - this.length] = this.#letter;
  }
}

/** Reads an id of ours; −1 when it is none. Only the one spelling that `IssuedId` writes counts. */
export function readIssuedId(letter: number, slab: Buffer, at: number, length: number): number {
  if (length < 2 || length > MAX_DIGITS + 1 || slab[at] !== letter || slab[at + 1] === ZERO) return -1;
  let number = 0;
  for (let index = 1; index < length; index += 1) {
    const unit = slab[at + index] ?? 0;
    const digit = unit <= NINE ? unit - ZERO : unit - LETTER_A + 10;
    if (digit < 0 || digit > 35 || (digit < 10 && unit > NINE)) return -1;
    number = number * 36 + digit;
  }
  return number;
}
