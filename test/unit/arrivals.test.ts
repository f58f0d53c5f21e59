/** Iterating over a server: the endpoints that authenticate, and who of them is still there when somebody looks. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { Key } from '../../src/index.js';
import type { ClientEndpoint, Server, ServerEndpoint } from '../../src/index.js';
import { FileScene } from '../helpers/file-scene.js';

const key = Key.fromBytes(randomBytes(32));
const scene = new FileScene('arrivals');

/** The name of the session that an iteration has next. */
async function nextOf(iteration: AsyncIterator<ServerEndpoint, undefined>): Promise<string | undefined> {
  return (await iteration.next()).value?.peer.sessionId;
}

const serve = (): Promise<Server> => scene.listen({ services: { eni: { key, capabilities: [] } } });
const dial = (server: Server): Promise<ClientEndpoint> => scene.connect(server, { serviceId: 'eni', key });

describe('the endpoints of a server', () => {
  it('are given to every iteration in their order, from when it began', async () => {
    const server = await serve();
    await dial(server);
    const [one, other] = [server[Symbol.asyncIterator](), server[Symbol.asyncIterator]()];
    const clients = [await dial(server), await dial(server)];
    for (const iteration of [one, other])
      for (const client of clients) expect(await nextOf(iteration)).toBe(client.peer.sessionId);
  });

  it('that are gone do not wait for whoever takes his time', async () => {
    const server = await serve();
    const iteration = server[Symbol.asyncIterator]();
    for (let count = 0; count < 50; count += 1) await (await dial(server)).close();
    await expect.poll(() => server.sessions()).toHaveLength(0);
    const client = await dial(server);
    expect(await nextOf(iteration)).toBe(client.peer.sessionId);
  });

  it('have one reader a turn, who is told when nobody comes any more, or leaves before', async () => {
    const server = await serve();
    const [left, ended] = [server[Symbol.asyncIterator](), server[Symbol.asyncIterator]()];
    const waiting = ended.next();
    await expect(ended.next()).rejects.toThrow('another next() of this iteration is waiting');
    await left.return?.();
    await dial(server);
    expect(await left.next()).toEqual({ done: true, value: undefined });
    expect((await waiting).done).toBe(false);
    await server.close();
    for (const iteration of [ended, server[Symbol.asyncIterator]()])
      expect(await iteration.next()).toEqual({ done: true, value: undefined });
  });
});
