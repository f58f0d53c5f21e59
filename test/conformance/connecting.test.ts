// Every transport: who gets in, how many at once, and how long a connection may take to say who it is.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { AuthError, Key, listen } from '../../src/index.js';
import type { ClientEndpoint, ServerEndpoint } from '../../src/index.js';
import { parseAddress, requireSupported } from '../../src/transport/address.js';
import { openAcceptor, openConnection } from '../../src/transport/open.js';
import type { RawConnection } from '../../src/transport/raw-connection.js';
import { beneathTls } from '../helpers/relay.js';
import { addressOf, overEveryTransport } from '../helpers/scene.js';
import type { Scene } from '../helpers/scene.js';

/** Connects and says nothing, not even of TLS. */
function connectSilently(address: string): Promise<RawConnection> {
  return openConnection(requireSupported(parseAddress(beneathTls(address))), 5_000, undefined);
}

/** Listens, accepts, and says nothing. */
async function listenSilently(scene: Scene): Promise<{ address: string; accepted: RawConnection[] }> {
  const accepted: RawConnection[] = [];
  const acceptor = await openAcceptor(
    requireSupported(parseAddress(beneathTls(scene.newAddress()))),
    (connection) => accepted.push(connection),
    (error) => {
      throw error;
    },
  );
  scene.closeLater({
    close() {
      acceptor.close();
      for (const connection of accepted) connection.close();
      return Promise.resolve();
    },
  });
  return { address: acceptor.address.replace(/^\w+/, scene.transport), accepted };
}

