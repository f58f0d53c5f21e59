// Every transport: a block of vectors arrives as if each had been sent by itself, whoever reads it how.
import { describe, expect, it } from 'vitest';

import { overEveryTransport } from '../helpers/scene.js';

/** Vectors whose values all differ. */
function block(count: number, length: number): Float32Array {
  return Float32Array.from({ length: count * length }, (_, index) => index + 0.5);
}

describe('vectors', () => {
  overEveryTransport((scene) => {
    const test = it.skipIf(scene.protocol === 1); // v1 has no format for them

    test.each([1, 3, 16, 256, 4_096])('of %i values arrive in order, whatever fits into a call', async (length) => {
      const { client, server } = await scene.pair();
      const count = Math.ceil(100_000 / length);
      const sent = client.sendVectors(block(count, length), length);
      const received = new Float32Array(count * length);
      const into = new Float32Array(Math.min(count, 700) * length + length - 1);
      for (let taken = 0; taken < count;) {
        const got = await server.receiveVectors(into, length, { timeout: 5_000 });
        expect(got).toBeGreaterThan(0);
        received.set(into.subarray(0, got * length), taken * length);
        taken += got;
      }
      await sent;
      expect(Buffer.compare(Buffer.from(received.buffer), Buffer.from(block(count, length).buffer))).toBe(0);
      expect(client.stats().sent[2]).toBe(count);
      expect(server.stats()).toMatchObject({ waiting: 0, receivedBytes: count * length * 4 });
    });

    test('are messages like others, one by one', async () => {
      const { client, server } = await scene.pair();
      await client.sendVectors(block(3, 4), 4, { priority: 1 });
      await client.send({ type: 'features', priority: 1, payload: Float32Array.of(1, 2, 3, 4) });
      const types = [];
      for (let n = 0; n < 3; n += 1) {
        const message = await server.receive({ timeout: 5_000 });
        types.push(message.type);
        expect(message).toMatchObject({ type: 'features', priority: 1, payloadFormat: 'float32', maxAge: 0 });
        expect(message.payload).toEqual(block(3, 4).subarray(4 * n, 4 * n + 4));
        expect(Math.abs(Number(message.timestamp / 1_000_000n) - Date.now())).toBeLessThan(60_000);
      }
      const into = new Float32Array(8);
      expect(await server.receiveVectors(into, 4)).toBe(1);
      expect([...into]).toEqual([1, 2, 3, 4, 0, 0, 0, 0]);
    });

    test('give way to another message, which is still there to receive', async () => {
      const { client, server } = await scene.pair();
      const into = new Float32Array(12);
      // Waiting when they come, and when they are there already.
      for (const isWaiting of [true, false]) {
        const first = isWaiting ? server.receiveVectors(into, 4, { timeout: 5_000 }) : undefined;
        await client.sendVectors(block(2, 4), 4);
        await client.send({ type: 'features', payload: 'no vector' });
        await client.sendVectors(block(1, 4), 4);
        if (!isWaiting) await expect.poll(() => server.stats().waiting).toBe(4);
        let taken = await (first ?? server.receiveVectors(into, 4));
        while (taken < 2) taken += await server.receiveVectors(into, 4, { timeout: 5_000 });
        expect(taken).toBe(2);
        const other = expect(server.receiveVectors(into, 4, { timeout: 5_000 })).rejects;
        await other.toThrow(/no vector of 4 values but a 'features' of 11 bytes of format json/);
        expect((await server.receive({ timeout: 5_000 })).payload).toBe('no vector');
        expect(await server.receiveVectors(into, 4, { timeout: 5_000 })).toBe(1);
      }
    });

    test('of another length are no such vectors, and one that has a request id or a max age is one', async () => {
      const { client, server } = await scene.pair();
      const into = new Float32Array(4);
      const waiting = expect(server.receiveVectors(into, 4, { timeout: 5_000 })).rejects.toThrow(/of 12 bytes/);
      await client.sendVectors(block(1, 3), 3);
      await waiting;
      expect((await server.receive()).payload).toHaveLength(3);
      const payload = Float32Array.of(1, 2, 3, 4);
      const again = server.receiveVectors(into, 4, { timeout: 5_000 });
      await client.send({ type: 'features', payload, maxAge: 60_000, route: 'a' });
      expect([await again, ...into]).toEqual([1, ...payload]);
    });

    test('end as everything ends', async () => {
      const { client, server } = await scene.pair();
      const into = new Float32Array(4);
      await expect(server.receiveVectors(into, 4, { timeout: 20 })).rejects.toThrow(/within the time/);
      await expect(server.receiveVectors(into, 4, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
        'enough',
      );
      const waiting = expect(server.receiveVectors(into, 4)).rejects.toMatchObject({ code: 'EIPC_CLOSED_BY_PEER' });
      await client.close();
      await waiting;
      await expect(client.sendVectors(block(1, 4), 4)).rejects.toMatchObject({ code: 'EIPC_CLOSED' });
    });

    it('are checked before anything is sent', async () => {
      const { client, server } = await scene.pair();
      const send = (...args: unknown[]) => (client.sendVectors as (...args: unknown[]) => Promise<void>)(...args);
      expect(() => send([1, 2], 2)).toThrow(/Float32Array/);
      expect(() => send(new Float32Array(6), 4)).toThrow(/not a whole number of vectors of 4/);
      expect(() => send(new Float32Array(3), 4)).toThrow(/no room for a vector of 4/);
      expect(() => send(new Float32Array(4), 0)).toThrow(/length is 0/);
      expect(() => send(new Float32Array(4), 4, { priority: 4 })).toThrow(/priority is 4/);
      expect(() => void server.receiveVectors(new Float32Array(3), 4)).toThrow(/no room/);
    });
  });
});
