/**
 * The attacker of this file stands in the path between a real client and a real server with a session: sees every frame,
 * may change, keep, repeat, reorder, turn around and insert frames, and holds no key. Each row of the table is done to
 * the 125th part of 1 000 data frames, in each direction; nothing behind the fault may be delivered.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { flipBit, OPPOSITE, typeOf, type Direction } from '../../src/cli/demo/attack/frames.js';
import { forward, type Script } from '../../src/cli/demo/attack/proxy.js';
import { drop, edit, reflect, replay, swap, type Target } from '../../src/cli/demo/attack/scripts.js';
import { SeededRandom } from '../../src/cli/demo/random.js';
import type { Endpoint } from '../../src/index.js';
import { AttackScene, readAll } from '../helpers/attack-scene.js';
import { within } from '../helpers/independent-client.js';
import { alertPayload } from '../helpers/independent-frames.js';
import { FLAG_TAG, MAX_FRAME_SIZE, Refusal, readPreamble } from '../helpers/independent-preamble.js';

const FRAMES = 1_000;
const MESSAGES = 4;
/** Data frames come behind the two of the handshake, in both directions. */
const FIRST = 2;
const ALERT_LENGTH = 16 + 24 + 2 + 4 + 32;

/** What is done to a frame: the script, how many messages may still arrive, and how the victim names the fault. */
interface Manipulation {
  readonly name: string;
  script(target: Target, random: SeededRandom, donor: Buffer): Script;
  /** Messages that arrive when the one at this place is manipulated. */
  passes(place: number): number;
  /** The code, or null where the changed content decides it. */
  readonly code: string | null;
}

const TABLE: readonly Manipulation[] = [
  { name: 'replay', script: replay, passes: (place) => place + 1, code: 'EIPC_SEQUENCE' },
  { name: 'drop', script: drop, passes: (place) => place, code: 'EIPC_SEQUENCE' },
  { name: 'swap', script: swap, passes: (place) => place, code: 'EIPC_SEQUENCE' },
  { name: 'reflect', script: reflect, passes: () => 0, code: 'EIPC_INTEGRITY' },
  {
    name: 'splice',
    script: (target, _, donor) => edit(target, () => donor),
    passes: (place) => place,
    code: 'EIPC_INTEGRITY',
  },
  {
    name: 'flip a bit',
    script: (target, random) => edit(target, (frame) => flipBit(frame, below(random, frame.length * 8))),
    passes: (place) => place,
    code: null,
  },
  {
    name: 'truncate',
    script: (target, random) =>
      edit(target, (frame) => frame.subarray(0, frame.length - 1 - below(random, frame.length - 16))),
    passes: (place) => place,
    code: 'EIPC_FRAME_TRUNCATED',
  },
  {
    name: 'extend',
    script: (target, random) => edit(target, (frame) => Buffer.concat([frame, Buffer.alloc(1 + below(random, 64))])),
    passes: (place) => place,
    code: 'EIPC_TRAILING_BYTES',
  },
];

/** `closed` names the class of a fault; this is the class of every code above. */
const CLASSES: Readonly<Record<string, string>> = {
  EIPC_SEQUENCE: 'EIPC_REPLAY',
  EIPC_INTEGRITY: 'EIPC_INTEGRITY',
};

let scene: AttackScene;