describe('connecting', () => {
  overEveryTransport((scene) => {
    it('a wrong key, an unknown service and another one’s name are refused alike', async ({ skip }) => {
      skip(scene.protocol === 1, 'a v1 server has no key to answer a stranger with: test/security/v1-login.test.ts');
      const server = await scene.serve();
      const wrong = Key.fromBytes(randomBytes(32));
      const refusals = await Promise.all(
        [
          scene.dial(server, { key: wrong }),
          scene.dial(server, { serviceId: 'nobody' }),
          scene.dial(server, { serviceId: 'nobody', key: wrong }),
        ].map((attempt) => attempt.catch((error: unknown) => error)),
      );
      for (const refusal of refusals) expect(refusal).toBeInstanceOf(AuthError);
      // The text repeats the caller's own id; what it learned from the server is the same.
      const texts = refusals.map((refusal) => (refusal as Error).message.replaceAll(/'(eni|nobody)'/g, '?'));
      expect(new Set(texts).size).toBe(1);
      expect(server.endpoints.size).toBe(0);
      expect(server.stats()).toMatchObject({ accepted: 3, authenticated: 0, handshakeFailures: 3 });
      expect((await scene.dial(server)).state).toBe('open');
    });

    it('without X25519 only where the server allows it', async ({ skip }) => {
      skip(scene.protocol === 1, 'v1 has no key exchange');
      const strict = await scene.serve();
      await expect(scene.dial(strict, { pskOnly: true })).rejects.toBeInstanceOf(AuthError);
      const lenient = await scene.serve({ allowPskOnly: true });
      expect((await scene.dial(lenient, { pskOnly: true })).state).toBe('open');
      expect((await scene.dial(lenient)).state).toBe('open');
    });

    it('a server other than the expected one is refused by the client', async () => {
      const server = await scene.serve({ serverId: 'somebody' });
      await expect(scene.dial(server, { serverId: 'eai' })).rejects.toBeInstanceOf(AuthError);
      expect((await scene.dial(server, { serverId: 'somebody' })).peer.serviceId).toBe('somebody');
    });

    // The attacker holds the key of a service, as every server of it does, and takes an address over.
    it('the server that was met first is the expected one from then on', async ({ skip }) => {
      skip(scene.protocol === 1, 'in v1 a server proves nothing that could be remembered');
      const server = await scene.serve({ serverId: 'somebody' });
      await (await scene.dial(server)).close();
      const address = addressOf(server);
      await server.close();
      const services = { eni: { key: scene.key, capabilities: [] } };
      const other = scene.closeLater(await listen(address, { services, ...scene.speech, serverId: 'else' }));
      await expect(scene.dial(other)).rejects.toMatchObject({ code: 'EIPC_IDENTITY' });
      // Who names the server it wants gets that, and the memory of the other stays.
      expect((await scene.dial(other, { serverId: 'else' })).peer.serviceId).toBe('else');
      await expect(scene.dial(other)).rejects.toBeInstanceOf(AuthError);
    });

    it('where nobody listens, the error names the address and what to do', async () => {
      const server = await scene.serve();
      const address = addressOf(server);
      await server.close();
      const refusal: unknown = await scene.dial(address).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'EIPC_TRANSPORT' });
      expect((refusal as Error).message).toContain(address);
      expect((refusal as Error).message).toMatch(/start the server first/);
    });

    it('a second server on the same address is refused and the first is unharmed', async () => {
      const server = await scene.serve();
      const refusal: unknown = await listen(addressOf(server), { services: {}, ...scene.trust }).catch(
        (error: unknown) => error,
      );
      expect(refusal).toMatchObject({ code: 'EIPC_ADDRESS_IN_USE' });
      expect((refusal as Error).message).toContain(addressOf(server));
      expect((await scene.dial(server)).state).toBe('open');
    });

    it('a hundred connections live side by side', async () => {
      // Without a handshake a connection proves nothing before its first message.
      // Twenty handshakes at once take an emulated machine a while.
      const handshakeTimeout = 30_000;
      const server = await scene.serve({ maxConnections: 100, maxUnauthenticated: 256, handshakeTimeout });
      server.router?.handle('intent', (message) => ({ n: (message.payload as { n: number }).n }));
      const clients: ClientEndpoint[] = [];
      // In waves: a key has at most 32 handshakes under way.
      while (clients.length < 100)
        clients.push(
          ...(await Promise.all(Array.from({ length: 20 }, () => scene.dial(server, { handshakeTimeout })))),
        );
      const acks = await Promise.all(
        clients.map((client, n) => client.request<{ n: number }>({ type: 'intent', payload: { n } })),
      );
      expect(acks.map((ack) => ack.payload.n)).toEqual(clients.map((_, n) => n));
      expect(server.endpointsOf('eni').length).toBe(100);
      if (scene.hasHandshake) expect(new Set(clients.map((client) => client.peer.sessionId)).size).toBe(100);
    });

    it('beyond maxConnections nobody gets in, and a closed connection makes room for another', async () => {
      const server = await scene.serve({ maxConnections: 3 });
      server.router?.handle('intent', () => ({}));
      const clients = await Promise.all([scene.dial(server), scene.dial(server), scene.dial(server)]);
      // A client may know of its session before the server does.
      await expect.poll(() => server.endpoints.size).toBe(3);
      await expect(scene.dial(server)).rejects.toThrow();
      expect(server.stats()).toMatchObject({ open: 3, refusedConnections: 1 });
      await clients[0].close();
      await expect.poll(() => server.endpoints.size).toBe(2);
      const again = await scene.dial(server);
      expect((await again.request({ type: 'intent', payload: {} })).payload).toMatchObject({ status: 'ok' });
      expect(await clients[1].ping()).toBeGreaterThan(0);
    });

    it('of clients that come all at once no more than maxConnections get in', async () => {
      const server = await scene.serve({ maxConnections: 2 });
      server.router?.handle('intent', () => ({}));
      const dials = await Promise.allSettled(Array.from({ length: 12 }, () => scene.dial(server)));
      // A handshake may end before the server's goodbye comes; a session that lasts is one of two.
      await expect.poll(() => server.stats().refusedConnections).toBe(10);
      await expect.poll(() => server.endpoints.size).toBe(2);
      const asked = dials
        .filter((dial) => dial.status === 'fulfilled')
        .map(({ value }) => value.request({ type: 'intent', payload: {} }, { timeout: 5_000 }));
      expect((await Promise.allSettled(asked)).filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    });

    it('a client that comes again is a new peer with a session of its own', async () => {
      const server = await scene.serve({ router: null });
      const readers = server[Symbol.asyncIterator]();
      const sessions = new Set<string>();
      for (let round = 0; round < 5; round += 1) {
        const accepted = readers.next();
        const client = await scene.dial(server);
        const { value } = (await accepted) as IteratorYieldResult<ServerEndpoint>;
        await client.send({ type: 'chat', payload: { round } });
        const message = await value.receive({ timeout: 5_000 });
        expect(message).toMatchObject({ payload: { round }, sequence: expect.anything() as bigint });
        sessions.add(message.sessionId);
        await client.close();
        await value.closed;
      }
      expect(sessions.size).toBe(scene.hasHandshake ? 5 : 1);
      expect(server.endpoints.size).toBe(0);
    });

    it('a client gives up on a server that says nothing, in its time or by its signal', async ({ skip }) => {
      skip(!scene.hasHandshake, 'without a handshake a client waits for nothing');
      const { address, accepted } = await listenSilently(scene);
      await expect(scene.dial(address, { handshakeTimeout: 50 })).rejects.toMatchObject({
        code: expect.stringMatching(/^EIPC_(?:TIMEOUT|HANDSHAKE_FAILED)$/) as string,
      });
      const aborted = new AbortController();
      const waiting = scene.dial(address, { signal: aborted.signal });
      await expect.poll(() => accepted.length).toBe(2);
      aborted.abort(new Error('enough'));
      await expect(waiting).rejects.toThrow('enough');
      await expect(scene.dial(address, { signal: aborted.signal })).rejects.toThrow('enough');
    });

    it('a connection that says nothing is closed in time and had no place among the authenticated', async () => {
      // The honest one has to be through in it, on a busy machine too.
      const handshakeTimeout = scene.transport === 'tls' ? 2_500 : 500;
      const server = await scene.serve({ handshakeTimeout, maxConnections: 1 });
      const silent = await connectSilently(addressOf(server));
      scene.closeLater({ close: () => Promise.resolve(silent.close()) });
      await expect.poll(() => server.stats().handshaking).toBe(1);
      expect((await scene.dial(server)).state).toBe('open');
      await expect
        .poll(() => server.stats(), { timeout: 10_000 })
        .toMatchObject({ handshaking: 0, handshakeFailures: 1 });
    });

    // The attacker connects as often as it likes and says nothing.
    it('connections that say nothing make room for one that does, the oldest first', async () => {
      const server = await scene.serve({ maxUnauthenticated: 4 });
      const silent: RawConnection[] = [];
      for (let n = 0; n < 5; n += 1) silent.push(await connectSilently(addressOf(server)));
      scene.closeLater({ close: () => Promise.resolve(silent.forEach((connection) => connection.close())) });
      await expect.poll(() => server.stats().accepted).toBe(5);
      // On a network one source gets half of them.
      const expected =
        scene.transport === 'tcp' || scene.transport === 'tls'
          ? { handshaking: 2, refusedSources: 3, refusedUnauthenticated: 0 }
          : { handshaking: 4, refusedSources: 0, refusedUnauthenticated: 1 };
      await expect.poll(() => server.stats()).toMatchObject(expected);
      expect((await scene.dial(server)).state).toBe('open');
      await expect.poll(() => server.stats().handshaking).toBeLessThanOrEqual(expected.handshaking);
    });
  });
});
