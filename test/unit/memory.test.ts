// The pipe in memory behaves as a socket does: bounded, in later turns of the loop, and ending after the last byte.
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import type { ByteStream } from '../../src/transport/byte-stream.js';
import { memoryPair } from '../../src/transport/memory.js';

/** Takes everything until told to stop. */
class Reader {
  chunks: Buffer[] = [];
  ends = 0;
  drains = 0;
  isTaking = true;

  constructor(stream: ByteStream) {
    stream.start({
      read: (chunk) => {
        this.chunks.push(Buffer.from(chunk));
        return this.isTaking;
      },
      drained: () => {
        this.drains += 1;
      },
      ended: () => {
        this.ends += 1;
      },
    });
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

const none = (): void => {};

describe('a memory pipe', () => {
  it('delivers nothing from inside a call', async () => {
    const [one, other] = memoryPair();
    const reader = new Reader(other);
    let written = 0;
    one.write(Buffer.from('abc'), () => {
      written += 1;
    });
    one.end();
    await Promise.resolve();
    expect([reader.chunks.length, reader.ends, written]).toEqual([0, 0, 0]);
    await expect.poll(() => reader.ends).toBe(1);
    expect([reader.bytes.toString(), written]).toEqual(['abc', 1]);
  });

  it('takes a bounded number of bytes from a reader that does not read, and says when there is room again', async () => {
    const [one, other] = memoryPair();
    const writer = new Reader(one);
    const reader = new Reader(other);
    reader.isTaking = false;
    const block = Buffer.alloc(10_000, 1);
    let written = 0;
    let count = 0;
    for (; !one.needsDrain && count < 1_000; count += 1)
      one.write(block, () => {
        written += 1;
      });
    // One pipe and what may wait in front of it.
    expect(count * block.length).toBeLessThan(65_536 + 16_384 + 2 * block.length);
    for (let turns = 0; turns < 20; turns += 1) await turn();
    // One chunk was given to the reader before it said no; the writes that found no room are not over.
    expect(reader.chunks.length).toBe(1);
    expect(written).toBeLessThanOrEqual(count);
    const total = count * block.length;
    reader.isTaking = true;
    other.resume();
    await expect.poll(() => reader.bytes.length).toBe(total);
    await expect.poll(() => written).toBe(count);
    expect([writer.drains, one.needsDrain]).toEqual([1, false]);
  });

  it('keeps the bytes in order, however they are cut and however large the writes', async () => {
    const [one, other] = memoryPair((available) => (available % 7) + 1);
    const reader = new Reader(other);
    const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 251));
    for (let at = 0; at < bytes.length; at += 99_991) one.write(bytes.subarray(at, at + 99_991), none);
    one.end();
    await expect.poll(() => reader.ends, { timeout: 10_000 }).toBe(1);
    expect(reader.chunks.every((chunk) => chunk.length <= 7)).toBe(true);
    expect(Buffer.compare(reader.bytes, bytes)).toBe(0);
  });

  it('ends after the last byte also for a reader that comes late', async () => {
    const [one, other] = memoryPair();
    one.write(Buffer.from('abc'), none);
    one.end();
    for (let turns = 0; turns < 5; turns += 1) await turn();
    const reader = new Reader(other);
    await expect.poll(() => reader.ends).toBe(1);
    expect(reader.bytes.toString()).toBe('abc');
  });

  it('that is destroyed loses what found no room, delivers what was on its way, and ends every write', async () => {
    const [one, other] = memoryPair();
    let written = 0;
    one.write(Buffer.alloc(100_000, 1), () => {
      written += 1;
    });
    one.destroy();
    const reader = new Reader(other);
    await expect.poll(() => [reader.ends, written]).toEqual([1, 1]);
    expect(reader.bytes.length).toBe(65_536);
  });

  it('cannot be written when the other end is gone, and its writes end all the same', async () => {
    const [one, other] = memoryPair();
    const reader = new Reader(one);
    other.destroy();
    expect(one.isWritable).toBe(false);
    let written = 0;
    one.write(Buffer.alloc(1_000_000), () => {
      written += 1;
    });
    await expect.poll(() => [reader.ends, written]).toEqual([1, 1]);
  });
});
