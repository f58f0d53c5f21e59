/**
 * Random frames, made by one and read by the other: Go's encoding/json and crypto/hmac (test/interop/go) against this package's public functions.
 *
 * What Go makes, ours reads, and the other way; and of frames that somebody has changed, ours takes exactly those that Go takes and in which
 * Go's second reading of docs/wire.md finds nothing that is listed in docs/compatibility.md. EIPC_INTEROP_FRAMES says how many frames each
 * test has, EIPC_INTEROP_SEED which ones.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';

import {
  decodeFrame,
  decodeHeader,
  EipcError,
  encodeFrame,
  encodeHeader,
  messageTypeFromByte,
  messageTypeToByte,
} from '../../src/index.js';
import type { DecodedHeader, FrameHeader, MessageType, Priority } from '../../src/index.js';
import { mutant } from '../helpers/frame-mutants.js';
import { differenceNames, judge, makeFrames } from '../helpers/go-frames.js';
import type { Judgement, Meaning } from '../helpers/go-frames.js';
import { Dice } from '../helpers/scene.js';

const FRAMES = Number(process.env['EIPC_INTEROP_FRAMES'] ?? 2_000);
const SEED = Number(process.env['EIPC_INTEROP_SEED'] ?? 1);
/** Frames that are in memory at a time. */
const BATCH = 2_000;

/** A key for each batch, of lengths at which HMAC does different things. */
const KEYS = [20, 1, 32, 63, 64, 65, 200].map((length) => Buffer.alloc(length, length));
const TYPES = Array.from('iftaAHRphucC', (byte) => messageTypeFromByte(byte.charCodeAt(0)));

/** What EIPC says to each difference. */
const CODES: Readonly<Record<string, string>> = {
  flags: 'EIPC_UNSUPPORTED_FLAGS',
  unsigned: 'EIPC_INTEGRITY',
  'header-length': 'EIPC_FRAME_TOO_LARGE',
  'trailing-bytes': 'EIPC_TRAILING_BYTES',
  'unknown-type': 'EIPC_UNSUPPORTED_TYPE',
  'no-object': 'EIPC_BAD_HEADER',
  'invalid-utf8': 'EIPC_BAD_HEADER',
  'lone-surrogate': 'EIPC_BAD_HEADER',
  nul: 'EIPC_BAD_HEADER',
  null: 'EIPC_BAD_HEADER',
  depth: 'EIPC_BAD_HEADER',
  number: 'EIPC_BAD_HEADER',
  'duplicate-key': 'EIPC_BAD_HEADER',
  spelling: 'EIPC_BAD_HEADER',
  'missing-key': 'EIPC_BAD_HEADER',
  priority: 'EIPC_BAD_HEADER',
  'payload-format': 'EIPC_BAD_HEADER',
  timestamp: 'EIPC_BAD_HEADER',
};

const report: string[] = [`seed ${SEED}, ${FRAMES} frames each`];
afterAll(() => void process.stdout.write(`\n${report.join('\n')}\n`));

/** One batch of a run: which frames, and under which key. */
interface Batch {
  readonly seed: number;
  readonly count: number;
  readonly key: Buffer;
}

function batches(): Batch[] {
  return Array.from({ length: Math.ceil(FRAMES / BATCH) }, (_, index) => ({
    seed: SEED + index,
    count: Math.min(BATCH, FRAMES - index * BATCH),
    key: KEYS[index % KEYS.length] ?? Buffer.alloc(1),
  }));
}

/** Runs a check of one frame; a failure names the frame and what made it. */
function checkOne(frame: Uint8Array, { seed, key }: Batch, index: number, check: () => void): void {
  try {
    check();
  } catch (error) {
    const where = `seed ${seed}, frame ${index}, key ${key.toString('hex')}, frame ${Buffer.from(frame).toString('hex')}`;
    throw new Error(`${(error as Error).message}\n${where}`, { cause: error });
  }
}

