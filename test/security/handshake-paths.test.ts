/**
 * The attacker of this file stands in the path, or has stood there before and now connects itself: hellos are replayed,
 * swapped between connections, turned around, and taken from other sessions. No key is held, no byte is changed.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { flipBit, PLAIN_ALERT, withPrefix } from '../../src/cli/demo/attack/frames.js';
import { forward, type Script, type SeenFrame, type Tap } from '../../src/cli/demo/attack/proxy.js';
import { at, drop, edit, inject, reflect, replay, type Target } from '../../src/cli/demo/attack/scripts.js';
import { listen } from '../../src/index.js';
import { AttackScene, readAll, type Attempt } from '../helpers/attack-scene.js';
import { IndependentClient, within } from '../helpers/independent-client.js';

const HELLO: Target = { direction: 'c2s', index: 0 };
const SERVER_HELLO: Target = { direction: 's2c', index: 0 };
const FINISH: Target = { direction: 'c2s', index: 1 };
const ACCEPT: Target = { direction: 's2c', index: 1 };
const FRAMES = [
  ['ClientHello', HELLO],
  ['ServerHello', SERVER_HELLO],
  ['ClientFinish', FINISH],
  ['SessionAccept', ACCEPT],
] as const;

const ALERT = withPrefix(PLAIN_ALERT);
/** How a client names a handshake that did not come about: by the hellos, or by the tag of SessionAccept. */
const REFUSALS: readonly string[] = ['EIPC_HANDSHAKE_FAILED', 'EIPC_INTEGRITY'];

let scene: AttackScene;

beforeEach(async () => {
  scene = await AttackScene.make();
});

afterEach(async () => {
  await expect.poll(() => scene.server.stats(), { interval: 1 }).toMatchObject({ open: 0, handshaking: 0 });
  await scene[Symbol.asyncDispose]();
});

describe('a recorded handshake', () => {
  test('ClientHello, sent again on 100 new connections: never answered, whether its session lives or has ended', async () => {
    const { client, attempt } = await scene.session(forward);
    const hello = frameAt(attempt, HELLO);
    for (let i = 0; i < 100; i++) {
      if (i === 50) await client.close();
      expect(await scene.send(withPrefix(hello))).toEqual(ALERT);
    }
    expect(scene.takeFailures()).toEqual(Array.from({ length: 100 }, () => 'EIPC_HANDSHAKE_FAILED'));
  });

  test('ClientHello, sent to another address of the same server: not answered', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'eipc-two-'));
    const [one, other] = [join(folder, 'one'), join(folder, 'other')];
    const { id, key } = scene.nextService();
    const services = { [id]: { key, capabilities: [] } };
    await using server = await listen([`unix:${one}`, `unix:${other}`], { services, router: null });
    const client = await IndependentClient.open(one, { psk: key, serviceId: id });
    try {
      expect(await scene.sendTo(other, withPrefix(client.clientHello), withPrefix(PLAIN_ALERT))).toEqual(ALERT);
    } finally {
      client.destroy();
      await server.close();
      await rm(folder, { recursive: true });
    }
  });

  test('ClientHello of a handshake that failed is used up as well', async () => {
    const attempt = await scene.attempt(edit(SERVER_HELLO, (frame) => flipBit(frame, 0)));
    scene.takeFailures();
    expect(await scene.send(withPrefix(frameAt(attempt, HELLO)))).toEqual(ALERT);
    expect(scene.takeFailures()).toEqual(['EIPC_HANDSHAKE_FAILED']);
  });

  test("the client's whole side, sent to the same server: 0 sessions, 0 messages", async () => {
    const side = await recordClientSide();
    expect(await scene.send(...side.map(withPrefix))).toEqual(ALERT);
    expect(scene.server.stats().authenticated).toBe(1); // the honest one
  });

  // A server that starts again has forgotten the nonces, so it answers; the finish proves the old ServerHello.
  test("the client's whole side, sent to a server that has started again: 0 sessions, 0 messages", async () => {
    const side = await recordClientSide();
    await using again = await AttackScene.make(scene.services);
    const answer = await again.send(...side.map(withPrefix));
    expect(answer.subarray(-ALERT.length)).toEqual(ALERT);
    expect(answer.length).toBe(4 + 128 + ALERT.length);
    expect(again.takeFailures()).toEqual(['EIPC_HANDSHAKE_FAILED']);
    expect(again.server.stats().authenticated).toBe(0);
  });

  test("the server's whole side, sent to a new client: no session", async () => {
    const service = scene.nextService();
    const { client, attempt } = await scene.session(forward, service);
    await client.close();
    const side = attempt.seen.filter(({ direction }) => direction === 's2c').map(({ bytes }) => bytes);
    const fake: Script = (frame, tap) => {
      if (frame.direction === 'c2s' && frame.index === 0) for (const bytes of side) tap.send('s2c', bytes);
    };
    const fooled = await scene.attempt(fake, service, 500);
    expect([fooled.client, fooled.clientCode]).toEqual([undefined, 'EIPC_HANDSHAKE_FAILED']);
  });

  test.each(FRAMES)(
    '%s of an earlier session of the same key, in place of the real one: no session',
    async (_, target) => {
      const service = scene.nextService();
      const first = await scene.session(forward, service);
      await first.client.close();
      const old = frameAt(first.attempt, target);
      await expectNoSession(
        await scene.attempt(
          edit(target, () => old),
          service,
        ),
        target,
      );
    },
  );
});

