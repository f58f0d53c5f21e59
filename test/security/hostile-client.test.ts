/**
 * The attacker of this file is a client that holds a good key and does not keep to the handshake. The server is the real
 * one. (Lies in single fields: test/interop/independent-handshake.test.ts.)
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { withPrefix } from '../../src/cli/demo/attack/frames.js';
import type { IndependentClient } from '../helpers/independent-client.js';
import { plainAlert } from '../helpers/independent-frames.js';
import { REQUEST, Scene } from '../helpers/independent-scene.js';
import { LOW_ORDER_POINTS } from '../helpers/low-order-points.js';

let scene: Scene;

beforeEach(async () => {
  scene = await Scene.make();
});

afterEach(async () => {
  expect(scene.server.stats().authenticated).toBe(0);
  expect(scene.handled).toEqual([]);
  await scene[Symbol.asyncDispose]();
});

test.each(LOW_ORDER_POINTS.map((point) => [point.toString('hex'), point] as const))(
  'the low-order point %s is refused before any proof',
  async (_, publicKey) => {
    const client = await scene.connect({ hello: { publicKey } });
    client.sendFrame(client.clientHello);
    await expectAlert(client, 'EIPC_HANDSHAKE_FAILED', /low-order client key/);
  },
);

test.each([0, 16, 48, 167, 4_096])('a frame of %i zero bytes is refused', async (length) => {
  const client = await scene.connect();
  client.sendFrame(Buffer.alloc(length));
  await expectAlert(client, length < 16 ? 'EIPC_FRAME_TRUNCATED' : 'EIPC_BAD_MAGIC');
});

describe('data before the ClientFinish', () => {
  test('in front of the hello is refused', async () => {
    const [client, donor] = [await scene.connect(), await keyed()];
    client.sendBytes(Buffer.concat([donor.build(REQUEST), client.clientHello].map(withPrefix)));
    await expectAlert(client, 'EIPC_PROTOCOL');
    donor.destroy();
  });

  test.each([
    ['a request', REQUEST],
    ['a close', { type: 'X', metaKind: 0, metaBytes: Buffer.from('{}'), payload: Buffer.alloc(16) }],
    ['an S frame', { type: 'S', metaKind: 0, metaBytes: Buffer.from('{}'), payload: Buffer.alloc(8) }],
    ['a sealed alert', { type: 'E', metaKind: 0, metaBytes: Buffer.from('{}'), payload: Buffer.of(2, 0, 0, 0) }],
  ] as const)('%s, sealed well, is refused, and the finish behind it is not read', async (_, sending) => {
    const client = await keyed();
    client.sendBytes(Buffer.concat([client.build(sending), client.session.finish].map(withPrefix)));
    await expectAlert(client, 'EIPC_PROTOCOL');
  });

  test.each([1, 2, 100])('%i requests in one write with the hello are refused', async (count) => {
    const [client, donor] = [await scene.connect(), await keyed()];
    const requests = Array.from({ length: count }, () => withPrefix(donor.build(REQUEST)));
    client.sendBytes(Buffer.concat([withPrefix(client.clientHello), ...requests]));
    client.verifyServerHello(await client.receiveFrame()); // the hello was good
    await expectAlert(client, 'EIPC_PROTOCOL');
    donor.destroy();
  });

  test('an untagged alert gives up, and is not answered', async () => {
    const client = await keyed();
    client.sendFrame(plainAlert(1));
    expect((await client.ending()).frames).toEqual([]);
    await expectLogged('EIPC_HANDSHAKE_FAILED');
  });
});

describe('out of turn', () => {
  test('a ClientFinish first is refused', async () => {
    const [client, donor] = [await scene.connect(), await keyed()];
    client.sendFrame(donor.session.finish);
    await expectAlert(client, 'EIPC_HANDSHAKE_FAILED');
    donor.destroy();
  });

  test('a ServerHello as the hello is refused', async () => {
    const [client, donor] = [await scene.connect(), await scene.connect()];
    donor.sendFrame(donor.clientHello);
    client.sendFrame(await donor.receiveFrame());
    await expectAlert(client, 'EIPC_HANDSHAKE_FAILED');
    donor.destroy();
  });

  test('a second hello, with a nonce of its own, is refused', async () => {
    const [client, other] = [await keyed(), await scene.connect()];
    client.sendFrame(other.clientHello);
    await expectAlert(client, 'EIPC_HANDSHAKE_FAILED');
  });
});

/** A client that has verified the ServerHello, so that it could seal, and has not sent its finish. */
async function keyed(): Promise<IndependentClient> {
  const client = await scene.connect();
  client.sendFrame(client.clientHello);
  client.verifyServerHello(await client.receiveFrame());
  return client;
}

/** One generic alert outside, the reason inside. */
async function expectAlert(client: IndependentClient, code: string, text = /./): Promise<void> {
  expect((await client.ending()).alert).toBe('plain');
  await expectLogged(code);
  expect(scene.records.find((record) => record.error?.code === code)?.error?.message).toMatch(text);
}

async function expectLogged(code: string): Promise<void> {
  await expect.poll(() => scene.records.map((record) => record.error?.code), { interval: 1 }).toContain(code);
}
