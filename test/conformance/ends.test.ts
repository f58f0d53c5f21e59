// Every transport: however a connection ends, both ends learn it, what arrived is delivered first, and nobody waits for ever.
import { describe, expect, it } from 'vitest';

import { ClosedError, EipcError, listen, PeerDownError } from '../../src/index.js';
import type { ClientEndpoint, Endpoint } from '../../src/index.js';
import { Relay } from '../helpers/relay.js';
import { addressOf, fill, overEveryStream, overEveryTransport } from '../helpers/scene.js';
import type { Scene } from '../helpers/scene.js';

const AGREED = ['EIPC_CLOSED', 'EIPC_CLOSED_BY_PEER'];

/** Numbers of the messages that arrive, until iteration ends. */
async function numbersOf(endpoint: Endpoint): Promise<number[]> {
  const numbers: number[] = [];
  for await (const message of endpoint) numbers.push((message.payload as { n: number }).n);
  return numbers;
}

function sendNumbers(endpoint: Endpoint, count: number): number[] {
  const numbers = Array.from({ length: count }, (_, n) => n);
  for (const n of numbers) void endpoint.send({ type: 'features', payload: { n } });
  return numbers;
}

describe('ends', () => {
  overEveryTransport((scene) => {
    it.each(['client', 'server'] as const)(
      'closing from the %s delivers what it had sent before, and ends both',
      async (side) => {
        const { client, server } = await scene.pair();
        const [closing, other] = side === 'client' ? [client, server] : [server, client];
        const got = numbersOf(other);
        const sent = sendNumbers(closing, 100);
        await closing.close();
        expect(await got).toEqual(sent);
        expect((await closing.closed).code).toBe('EIPC_CLOSED');
        expect((await other.closed).code).toBe('EIPC_CLOSED_BY_PEER');
        await expect(client.send({ type: 'features' })).rejects.toThrow(ClosedError);
        await expect(server.receive()).rejects.toThrow(ClosedError);
        expect(client.state).toBe('closed');
      },
    );

    it('closing from both at once ends both by agreement', async () => {
      const { client, server } = await scene.pair();
      const reading = Promise.all([numbersOf(client), numbersOf(server)]);
      sendNumbers(client, 100);
      sendNumbers(server, 100);
      await Promise.all([client.close(), server.close()]);
      await reading;
      expect(AGREED).toContain((await client.closed).code);
      expect(AGREED).toContain((await server.closed).code);
    });

    it('closing with full lanes ends in its time', async () => {
      const { client, server } = await scene.pair({ inbox: { limit: 1 } });
      await fill(client, { type: 'features', payload: Buffer.alloc(200_000) });
      await client.close({ timeout: 50 });
      expect(client.state).toBe('closed');
      // The other end still gets what arrived, and then learns that there will be no more.
      await expect(
        (async () => {
          for (;;) await server.receive({ timeout: 5_000 });
        })(),
      ).rejects.toThrow(EipcError);
      await server.closed;
    });

    it('a request that waits when the connection closes ends at once, with what is known of it', async () => {
      const server = await scene.serve();
      server.router?.handle('chat', () => new Promise(() => undefined));
      const client = await scene.dial(server);
      const waiting = client.request({ type: 'chat', payload: {} }, { timeout: 20_000 });
      await expect.poll(() => [...server.endpoints][0]?.stats().running).toBe(1);
      const refused = expect(waiting).rejects.toMatchObject({ code: 'EIPC_CLOSED_BY_PEER', delivered: 'unknown' });
      await server.close();
      await refused;
    });

    it('a server that closes while clients connect leaves none of them waiting and none open', async () => {
      const server = await scene.serve();
      const dialling = Array.from({ length: 12 }, () => scene.dial(server, { handshakeTimeout: 5_000 }));
      await Promise.race(dialling);
      const closing = server.close();
      const results = await Promise.allSettled(dialling);
      await closing;
      for (const result of results) {
        // A server that had not noticed a new session yet cuts it, so the code may also be that of a cut.
        if (result.status === 'fulfilled') await result.value.closed;
        else expect(result.reason).toBeInstanceOf(EipcError);
      }
      expect(results.some((result) => result.status === 'fulfilled')).toBe(true);
      expect(server.endpoints.size).toBe(0);
      expect(server.stats().handshaking).toBe(0);
      await expect(scene.dial(server)).rejects.toThrow(/no server/);
    });

    it('a server that closed leaves its address to the next', async () => {
      const first = await scene.serve();
      const client = await scene.dial(first);
      const address = addressOf(first);
      await expect.poll(() => first.endpoints.size).toBe(1);
      await first.close();
      expect((await client.closed).code).toBe('EIPC_CLOSED_BY_PEER');
      const services = { eni: { key: scene.key, capabilities: [] } };
      const second = scene.closeLater(await listen(address, { services, ...scene.speech }));
      expect(second.addresses).toEqual([address]);
      const again = await scene.dial(second);
      if (scene.hasHandshake) expect(again.peer.sessionId).not.toBe(client.peer.sessionId);
      expect(await again.ping()).toBeGreaterThan(0);
    });
  });
});

