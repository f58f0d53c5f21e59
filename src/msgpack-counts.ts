/**
 * What MessagePack says about its own lengths, compared with the bytes that are there. A decoder makes room for as many elements as an array
 * announces: five bytes can announce four thousand millions, and a peer that holds a key could end this process with a hundred of them.
 */

/** How the bytes behind a first byte are to be read. */
interface Form {
  /** Bytes of the length that comes first: 0, 1, 2 or 4. */
  readonly lengthBytes: number;
  /** Bytes behind it, beside as many as the length says where there are no elements. */
  readonly fixedBytes: number;
  /** Elements for each one that is counted: 1 in an array, 2 in a map. */
  readonly elements: number;
}

const NIL: Form = { lengthBytes: 0, fixedBytes: 0, elements: 0 };
/** What 0xc0 to 0xdf stand for (https://github.com/msgpack/msgpack/blob/master/spec.md, "Formats"). */
const FORMS: readonly Form[] = [
  ...fixed(0, 0, 0, 0), // nil, never used, false, true
  ...counted(0), // bin 8, 16, 32
  ...counted(1), // ext 8, 16, 32, each with its type
  ...fixed(4, 8), // float 32, 64
  ...fixed(1, 2, 4, 8), // uint 8 … 64
  ...fixed(1, 2, 4, 8), // int 8 … 64
  ...fixed(2, 3, 5, 9, 17), // fixext 1 … 16, with its type
  ...counted(0), // str 8, 16, 32
  ...containers(1), // array 16, 32
  ...containers(2), // map 16, 32
];

/**
 * Refuses bytes in which something announces more than can follow: every element takes at least one byte. What passes makes a decoder hold
 * room for no more elements than there are bytes.
 *
 * @throws RangeError
 */
export function checkMsgpackCounts(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  /** Values that have to come yet, in everything that was begun. */
  let expected = 1;
  while (expected > 0) {
    if (expected > bytes.length - at)
      throw new RangeError(`${expected} values are announced, and ${bytes.length - at} bytes are left`);
    const head = view.getUint8(at);
    at += 1;
    expected -= 1;
    if (head >= 0xc0 && head < 0xe0) {
      const { lengthBytes, fixedBytes, elements } = FORMS[head - 0xc0] ?? NIL;
      if (at + lengthBytes > bytes.length) throw new RangeError('the bytes end inside a length');
      const length = readLength(view, at, lengthBytes);
      at += lengthBytes + fixedBytes + (elements === 0 ? length : 0);
      expected += length * elements;
    } else if (head >= 0xa0 && head < 0xc0) {
      at += head & 0x1f; // fixstr
    } else if (head >= 0x80 && head < 0xa0) {
      expected += (head & 0x0f) * (head < 0x90 ? 2 : 1); // fixmap, fixarray
    }
  }
}

function readLength(view: DataView, at: number, width: number): number {
  if (width === 0) return 0;
  if (width === 1) return view.getUint8(at);
  return width === 2 ? view.getUint16(at) : view.getUint32(at);
}

function fixed(...sizes: number[]): Form[] {
  return sizes.map((fixedBytes) => ({ lengthBytes: 0, fixedBytes, elements: 0 }));
}

function counted(fixedBytes: number): Form[] {
  return [1, 2, 4].map((lengthBytes) => ({ lengthBytes, fixedBytes, elements: 0 }));
}

function containers(elements: number): Form[] {
  return [2, 4].map((lengthBytes) => ({ lengthBytes, fixedBytes: 0, elements }));
}
