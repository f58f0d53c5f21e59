/**
 * The attacker of this file is on the control socket of a `shm:` server: without a key and in nobody's place, or with a
 * good key and bad manners around the hand-over of the segment. Its own connection ends, with the reason in the log;
 * the server and the other connection go on, and nothing is left behind.
 */
import { readdirSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { flipBit, withPrefix } from '../../src/cli/demo/attack/frames.js';
import type { ServerEndpoint } from '../../src/index.js';
import { within, type IndependentClient, type Sending } from '../helpers/independent-client.js';
import { closePayload, plainAlert } from '../helpers/independent-frames.js';
import { FLAG_TAG, HANDSHAKE_LIMIT, Refusal, readPreamble } from '../helpers/independent-preamble.js';
import { controlFrame, READY, refusal, segmentFrame, ShmScene } from '../helpers/shm-scene.js';

const MESSAGE: Sending = { type: 'i', meta: { priority: 0, requestId: 'r' }, payload: '{"intent":"move"}' };
const NO_FRAMES = [0n, 0n, 0n, 0n] as const;

let scene: ShmScene;
let descriptors: number;

beforeAll(async () => {
  scene = await ShmScene.make();
});

// What is made once, at the first request, is made before the first count.
beforeEach(async () => {
  await scene.expectUnharmed();
  descriptors = openDescriptors();
});

afterEach(async () => {
  await scene.expectUnharmed();
  await expect.poll(openDescriptors, { interval: 1 }).toBeLessThanOrEqual(descriptors);
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

// Without a key: sees and changes bytes.
describe('every byte', () => {
  test('of the ClientHello, changed, is refused', async () => {
    const length = 16 + 113 + 'eni.hostile'.length + 32;
    for (let byte = 0; byte < length; byte++) {
      const client = await scene.connect();
      expect(client.clientHello.length).toBe(length);
      const changed = flipBit(client.clientHello, byte * 8 + (byte % 8));
      client.sendFrame(changed);
      await expectPlainAlert(client, judge(changed), `byte ${byte}`);
    }
  });

  test('of the ClientFinish, changed, is refused', async () => {
    for (let byte = 0; byte < 48; byte++) {
      const client = await scene.connect();
      client.sendFrame(client.clientHello);
      client.verifyServerHello(await client.receiveFrame());
      const changed = flipBit(client.session.finish, byte * 8 + (byte % 8));
      client.sendFrame(changed);
      await expectPlainAlert(client, judge(changed), `byte ${byte}`);
    }
  });

  test('of ready, changed, is refused', async () => {
    const length = 16 + 24 + 2 + 8 + 32;
    await using other = await ShmScene.make(); // a key of its own: one may begin 128 handshakes at once
    for (let byte = 0; byte < length; byte++) {
      const client = await other.offered();
      const frame = client.build(segmentFrame(READY));
      expect(frame.length).toBe(length);
      client.sendFrame(flipBit(frame, byte * 8 + (byte % 8)));
      expect((await client.ending()).alert, `byte ${byte}`).toBe('sealed');
      expect(await other.nextFailure(), `byte ${byte}`).toMatch(FRAME_FAULTS);
    }
    await other.expectUnharmed();
  });
});

test('a client that does not offer shared memory is refused', async () => {
  const client = await scene.connect({ features: 0b101 });
  await client.handshake();
  expect((await client.ending()).alert).toBe('sealed');
  expect(await scene.nextFailure()).toBe('EIPC_HANDSHAKE_FAILED');
});

// With a good key, between SessionAccept and the answer to the offer.
describe('before ready', () => {
  test.each<[string, Sending, string]>([
    ['a message on the control socket', MESSAGE, 'EIPC_PROTOCOL'],
    ['refuse without a reason', segmentFrame(refusal(0)), 'EIPC_PROTOCOL'],
    ['refuse with an unknown reason', segmentFrame(refusal(5)), 'EIPC_PROTOCOL'],
    ['an answer that does not exist', segmentFrame(Buffer.from('0400000100000000', 'hex')), 'EIPC_PROTOCOL'],
    ['ready of another layout', segmentFrame(Buffer.from('0200000200000000', 'hex')), 'EIPC_PROTOCOL'],
    ['ready with a reserved byte', segmentFrame(Buffer.from('0201000100000000', 'hex')), 'EIPC_PROTOCOL'],
    ['ready with a reason', segmentFrame(Buffer.from('0200000100000001', 'hex')), 'EIPC_PROTOCOL'],
    ['ready, one byte short', segmentFrame(READY.subarray(1)), 'EIPC_PROTOCOL'],
    ['ready, one byte long', segmentFrame(Buffer.concat([READY, Buffer.of(0)])), 'EIPC_PROTOCOL'],
    ['an empty answer', segmentFrame(Buffer.alloc(0)), 'EIPC_PROTOCOL'],
    ['an offer of its own', segmentFrame(Buffer.concat([Buffer.of(1, 1), Buffer.alloc(70)])), 'EIPC_PROTOCOL'],
    ['ready out of order', { ...segmentFrame(READY), counter: 2n }, 'EIPC_SEQUENCE'],
    ["ready under the server's key", { ...segmentFrame(READY), direction: 's2c' }, 'EIPC_INTEGRITY'],
  ])('%s', async (_, sending, code) => {
    const client = await scene.offered();
    client.send(sending);
    expect((await client.ending()).alert).toBe('sealed');
    expect(await scene.nextFailure()).toBe(code);
  });

  test('the offer, turned around', async () => {
    const client = await scene.connect();
    await client.handshake();
    const offer = await client.receiveFrame();
    client.verify(offer);
    client.sendFrame(offer);
    expect((await client.ending()).alert).toBe('sealed');
    expect(await scene.nextFailure()).toBe('EIPC_INTEGRITY');
  });

  test.each([0x01, 0x02, 0x7f, 0x80, 0xff])('the byte %i, which is no doorbell yet, and three more', async (byte) => {
    const client = await scene.offered();
    client.sendBytes(Buffer.of(byte, 0, 0, 0));
    expect((await client.ending()).alert).toBe('sealed');
    expect(await scene.nextFailure()).toBe('EIPC_FRAME_TOO_LARGE');
  });

  test.each([1, 4, 20, 85])('%i bytes of ready, and the end of the stream', async (length) => {
    const client = await scene.offered();
    client.sendBytes(withPrefix(client.build(segmentFrame(READY))).subarray(0, length));
    client.end();
    await client.ending();
    expect(await scene.nextFailure()).toBe('EIPC_TRUNCATED');
  });

  // A refusal is no attack: the server says X and goes, whatever the reason.
  test.each([1, 2, 3, 4])('refuse for reason %i', async (reason) => {
    const client = await scene.offered();
    client.send(segmentFrame(refusal(reason)));
    expect((await client.ending()).frames.map((frame) => frame.toString('latin1', 6, 7))).toEqual(['X']);
    expect(await scene.nextFailure()).toBe('EIPC_PROTOCOL');
  });

  // Nothing was published, so nothing is drained: answered at once.
  test('a close', async () => {
    const client = await scene.offered();
    client.sendFrame(client.buildClose(client.lastCounter));
    expect((await client.ending()).frames.map((frame) => frame.toString('latin1', 6, 7))).toEqual(['X']);
  });

  test('the end of the stream', async () => {
    const client = await scene.offered();
    client.end();
    await client.ending();
    expect(await scene.nextFailure()).toBe('EIPC_TRUNCATED');
  });

  test.each([
    ['silence', 0],
    ['half of ready, and silence', 40],
  ])('%s ends with the time of the handshake', { timeout: 5_000 }, async (_, length) => {
    await using other = await ShmScene.make({ handshakeTimeout: 100 });
    const client = await other.offered();
    client.sendBytes(withPrefix(client.build(segmentFrame(READY))).subarray(0, length));
    await expect.poll(() => other.server.stats().handshaking, { interval: 5, timeout: 1_000 }).toBe(0);
  });
});

// With a good key, in a session that is open although the attacker never had the segment.
describe('after ready', () => {
  test('any number of doorbells is harmless', async () => {
    const { client, endpoint } = await scene.ready();
    for (const count of [1, 4_096, 100_000]) client.sendBytes(Buffer.alloc(count, 1));
    await scene.expectServed(endpoint);
    client.sendFrame(client.buildClose(client.lastCounter));
    expect(await endOf(endpoint)).toBe('EIPC_CLOSED_BY_PEER');
  });

  test.each<[string, Sending, string]>([
    ['ready again', segmentFrame(READY), 'EIPC_PROTOCOL'],
    ['refuse', segmentFrame(refusal(3)), 'EIPC_PROTOCOL'],
    ['a message on the control socket', MESSAGE, 'EIPC_PROTOCOL'],
    ['a second SessionAccept', controlFrame('R', Buffer.from('{}')), 'EIPC_UNSUPPORTED_TYPE'],
    ['a frame out of order', { ...segmentFrame(READY), counter: 9n }, 'EIPC_SEQUENCE'],
    ['a close that counts the stream wrong', controlFrame('X', closePayload(0, 7n, NO_FRAMES)), 'EIPC_SEQUENCE'],
    ['a close of three lanes', controlFrame('X', closePayload(0, 1n, [0n, 0n, 0n])), 'EIPC_BAD_PAYLOAD'],
    ['a close for no reason there is', controlFrame('X', closePayload(9, 1n, NO_FRAMES)), 'EIPC_BAD_PAYLOAD'],
  ])('%s', async (_, sending, code) => {
    const { client, endpoint } = await scene.ready();
    client.send(sending);
    expect((await client.ending()).alert).toBe('sealed');
    expect(await endOf(endpoint)).toBe(code);
  });

  test('a close that promises messages which never were in the rings', async () => {
    const { client, endpoint } = await scene.ready();
    // The stream is at 2: the finish counts nothing, ready took 1.
    client.send(controlFrame('X', closePayload(0, client.lastCounter, [0n, 3n, 0n, 0n])));
    expect(await endOf(endpoint)).toBe('EIPC_TRUNCATED');
  });

  test('a close with the right counters is the ordinary end', async () => {
    const { client, endpoint } = await scene.ready();
    client.send(controlFrame('X', closePayload(0, client.lastCounter, NO_FRAMES)));
    expect(await endOf(endpoint)).toBe('EIPC_CLOSED_BY_PEER');
  });

  test('a frame sealed for the rings, on the control socket', async () => {
    const { client, endpoint } = await scene.ready();
    client.sendFrame(scene.ringFrame(client, 1n));
    expect((await client.ending()).alert).toBe('sealed');
    expect(await endOf(endpoint)).toBe('EIPC_INTEGRITY');
  });

  test('a frame of another session under the same key', async () => {
    const donor = await scene.offered();
    const recorded = donor.build(segmentFrame(READY));
    const { client, endpoint } = await scene.ready();
    client.sendFrame(recorded);
    expect((await client.ending()).alert).toBe('sealed');
    expect(await endOf(endpoint)).toBe('EIPC_INTEGRITY');
    donor.destroy();
  });

  test('an alert without tag', async () => {
    const { client, endpoint } = await scene.ready();
    client.sendFrame(plainAlert(2));
    expect((await client.ending()).alert).toBe('sealed');
    expect(await endOf(endpoint)).toBe('EIPC_INTEGRITY');
  });

  test('any byte between frames that is neither a length nor a doorbell', async () => {
    for (const bytes of [range(2, 128), range(128, 256)]) {
      await using other = await ShmScene.make(); // one key may begin 128 handshakes at once
      for (const byte of bytes) {
        const { client, endpoint } = await other.ready();
        client.sendBytes(Buffer.of(byte));
        expect((await client.ending()).alert, `byte ${byte}`).toBe('sealed');
        expect(await endOf(endpoint), `byte ${byte}`).toBe('EIPC_PROTOCOL');
      }
      await other.expectUnharmed();
    }
  });

  test.each([0x0010_0001, 0x00ff_ffff, 0x0000_000f, 0])('a length of %i', async (length) => {
    const { client, endpoint } = await scene.ready();
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(length);
    client.sendBytes(prefix);
    expect((await client.ending()).alert).toBe('sealed');
    expect(await endOf(endpoint)).toBe(length < 16 ? 'EIPC_FRAME_TRUNCATED' : 'EIPC_FRAME_TOO_LARGE');
  });

  test('a doorbell inside a frame belongs to the frame, and breaks it', async () => {
    const { client, endpoint } = await scene.ready();
    const bytes = withPrefix(client.build(segmentFrame(READY)));
    client.sendBytes(Buffer.concat([bytes.subarray(0, 40), Buffer.of(1), bytes.subarray(40)]));
    expect((await client.ending()).alert).toBe('sealed');
    expect(await endOf(endpoint)).toBe('EIPC_INTEGRITY');
  });

  test.each([1, 4, 20, 85])(
    '%i bytes of an S frame: silence harms nobody, and the end of the stream ends it',
    async (length) => {
      const { client, endpoint } = await scene.ready();
      client.sendBytes(withPrefix(client.build(segmentFrame(READY))).subarray(0, length));
      await scene.expectServed(endpoint);
      client.end();
      expect(await endOf(endpoint)).toBe('EIPC_PEER_DOWN');
    },
  );

  test('the end of the stream without a close', async () => {
    const { client, endpoint } = await scene.ready();
    client.end();
    expect(await endOf(endpoint)).toBe('EIPC_PEER_DOWN');
  });
});

/** Faults of a frame of which a bit was changed: framing where that says so, the tag otherwise. */
const FRAME_FAULTS =
  /^EIPC_(?:BAD_MAGIC|BAD_VERSION|UNSUPPORTED_FLAGS|INTEGRITY|FRAME_TOO_LARGE|FRAME_TRUNCATED|TRAILING_BYTES)$/;

async function expectPlainAlert(client: IndependentClient, code: string, what: string): Promise<void> {
  expect((await client.ending()).alert, what).toBe('plain');
  expect(await scene.nextFailure(), what).toBe(code);
}

/** The precise code of a session's end. */
async function endOf(endpoint: ServerEndpoint): Promise<string> {
  const reason = await within(endpoint.closed, 'the end of the session');
  return reason.error?.code ?? reason.code;
}

/** The code of a changed handshake frame: framing as wire.md orders it, then a type that is none of the handshake's. */
function judge(frame: Buffer): string {
  try {
    const { type } = readPreamble(frame, FLAG_TAG, HANDSHAKE_LIMIT);
    return 'AHR'.includes(type) ? 'EIPC_HANDSHAKE_FAILED' : 'EIPC_PROTOCOL';
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.code === 'TRUNCATED' ? 'EIPC_FRAME_TRUNCATED' : `EIPC_${error.code}`;
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