/** What a frame means to this package; throws what it refuses. */
function meaningOf(frame: Uint8Array, key: Uint8Array | undefined): [Meaning, DecodedHeader] {
  const { type, flags, header, payload } = decodeFrame(frame, key);
  const fields = decodeHeader(header);
  return [
    {
      type: String.fromCharCode(messageTypeToByte(type)),
      flags,
      header: {
        service_id: fields.serviceId,
        session_id: fields.sessionId,
        request_id: fields.requestId,
        sequence: String(fields.sequence),
        timestamp: '',
        priority: fields.priority,
        capability: fields.capability,
        route: fields.route,
        payload_format: fields.payloadFormat === 'json' ? 0 : 1,
      },
      unixNs: String(fields.timestamp),
      payload: createHash('sha256').update(payload).digest('hex'),
    },
    fields,
  ];
}

/** Without the text of the time, of which only the moment is kept here, and without what is Go's alone. */
function comparable({ type, flags, header, unixNs, payload }: Meaning): Meaning {
  return { type, flags, header: { ...header, timestamp: '' }, unixNs, payload };
}

function refusalOf(frame: Uint8Array, key: Uint8Array): string | undefined {
  try {
    meaningOf(frame, key);
  } catch (error) {
    if (error instanceof EipcError) return error.code;
    throw error;
  }
  return undefined;
}

/** A frame of ours, with anything in it that its arguments may be. */
function honestFrame(dice: Dice, key: Uint8Array): [Uint8Array, FrameHeader & { type: MessageType; payload: Buffer }] {
  const text = (): string => {
    const length = dice.below([1, 9, 9, 33, 65, 100][dice.below(6)] ?? 1);
    return Array.from({ length }, () => character(dice)).join('');
  };
  const wide = (): bigint => (BigInt(dice.below(2 ** 32)) << 32n) | BigInt(dice.below(2 ** 32));
  const header: FrameHeader = {
    serviceId: text(),
    sessionId: text(),
    requestId: text(),
    sequence: dice.below(20) === 0 ? 2n ** 64n - 1n : wide() >> BigInt(dice.below(64)),
    timestamp: moment(dice, wide()),
    priority: dice.below(4) as Priority,
    capability: text(),
    route: text(),
    payloadFormat: dice.below(2) === 0 ? 'json' : 'msgpack',
  };
  const type = TYPES[dice.below(TYPES.length)] ?? 'intent';
  const json = encodeHeader(header);
  const largest = (1 << 20) - 48 - json.length;
  const size = dice.below(5_000) === 0 ? largest : dice.below([1, 2, 65, 65, 513, 4_097][dice.below(6)] ?? 1);
  const payload = Buffer.alloc(size);
  for (let at = 0; at < Math.min(size, 4_096); at += 1) payload[at] = dice.below(256);
  return [encodeFrame({ type, header: json, payload }, key), { ...header, type, payload }];
}

function character(dice: Dice): string {
  const odd = '<>&\u2028\u2029"\\/\b\f\n\r\t\u000b\u0001\u001f\u007f\u0080\ufeff\ufffd\uffffſKß';
  switch (dice.below(8)) {
    case 0:
      return odd.charAt(dice.below(odd.length));
    case 1: {
      const point = 1 + dice.below(0x10_ffff);
      return point >= 0xd800 && point < 0xe000 ? '\ue000' : String.fromCodePoint(point);
    }
    default:
      return 'abcdefghijklmnopqrstuvwxyz0123456789.:-_'.charAt(dice.below(40));
  }
}

/** Any moment of 64 bits, round ones, and the ends. */
function moment(dice: Dice, random: bigint): bigint {
  const second = 1_000_000_000n;
  const near = 1_775_217_600n * second + (random % (second * 86_400n));
  const end = 2n ** 63n - 1n - (random % (4n * second));
  return (
    [near, near - (near % second), near - (near % 1_000n), BigInt.asIntN(63, random), end, -end][dice.below(6)] ?? 0n
  );
}

