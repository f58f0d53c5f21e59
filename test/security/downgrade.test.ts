/**
 * The attackers of this file want a session with less protection: they stand in the path and rewrite what the hellos
 * offer, or the version of every frame, or they are peers that speak v1. There is no session, and no second try.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { PLAIN_ALERT, withPrefix, type Direction } from '../../src/cli/demo/attack/frames.js';
import { forward } from '../../src/cli/demo/attack/proxy.js';
import { edit } from '../../src/cli/demo/attack/scripts.js';
import { connect, EipcError } from '../../src/index.js';
import { AttackScene } from '../helpers/attack-scene.js';
import { load } from '../helpers/vectors.js';
import { ScriptedServer, type ScriptedPeer } from '../helpers/scripted-server.js';

interface V1Frame {
  readonly name: string;
  readonly frame_hex: string;
}

const V1_FRAMES = load<{ vectors: V1Frame[] }>('frames.json').vectors;
const ALERT = withPrefix(PLAIN_ALERT);
/** Where the fields stand, preamble included: wire.md, "ClientHello" and "ServerHello". */
const [VERSION, KX, SUITES, FEATURES, PUBLIC] = [4, 17, 18, 20, 64];

let scene: AttackScene;

beforeAll(async () => {
  scene = await AttackScene.make();
});

afterAll(async () => {
  expect(scene.server.stats()).toMatchObject({ authenticated: 0, open: 0, handshaking: 0 });
  await scene[Symbol.asyncDispose]();
});

describe('in the path', () => {
  test.each<[string, Direction, (hello: Buffer) => unknown]>([
    ['the client offers no key exchange', 'c2s', (hello) => hello.writeUInt8(0, KX)],
    [
      'the client offers no key exchange, and no point',
      'c2s',
      (hello) => [hello.writeUInt8(0, KX), hello.fill(0, PUBLIC, PUBLIC + 32)],
    ],
    ['the client offers another suite', 'c2s', (hello) => hello.writeUInt16BE(0b010, SUITES)],
    ['the client offers no suite that encrypts', 'c2s', (hello) => hello.writeUInt16BE(0b001, SUITES)],
    ['the client offers no suite', 'c2s', (hello) => hello.writeUInt16BE(0, SUITES)],
    ['the client does not count strictly', 'c2s', (hello) => hello.writeUInt32BE(0b100, FEATURES)],
    ['the client offers no binary meta', 'c2s', (hello) => hello.writeUInt32BE(0b001, FEATURES)],
    ['the server chose no key exchange', 's2c', (hello) => hello.writeUInt8(0, KX)],
    [
      'the server chose no key exchange, and no point',
      's2c',
      (hello) => [hello.writeUInt8(0, KX), hello.fill(0, PUBLIC, PUBLIC + 32)],
    ],
    ['the server chose another suite', 's2c', (hello) => hello.writeUInt8(2, SUITES)],
    ['the server does not count strictly', 's2c', (hello) => hello.writeUInt32BE(0b100, FEATURES)],
    ['the server chose no binary meta', 's2c', (hello) => hello.writeUInt32BE(0b001, FEATURES)],
  ])('%s: no session', async (_, direction, change) => {
    const target = { direction, index: 0 };
    const attempt = await scene.attempt(
      edit(target, (frame) => {
        const copy = Buffer.from(frame);
        change(copy);
        expect(copy).not.toEqual(frame);
        return copy;
      }),
    );
    expect([attempt.client, attempt.clientCode]).toEqual([undefined, 'EIPC_HANDSHAKE_FAILED']);
    expect(scene.takeFailures()).toEqual(['EIPC_HANDSHAKE_FAILED']);
  });

  test.each([
    ['to the server', 'c2s', 'EIPC_BAD_VERSION', 'EIPC_HANDSHAKE_FAILED'],
    ['to the client', 's2c', 'EIPC_HANDSHAKE_FAILED', 'EIPC_BAD_VERSION'],
  ] as const)(
    'every frame %s becomes version 1: no session, no second try',
    async (_, direction, atServer, atClient) => {
      const attempt = await scene.attempt((frame, tap) =>
        frame.direction === direction ? tap.send(direction, asVersion(frame.bytes, 1)) : forward(frame, tap),
      );
      expect([attempt.client, attempt.clientCode]).toEqual([undefined, atClient]);
      expect(scene.takeFailures()).toEqual([atServer]);
      const versions = attempt.seen.map((frame) => frame.bytes.readUInt16BE(VERSION));
      expect(new Set(versions)).toEqual(new Set([2]));
    },
  );

  test('to version 1 and, on its way back, to 2 again: no session', async () => {
    const attempt = await scene.attempt((frame, tap) =>
      tap.send(frame.direction, asVersion(frame.bytes, frame.direction === 'c2s' ? 1 : 2)),
    );
    expect([attempt.client, attempt.clientCode]).toEqual([undefined, 'EIPC_HANDSHAKE_FAILED']);
    expect(scene.takeFailures()).toEqual(['EIPC_BAD_VERSION']);
  });
});

