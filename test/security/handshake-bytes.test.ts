/**
 * The attacker of this file stands in the path between a real client and a real server and changes one byte of one frame
 * of their handshake, whichever byte it is: one bit of it, and all of it at random. There is never a session.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { flipBit, PLAIN_ALERT, type Direction } from '../../src/cli/demo/attack/frames.js';
import { forward, type SeenFrame } from '../../src/cli/demo/attack/proxy.js';
import { edit } from '../../src/cli/demo/attack/scripts.js';
import { SeededRandom } from '../../src/cli/demo/random.js';
import { AttackScene, readAll, type Attempt } from '../helpers/attack-scene.js';
import { within } from '../helpers/independent-client.js';
import { FLAG_TAG, HANDSHAKE_LIMIT, MAX_FRAME_SIZE, Refusal, readPreamble } from '../helpers/independent-preamble.js';

let scene: AttackScene;
let lengths: Readonly<Record<Direction, readonly number[]>>;

beforeAll(async () => {
  scene = await AttackScene.make();
  // An honest handshake first: how long each frame is, and that there is something to break.
  const { client, attempt } = await scene.session(forward);
  await client.close();
  lengths = { c2s: lengthsOf(attempt, 'c2s'), s2c: lengthsOf(attempt, 's2c') };
  expect(lengths.c2s.slice(0, 2)).toEqual([16 + 113 + 6 + 32, 48]);
  expect(lengths.s2c[0]).toBe(128);
});

afterAll(async () => {
  // What failed left nothing behind.
  expect(scene.server.stats()).toMatchObject({ open: 0, handshaking: 0 });
  await scene[Symbol.asyncDispose]();
});

describe('every byte of the', () => {
  test('ClientHello: the server refuses it and says so once, the client gives up', async () => {
    await forEveryByte({ direction: 'c2s', index: 0 }, async (run) => {
      expect(run.failures, run.what).toEqual([judge(run.changed, HANDSHAKE_LIMIT, 'HANDSHAKE_FAILED')]);
      expect(run.clientCode, run.what).toBe('EIPC_HANDSHAKE_FAILED');
      expect(run.answers('s2c'), run.what).toEqual([PLAIN_ALERT]);
      expect(run.answers('c2s').length, run.what).toBe(1);
    });
  });

  test('ServerHello: the client refuses it and says so once, the server gives up', async () => {
    await forEveryByte({ direction: 's2c', index: 0 }, async (run) => {
      expect(run.clientCode, run.what).toBe(judge(run.changed, HANDSHAKE_LIMIT, 'HANDSHAKE_FAILED'));
      expect(run.failures, run.what).toEqual(['EIPC_HANDSHAKE_FAILED']);
      expect(run.answers('c2s').slice(1), run.what).toEqual([PLAIN_ALERT]);
      expect(run.answers('s2c').length, run.what).toBe(1);
    });
  });

  test('ClientFinish: the server refuses it and says so once, the client gives up', async () => {
    await forEveryByte({ direction: 'c2s', index: 1 }, async (run) => {
      expect(run.failures, run.what).toEqual([judge(run.changed, HANDSHAKE_LIMIT, 'HANDSHAKE_FAILED')]);
      expect(run.clientCode, run.what).toBe('EIPC_HANDSHAKE_FAILED');
      expect(run.answers('s2c').slice(1), run.what).toEqual([PLAIN_ALERT]);
    });
  });

  // The server has verified ClientFinish, so that its end is open until the client's refusal, which is sealed for it.
  test('SessionAccept: the client refuses it, and the session the server had opened carries nothing', async () => {
    await forEveryByte({ direction: 's2c', index: 1 }, async (run) => {
      expect(run.clientCode, run.what).toBe(judge(run.changed, MAX_FRAME_SIZE, 'INTEGRITY'));
      const [alert, ...more] = run.answers('c2s').slice(2);
      expect(more, run.what).toEqual([]);
      expect(readPreamble(alert ?? Buffer.alloc(0), FLAG_TAG, MAX_FRAME_SIZE), run.what).toMatchObject({ type: 'E' });
      const server = await scene.nextEndpoint();
      expect(await within(server.closed, run.what), run.what).toMatchObject({
        code: 'EIPC_PROTOCOL',
        error: { code: 'EIPC_HANDSHAKE_FAILED' },
      });
      expect(await readAll(server), run.what).toEqual([]);
    });
  });
});

interface Run {
  readonly what: string;
  readonly changed: Buffer;
  readonly clientCode: string | undefined;
  /** Codes of handshakes that failed on the server. */
  readonly failures: readonly string[];
  /** The frames one end sent. */
  answers(direction: Direction): Buffer[];
}

/** Runs a handshake for each byte of a frame, twice, and hands its outcome to `check`. */
async function forEveryByte(
  target: { direction: Direction; index: number },
  check: (run: Run) => Promise<void>,
): Promise<void> {
  const random = new SeededRandom(target.index + (target.direction === 'c2s' ? 0 : 10));
  const length = lengths[target.direction][target.index] ?? 0;
  expect(length).toBeGreaterThan(40);
  scene.takeFailures();
  for (let byte = 0; byte < length; byte++) {
    const changes = [
      (frame: Buffer) => flipBit(frame, byte * 8 + (byte % 8)),
      (frame: Buffer) => {
        const copy = Buffer.from(frame);
        copy.writeUInt8(copy.readUInt8(byte) ^ (1 + Math.floor(random.next() * 255)), byte);
        return copy;
      },
    ];
    for (const change of changes) {
      let changed: Buffer = Buffer.alloc(0);
      const attempt = await scene.attempt(edit(target, (frame) => (changed = change(frame))));
      const what = `byte ${byte}, ${changed.toString('hex', byte, byte + 1)}`;
      expect(attempt.client, what).toBeUndefined();
      const answers = (direction: Direction) => framesOf(attempt.seen, direction);
      await check({ what, changed, clientCode: attempt.clientCode, failures: scene.takeFailures(), answers });
    }
  }
}

/** The code of a changed frame: framing as wire.md orders it, then a type that is none of the handshake's. */
function judge(frame: Buffer, limit: number, otherwise: string): string {
  try {
    const { type } = readPreamble(frame, FLAG_TAG, limit);
    return `EIPC_${limit === HANDSHAKE_LIMIT && !'AHR'.includes(type) ? 'PROTOCOL' : otherwise}`;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.code === 'TRUNCATED' ? 'EIPC_FRAME_TRUNCATED' : `EIPC_${error.code}`;
  }
}

function lengthsOf(attempt: Attempt, direction: Direction): number[] {
  return framesOf(attempt.seen, direction).map((frame) => frame.length);
}

function framesOf(seen: readonly SeenFrame[], direction: Direction): Buffer[] {
  return seen.filter((frame) => frame.direction === direction).map((frame) => frame.bytes);
}
