// What a stream link does with its stream on the way out: how much it hands over at once, in which order, and when it lets go.
import { afterEach, describe, expect, it, vi } from 'vitest';

import type { Priority } from '../../src/index.js';
import type { ByteStream } from '../../src/transport/byte-stream.js';
import { memoryPair } from '../../src/transport/memory.js';
import { join } from '../helpers/joined-links.js';
import type { Speech } from '../helpers/joined-links.js';

/** Where the priority stands behind length prefix, preamble and SecHdr; suite 1 leaves it readable. */
const PRIORITY_AT = 4 + 16 + 24;

/** A stream whose writes are watched, and whose congestion the test decides. */
class Watched {
  /** `cork`, the priority of each frame that was written, `uncork`, `destroy`. */
  calls: (Priority | 'cork' | 'uncork' | 'destroy')[] = [];
  /** What `needsDrain` says; nothing: the truth. */
  isCongested: boolean | undefined;
  /** Whether what is written never gets anywhere. */
  isStuck = false;
  readonly stream: ByteStream;
  #drained: () => void = () => {};

  constructor(inner: ByteStream) {
    const start = inner.start.bind(inner);
    const write = inner.write.bind(inner);
    const cork = inner.cork.bind(inner);
    const uncork = inner.uncork.bind(inner);
    const destroy = inner.destroy.bind(inner);
    const isCongested = (): boolean | undefined => this.isCongested;
    const drains = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(inner), 'needsDrain');
    Object.defineProperty(inner, 'needsDrain', { get: () => isCongested() ?? (drains?.get?.call(inner) as boolean) });
    inner.start = (reader) => {
      this.#drained = () => reader.drained();
      start(reader);
    };
    inner.write = (bytes, onWritten) => {
      for (let at = 0; at < bytes.length; at += 4 + Buffer.from(bytes).readUInt32BE(at))
        this.calls.push((bytes[at + PRIORITY_AT] ?? 0) as Priority);
      if (!this.isStuck) write(bytes, onWritten);
    };
    inner.cork = () => {
      this.calls.push('cork');
      cork();
    };
    inner.uncork = () => {
      this.calls.push('uncork');
      uncork();
    };
    inner.destroy = () => {
      this.calls.push('destroy');
      destroy();
    };
    this.stream = inner;
  }

  /** Has room again. */
  drain(): void {
    this.isCongested = undefined;
    this.#drained();
  }
}

async function watched(
  speech: Speech = 'EIPC/2',
): Promise<{ client: Client; server: Server; out: Watched; back: Watched }> {
  const [clientStream, serverStream] = memoryPair();
  const [out, back] = [new Watched(clientStream), new Watched(serverStream)];
  const [client, server] = await join(out.stream, back.stream, speech);
  out.calls = [];
  back.calls = [];
  return { client, server, out, back };
}

type Client = Awaited<ReturnType<typeof join>>[0];
type Server = Awaited<ReturnType<typeof join>>[1];

afterEach(() => void vi.useRealTimers());

describe('a stream link', () => {
  it('writes what one turn sent as one, priority 0 first, whatever the order of sending', async () => {
    const { client, out } = await watched();
    for (const priority of [3, 1, 2, 0, 3, 0] as const) void client.send({ type: 'chat', priority, payload: 'x' });
    expect(out.calls).toEqual([]); // not before the turn is over
    await Promise.resolve();
    expect(out.calls).toEqual(['cork', 0, 0, 1, 2, 3, 3, 'uncork']);
    await client.close();
  });

  it('seals no more than the stream wants, so that a later priority 0 goes ahead of the rest', async () => {
    const { client, server, out } = await watched();
    const bulk = { type: 'audit', priority: 3, payload: Buffer.alloc(20_000) } as const;
    for (let n = 0; n < 100; n += 1) void client.send(bulk);
    await Promise.resolve();
    // One chunk of the lane, and what the stream was content with: not two million bytes.
    const before = out.calls.filter((call) => call === 3).length;
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(10);
    void client.send({ type: 'intent', priority: 0, payload: 'stop' });
    let seen = 0;
    while ((await server.receive({ timeout: 5_000 })).priority === 3) seen += 1;
    expect(seen).toBeLessThan(10);
    for (; seen < 100; seen += 1) expect((await server.receive({ timeout: 5_000 })).priority).toBe(3);
    await client.close();
  });

  it('gives a message that has to wait the time it was accepted, not that of its departure', async () => {
    const { client, server, out } = await watched();
    out.isCongested = true;
    void client.send({ type: 'chat', payload: 'waits' });
    const accepted = Date.now();
    await expect.poll(() => Date.now()).toBeGreaterThan(accepted + 20);
    expect(out.calls).toEqual([]);
    out.drain();
    const { timestamp } = await server.receive({ timeout: 5_000 });
    expect(Number(timestamp / 1_000_000n)).toBeLessThanOrEqual(accepted);
    await client.close();
  });

  // The attacker says goodbye and reads nothing any more, which would keep a descriptor of the server's for ever.
  it.each(['EIPC/2', 'v1'] as const)(
    'of %s lets go of a stream whose peer reads nothing, after two seconds',
    async (speech) => {
      const { client, server, back } = await watched(speech);
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      back.isStuck = true;
      void server.send({ type: 'chat', payload: 'never read' });
      void client.close({ timeout: 100 });
      await server.closed;
      await vi.advanceTimersByTimeAsync(1_900);
      expect(back.calls).not.toContain('destroy');
      await vi.advanceTimersByTimeAsync(200);
      expect(back.calls).toContain('destroy');
    },
  );
});
