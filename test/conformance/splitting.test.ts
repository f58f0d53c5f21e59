// Every stream: what arrives does not depend on where the bytes were cut on the way.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { Relay } from '../helpers/relay.js';
import type { RelayShape } from '../helpers/relay.js';
import { Dice, overEveryStream } from '../helpers/scene.js';

/** Many different cuts, single bytes among them, the same in every run. */
function randomCuts(seed: number): NonNullable<RelayShape['cut']> {
  const dice = new Dice(seed);
  return () => (dice.below(4) === 0 ? 1 : 1 + dice.below(dice.below(2) === 0 ? 40 : 9_000));
}

describe('splitting', () => {
  overEveryStream((scene) => {
    it('every byte alone, in both directions, handshake, messages and goodbye', async () => {
      let relay: Relay | undefined;
      const { client, server } = await scene.pair({}, {}, async (to) => {
        relay = scene.closeLater(await Relay.listen(scene.newAddress(), to, { cut: () => 1 }));
        return relay.address;
      });
      for (const size of [0, 1, 100]) {
        const payload = randomBytes(size);
        await client.send({ type: 'features', payload });
        expect(Buffer.compare((await server.receive({ timeout: 5_000 })).bytes, payload)).toBe(0);
        await server.send({ type: 'features', payload });
        expect(Buffer.compare((await client.receive({ timeout: 5_000 })).bytes, payload)).toBe(0);
      }
      await client.close();
      expect((await client.closed).code).toBe('EIPC_CLOSED');
      expect((await server.closed).code).toBe('EIPC_CLOSED_BY_PEER');
      expect(relay?.passed.c2s).toBeGreaterThan(400);
    });

    it.each([1, 2, 3])('at random, in both directions, seed %i', async (seed) => {
      const { client, server } = await scene.pair({ inbox: { limit: 16 } }, { inbox: { limit: 16 } }, async (to) => {
        const relay = await Relay.listen(scene.newAddress(), to, { cut: randomCuts(seed) });
        return scene.closeLater(relay).address;
      });
      const dice = new Dice(seed);
      const payloads = Array.from({ length: 200 }, () => randomBytes(dice.below(dice.below(8) === 0 ? 60_000 : 300)));
      const run = async (from: typeof client | typeof server, to: typeof client | typeof server) => {
        const sending = (async () => {
          for (const payload of payloads) await from.send({ type: 'features', payload }, { timeout: 20_000 });
        })();
        for (const payload of payloads) {
          const message = await to.receive({ timeout: 10_000 });
          expect(Buffer.compare(message.bytes, payload)).toBe(0);
        }
        await sending;
      };
      await Promise.all([run(client, server), run(server, client)]);
      await Promise.all([client.close(), server.close()]);
      for (const end of [client, server]) expect((await end.closed).error).toBeUndefined();
    });
  });
});
