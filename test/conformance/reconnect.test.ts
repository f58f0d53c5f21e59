// Every transport: a client that reconnects finds the next server, and messages around the gap are late, lost or refused as the rules say.
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { AuthError, Key, listen, PeerDownError } from '../../src/index.js';
import type {
  ClientEndpoint,
  ConnectOptions,
  Endpoint,
  ListenOptions,
  Message,
  ReconnectPolicy,
  Server,
} from '../../src/index.js';
import { Ledger } from '../helpers/gaps.js';
import type { Arrival } from '../helpers/gaps.js';
import { Relay } from '../helpers/relay.js';
import { addressOf, Dice, fill, overEveryStream, overEveryTransport } from '../helpers/scene.js';
import type { Scene } from '../helpers/scene.js';

const QUICK: ReconnectPolicy = { initialDelay: 2, maxDelay: 50, maxAttempts: 1_000 };
const LANES = [0, 1, 2, 3] as const;

/** A server at one address that ends and comes again, and remembers what all its sessions brought. */
class Comeback {
  readonly arrivals: Arrival[] = [];
  readonly #scene: Scene;
  readonly #options: Partial<ListenOptions>;
  readonly #sessions: Endpoint[] = [];
  #server: Server | undefined;
  #address = '';

  constructor(scene: Scene, options: Partial<ListenOptions> = {}) {
    this.#scene = scene;
    this.#options = options;
  }

