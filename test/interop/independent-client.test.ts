/**
 * Sessions of the real server, through its public API, with a client that was written from docs/wire.md alone and shares
 * no code with the package. Attackers stand in two places: in the path (they see and change bytes, and have no key), and
 * at the end of the connection (a peer with a good key that does not keep to the protocol).
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { within, type IndependentClient } from '../helpers/independent-client.js';
import { Opener, plainAlert } from '../helpers/independent-frames.js';
import { Refusal, withPrefix } from '../helpers/independent-preamble.js';
import { REQUEST, Scene, codeOf, flip } from '../helpers/independent-scene.js';

let scene: Scene;

beforeEach(async () => {
  scene = await Scene.make();
});

afterEach(async () => {
  await scene[Symbol.asyncDispose]();
});

describe('an honest client', () => {
  test('is authenticated, and its intent is acknowledged', async () => {
    const client = await scene.connect();
    const accept = await client.handshake();
    expect(accept).toMatchObject({ server_id: 'eipc', capabilities: ['ui:control'] });
    client.send(REQUEST);
    const ack = await client.receive();
    expect(ack).toMatchObject({ type: 'a', lane: 0, counter: 2n, epoch: 0 });
    expect(ack.meta).toMatchObject({ priority: 0, requestId: 'req-1', source: '' });
    expect(JSON.parse(ack.payload.toString())).toEqual({ request_id: 'req-1', status: 'ok' });
    expect(scene.handled).toEqual(['req-1']);
  });

  test('may write its meta as JSON', async () => {
    const client = await scene.open();
    client.send({ ...REQUEST, metaKind: 0, meta: { ...REQUEST.meta, requestId: 'r-é' } });
    const ack = await client.receive();
    expect([ack.type, ack.meta.requestId]).toEqual(['a', 'r-é']);
  });

  test('sends ten frames in one write and gets ten acknowledgements in order', async () => {
    const client = await scene.open();
    const ids = Array.from({ length: 10 }, (_, i) => `req-${i}`);
    const frames = ids.map((requestId) => client.build({ ...REQUEST, meta: { ...REQUEST.meta, requestId } }));
    client.sendBytes(Buffer.concat(frames.map(withPrefix)));
    const answered: string[] = [];
    while (answered.length < ids.length) answered.push((await client.receive()).meta.requestId);
    expect(answered).toEqual(ids);
  });

  test('sends its frame byte by byte', async () => {
    const client = await scene.open();
    for (const byte of withPrefix(client.build(REQUEST))) client.sendBytes(Uint8Array.of(byte));
    expect((await client.receive()).type).toBe('a');
  });

  test('closes with X and is answered with the counter of the last frame', async () => {
    const client = await scene.open();
    client.send(REQUEST);
    await client.receive();
    const close = await client.close();
    expect(close.payload.readUInt8(0)).toBe(0);
    expect(close.payload.readBigUInt64BE(8)).toBe(close.counter - 1n);
    expect(await scene.nextEnd()).toMatchObject({ code: 'EIPC_CLOSED_BY_PEER' });
  });

  test('is told by X when the server closes, and need not hang up itself', async () => {
    const client = await scene.open();
    const closing = scene.server.close();
    expect((await client.receive()).type).toBe('X');
    client.sendFrame(client.buildClose(client.lastCounter));
    expect(await scene.nextEnd()).toMatchObject({ code: 'EIPC_CLOSED' });
    await within(closing, 'close of the server');
    expect((await client.ending()).frames).toEqual([]);
  });
});

// In the path: sees and changes bytes, has no key.
describe('a changed frame is refused', () => {
  const SEALED = 16 + 24 + 24 + 'req-1'.length + 'ui:control'.length + REQUEST.payload.length + 32;
  const everyBit = Array.from({ length: 40 * 8 }, (_, bit) => bit);
  const oneBitAByte = Array.from({ length: SEALED - 40 }, (_, i) => (40 + i) * 8 + (i % 8));
  const regions: readonly (readonly [string, readonly number[]])[] = [
    ['preamble and SecHdr, every bit', everyBit],
    ['meta, payload and tag, one bit of every byte', oneBitAByte],
  ];

  test.each(regions)('%s', async (_, bits) => {
    for (const [i, bit] of bits.entries()) {
      if (i % SESSIONS_OF_A_SERVER === 0) scene = await scene.renew();
      const client = await scene.open();
      const frame = client.build(REQUEST);
      expect(frame.length).toBe(SEALED);
      const changed = flip(frame, bit);
      // The untouched frame follows at once: nothing after the fault may be delivered either.
      client.sendBytes(Buffer.concat([withPrefix(changed), withPrefix(frame)]));
      await expectSessionError(client, judge(client, changed), `bit ${bit}`);
      expect(scene.handled, `bit ${bit}`).toEqual([]);
    }
  });

  test.each([1, 4, 16])('%i bytes cut off, with the prefix made to fit', async (bytes) => {
    const client = await scene.open();
    client.sendFrame(client.build(REQUEST).subarray(0, -bytes));
    await expectSessionError(client, 'FRAME_TRUNCATED');
  });

  test.each([1, 16, 64])('%i bytes added, with the prefix made to fit', async (bytes) => {
    const client = await scene.open();
    client.sendFrame(Buffer.concat([client.build(REQUEST), Buffer.alloc(bytes)]));
    await expectSessionError(client, 'TRAILING_BYTES');
  });

  test.each(Array.from({ length: 32 }, (_, bit) => bit))('bit %i of the stream prefix', async (bit) => {
    const client = await scene.open();
    client.sendBytes(flip(withPrefix(client.build(REQUEST)), bit));
    client.end(); // a longer prefix would otherwise wait for the rest
    const reason = await scene.nextEnd();
    expect(PREFIX_FAULTS).toContain(reason.error?.code ?? reason.code);
    expect(scene.handled).toEqual([]);
  });

  test('a frame of another session', async () => {
    const recorded = (await scene.open()).build(REQUEST);
    const client = await scene.open();
    client.sendFrame(recorded);
    await expectSessionError(client, 'INTEGRITY');
  });
});

// In the path: repeats, drops, turns frames around.
describe('a repeated, dropped or reflected frame is refused', () => {
  test('the same frame twice', async () => {
    const client = await scene.open();
    const frame = client.build(REQUEST);
    client.sendFrame(frame);
    await client.receive();
    client.sendFrame(frame);
    await expectSessionError(client, 'SEQUENCE');
    expect(scene.handled).toEqual(['req-1']);
  });

  test.each([
    ['a skipped counter', { counter: 2n }],
    ['counter 0', { counter: 0n }],
    ['the highest counter', { counter: (1n << 62n) - 1n }],
    ['a lane that streams do not have', { lane: 1, counter: 1n }],
  ])('%s', async (_, lie) => {
    const client = await scene.open();
    client.send({ ...REQUEST, ...lie });
    await expectSessionError(client, 'SEQUENCE');
    expect(scene.handled).toEqual([]);
  });

  test('two frames in the wrong order', async () => {
    const client = await scene.open();
    const [first, second] = [client.build(REQUEST), client.build(REQUEST)];
    client.sendBytes(Buffer.concat([second, first].map(withPrefix)));
    await expectSessionError(client, 'SEQUENCE');
    expect(scene.handled).toEqual([]);
  });

  test("the server's own SessionAccept", async () => {
    const client = await scene.connect();
    client.sendFrame(client.clientHello);
    client.verifyServerHello(await client.receiveFrame());
    client.sendFrame(client.session.finish);
    const accept = await client.receiveFrame();
    client.verifySessionAccept(accept);
    client.sendFrame(accept);
    await expectSessionError(client, 'INTEGRITY');
  });

  test("the server's own acknowledgement", async () => {
    const client = await scene.open();
    client.send(REQUEST);
    const ack = await client.receiveFrame();
    client.verify(ack);
    client.sendFrame(ack);
    await expectSessionError(client, 'INTEGRITY');
    expect(scene.handled).toEqual(['req-1']);
  });

  test("a request under the server's direction key", async () => {
    const client = await scene.open();
    client.send({ ...REQUEST, direction: 's2c' });
    await expectSessionError(client, 'INTEGRITY');
    expect(scene.handled).toEqual([]);
  });
});

// At the end of the connection: a good key, and frames that are sealed well but say what they may not.
describe('a sealed frame that breaks the rules is refused', () => {
  test.each([
    ['another session id', { sessionId: 1n }, 'BAD_HEADER'],
    ['another suite', { suite: 3 }, 'BAD_HEADER'],
    ['suite 0', { suite: 0 }, 'BAD_HEADER'],
    ['a reserved bit', { reserved: 1 }, 'BAD_HEADER'],
    ['the next epoch under the keys of this one', { epoch: 1 }, 'INTEGRITY'],
    ['an epoch far ahead', { epoch: 2 }, 'INTEGRITY'],
    ['meta_kind 2', { metaKind: 2, metaBytes: Buffer.from('{}') }, 'BAD_HEADER'],
    [
      'a control frame with other meta',
      { type: 'X', metaKind: 0, metaBytes: Buffer.from('{"priority":1}') },
      'BAD_HEADER',
    ],
    ['a control frame with binary meta', { type: 'X', meta: {} }, 'BAD_HEADER'],
    ['an unknown type', { type: 'z' }, 'UNSUPPORTED_TYPE'],
    ['a hello type', { type: 'A' }, 'UNSUPPORTED_TYPE'],
    ['SessionAccept or ClientFinish again', { type: 'R' }, 'UNSUPPORTED_TYPE'],
    ['meta that is cut off', { metaBytes: Buffer.alloc(23) }, 'BAD_HEADER'],
    ['meta of priority 4', { meta: { priority: 4 } }, 'BAD_HEADER'],
    ['a newline in the request id', { meta: { requestId: 'a\nb' } }, 'BAD_HEADER'],
    ['a maximal age without timestamp', { meta: { maxAgeMs: 50 } }, 'BAD_HEADER'],
    [
      'JSON meta with a duplicate key',
      { metaKind: 0, metaBytes: Buffer.from('{"route":"a","route":"b"}') },
      'BAD_HEADER',
    ],
    [
      'JSON meta with a folded duplicate',
      { metaKind: 0, metaBytes: Buffer.from('{"route":"a","Route":"b"}') },
      'BAD_HEADER',
    ],
  ] as const)('%s', async (_, lie, code) => {
    const client = await scene.open();
    client.send({ ...REQUEST, ...lie });
    await expectSessionError(client, code);
    expect(scene.handled).toEqual([]);
  });

  test('binary meta that was not negotiated', async () => {
    const client = await scene.connect({ hello: { features: 0b001 } });
    await client.handshake();
    client.send(REQUEST);
    await expectSessionError(client, 'BAD_HEADER');
    expect(scene.handled).toEqual([]);
  });

  test('an alert without tag', async () => {
    const client = await scene.open();
    client.sendFrame(plainAlert(2));
    await expectSessionError(client, 'INTEGRITY');
  });

  test('a second ClientFinish', async () => {
    const client = await scene.open();
    client.sendFrame(client.session.finish);
    await expectSessionError(client, 'INTEGRITY');
  });

  test('a ClientHello inside the session', async () => {
    const client = await scene.open();
    client.sendFrame(client.clientHello);
    await expectSessionError(client, 'INTEGRITY');
  });

  test('an X that admits fewer frames than came', async () => {
    const client = await scene.open();
    client.send(REQUEST);
    await client.receive();
    client.sendFrame(client.buildClose(0n));
    expect(codeOf(await scene.nextEnd())).toBe('EIPC_SEQUENCE');
  });

  test('an X that promises more frames than came', async () => {
    const client = await scene.open();
    client.sendFrame(client.buildClose(3n));
    // On a stream nothing can arrive after X, so there is nothing to wait a second for.
    expect(['EIPC_SEQUENCE', 'EIPC_TRUNCATED']).toContain(codeOf(await scene.nextEnd()));
  });

  test('a request after X', async () => {
    const client = await scene.open();
    const close = client.buildClose(client.lastCounter);
    client.sendBytes(Buffer.concat([withPrefix(close), withPrefix(client.build(REQUEST))]));
    await scene.nextEnd();
    expect(scene.handled).toEqual([]);
  });
});

describe('a stream that ends early', () => {
  test('inside a frame delivers nothing and is reported as truncation', async () => {
    const client = await scene.open();
    client.sendBytes(withPrefix(client.build(REQUEST)).subarray(0, 100));
    client.end();
    expect(await scene.nextEnd()).toMatchObject({ code: 'EIPC_TRUNCATED' });
    expect(scene.handled).toEqual([]);
  });

  test('after a whole frame delivers it and is reported as truncation', async () => {
    const client = await scene.open();
    client.send(REQUEST);
    await client.receive();
    client.end();
    expect(await scene.nextEnd()).toMatchObject({ code: 'EIPC_TRUNCATED' });
    expect(scene.handled).toEqual(['req-1']);
  });
});

test('after all refusals the server still serves', async () => {
  const bad = await scene.open();
  bad.send({ ...REQUEST, counter: 9n });
  await expectSessionError(bad, 'SEQUENCE');
  const good = await scene.open();
  good.send(REQUEST);
  expect((await good.receive()).type).toBe('a');
});

/** One key may not begin handshakes without end; a new server counts from the beginning. */
const SESSIONS_OF_A_SERVER = 64;
const PREFIX_FAULTS = ['EIPC_FRAME_TOO_LARGE', 'EIPC_FRAME_TRUNCATED', 'EIPC_TRAILING_BYTES', 'EIPC_TRUNCATED'];

/** The code that wire.md gives the frame, judged by the independent reader. */
function judge(client: IndependentClient, frame: Buffer): string {
  try {
    new Opener(client.session, 'stream', 'c2s').open(frame);
  } catch (error) {
    if (error instanceof Refusal) return error.code === 'TRUNCATED' ? 'FRAME_TRUNCATED' : error.code;
    throw error;
  }
  throw new Error('the independent reader accepts this frame');
}

/** The peer sees one generic sealed alert and the end; the server knows the precise reason. */
async function expectSessionError(client: IndependentClient, code: string, what = code): Promise<void> {
  expect((await client.ending()).alert, what).toBe('sealed');
  expect(codeOf(await scene.nextEnd()), what).toBe(`EIPC_${code}`);
}
