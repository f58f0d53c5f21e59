// Every transport: a slow consumer holds up the sender and loses nothing, and what a full lane means is what the options say.
import { setImmediate, setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { BackpressureError, TimeoutError } from '../../src/index.js';
import { fill, overEveryStream, overEveryTransport, PATIENCE } from '../helpers/scene.js';

const LARGE = { type: 'features', payload: Buffer.alloc(200_000) } as const;

/** Milliseconds after which a program that has nothing to do does nothing. */
const ASLEEP = 20;

describe('back-pressure', () => {
  overEveryTransport((scene) => {
    it('a consumer that was slow gets everything, in order, once it takes', async () => {
      const { client, server } = await scene.pair({ inbox: { limit: 10 } });
      const total = 20_000;
      let sent = 0;
      const producing = (async () => {
        for (let n = 0; n < total; n += 1) {
          await client.send({ type: 'features', payload: { n, filler: 'x'.repeat(400) } }, { timeout: PATIENCE });
          sent += 1;
        }
      })();
      await expect.poll(() => client.stats().waitedForRoom, { timeout: PATIENCE }).toBeGreaterThan(0);
      const stalledAt = sent;
      expect(stalledAt).toBeLessThan(total);
      for (let n = 0; n < total; n += 1) {
        expect((await server.receive({ timeout: PATIENCE })).payload).toMatchObject({ n });
      }
      await producing;
    });

    it.each(['send', 'ready'] as const)('a program that sleeps in %s is woken by the room alone', async (call) => {
      const { client, server } = await scene.pair({ inbox: { limit: 1 } });
      const accepted = await fill(client, LARGE);
      await setTimeout(ASLEEP);
      const options = { timeout: PATIENCE };
      const waiting = call === 'send' ? client.send(LARGE, options) : client.ready(2, options);
      await setTimeout(ASLEEP);
      for (let n = 0; n < accepted; n += 1) await server.receive({ timeout: PATIENCE });
      await waiting;
    });

    it('a batch larger than every buffer waits for room and arrives whole', async () => {
      const { client, server } = await scene.pair({ inbox: { limit: 4 } });
      const batch = Array.from({ length: 64 }, (_, n) => ({
        type: 'features' as const,
        payload: Buffer.alloc(65_536, n),
      }));
      const sending = client.sendBatch(batch, { timeout: PATIENCE });
      for (const { payload } of batch) {
        expect(Buffer.compare((await server.receive({ timeout: PATIENCE })).bytes, payload)).toBe(0);
      }
      await sending;
    });

    it.each(['fail', 'drop-newest', 'block'] as const)('a full lane set to %s says so', async (onFull) => {
      const { client, server } = await scene.pair(
        { inbox: { limit: 1 } },
        { lanes: { 2: { onFull } }, sendTimeout: 50 },
      );
      const [, before] = server.stats().received;
      const accepted = await fill(client, LARGE);
      if (onFull === 'drop-newest') {
        await client.send(LARGE);
        expect(client.stats().dropped[2]).toBe(1);
      } else {
        await expect(client.send(LARGE)).rejects.toThrow(BackpressureError);
        expect(client.stats().refusedForRoom).toBeGreaterThanOrEqual(1);
      }
      expect(client.trySend(LARGE)).toBe(false);
      // Another lane is not held up.
      expect(client.trySend({ type: 'intent', priority: 0, payload: {} })).toBe(true);
      // What was accepted arrives, and nothing of what was refused.
      for (let n = 0; n <= accepted; n += 1) await server.receive({ timeout: PATIENCE });
      expect(server.stats().received).toEqual([1, before, accepted, 0]);
      expect(client.trySend(LARGE)).toBe(true);
    });

    it('a send that waits for room ends with its signal, and the message is not sent', async () => {
      const { client, server } = await scene.pair({ inbox: { limit: 1 } });
      const accepted = await fill(client, LARGE);
      const aborted = new AbortController();
      const waiting = client.send(LARGE, { signal: aborted.signal });
      aborted.abort(new Error('enough'));
      await expect(waiting).rejects.toThrow('enough');
      const again = client.ready(2, { timeout: PATIENCE });
      for (let n = 0; n < accepted; n += 1)
        expect((await server.receive({ timeout: PATIENCE })).bytes).toHaveLength(LARGE.payload.length);
      await again;
      await client.send({ ...LARGE, payload: 'after' });
      expect((await server.receive({ timeout: PATIENCE })).payload).toBe('after');
    });

    it('receiving ends with its time and with its signal, and goes on after that', async () => {
      const { client, server } = await scene.pair();
      await expect(server.receive({ timeout: 20 })).rejects.toThrow(TimeoutError);
      const aborted = new AbortController();
      const waiting = server.receive({ signal: aborted.signal });
      aborted.abort(new Error('enough'));
      await expect(waiting).rejects.toThrow('enough');
      await client.send({ type: 'chat', payload: 'later' });
      expect((await server.receive()).payload).toBe('later');
    });

    it('priority 0 goes ahead of the priority 3 that waits', async () => {
      const { client, server } = await scene.pair({ inbox: { limit: 1 } });
      const bulk = { type: 'audit', priority: 3, payload: Buffer.alloc(60_000) } as const;
      let queued = await fill(client, bulk);
      // Room on the way takes a little of the lane, not all of it.
      let before = 0;
      for (; before < 8; before += 1) await server.receive({ timeout: PATIENCE });
      for (let turns = 0; turns < 10; turns += 1) await setImmediate();
      // Except that the kernel gives a tcp connection that is being read larger buffers.
      if (scene.transport === 'tcp' || scene.transport === 'tls') queued += await fill(client, bulk);
      expect(client.trySend({ type: 'intent', priority: 0, payload: 'stop' })).toBe(true);
      while ((await server.receive({ timeout: PATIENCE })).priority === 3) before += 1;
      let after = 0;
      for (; before + after < queued; after += 1)
        expect((await server.receive({ timeout: PATIENCE })).priority).toBe(3);
      // At least half of what the lane holds: streams 4 MiB here, shared memory its ring.
      expect(after).toBeGreaterThanOrEqual(scene.transport === 'shm' ? 1 : 32);
    });
  });
});

describe('back-pressure of streams', () => {
  overEveryStream((scene) => {
    it('flush() waits for the kernel, no longer than its time, and resolves once the peer reads', async () => {
      const { client, server } = await scene.pair({ inbox: { limit: 1 } });
      const accepted = await fill(client, LARGE);
      await expect(client.flush({ timeout: 20 })).rejects.toThrow(TimeoutError);
      const flushed = client.flush({ timeout: PATIENCE });
      for (let n = 0; n < accepted; n += 1) await server.receive({ timeout: PATIENCE });
      await flushed;
    });

    it('a lane holds as much as it was told to', async () => {
      const { client } = await scene.pair(
        { inbox: { limit: 1 } },
        { lanes: { 2: { capacity: 65_536 }, 3: { capacity: 1_048_576 } } },
      );
      const message = { type: 'features', payload: Buffer.alloc(10_000) } as const;
      // The first fills everything on the way; what the other holds is its queue alone.
      await fill(client, message);
      const held = await fill(client, { ...message, priority: 3 });
      expect(held).toBeGreaterThanOrEqual(Math.floor(1_048_576 / 11_000));
      expect(held).toBeLessThanOrEqual(Math.ceil(1_048_576 / 10_000));
    });
  });
});