  get server(): Server {
    if (this.#server === undefined) throw new Error('there is no server now');
    return this.#server;
  }

  get address(): string {
    return this.#address;
  }

  async start(options: Partial<ListenOptions> = {}): Promise<Server> {
    const services = { eni: { key: this.#scene.key, capabilities: [] } };
    const address = this.#address === '' ? this.#scene.newAddress() : this.#address;
    const server = await listen(address, { services, ...this.#scene.speech, ...this.#options, ...options });
    this.#scene.closeLater(server);
    this.#server = server;
    this.#address = addressOf(server);
    server.router?.handle('features', (message, { endpoint }) => {
      if (!this.#sessions.includes(endpoint)) this.#sessions.push(endpoint);
      const { n } = message.payload as { n: number };
      this.arrivals.push({ session: this.#sessions.indexOf(endpoint), priority: message.priority, n });
    });
    server.router?.handle('intent', () => ({ status: 'ok' }));
    return server;
  }

  async restart(options: Partial<ListenOptions> = {}): Promise<Server> {
    await this.server.close({ timeout: 200 });
    return this.start(options);
  }

  dial(options: Partial<ConnectOptions> = {}, address = this.#address): Promise<ClientEndpoint> {
    return this.#scene.dial(address, { reconnect: QUICK, ...options }).then((client) => this.#scene.closeLater(client));
  }
}

async function reconnects(client: ClientEndpoint, count: number): Promise<void> {
  await expect
    .poll(() => [client.state, client.stats().reconnects], { timeout: 20_000, interval: 2 })
    .toEqual(['open', count]);
}

describe('a client that reconnects', () => {
  overEveryTransport((scene) => {
    if (!scene.hasHandshake) return it.skip('needs a handshake, by which the server proves to be the same');
    it('finds a server that was restarted, as a new peer, and both directions work', async () => {
      const comeback = new Comeback(scene);
      await comeback.start();
      const client = await comeback.dial();
      const { peer } = client;
      const server = await comeback.restart();
      await reconnects(client, 1);
      expect(client.peer === peer).toBe(false);
      expect(client.peer.sessionId).not.toBe(peer.sessionId);
      expect((await client.request({ type: 'intent' })).payload).toMatchObject({ status: 'ok' });
      await expect.poll(() => server.endpoints.size).toBe(1);
      await [...server.endpoints][0]?.send({ type: 'chat', payload: 'hello' });
      expect((await client.receive({ timeout: 5_000 })).payload).toBe('hello');
      await client.close();
      expect((await client.closed).code).toBe('EIPC_CLOSED');
    });

    it('makes a new session when the time of the old one is over', async () => {
      const comeback = new Comeback(scene);
      await comeback.start({ sessionTtl: 100 });
      const client = await comeback.dial();
      await expect.poll(() => client.stats().reconnects, { timeout: 20_000 }).toBeGreaterThan(2);
      await client.close();
    });

    it('is not brought back by a close that was meant for it, which in v1 looks like any other', async () => {
      const comeback = new Comeback(scene);
      const server = await comeback.start();
      const client = await comeback.dial();
      await expect.poll(() => server.endpoints.size).toBe(1);
      await [...server.endpoints][0]?.close();
      if (scene.protocol === 1) {
        await reconnects(client, 1);
        expect((await client.request({ type: 'intent' })).payload).toMatchObject({ status: 'ok' });
        return;
      }
      expect((await client.closed).code).toBe('EIPC_CLOSED_BY_PEER');
      expect(client.stats().reconnects).toBe(0);
    });

    it('gives up at once when the server does not know its key any more, or is another', async () => {
      const strangerKey = { services: { eni: { key: Key.fromBytes(Buffer.alloc(32, 0x91)), capabilities: [] } } };
      // A server of v1 says nothing to a key it does not know: that looks like one that has no place.
      for (const options of [...(scene.protocol === 1 ? [] : [strangerKey]), { serverId: 'impostor' }]) {
        const comeback = new Comeback(scene);
        await comeback.start();
        const client = await comeback.dial();
        const ended = client.closed;
        await comeback.restart(options);
        const { code, error } = await ended;
        expect(code).toBe('EIPC_PROTOCOL');
        expect(error).toBeInstanceOf(AuthError);
        await expect(client.send({ type: 'features' })).rejects.toBeInstanceOf(AuthError);
        await comeback.server.close();
      }
    });

    it('gives up after its tries when nobody comes back', async () => {
      const comeback = new Comeback(scene);
      await comeback.start();
      const client = await comeback.dial({ reconnect: { ...QUICK, maxAttempts: 3 } });
      await comeback.server.close();
      const { code, error } = await client.closed;
      expect(code).toBe('EIPC_PEER_DOWN');
      expect(error).toBeInstanceOf(PeerDownError);
      expect(error?.message).toMatch(/3 tries.*no server/s);
    });

    it('goes on trying while the server has no place for it, and comes in when it has', async () => {
      const comeback = new Comeback(scene, { maxConnections: 1 });
      await comeback.start();
      const client = await comeback.dial({ reconnect: { ...QUICK, initialDelay: 50 } });
      await comeback.restart();
      const other = await scene.dial(comeback.address);
      await expect.poll(() => comeback.server.stats().refusedConnections, { timeout: 20_000 }).toBeGreaterThan(1);
      await other.close();
      await reconnects(client, client.stats().reconnects + 1);
      expect((await client.request({ type: 'intent' })).payload).toMatchObject({ status: 'ok' });
    });

    it('over many restarts loses messages only in the gaps, and gets none twice or in another order', async () => {
      const dice = new Dice(17);
      const comeback = new Comeback(scene);
      await comeback.start();
      const client = await comeback.dial();
      const ledger = new Ledger();
      let isSending = true;
      const sending = (async () => {
        while (isSending) {
          for (const priority of LANES)
            for (let count = dice.below(6); count > 0 && ledger.open < 400; count -= 1)
              ledger.send(client, priority, 'x'.repeat(dice.below(500)));
          await setImmediate();
        }
      })();
      for (let round = 0; round < 12; round += 1) {
        const enough = comeback.arrivals.length + dice.below(400);
        await expect.poll(() => comeback.arrivals.length, { timeout: 20_000, interval: 1 }).toBeGreaterThan(enough);
        await comeback.restart();
      }
      isSending = false;
      await sending;
      await reconnects(client, 12);
      for (const priority of LANES) ledger.send(client, priority);
      await expect.poll(() => ledger.open, { timeout: 20_000 }).toBe(0);
      await client.flush();
      await expect
        .poll(() => LANES.map((lane) => lastOf(comeback.arrivals, lane)), { timeout: 20_000 })
        .toEqual(LANES.map((lane) => ledger.last(lane)));
      ledger.check(comeback.arrivals);
      expect(new Set(comeback.arrivals.map(({ session }) => session)).size).toBeGreaterThan(6);
      // Only control is refused.
      expect(ledger.rejected.map((lane) => lane.size).slice(2)).toEqual([0, 0]);
    });
  });
});

describe('a stream that is cut while its lanes are full', () => {
  overEveryStream((scene) => {
    if (!scene.hasHandshake) return it.skip('needs a handshake, by which the server proves to be the same');
    it('sends all telemetry that never left with the next session, and no control', async () => {
      const comeback = new Comeback(scene, { router: null, inbox: { limit: 1 } });
      await comeback.start();
      const relay = scene.closeLater(await Relay.listen(scene.newAddress(), comeback.address));
      const client = await comeback.dial({ sendTimeout: 20_000 }, relay.address);
      // Nobody reads at the other end, so that most of this never leaves.
      const payload = { filler: 'x'.repeat(30_000) };
      let n = 0;
      const accepted = [0, 0, 0, 0];
      for (const priority of [3, 2, 1, 0] as const) {
        await fill(client, { type: 'features', priority, payload: Buffer.alloc(30_000) });
        accepted[priority] = client.stats().sent[priority];
      }
      const waiting = ([0, 1, 2, 3] as const).map((priority) => {
        n += 1;
        return client.send({ type: 'chat', priority, payload: { ...payload, last: n } }).then(
          () => 'sent',
          (error: unknown) => error,
        );
      });
      relay.cut();
      for (const priority of [0, 1] as const)
        expect(await waiting[priority]).toMatchObject({ name: 'PeerDownError', delivered: 'no' });
      expect(client.stats().undelivered).toBeGreaterThan(0);
      await reconnects(client, 1);
      // The old endpoint has messages to deliver before it learns of its end.
      await expect.poll(() => comeback.server.endpoints.size).toBe(2);
      const endpoint = [...comeback.server.endpoints][1];
      const got = [0, 0, 0, 0];
      const lasts: unknown[] = [];
      while (lasts.length < 2) {
        const message = (await endpoint?.receive({ timeout: 5_000 })) as Message;
        got[message.priority] = (got[message.priority] ?? 0) + 1;
        if (message.type === 'chat') lasts.push((message.payload as { last: number }).last);
      }
      expect([await waiting[2], await waiting[3]]).toEqual(['sent', 'sent']);
      expect(new Set(lasts)).toEqual(new Set([3, 4]));
      expect(got.slice(0, 2)).toEqual([0, 0]);
      for (const lane of [2, 3]) {
        expect(got[lane]).toBeGreaterThan(1);
        expect(got[lane]).toBeLessThanOrEqual((accepted[lane] ?? 0) + 1);
      }
    });
  });
});

function lastOf(arrivals: readonly Arrival[], priority: number): number {
  return arrivals.filter((arrival) => arrival.priority === priority).at(-1)?.n ?? -1;
}
