/**
 * The attacks of somebody in the path of the decoy's sessions: what is done to which frame, and what may still be
 * answered and delivered then. The table is gone through again and again; the message and the bit change each time.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { DECOY_MESSAGES } from '../job.js';
import { type Direction, flipBit, OPPOSITE } from './frames.js';
import { forward, type Script } from './proxy.js';
import { at, drop, edit, inject, reflect, replay, swap, type Target } from './scripts.js';
import type { Allowed, AttackKind } from './tally.js';

/** Frames of an earlier session of the same key, by direction. */
export type Recording = Readonly<Record<Direction, readonly Buffer[]>>;

/** An attack on one session. */
export interface PathAttack {
  readonly kind: AttackKind;
  readonly target: Target;
  readonly script: Script;
  readonly allowed: Allowed;
  /** Frames other than alerts that each end may send in all: more means that it went on with the handshake. */
  readonly answers: Allowed;
}

type Row = readonly [kind: AttackKind, where: Where, make: (target: Target, old: Buffer) => Script, extra?: number];
type Where = 'hello' | 'serverHello' | 'finish' | 'accept' | 'request' | 'reply';

/** Offsets in the hellos, preamble included: docs/wire.md. */
const [VERSION, KX, SUITES, FEATURES] = [4, 17, 18, 20];

/** Data frames begin behind the two of the handshake. */
const FIRST = 2;

const flip = (target: Target): Script => edit(target, (frame) => flipBit(frame, randomInt(frame.length * 8)));
const cut = (target: Target): Script => edit(target, (frame) => frame.subarray(0, randomInt(16, frame.length)));
const extend = (target: Target): Script => edit(target, (frame) => Buffer.concat([frame, randomBytes(16)]));
const splice = (target: Target, old: Buffer): Script => edit(target, () => old);
const sign = (target: Target): Script =>
  edit(target, (frame) => Buffer.concat([frame.subarray(0, -32), randomBytes(32)]));
const inventFrame = (target: Target): Script =>
  at(target, (frame, tap) => inject(target, randomise(frame.bytes))(frame, tap));
/** Keeps it and ends the stream behind it, so that nobody waits. */
const withhold = (target: Target): Script =>
  at(target, (frame, tap) => {
    tap.end(frame.direction);
    tap.end(OPPOSITE[frame.direction]);
  });
const turn = (target: Target): Script => at(target, (frame, tap) => tap.send(OPPOSITE[frame.direction], frame.bytes));
const rewrite =
  (change: (frame: Buffer) => unknown) =>
  (target: Target): Script =>
    edit(target, (frame) => {
      const copy = Buffer.from(frame);
      change(copy);
      return copy;
    });

const ROWS: readonly Row[] = [
  ['tampering', 'hello', flip],
  ['tampering', 'serverHello', flip],
  ['tampering', 'finish', flip],
  ['tampering', 'accept', flip],
  ['tampering', 'request', flip],
  ['tampering', 'reply', flip],
  ['tampering', 'request', cut],
  ['tampering', 'reply', extend],
  ['replay', 'hello', splice],
  ['replay', 'serverHello', splice],
  ['replay', 'finish', splice],
  ['replay', 'accept', splice],
  ['replay', 'request', splice],
  ['replay', 'reply', splice],
  ['replay', 'request', replay, 1],
  ['replay', 'reply', replay, 1],
  ['reflection', 'hello', turn],
  ['reflection', 'serverHello', turn],
  ['reflection', 'finish', turn],
  ['reflection', 'accept', turn],
  ['reflection', 'request', reflect, DECOY_MESSAGES],
  ['reflection', 'reply', reflect, DECOY_MESSAGES],
  ['deletion', 'hello', withhold],
  ['deletion', 'serverHello', withhold],
  ['deletion', 'finish', withhold],
  ['deletion', 'accept', withhold],
  ['deletion', 'request', drop],
  ['deletion', 'reply', drop],
  ['deletion', 'request', swap],
  ['deletion', 'reply', swap],
  ['downgrade', 'hello', rewrite((hello) => hello.writeUInt16BE(1, VERSION))],
  ['downgrade', 'serverHello', rewrite((hello) => hello.writeUInt16BE(1, VERSION))],
  ['downgrade', 'hello', rewrite((hello) => hello.writeUInt8(0, KX))],
  ['downgrade', 'hello', rewrite((hello) => hello.writeUInt16BE(0b010, SUITES))],
  ['downgrade', 'hello', rewrite((hello) => hello.writeUInt32BE(0b100, FEATURES))],
  ['downgrade', 'serverHello', rewrite((hello) => hello.writeUInt8(2, SUITES))],
  ['downgrade', 'serverHello', rewrite((hello) => hello.writeUInt32BE(0b100, FEATURES))],
  ['forgery', 'hello', sign],
  ['forgery', 'serverHello', sign],
  ['forgery', 'finish', sign],
  ['forgery', 'accept', sign],
  ['forgery', 'request', sign],
  ['forgery', 'reply', sign],
  ['forgery', 'request', inventFrame],
  ['forgery', 'reply', inventFrame],
];

/** How many attacks one round has. */
export function roundLength(carriesMessages: boolean): number {
  return rowsOf(carriesMessages).length;
}

/** Makes the next attack of the round. A recording is needed for those that bring up old frames. */
export function pathAttack(number: number, carriesMessages: boolean, recording: Recording): PathAttack {
  const rows = rowsOf(carriesMessages);
  const row = rows[number % rows.length];
  if (row === undefined) throw new RangeError('there are no attacks');
  const [kind, where, make, extra = 0] = row;
  // Not the last one: a message that is missing is noticed by the one behind it.
  const place = randomInt(DECOY_MESSAGES - 1);
  const target = targetFor(where, place);
  const old = recording[target.direction][target.index] ?? randomBytes(64);
  const passes = target.index < FIRST ? 0 : Math.min(DECOY_MESSAGES, place + extra);
  const all = DECOY_MESSAGES;
  const allowed = where === 'request' ? { c2s: passes, s2c: all } : { c2s: all, s2c: passes };
  return {
    kind,
    target,
    script: make(target, old),
    allowed: target.index < FIRST ? { c2s: 0, s2c: 0 } : allowed,
    answers: answersTo(target),
  };
}

/** Leaves a session alone. */
export const UNTOUCHED = { script: forward, allowed: { c2s: DECOY_MESSAGES, s2c: DECOY_MESSAGES } } as const;

function rowsOf(carriesMessages: boolean): readonly Row[] {
  return carriesMessages ? ROWS : ROWS.filter(([, where]) => where !== 'request' && where !== 'reply');
}

function targetFor(where: Where, place: number): Target {
  switch (where) {
    case 'hello':
      return { direction: 'c2s', index: 0 };
    case 'serverHello':
      return { direction: 's2c', index: 0 };
    case 'finish':
      return { direction: 'c2s', index: 1 };
    case 'accept':
      return { direction: 's2c', index: 1 };
    case 'request':
      return { direction: 'c2s', index: FIRST + place };
    case 'reply':
      return { direction: 's2c', index: FIRST + place };
  }
}

/** Whoever got a handshake frame that was attacked must not go on to its next one. */
function answersTo({ direction, index }: Target): Allowed {
  if (index >= FIRST) return { c2s: Infinity, s2c: Infinity };
  return direction === 'c2s' ? { c2s: Infinity, s2c: index } : { c2s: index + 1, s2c: Infinity };
}

/** A frame with the outside of a real one, and nothing right inside. */
function randomise(frame: Buffer): Buffer {
  return Buffer.concat([frame.subarray(0, 40), randomBytes(frame.length - 40)]);
}
