/**
 * The attacker of this file is a server with the client's own key: its proofs are right, and it lies about one thing,
 * or says things before their time. The client is the real one.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { connect, EipcError } from '../../src/index.js';
import type { ClientEndpoint } from '../../src/index.js';
import { makeKey, readAll } from '../helpers/attack-scene.js';
import { within } from '../helpers/independent-client.js';
import { plainAlert } from '../helpers/independent-frames.js';
import { FLAG_TAG, HANDSHAKE_LIMIT, readPreamble, TAG_SIZE } from '../helpers/independent-preamble.js';
import { LOW_ORDER_POINTS } from '../helpers/low-order-points.js';
import { ScriptedServer, type HelloLies, type ScriptedPeer } from '../helpers/scripted-server.js';
import { refusal } from '../helpers/shm-scene.js';

const key = makeKey();
let folder: string;
let server: ScriptedServer | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eipc-hostile-'));
});

afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test('an honest scripted server is accepted, and its message arrives', async () => {
  const client = await meet(async (peer) => {
    await welcome(peer);
    peer.send(peer.build({ type: 'f' }, { n: 1 }));
  });
  expect((await client.receive({ timeout: 5_000 })).payload).toEqual({ n: 1 });
  expect(client.peer).toMatchObject({ serviceId: 'eipc', protocol: 2 });
});

// Whatever the client's secret is, the result of these is zero: the server knows it, and so does anybody.
test.each(LOW_ORDER_POINTS.map((point) => [point.toString('hex'), point] as const))(
  'the low-order point %s, with the proof of the zero result',
  async (_, publicKey) => {
    await expectRefusal({ publicKey, shared: Buffer.alloc(32) }, /low-order server key/);
  },
);

describe('a ServerHello whose proof is right is refused with', () => {
  test.each<[string, HelloLies]>([
    ['another handshake version', { version: 2 }],
    ['no key exchange', { kx: 0, publicKey: Buffer.alloc(32), shared: Buffer.alloc(32) }],
    ['an unknown key exchange', { kx: 2 }],
    ['suite 0', { suite: 0 }],
    ['a suite that was not offered', { suite: 2 }],
    ['another suite that was not offered', { suite: 3 }],
    ['a suite that does not exist', { suite: 4 }],
    ['a reserved bit', { reserved: 1 }],
    ['a feature that was not offered', { features: 0b1101 }],
    ['a feature of the future', { features: 0x8000_0005 }],
    ['no strict sequence', { features: 0b100 }],
    ['session id 0', { sessionId: 0n }],
  ])('%s', async (_, lies) => {
    await expectRefusal(lies, /EIPC_HANDSHAKE_FAILED/);
  });
});

describe('a SessionAccept whose tag is right is refused with', () => {
  test.each<[string, Readonly<Record<string, unknown>>, string]>([
    ['another server id', { server_id: 'other' }, 'EIPC_IDENTITY'],
    ["the client's own id", { server_id: 'eni' }, 'EIPC_REFLECTION'],
    ['no server id', { server_id: undefined }, 'EIPC_HANDSHAKE_FAILED'],
    ['another status', { status: 'denied' }, 'EIPC_HANDSHAKE_FAILED'],
    ['frames below 4 096 bytes', { max_frame: 4_095 }, 'EIPC_HANDSHAKE_FAILED'],
    ['frames above a megabyte', { max_frame: 1_048_577 }, 'EIPC_HANDSHAKE_FAILED'],
    ['a negative life', { ttl_ms: -1 }, 'EIPC_HANDSHAKE_FAILED'],
  ])('%s', async (_, lies, code) => {
    const refusal = await fail(async (peer) => {
      peer.send(peer.serverHello((await peer.next()) ?? Buffer.alloc(0)));
      await peer.next();
      peer.send(peer.sessionAccept(lies));
    });
    expect(refusal.code).toBe(code);
  });
});

describe('before its time', () => {
  test.each<[string, (peer: ScriptedPeer, hello: Buffer) => void | Promise<void>, string]>([
    [
      'a SessionAccept before the ServerHello',
      (peer, hello) => {
        const serverHello = peer.serverHello(hello);
        peer.send(peer.sessionAccept());
        peer.send(serverHello);
      },
      'EIPC_HANDSHAKE_FAILED',
    ],
    [
      'data before the ServerHello',
      (peer, hello) => {
        const serverHello = peer.serverHello(hello);
        peer.send(peer.build({ type: 'f' }, {}));
        peer.send(serverHello);
      },
      'EIPC_PROTOCOL',
    ],
    [
      'data in place of SessionAccept',
      (peer, hello) => {
        peer.send(peer.serverHello(hello));
        peer.send(peer.build({ type: 'f' }, {}));
      },
      'EIPC_UNSUPPORTED_TYPE',
    ],
    [
      'a close in place of SessionAccept',
      (peer, hello) => {
        peer.send(peer.serverHello(hello));
        peer.send(peer.build({ type: 'X' }, '\0'.repeat(16)));
      },
      'EIPC_UNSUPPORTED_TYPE',
    ],
    [
      'a ServerHello again',
      (peer, hello) => [1, 2].forEach(() => peer.send(peer.serverHello(hello))),
      'EIPC_INTEGRITY',
    ],
    ['the alert without tag', (peer) => peer.send(plainAlert(1)), 'EIPC_HANDSHAKE_FAILED'],
    ['its end of stream', (peer) => peer.end(), 'EIPC_TRANSPORT'],
  ])('%s ends it without a session', async (_, script, code) => {
    const refusal = await fail(async (peer) => script(peer, (await peer.next()) ?? Buffer.alloc(0)));
    expect(refusal.code).toBe(code);
  });

  test('a second SessionAccept ends the session, and what comes behind it is not delivered', async () => {
    const client = await meet(async (peer) => {
      await welcome(peer);
      await peer.next(); // the client is open now
      peer.send(peer.sessionAccept());
      peer.send(peer.build({ type: 'f' }, {}));
    });
    await client.send({ type: 'features', payload: {} });
    const messages = readAll(client);
    const end = await within(client.closed, 'the end');
    expect([end.code, end.error?.code]).toEqual(['EIPC_PROTOCOL', 'EIPC_UNSUPPORTED_TYPE']);
    expect(await messages).toEqual([]);
  });
});

test('a shm: server that never offers a segment keeps nobody waiting longer than a handshake may take', async () => {
  const path = join(folder, 'socket');
  server = await ScriptedServer.listen(path, key, (peer) => welcome(peer, { features: 0b1101 }));
  const aborted = new AbortController();
  const options = { serviceId: 'eni', key, handshakeTimeout: 100, signal: aborted.signal };
  const outcome = connect(`shm:${path}`, options).catch((error: unknown) => error);
  try {
    expect(await within(outcome, 'the outcome of connect', 1_000)).toMatchObject({ code: 'EIPC_TIMEOUT' });
  } finally {
    aborted.abort();
  }
});

describe('a shm: server whose segment', () => {
  const SESSION = 77n;
  const NAME = '/eabcdefghijklmnopqrstuvwxyz';

  // docs/shm-abi.md, "Hand-over": the answers are S refuse with a reason and X, or E alone.
  test.each<[string, Offer, string, RegExp]>([
    ['has another layout', { abi: 2 }, 'S1 X', /another layout version/],
    ['is larger than the client maps', { capacity: 2 ** 28 }, 'S2 X', /sizes/],
    ['has a lane that is no power of two', { capacity: 5_000 }, 'S2 X', /sizes/],
    ['has another size than its lanes', { total: 4_096n }, 'S2 X', /sizes/],
    ['comes without its descriptor', {}, 'S3 X', /descriptor|kind/],
    ['has a name, and nothing has it', { kind: 2, name: NAME }, 'S3 X', /kind|nothing has its name/],
    ['is for another session', { generation: 78n }, 'E', /another session/],
    ['is of a kind that does not exist', { kind: 3 }, 'E', /malformed/],
    ['has a name that is too long', { kind: 2, name: `${NAME}a` }, 'E', /malformed/],
    ['has a name that is too short', { kind: 2, name: NAME.slice(0, -1) }, 'E', /malformed/],
    ['has a name that leads elsewhere', { kind: 2, name: '/e/../../../../../etc/passwd' }, 'E', /malformed/],
    ['has a name in capital letters', { kind: 2, name: NAME.toUpperCase() }, 'E', /malformed/],
    ['has a name and a descriptor', { kind: 1, name: NAME }, 'E', /malformed/],
  ])('%s is refused and used by nobody', async (_, offer, expected, text) => {
    const path = join(folder, 'socket');
    const answers: string[] = [];
    server = await ScriptedServer.listen(path, key, async (peer) => {
      await welcome(peer, { features: 0b1101, sessionId: SESSION });
      peer.send(peer.build({ type: 'S', payload: offerPayload({ generation: SESSION, ...offer }) }, ''));
      for (let frame = await peer.next(); frame !== undefined; frame = await peer.next()) {
        const { type } = readPreamble(frame, FLAG_TAG, HANDSHAKE_LIMIT);
        // Suite 1 does not hide the payload in front of the tag.
        const reason = [1, 2, 3, 4].find((number) => frame.subarray(0, -TAG_SIZE).includes(refusal(number)));
        answers.push(`${type}${reason ?? ''}`);
      }
    });
    const outcome = connect(`shm:${path}`, { serviceId: 'eni', key, handshakeTimeout: 2_000 });
    await expect(outcome).rejects.toMatchObject({
      code: 'EIPC_PROTOCOL',
      message: expect.stringMatching(text) as string,
    });
    await expect.poll(() => answers.join(' '), { interval: 1 }).toBe(expected);
  });
});

/** What an offer says; by default everything is right but that no segment comes with it. */
interface Offer {
  readonly kind?: number;
  readonly abi?: number;
  readonly capacity?: number;
  readonly total?: bigint;
  readonly generation?: bigint;
  readonly name?: string;
}

