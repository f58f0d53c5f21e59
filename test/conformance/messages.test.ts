// Every transport: what arrives is what was sent, in order, and requests are answered.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import {
  CapabilityError,
  ChatRequestEvent,
  ChatResponseEvent,
  CompleteRequestEvent,
  CompleteResponseEvent,
  TimeoutError,
} from '../../src/index.js';
import type { Priority } from '../../src/index.js';
import { overEveryTransport } from '../helpers/scene.js';

describe('messages', () => {
  overEveryTransport((scene) => {
    it.each([0, 1, 2, 3] as const)(
      'of priority %i arrive in order and unharmed, from 0 bytes to the largest, and one byte more is refused',
      async (priority: Priority) => {
        const { client, server } = await scene.pair();
        const most = client.maxPayload(priority);
        const sizes = [0, 1, 7, 8, 63, 64, 65, 1_000, 4_096, 65_535, 65_536, most - 1, most, 0, 5];
        const payloads = sizes.map((size) => randomBytes(size));
        const sent = (async () => {
          for (const payload of payloads) await client.send({ type: 'features', priority, payload });
        })();
        for (const payload of payloads) {
          const message = await server.receive({ timeout: 5_000 });
          // v1 has no number for bytes, and sends them as they are under that of JSON.
          expect(message).toMatchObject({ priority, payloadFormat: scene.protocol === 1 ? 'json' : 'bytes' });
          expect(Buffer.compare(message.bytes, payload)).toBe(0);
        }
        await sent;
        expect(() => client.send({ type: 'features', priority, payload: Buffer.alloc(most + 1) })).toThrow(RangeError);
        await client.send({ type: 'features', priority, payload: 'still open' });
        expect((await server.receive({ timeout: 5_000 })).payload).toBe('still open');
      },
    );

    it.for(['hmac-sha256', 'chacha20-poly1305', 'aes-256-gcm'] as const)(
      'are protected by %s whatever their size, in both directions',
      async (suite, { skip }) => {
        skip(scene.protocol === 1, 'v1 has one way to sign and none to encrypt');
        const { client, server } = await scene.pair({ suites: [suite] });
        expect([client.peer.suite, server.peer.suite]).toEqual([suite, suite]);
        for (const size of [0, 1, 64, 65_536, client.maxPayload(3)]) {
          const payload = randomBytes(size);
          await client.send({ type: 'features', priority: 3, payload });
          const there = await server.receive({ timeout: 5_000 });
          await server.send({ type: 'features', priority: 3, payload: there.bytes });
          expect(Buffer.compare((await client.receive({ timeout: 5_000 })).bytes, payload)).toBe(0);
        }
      },
    );

    it('go both ways at once', async () => {
      const { client, server } = await scene.pair();
      const total = 2_000;
      const run = async (from: typeof client | typeof server, to: typeof client | typeof server) => {
        for (let n = 0; n < total; n += 1) {
          await from.send({ type: 'features', payload: { n } });
          if (n % 7 === 6) for (let k = n - 6; k <= n; k += 1) expect((await to.receive()).payload).toEqual({ n: k });
        }
      };
      await Promise.all([run(client, server), run(server, client)]);
      expect(client.stats().received[2]).toBeGreaterThan(total - 7);
      expect(server.stats().received[2]).toBeGreaterThan(total - 7);
    });

    it('keep every payload format', async () => {
      const { client, server } = await scene.pair();
      await client.send({ type: 'chat', payload: { text: 'ü\u2028🧠', n: [1, null] } });
      expect((await server.receive()).payload).toEqual({ text: 'ü\u2028🧠', n: [1, null] });
      await client.send({ type: 'chat', payload: { a: true }, payloadFormat: 'msgpack' });
      expect((await server.receive()).payload).toEqual({ a: true });
      const floats = new Float32Array([0.1, -0, Infinity, 1e-40]);
      if (scene.protocol === 1) {
        expect(() => client.send({ type: 'features', payload: floats })).toThrow(
          /v1 has no payload of format 'float32'/,
        );
        return;
      }
      await client.send({ type: 'features', payload: floats });
      expect((await server.receive()).payload).toEqual(floats);
    });

    it('keep every field', async () => {
      const { client, server } = await scene.pair();
      const before = BigInt(Date.now()) * 1_000_000n;
      // v1 has no max age.
      const aging = scene.protocol === 1 ? {} : { maxAge: 60_000 };
      const fields = {
        type: 'intent',
        priority: 0,
        capability: 'ui:control',
        route: 'a/b"<&>\\',
        requestId: '🧠-1',
      } as const;
      await client.send({ ...fields, ...aging });
      const message = await server.receive();
      expect(message).toMatchObject({
        ...fields,
        source: 'eni',
        maxAge: 0,
        ...aging,
        sessionId: client.peer.sessionId,
      });
      expect(message.timestamp).toBeGreaterThanOrEqual(before - 1_000_000n);
      expect(message.timestamp).toBeLessThan(before + 60_000_000_000n);
      expect(message.copy()).toMatchObject({ ...fields, source: 'eni', sessionId: client.peer.sessionId });
      await client.send(fields);
      expect((await server.receive()).sequence).toBe(message.sequence + 1n);
    });

    it('come from a peer that the key and the kernel name', async () => {
      const { client, server, listening } = await scene.pair();
      const { transport } = scene;
      const { protocol } = scene;
      const suite = protocol === 1 ? 'v1-mac' : 'hmac-sha256';
      const known = { protocol, suite, sessionId: client.peer.sessionId, transport } as const;
      expect(server.peer).toMatchObject({ ...known, serviceId: 'eni', address: server.remoteAddress });
      expect(client.peer).toMatchObject({ ...known, serviceId: 'eipc', address: listening.addresses[0] });
      expect([...server.peer.capabilities]).toEqual(['ui:control']);
      const hasKernelPeer = transport === 'shm' || transport === 'unix';
      expect(server.peer.pid).toBe(hasKernelPeer ? process.pid : undefined);
      expect(server.peer.uid).toBe(hasKernelPeer ? process.getuid?.() : undefined);
      expect([client.peer.tls?.authorized, server.peer.tls?.authorized]).toEqual(
        transport === 'tls' ? [true, true] : [undefined, undefined],
      );
      if (transport === 'tcp' || transport === 'tls') {
        expect(listening.addresses[0]).toMatch(/^(?:tcp|tls):\/\/(?:127\.0\.0\.1|\[::1\]):[1-9]\d*$/);
        // The client's own port, on the same machine.
        expect(server.remoteAddress.replace(/\d+$/, '')).toBe(listening.addresses[0]?.replace(/\d+$/, ''));
        expect(server.remoteAddress).not.toBe(listening.addresses[0]);
      } else expect(server.remoteAddress).toBe(listening.addresses[0]);
    });

    it('that ask are answered by the handler, refused without the capability, and time out without an answer', async () => {
      const server = await scene.serve();
      server.router?.handle('intent', { capability: 'ui:control' }, (message) => ({ echo: message.payload }));
      server.router?.handle('tool_request', { capability: 'device:write' }, () => ({}));
      server.router?.handle('chat', () => new Promise(() => undefined));
      const client = await scene.dial(server);
      const ack = await client.request({ type: 'intent', priority: 0, capability: 'ui:control', payload: [1] });
      expect(ack.payload).toMatchObject({ status: 'ok', echo: [1], request_id: ack.requestId });
      await expect(client.request({ type: 'tool_request', payload: {} })).rejects.toThrow(CapabilityError);
      await expect(client.request({ type: 'intent', capability: 'system:restricted' })).rejects.toMatchObject({
        code: 'EIPC_CAPABILITY',
        remote: true,
      });
      await expect(client.request({ type: 'complete', payload: {} })).rejects.toMatchObject({
        code: 'EIPC_UNKNOWN_TYPE',
      });
      await expect(client.request({ type: 'chat', payload: {} }, { timeout: 30 })).rejects.toThrow(TimeoutError);
      const aborted = new AbortController();
      const waiting = client.request({ type: 'chat', payload: {} }, { signal: aborted.signal });
      aborted.abort(new Error('enough'));
      await expect(waiting).rejects.toThrow('enough');
      expect(await client.ping()).toBeGreaterThan(0);
    });

    it('of a conversation are answered in kind, by schemas of both sides', async () => {
      const server = await scene.serve();
      server.router
        ?.handle('chat', { schema: ChatRequestEvent }, ({ payload: { prompt } }) =>
          ChatResponseEvent.create({ response: `you said ${prompt}`, tokens_used: 3 }),
        )
        .handle('complete', { schema: CompleteRequestEvent }, async ({ payload: { prompt } }) => {
          await new Promise((resolve) => setImmediate(resolve));
          return CompleteResponseEvent.create({ completion: `${prompt} upon a time` });
        });
      const client = await scene.dial(server);
      const turn = await client.request({ type: 'chat', payload: ChatRequestEvent.create({ prompt: 'hello' }) });
      expect([turn.type, turn.priority]).toEqual(['chat', 1]);
      expect(ChatResponseEvent.parse(turn.payload)).toEqual({ response: 'you said hello', tokens_used: 3 });
      const rest = await client.request({ type: 'complete', payload: CompleteRequestEvent.create({ prompt: 'once' }) });
      expect(rest.type).toBe('complete');
      expect(CompleteResponseEvent.parse(rest.payload)).toEqual({ completion: 'once upon a time' });
      // What went wrong is an ack, whatever was asked.
      await expect(client.request({ type: 'chat', payload: { prompt: 7 } })).rejects.toMatchObject({
        code: 'EIPC_BAD_PAYLOAD',
        remote: true,
        reply: expect.objectContaining({ type: 'ack' }) as object,
      });
    });

    it('that ask are answered each with its own answer, however many there are at once', async () => {
      const server = await scene.serve();
      server.router?.handle('intent', async (message) => {
        const { n } = message.payload as { n: number };
        // Answers overtake each other.
        for (let turn = n % 3; turn > 0; turn -= 1) await new Promise((resolve) => setImmediate(resolve));
        return { n };
      });
      const client = await scene.dial(server);
      const numbers = Array.from({ length: 500 }, (_, n) => n);
      const acks = await Promise.all(
        numbers.map((n) => client.request<{ n: number }>({ type: 'intent', payload: { n } })),
      );
      expect(acks.map((ack) => ack.payload.n)).toEqual(numbers);
      expect(client.stats().pendingRequests).toBe(0);
    });
  });
});