describe('a handshake under way', () => {
  test.each([
    ['ClientHello', HELLO, ['EIPC_HANDSHAKE_FAILED'], 'EIPC_HANDSHAKE_FAILED'],
    ['ServerHello', SERVER_HELLO, ['EIPC_INTEGRITY'], 'EIPC_HANDSHAKE_FAILED'],
    // The second comes when the server is open, and the client may be: then it ends there.
    ['ClientFinish', FINISH, ['EIPC_CLOSED_BY_PEER'], 'EIPC_INTEGRITY'],
  ] as const)('%s twice: no session', async (_, target, clientCodes, serverCode) => {
    const attempt = await scene.attempt(replay(target));
    expect(clientCodes).toContain(await endOf(attempt));
    expect(scene.takeFailures()).toEqual([serverCode]);
    await expectServerCarriesNothing();
  });

  test('SessionAccept twice: the session ends with the second', async () => {
    const { client, clientCode } = await scene.attempt(replay(ACCEPT));
    // Both arrive in one read or in two.
    if (client === undefined) expect(clientCode).toBe('EIPC_SEQUENCE');
    else expect(await within(client.closed, 'the end')).toMatchObject({ code: 'EIPC_REPLAY' });
    const server = await scene.nextEndpoint();
    expect(await within(server.closed, 'the end')).toMatchObject({ code: 'EIPC_CLOSED_BY_PEER' });
    expect(await readAll(server)).toEqual([]);
  });

  test.each(FRAMES)('%s kept: the client gives up in time', async (_, target) => {
    const attempt = await scene.attempt(drop(target), scene.nextService(), 100);
    await expectNoSession(attempt, target, ['EIPC_TIMEOUT']);
  });

  test.each([
    ['ClientHello', HELLO, ['EIPC_HANDSHAKE_FAILED']],
    // The server refuses its own hello, and its alert may come before or after the end of the stream is seen.
    ['ServerHello', SERVER_HELLO, ['EIPC_HANDSHAKE_FAILED', 'EIPC_TRANSPORT']],
    ['ClientFinish', FINISH, ['EIPC_INTEGRITY']],
  ] as const)('%s turned around to its sender as well: no session', async (_, target, clientCodes) => {
    const attempt = await scene.attempt(reflect(target));
    expect(clientCodes).toContain(await endOf(attempt));
    await expectServerCarriesNothing();
  });

  test.each(FRAMES)('%s turned around instead of sent on: no session', async (_, target) => {
    const back = target.direction === 'c2s' ? 's2c' : 'c2s';
    const attempt = await scene.attempt(
      at(target, (frame, tap) => tap.send(back, frame.bytes)),
      scene.nextService(),
      100,
    );
    // A server that is open already answers with a sealed alert, which to a client without SessionAccept is out of turn.
    await expectNoSession(attempt, target, target === ACCEPT ? ['EIPC_SEQUENCE'] : REFUSALS);
  });

  test('a recorded data frame before the ClientFinish: the server refuses both', async () => {
    const side = await recordClientSide();
    const data = side[2] ?? Buffer.alloc(0);
    const attempt = await scene.attempt(inject(FINISH, data));
    await expectNoSession(attempt, FINISH);
    expect(scene.takeFailures().at(-1)).toBe('EIPC_PROTOCOL');
  });

  test('the alert of a failed handshake, made up: no session, and no second try with less protection', async () => {
    const attempt = await scene.attempt(inject(SERVER_HELLO, PLAIN_ALERT));
    await expectNoSession(attempt, SERVER_HELLO);
    expect(attempt.seen.filter((frame) => frame.direction === 'c2s')).toHaveLength(1);
  });
});