function offerPayload({ kind = 1, abi = 1, capacity = 4_096, total, generation = 0n, name = '' }: Offer): Buffer {
  const payload = Buffer.alloc(72);
  payload.writeUInt8(1, 0);
  payload.writeUInt8(kind, 1);
  payload.writeUInt16BE(abi, 2);
  payload.writeBigUInt64BE(total ?? 12_288n + 8n * BigInt(capacity), 8);
  for (let lane = 0; lane < 8; lane++) payload.writeUInt32BE(capacity, 16 + 4 * lane);
  payload.writeBigUInt64BE(generation, 48);
  payload.writeUInt8(name.length, 64);
  return Buffer.concat([payload, Buffer.from(name)]);
}

async function welcome(peer: ScriptedPeer, lies: HelloLies = {}): Promise<void> {
  peer.send(peer.serverHello((await peer.next()) ?? Buffer.alloc(0), lies));
  await peer.next();
  peer.send(peer.sessionAccept());
}

async function meet(script: (peer: ScriptedPeer) => Promise<void>): Promise<ClientEndpoint> {
  const path = join(folder, 'socket');
  server = await ScriptedServer.listen(path, key, script);
  return connect(`unix:${path}`, {
    serviceId: 'eni',
    key,
    serverId: 'eipc',
    suites: ['hmac-sha256'],
    handshakeTimeout: 2_000,
  });
}

async function fail(script: (peer: ScriptedPeer) => Promise<void>): Promise<EipcError> {
  const outcome: unknown = await meet(script).catch((error: unknown) => error);
  if (!(outcome instanceof EipcError)) throw new Error('there is a session');
  return outcome;
}

/** The client refuses the ServerHello, says so without a reason, and sends no proof of its own. */
async function expectRefusal(lies: HelloLies, text: RegExp): Promise<void> {
  const refusal = await fail(async (peer) => peer.send(peer.serverHello((await peer.next()) ?? Buffer.alloc(0), lies)));
  expect(`${refusal.code} ${refusal.message}`).toMatch(text);
  expect(refusal.code).toBe('EIPC_HANDSHAKE_FAILED');
  await expect.poll(() => server?.peers[0]?.received.slice(1), { interval: 1 }).toEqual([plainAlert(1)]);
}