describe('streams that are cut', () => {
  overEveryStream((scene) => {
    it('between two frames: both ends report it as truncation, after everything that arrived', async ({ skip }) => {
      skip(scene.protocol === 1, 'v1 has no close frame: the end of the stream is the ordinary end');
      const { relay, client, server } = await relayed(scene);
      const sent = sendNumbers(client, 50);
      const got: number[] = [];
      const reading = (async () => {
        for await (const message of server) got.push((message.payload as { n: number }).n);
      })().catch((error: unknown) => error);
      await expect.poll(() => got.length).toBe(50);
      relay.cut();
      const error = await reading;
      expect(error).toBeInstanceOf(PeerDownError);
      expect(error).toMatchObject({ code: 'EIPC_TRUNCATED' });
      expect(got).toEqual(sent);
      for (const end of [client, server]) expect((await end.closed).code).toBe('EIPC_TRUNCATED');
      await expect(client.send({ type: 'features' })).rejects.toThrow(PeerDownError);
    });

    it('between two frames: in v1 that is the ordinary end, after everything that arrived', async ({ skip }) => {
      skip(scene.protocol === 2, 'EIPC/2 has a close frame');
      const { relay, client, server } = await relayed(scene);
      const got = numbersOf(server);
      const sent = sendNumbers(client, 50);
      await expect.poll(() => server.stats().received[2]).toBe(50);
      relay.cut();
      expect(await got).toEqual(sent);
      for (const end of [client, server])
        expect(await end.closed).toEqual({ code: 'EIPC_CLOSED_BY_PEER', undelivered: 0 });
      await expect(client.send({ type: 'features' })).rejects.toThrow(ClosedError);
    });

    it.each([1, 3, 4, 5, 19, 20, 21, 43, 44, 100])(
      '%i bytes into a frame: what came before is delivered, the beginning of the frame is not',
      async (length) => {
        const { relay, client, server } = await relayed(scene);
        await client.send({ type: 'chat', payload: 'whole' });
        expect((await server.receive()).payload).toBe('whole');
        const received = server.stats().received;
        relay.stopAfter.c2s = relay.passed.c2s + length;
        await client.send({ type: 'chat', payload: 'x'.repeat(1_000) });
        const ended = await server.receive({ timeout: 5_000 }).catch((error: unknown) => error);
        // Of TLS the half of a record never shows, nor whether it was ended or cut: v1 has nothing else to tell the two apart by.
        const looksWhole = scene.protocol === 1 && scene.transport === 'tls';
        expect(ended).toBeInstanceOf(looksWhole ? ClosedError : PeerDownError);
        expect((ended as EipcError).code).toMatch(looksWhole ? /^EIPC_CLOSED_BY_PEER$/ : /^EIPC_(?:FRAME_)?TRUNCATED$/);
        // For the client of v1 it is an end between two frames, unless something of its own was on the way.
        const codes = scene.protocol === 1 ? ['EIPC_TRUNCATED', 'EIPC_CLOSED_BY_PEER'] : ['EIPC_TRUNCATED'];
        expect(codes).toContain((await client.closed).code);
        expect(server.stats().received).toEqual(received);
      },
    );

    it('while requests wait: they end at once', async () => {
      const { relay, client } = await relayed(scene, true);
      const waiting = client.request({ type: 'chat', payload: {} }, { timeout: 20_000 });
      await expect.poll(() => relay.passed.c2s).toBeGreaterThan(0);
      await client.flush();
      relay.cut();
      const ended = await waiting.catch((error: unknown) => error);
      expect(ended).toBeInstanceOf(EipcError);
      const codes = scene.protocol === 1 ? ['EIPC_TRUNCATED', 'EIPC_CLOSED_BY_PEER'] : ['EIPC_TRUNCATED'];
      expect(codes).toContain((ended as EipcError).code);
    });

    it('during the handshake, after any number of bytes: an error at the client, nothing left at the server', async ({
      skip,
    }) => {
      skip(!scene.hasHandshake, 'there is none');
      const server = await scene.serve();
      for (const direction of ['c2s', 's2c'] as const) {
        for (const length of [0, 1, 4, 19, 60, 130]) {
          const relay = scene.closeLater(await Relay.listen(scene.newAddress(), addressOf(server)));
          relay.stopAfter[direction] = length;
          await expect(scene.dial(relay.address, { handshakeTimeout: 5_000 })).rejects.toBeInstanceOf(EipcError);
        }
      }
      await expect.poll(() => server.stats()).toMatchObject({ authenticated: 0, handshaking: 0, open: 0 });
    });
  });
});

async function relayed(
  scene: Scene,
  hasRouter = false,
): Promise<{ relay: Relay; client: ClientEndpoint; server: Endpoint }> {
  const server = await scene.serve(hasRouter ? {} : { router: null });
  server.router?.handle('chat', () => new Promise(() => undefined));
  const relay = scene.closeLater(await Relay.listen(scene.newAddress(), addressOf(server)));
  const accepted = server[Symbol.asyncIterator]().next();
  const client = await scene.dial(relay.address);
  const { value } = (await accepted) as IteratorYieldResult<Endpoint>;
  return { relay, client, server: value };
}