beforeAll(async () => {
  scene = await AttackScene.make();
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

describe.each<Direction>(['c2s', 's2c'])('%s', (direction) => {
  // Nobody attacks here: without this, a session that never works would pass everything below.
  test('left alone, every message arrives and both ends agree on the end', async () => {
    const run = await runSession(direction, forward);
    expect(run.delivered).toEqual([0, 1, 2, 3]);
    expect([run.ends.sender.code, run.ends.receiver.code]).toEqual(['EIPC_CLOSED', 'EIPC_CLOSED_BY_PEER']);
  });

  test.each(TABLE.map((row, i) => [row.name, row, i] as const))(
    '%s: 0 delivered behind the fault, the reason here, one answer outside',
    { timeout: 60_000 },
    async (_, row, number) => {
      const random = new SeededRandom(number + (direction === 'c2s' ? 0 : 100));
      const answers = new Set<string>();
      const frames = FRAMES / TABLE.length;
      for (let i = 0; i < frames; i++) {
        const place = i % MESSAGES;
        const what = `${row.name} ${direction} frame ${i}, place ${place}`;
        const answer = await attack(row, { direction, index: FIRST + place }, random, what);
        answers.add(answer);
      }
      expect([...answers]).toEqual([alertPayload(2).toString('hex')]);
    },
  );
});

/** Runs one session under attack, checks it, and returns the payload of what the victim answered. */
async function attack(row: Manipulation, target: Target, random: SeededRandom, what: string): Promise<string> {
  const { direction } = target;
  const service = scene.nextService();
  let donor: Buffer = Buffer.alloc(0);
  if (row.name === 'splice') {
    const other = await runSession(direction, forward, service);
    donor = other.frames(direction)[target.index] ?? donor;
    expect(donor.length, what).toBeGreaterThan(0);
  }
  const isReflected = row.name === 'reflect';
  let code = row.code ?? 'EIPC_INTEGRITY';
  const script = row.script(target, random, donor);
  const watch: Script = (frame, tap) => {
    script(frame, {
      send: (to, bytes) => {
        const isChanged = frame.direction === direction && frame.index === target.index;
        if (isChanged && row.code === null) code = judge(Buffer.from(bytes));
        tap.send(to, bytes);
      },
      sendBytes: (to, bytes) => tap.sendBytes(to, bytes),
      end: (to) => tap.end(to),
    });
  };
  const run = await runSession(direction, watch, service, isReflected);
  const victim = isReflected ? run.ends.sender : run.ends.receiver;
  expect(victim.error?.code, what).toBe(code);
  expect(victim.code, what).toBe(CLASSES[code] ?? 'EIPC_PROTOCOL');
  expect(isReflected ? run.turnedAround : run.delivered.length, what).toBe(row.passes(target.index - FIRST));
  if (!isReflected) expect(run.delivered, what).toEqual(run.delivered.map((_, i) => i));
  // The other end, and so anybody outside, learns that something was wrong and nothing more.
  const other = isReflected ? run.ends.receiver : run.ends.sender;
  expect(other.code, what).toBe('EIPC_CLOSED_BY_PEER');
  const said = run.frames(isReflected ? direction : OPPOSITE[direction]).filter((frame) => typeOf(frame) === 'E');
  expect(
    said.map((frame) => frame.length),
    what,
  ).toEqual([ALERT_LENGTH]);
  return said[0]?.subarray(-36, -32).toString('hex') ?? '';
}

/** One session: the sender sends, and closes unless the attack is to end it. */
async function runSession(direction: Direction, script: Script, service = scene.nextService(), staysOpen = false) {
  const { client, server, attempt } = await scene.session(script, service);
  const [sender, receiver]: [Endpoint, Endpoint] = direction === 'c2s' ? [client, server] : [server, client];
  const arrived = readAll(receiver);
  const turned = readAll(sender);
  for (let number = 0; number < MESSAGES; number++) {
    // A session that died by an earlier frame refuses the later ones.
    sender.send({ type: 'features', payload: { number, filling: 'x'.repeat(number * 10) } }).catch(() => undefined);
  }
  if (!staysOpen) void sender.close();
  const [senderEnd, receiverEnd] = await within(
    Promise.all([sender.closed, receiver.closed]),
    'the end of the session',
  );
  const delivered = (await arrived).map((message) => (message.payload as { number: number }).number);
  return {
    delivered,
    turnedAround: (await turned).length,
    ends: { sender: senderEnd, receiver: receiverEnd },
    frames: (of: Direction) => attempt.seen.filter((frame) => frame.direction === of).map((frame) => frame.bytes),
  };
}

/** The code that wire.md gives a changed frame: framing in its order, and where framing finds nothing, the tag does. */
function judge(frame: Buffer): string {
  try {
    readPreamble(frame, FLAG_TAG, MAX_FRAME_SIZE);
    return 'EIPC_INTEGRITY';
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.code === 'TRUNCATED' ? 'EIPC_FRAME_TRUNCATED' : `EIPC_${error.code}`;
  }
}

function below(random: SeededRandom, limit: number): number {
  return Math.floor(random.next() * limit);
}