describe('random frames', () => {
  it('of Go mean here what was put into them, and are the same bytes when they are encoded here', () => {
    let [same, unsigned] = [0, 0];
    for (const batch of batches())
      for (const [index, [frame, put]] of makeFrames(batch.seed, batch.count, batch.key).entries())
        checkOne(frame, batch, index, () => {
          const isSigned = put.flags === 1;
          if (!isSigned) {
            unsigned += 1;
            expect(refusalOf(frame, batch.key)).toBe('EIPC_INTEGRITY');
          }
          const key = isSigned ? batch.key : undefined;
          const [meaning, fields] = meaningOf(frame, key);
          expect(meaning).toEqual(comparable(put));
          // What is cut to what 64 bits can say is read, and not written. So are other zones and seconds, as one of our form.
          if (isAtTheEnd(fields.timestamp)) return;
          const { payload } = decodeFrame(frame, key);
          const type = messageTypeFromByte(frame.readUInt8(6));
          const encoded = encodeFrame({ type, header: encodeHeader(fields), payload }, key);
          const isAgain = Buffer.from(encoded).equals(frame);
          const isOurForm = put.header.timestamp.endsWith('Z') && !writesOldEscapes(put);
          if (isOurForm) expect(isAgain, 'encoded here again').toBe(true);
          same += Number(isAgain);
        });
    expect([same, unsigned].every((count) => count > FRAMES / 50)).toBe(true);
    report.push(`made by Go, read here: ${FRAMES} equal in every value, ${same} encoded here to the same bytes`);
  });

  it('of ours mean to Go what was put into them, and are the same bytes when Go encodes them', () => {
    let same = 0;
    for (const batch of batches()) {
      const made = Array.from({ length: batch.count }, (_, index) => honestFrame(diceOf(batch, index), batch.key));
      const judgements = judge(
        made.map(([frame]) => frame),
        batch.key,
      );
      for (const [index, [frame, put]] of made.entries())
        checkOne(frame, batch, index, () => {
          const judgement = judgements[index] as Judgement;
          expect(judgement.refused).toBeUndefined();
          expect(judgement.differences).toBeNull();
          expect(comparable(judgement)).toEqual({
            type: String.fromCharCode(messageTypeToByte(put.type)),
            flags: 1,
            header: {
              service_id: put.serviceId,
              session_id: put.sessionId,
              request_id: put.requestId,
              sequence: String(put.sequence),
              timestamp: '',
              priority: put.priority,
              capability: put.capability,
              route: put.route,
              payload_format: put.payloadFormat === 'json' ? 0 : 1,
            },
            unixNs: String(put.timestamp),
            payload: createHash('sha256').update(put.payload).digest('hex'),
          });
          const [again, fields] = meaningOf(frame, batch.key);
          expect(again).toEqual(comparable(judgement));
          expect(fields.timestamp).toBe(put.timestamp);
          if (!writesOldEscapes(judgement)) expect(judgement.again, 'encoded by Go again').toBe(true);
          same += Number(judgement.again);
        });
    }
    report.push(`made here, read by Go: ${FRAMES} equal in every value, ${same} encoded by Go to the same bytes`);
  });

  // The attacker is on the way, or holds a key and wants two readers to read one frame in two ways.
  it('that somebody has changed are taken here exactly if Go takes them and no listed difference is in them', () => {
    const seen = new Map<string, number>();
    const alone = new Map<string, number>(Object.keys(CODES).map((name) => [name, 0]));
    const count = (map: Map<string, number>, name: string): unknown => map.set(name, (map.get(name) ?? 0) + 1);
    let [taken, refusedByBoth] = [0, 0];
    for (const batch of batches()) {
      const frames = Array.from({ length: batch.count }, (_, index) => {
        const dice = diceOf(batch, index);
        return mutant(dice, Buffer.from(honestFrame(dice, batch.key)[0]), batch.key);
      });
      const judgements = judge(frames, batch.key);
      for (const [index, frame] of frames.entries())
        checkOne(frame, batch, index, () => {
          const judgement = judgements[index] as Judgement;
          checkVerdict(frame, judgement, batch.key);
          if (judgement.refused !== undefined) refusedByBoth += 1;
          else if (judgement.differences === null) taken += 1;
          for (const name of judgement.differences ?? []) count(seen, name);
          if (judgement.differences?.length === 1) count(alone, judgement.differences[0] ?? '');
        });
    }
    // A null where the object should be is at once null, and lacks every key.
    alone.set('no-object', seen.get('no-object') ?? 0);
    for (const [name, times] of alone)
      expect(times, `${name}, alone in a frame`).toBeGreaterThanOrEqual(FRAMES / 2_000);
    expect(Math.min(taken, refusedByBoth)).toBeGreaterThan(FRAMES / 10);
    const byGo = FRAMES - taken - refusedByBoth;
    report.push(
      `changed: ${taken} taken by both with equal values, ${refusedByBoth} by neither, ${byGo} by Go alone, of which had (alone)`,
      `  ${[...alone].map(([name, times]) => `${name} ${seen.get(name)} (${times})`).join(', ')}`,
    );
  });

  // The attacker holds a key and writes one name twice, in two cases.
  it('whose keys are one letter in two cases are taken by neither reading, whatever the alphabet', () => {
    const key = Buffer.alloc(32, 1);
    const cased: [string, string][] = [];
    for (let point = 0; point < 0x1_0000; point += 1) {
      if (point >= 0xd800 && point < 0xe000) continue;
      const letter = String.fromCodePoint(point);
      for (const other of new Set([letter.toLowerCase(), letter.toUpperCase(), letter.toUpperCase().toLowerCase()]))
        if (other !== letter && Array.from(other).length === 1) cased.push([letter, other]);
    }
    const frames = cased.map(([letter, other]) => {
      const header = `{"service_id":"a","sequence":1,"timestamp":"0","priority":0,"${letter}":1,"${other}":2}`;
      return encodeFrame({ type: 'intent', header: Buffer.from(header), payload: Buffer.alloc(0) }, key);
    });
    const judgements = judge(frames, key);
    let [one, newer] = [0, 0];
    for (const [index, [letter, other]] of cased.entries())
      checkOne(frames[index] ?? Buffer.alloc(0), { seed: 0, count: 0, key }, index, () => {
        const isOneToGo = judgements[index]?.differences?.[0] === 'duplicate-key';
        // A Go may have the letters of an older Unicode.
        const isOne = isOneToGo || new RegExp(`^${letter}$`, 'iu').test(other);
        expect(refusalOf(frames[index] ?? Buffer.alloc(0), key), `${letter} ${other}`).toBe(
          isOne ? 'EIPC_BAD_HEADER' : undefined,
        );
        one += Number(isOneToGo);
        newer += Number(isOne && !isOneToGo);
      });
    expect(one).toBeGreaterThan(2_000);
    report.push(
      `letters in two cases: ${one} pairs refused, ${newer} more that this Go does not know, ${cased.length - one - newer} not one letter`,
    );
  });
});

