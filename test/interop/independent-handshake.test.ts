/**
 * Handshakes of the real server with a client that was written from docs/wire.md alone and shares no code with the
 * package. The attacker stands in the path, or connects with no key, the key of nobody, or a good key and bad manners.
 */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { IndependentClient } from '../helpers/independent-client.js';
import type { ClientHelloFields } from '../helpers/independent-hellos.js';
import { pskKeys } from '../helpers/independent-keys.js';
import { FLAG_TAG, HANDSHAKE_LIMIT, Refusal, readPreamble, withPrefix } from '../helpers/independent-preamble.js';
import { PSK, REQUEST, Scene, flip } from '../helpers/independent-scene.js';

const OTHER_PSK = Buffer.concat([randomBytes(31), Buffer.of(0)]);

let scene: Scene;

beforeEach(async () => {
  scene = await Scene.make();
});

afterEach(async () => {
  await scene[Symbol.asyncDispose]();
});

describe('a handshake is refused', () => {
  test('with any byte of the ClientHello changed', async () => {
    const { length } = (await scene.connect()).clientHello;
    for (let at = 0; at < length; at++) {
      scene = await scene.renew(); // failures spend the budget of their source; each byte is to be refused for its own sake
      const client = await scene.connect();
      const changed = flip(client.clientHello, at * 8 + (at % 8));
      client.sendFrame(changed);
      await expectHandshakeAlert(client, judge(changed), `byte ${at}`);
    }
  });

  test('with any byte of the ClientFinish changed', async () => {
    for (let at = 0; at < 48; at++) {
      scene = await scene.renew();
      const client = await scene.connect();
      client.sendFrame(client.clientHello);
      client.verifyServerHello(await client.receiveFrame());
      const changed = flip(client.session.finish, at * 8 + (at % 8));
      client.sendFrame(changed);
      await expectHandshakeAlert(client, judge(changed), `byte ${at}`);
    }
  });

  test('with a wrong key', async () => {
    const client = await scene.connect({ psk: OTHER_PSK });
    client.sendFrame(client.clientHello);
    await expectHandshakeAlert(client);
  });

  test('with a wrong key under the right key id', async () => {
    const client = await scene.connect({ psk: OTHER_PSK, hello: { keyId: pskKeys(PSK).keyId } });
    client.sendFrame(client.clientHello);
    await expectHandshakeAlert(client);
  });

  test.each(['eni.max', 'eipc', 'a'])('with the right key under the id %s', async (serviceId) => {
    const client = await scene.connect({ serviceId });
    client.sendFrame(client.clientHello);
    await expectHandshakeAlert(client);
  });

  // These hellos carry a good tag: only the rule about the field is left to refuse them.
  test.each<[string, Partial<ClientHelloFields>]>([
    ['kx 0 (not allowed here)', { kx: 0, publicKey: Buffer.alloc(32) }],
    ['kx 0 with a public key', { kx: 0 }],
    ['no suite', { suites: 0 }],
    ['only suites that do not exist', { suites: 0xfff8 }],
    ['no strict sequence', { features: 0b100 }],
    ['a public key of low order', { publicKey: Buffer.alloc(32) }],
    ['another public key of low order', { publicKey: Buffer.concat([Buffer.of(1), Buffer.alloc(31)]) }],
    ['a channel binding without TLS', { channelBinding: Buffer.alloc(32, 1) }],
    ['capitals in the id', { serviceId: 'ENI.MIN' }],
    ['an empty id', { serviceId: '' }],
    ['an id of 65 characters', { serviceId: 'a'.repeat(65) }],
  ])('with %s', async (_, hello) => {
    const client = await scene.connect({ hello });
    client.sendFrame(client.clientHello);
    await expectHandshakeAlert(client);
  });

  test('with suite and feature bits of the future it is not refused', async () => {
    const client = await scene.connect({ hello: { suites: 0xfff9, features: 0xffff_fff5 } });
    await client.handshake();
    expect(client.session.features).toBe(0b101);
  });

  test('when its ClientHello was used before', async () => {
    const first = await scene.open();
    const second = await scene.connect();
    second.sendFrame(first.clientHello);
    await expectHandshakeAlert(second);
    first.send(REQUEST);
    expect((await first.receive()).type).toBe('a');
  });

  test('when data comes before the ClientFinish', async () => {
    const client = await scene.connect();
    client.sendFrame(client.clientHello);
    client.verifyServerHello(await client.receiveFrame());
    client.sendBytes(Buffer.concat([withPrefix(client.build(REQUEST)), withPrefix(client.session.finish)]));
    await expectHandshakeAlert(client, 'PROTOCOL');
  });

  test('when the ClientHello comes twice', async () => {
    const client = await scene.connect();
    client.sendBytes(Buffer.concat([client.clientHello, client.clientHello].map(withPrefix)));
    client.verifyServerHello(await client.receiveFrame());
    await expectHandshakeAlert(client);
  });

  test('when the ClientFinish is of another handshake', async () => {
    const finishes: Buffer[] = [];
    const pair = [await scene.connect(), await scene.connect()] as const;
    for (const client of pair) {
      client.sendFrame(client.clientHello);
      client.verifyServerHello(await client.receiveFrame());
      finishes.push(client.session.finish);
    }
    pair[0].sendFrame(finishes[1] ?? Buffer.alloc(0));
    await expectHandshakeAlert(pair[0]);
  });

  test('when a v1 frame comes first', async () => {
    const client = await scene.connect();
    const frame = Buffer.from(client.clientHello);
    frame.writeUInt16BE(1, 4);
    client.sendFrame(frame);
    await expectHandshakeAlert(client, 'BAD_VERSION');
  });

  test.each([4_097, 65_536, 0xffff_ffff])('when it announces %i bytes', async (length) => {
    const client = await scene.connect();
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(length, 0);
    client.sendBytes(prefix);
    await expectHandshakeAlert(client, 'FRAME_TOO_LARGE');
  });

  test('when it ends inside the ClientHello, without a session', async () => {
    const client = await scene.connect();
    client.sendBytes(withPrefix(client.clientHello).subarray(0, 80));
    client.end();
    await client.ending();
    expect(scene.server.endpoints.size).toBe(0);
  });
});

/** The code of a changed handshake frame: framing as wire.md orders it, then a type that is none of the handshake's. */
function judge(frame: Buffer): string {
  try {
    const { type } = readPreamble(frame, FLAG_TAG, HANDSHAKE_LIMIT);
    return 'AHR'.includes(type) ? 'HANDSHAKE_FAILED' : 'PROTOCOL';
  } catch (error) {
    if (error instanceof Refusal) return error.code === 'TRUNCATED' ? 'FRAME_TRUNCATED' : error.code;
    throw error;
  }
}

/** The peer sees one generic plain alert and the end; the server has no session, and a record with the precise reason. */
async function expectHandshakeAlert(client: IndependentClient, code = 'HANDSHAKE_FAILED', what = code): Promise<void> {
  expect((await client.ending()).alert, what).toBe('plain');
  const codes = (): (string | undefined)[] => scene.records.map((record) => record.error?.code);
  await expect.poll(codes, { interval: 1, message: what }).toContain(`EIPC_${code}`);
  expect(scene.handled, what).toEqual([]);
}