test.each(V1_FRAMES.map((vector) => [vector.name, vector] as const))(
  'a v1 client that begins with the frame %s gets the alert',
  async (_, vector) => {
    const frame = Buffer.from(vector.frame_hex, 'hex');
    expect(await scene.send(withPrefix(frame))).toEqual(ALERT);
    // Before authentication 4 096 bytes are the most, whatever version.
    expect(scene.takeFailures()).toEqual([frame.length > 4_096 ? 'EIPC_FRAME_TOO_LARGE' : 'EIPC_BAD_VERSION']);
  },
);

describe('a v1 server', () => {
  const service = { id: 'eni.v1', key: Buffer.concat([Buffer.alloc(31, 7), Buffer.of(0)]) };

  test('that refuses version 2 and hangs up: one connection, one frame, no session', async () => {
    const { code, peers } = await meet((peer) => peer.end());
    expect(code).toBe('EIPC_TRANSPORT');
    expectOneHello(peers);
  });

  test.each(V1_FRAMES.map((vector) => [vector.name, vector] as const))(
    'that answers with the frame %s: one connection, no v1 frame, no session',
    async (_, vector) => {
      const frame = Buffer.from(vector.frame_hex, 'hex');
      const { code, peers } = await meet((peer) => peer.send(frame));
      expect(code).toBe(frame.length > 4_096 ? 'EIPC_FRAME_TOO_LARGE' : 'EIPC_BAD_VERSION');
      expectOneHello(peers);
    },
  );

  async function meet(answer: (peer: ScriptedPeer) => void): Promise<{ code: string; peers: readonly ScriptedPeer[] }> {
    const folder = await mkdtemp(join(tmpdir(), 'eipc-v1-'));
    const path = join(folder, 'socket');
    await using server = await ScriptedServer.listen(path, service.key, async (peer) => {
      await peer.next();
      answer(peer);
      await peer.next(); // undefined, or the alert
    });
    try {
      const options = { serviceId: service.id, key: service.key, handshakeTimeout: 2_000 };
      const outcome: unknown = await connect(`unix:${path}`, options).catch((error: unknown) => error);
      if (!(outcome instanceof EipcError)) throw new Error('there is a session');
      return { code: outcome.code, peers: server.peers };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** The client has said its hello in version 2, and at most that it gives up. */
  function expectOneHello(peers: readonly ScriptedPeer[]): void {
    expect(peers).toHaveLength(1);
    const [hello, ...rest] = peers[0]?.received ?? [];
    expect([hello?.readUInt16BE(VERSION), hello?.toString('latin1', 6, 7)]).toEqual([2, 'A']);
    expect(rest.filter((frame) => !frame.equals(PLAIN_ALERT))).toEqual([]);
  }
});

function asVersion(frame: Buffer, version: number): Buffer {
  const copy = Buffer.from(frame);
  copy.writeUInt16BE(version, VERSION);
  return copy;
}
