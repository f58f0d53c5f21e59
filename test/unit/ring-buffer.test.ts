/** The ring within one thread: bounded in bytes and in records, in order, waking who waits; and endpoints of v1 over two of them. */
import { describe, expect, it } from 'vitest';

import { ClientEndpoint, RingBuffer, ringConnection, ServerEndpoint } from '../../src/index.js';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe('a ring', () => {
  it('gives back every record whole and in order, wherever its end lies', () => {
    const ring = new RingBuffer({ name: 'a', bufferSize: 7, slotCount: 3 });
    for (let round = 0; round < 50; round += 1) {
      const records = [bytes(round), bytes(round, 1, 2), bytes(round, 3)];
      for (const record of records) expect(ring.tryWrite(record)).toBe(true);
      for (const record of records) expect(ring.tryRead()).toEqual(Buffer.from(record));
      expect(ring.tryRead()).toBeUndefined();
    }
  });

  it('is full when its bytes are, or its slots, and not before', () => {
    const ring = new RingBuffer({ name: 'a', bufferSize: 4, slotCount: 2 });
    expect([ring.tryWrite(bytes(1, 2, 3)), ring.tryWrite(bytes(4, 5)), ring.tryWrite(bytes(4))]).toEqual([
      true,
      false,
      true,
    ]);
    ring.tryRead();
    expect([ring.tryWrite(bytes()), ring.tryWrite(bytes()), ring.length]).toEqual([true, false, 2]);
  });

  it('keeps a copy: the writer may reuse its memory', () => {
    const ring = new RingBuffer({ name: 'a' });
    const record = bytes(1, 2);
    ring.tryWrite(record);
    record.fill(9);
    expect(ring.tryRead()).toEqual(Buffer.from([1, 2]));
    expect([ring.bufferSize, ring.slotCount]).toEqual([65_536, 256]);
  });

  it('wakes a writer when there is room, and lets nobody in before it', async () => {
    const ring = new RingBuffer({ name: 'a', bufferSize: 2, slotCount: 2 });
    await ring.write(bytes(1, 1));
    const waiting = ring.write(bytes(2, 2));
    expect(ring.tryWrite(bytes())).toBe(false);
    await expect(ring.write(bytes(3))).rejects.toThrow(/waits already/);
    ring.tryRead();
    expect(ring.tryWrite(bytes(3))).toBe(false);
    await waiting;
    expect(ring.tryRead()).toEqual(Buffer.from([2, 2]));
  });

  it('wakes a reader with what is written', async () => {
    const ring = new RingBuffer({ name: 'a' });
    const waiting = ring.read();
    await expect(ring.read()).rejects.toThrow(/waits already/);
    ring.tryWrite(bytes(1));
    expect(await waiting).toEqual(Buffer.from([1]));
  });

  it('tells a writer that it stayed full, and a reader that it stayed empty', async () => {
    const ring = new RingBuffer({ name: 'a', slotCount: 1 });
    await expect(ring.read({ timeout: 5 })).rejects.toMatchObject({ code: 'EIPC_TIMEOUT' });
    await ring.write(bytes(1));
    await expect(ring.write(bytes(2), { timeout: 5 })).rejects.toMatchObject({
      code: 'EIPC_BACKPRESSURE',
      retryable: true,
    });
    const reason = new Error('enough');
    await expect(ring.write(bytes(2), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect([await ring.read(), ring.length]).toEqual([Buffer.from([1]), 0]);
  });

  it('ends after the last record', async () => {
    const ring = new RingBuffer({ name: 'a', slotCount: 1 });
    await ring.write(bytes(1));
    const waiting = ring.write(bytes(2));
    ring.close();
    ring.close();
    await expect(waiting).rejects.toMatchObject({ code: 'EIPC_CLOSED' });
    expect(() => ring.tryWrite(bytes(3))).toThrow(/'a' is closed/);
    expect([await ring.read(), await ring.read()]).toEqual([Buffer.from([1]), undefined]);
  });

  it('refuses a record that never fits, and sizes that are none', async () => {
    const ring = new RingBuffer({ name: 'a', bufferSize: 2 });
    expect(() => ring.tryWrite(bytes(1, 2, 3))).toThrow(/3 bytes never fits into the 2 of 'a'/);
    await expect(ring.write('ab' as unknown as Uint8Array)).rejects.toThrow(TypeError);
    expect(() => new RingBuffer({ name: 'a', bufferSize: 0 })).toThrow(/bufferSize is 0/);
    expect(() => new RingBuffer({ name: 'a', slotCount: 1.5 })).toThrow(/slotCount is 1.5/);
    expect(() => new RingBuffer({ name: 7 as unknown as string })).toThrow(/name must be a string/);
  });
});

describe('endpoints over two rings', () => {
  it('send, answer and end as over a socket', async () => {
    const [there, back] = [new RingBuffer({ name: 'there' }), new RingBuffer({ name: 'back' })];
    const key = Buffer.from('sixteen bytes or more');
    const client = new ClientEndpoint(ringConnection(there, back), { key, serviceId: 'nia.min' });
    const server = new ServerEndpoint(ringConnection(back, there, 'client'), { key });
    expect([client.remoteAddress, server.remoteAddress]).toEqual(['ring:back', 'ring:client']);
    const reply = client.request({ type: 'intent', payload: { intent: 'stop' } });
    const message = await server.receive();
    expect(message.payload).toEqual({ intent: 'stop' });
    await server.send({ type: 'ack', requestId: message.requestId, payload: { status: 'ok' } });
    expect((await reply).payload).toMatchObject({ status: 'ok' });
    await client.close();
    expect((await server.closed).code).toBe('EIPC_CLOSED_BY_PEER');
    await server.close();
  });
});