/** Ours takes a frame exactly if Go takes it without a difference; otherwise the first difference decides the code. */
function checkVerdict(frame: Uint8Array, judgement: Judgement, key: Uint8Array): void {
  const code = refusalOf(frame, key);
  const [first] = judgement.differences ?? [];
  if (judgement.refused !== undefined) expect(code, `Go refuses it: ${judgement.refused}`).toBeDefined();
  else if (first !== undefined) expect(code, judgement.differences?.join()).toBe(CODES[first]);
  else {
    expect(code, 'Go takes it, and no difference is listed').toBeUndefined();
    expect(meaningOf(frame, key)[0]).toEqual(comparable(judgement));
  }
}

describe('the list of differences', () => {
  const page = readFileSync(new URL('../../docs/compatibility.md', import.meta.url), 'utf8');

  it('is the same in Go, in this test and in docs/compatibility.md', () => {
    expect(Object.keys(CODES)).toEqual(differenceNames());
    const table = page.slice(page.indexOf('## What is decided differently'), page.indexOf('## Small differences'));
    const listed = [...table.matchAll(/^\| `([a-z0-9-]+)` .*\| `([A-Z_]+)` /gm)].map(([, name, code]) => [
      name,
      `EIPC_${code}`,
    ]);
    expect(Object.fromEntries(listed)).toEqual(CODES);
  });
});

/** Numerical neighbours make no similar frames. */
function diceOf({ seed }: Batch, index: number): Dice {
  const dice = new Dice(Math.imul(seed, 0x9e37_79b1) ^ Math.imul(index + 1, 0x85eb_ca6b));
  dice.below(2);
  return dice;
}

/** Whether a time is so far that it was cut to what 64 bits can say. */
function isAtTheEnd(timestamp: bigint): boolean {
  return timestamp === 2n ** 63n - 1n || timestamp <= -(2n ** 63n - 1n);
}

/** Go before 1.22 writes two characters as \u0008 and \u000c, and ours as newer ones do, \b and \f. */
function writesOldEscapes({ header }: Meaning): boolean {
  return Object.values(header).some((value) => typeof value === 'string' && /[\b\f]/.test(value));
}