describe.each([
  ['the same key', true],
  ['two keys', false],
])('two handshakes at once under %s', (_, isSameKey) => {
  test.each(FRAMES)('with %s exchanged: two failures, no session', async (_name, target) => {
    const one = scene.nextService();
    const other = isSameKey ? one : scene.nextService();
    const exchange = makeExchange(target);
    const attempts = await Promise.all([scene.attempt(exchange(0), one), scene.attempt(exchange(1), other)]);
    for (const attempt of attempts) await expectNoSession(attempt, target);
  });
});

/** The frames of a client in a session that worked: hello, finish, one message, and its goodbye. */
async function recordClientSide(): Promise<Buffer[]> {
  const { client, attempt } = await scene.session(forward);
  await client.send({ type: 'features', payload: [1] });
  await client.close();
  scene.takeFailures();
  return attempt.seen.filter(({ direction }) => direction === 'c2s').map(({ bytes }) => bytes);
}

/** The client has no session; the server has none, or (behind a good finish) one that ends without a message. */
async function expectNoSession(attempt: Attempt, target: Target, codes = REFUSALS): Promise<void> {
  expect(attempt.client).toBeUndefined();
  expect(codes).toContain(attempt.clientCode);
  if (target === ACCEPT) await expectServerCarriesNothing();
  else expect(scene.server.endpoints.size).toBe(0);
}

/** How the client's attempt failed, or its session ended. */
async function endOf({ client, clientCode }: Attempt): Promise<string | undefined> {
  return client === undefined ? clientCode : (await within(client.closed, 'the end')).code;
}

async function expectServerCarriesNothing(): Promise<void> {
  for (const endpoint of scene.server.endpoints) {
    const messages = readAll(endpoint);
    expect((await within(endpoint.closed, 'the end of the server')).code).not.toBe('EIPC_CLOSED_BY_PEER');
    expect(await messages).toEqual([]);
  }
}

/** Scripts for two connections that give each other the frame at one place. */
function makeExchange(target: Target): (side: 0 | 1) => Script {
  const held: ([SeenFrame, Tap] | undefined)[] = [undefined, undefined];
  return (side) =>
    at(target, (frame, tap) => {
      held[side] = [frame, tap];
      const [one, other] = held;
      if (one === undefined || other === undefined) return;
      one[1].send(target.direction, other[0].bytes);
      other[1].send(target.direction, one[0].bytes);
    });
}

function frameAt({ seen }: Attempt, { direction, index }: Target): Buffer {
  const found = seen.find((frame) => frame.direction === direction && frame.index === index);
  if (found === undefined) throw new Error(`nothing was seen at ${direction} ${index}`);
  return found.bytes;
}
