/**
 * Frames of v1 that somebody has changed: bytes on the way, or by one who holds the key, the preamble, what is behind the frame, and above
 * all the header's JSON, in the ways in which two readers of JSON come to differ. Everything follows from the dice.
 */
import { hmac } from './independent-preamble.js';
import type { Dice } from './scene.js';

const PREAMBLE = 16;
const TAG = 32;

/** JSON in binary: one character for each byte, so that it may be no UTF-8. */
type Text = string;

function utf8(text: string): Text {
  return Buffer.from(text).toString('latin1');
}

const STRINGS: readonly Text[] = [
  '""',
  '"x"',
  '"\\u0000"',
  '"a\\u0000b"',
  '"\u0000"',
  '"\\ud83e"',
  '"\\udde0"',
  '"\\ud83e\\udde0"',
  '"\\udde0\\ud83e"',
  '"\\ud83ex\\udde0"',
  '"\\ud83e\\\\udde0"',
  '"\\\\ud83e"',
  '"\\b\\f\\n\\r\\t\\/\\"\\\\"',
  '"\\x"',
  '"\\u12g4"',
  '"\\u00E9"',
  utf8('"é\u2028🧠"'),
  '"\xff"',
  '"\xed\xa0\x80"',
  '"\xc0\x80"',
  '"\n"',
  '"\x7f"',
];
const NUMBERS: readonly Text[] = [
  '0',
  '1',
  '3',
  '4',
  '7',
  '255',
  '256',
  '18446744073709551615',
  '18446744073709551616',
  '1e3',
  '1E0',
  '1.0',
  '0.5',
  '-1',
  '-0',
  '00',
  '01',
  '+1',
  '0x1',
  '.5',
  '1e400',
];
const TIMES: readonly Text[] = [
  '0',
  '1775217600',
  '99999999999',
  '100000000000',
  '-1',
  '1.5',
  '',
  'noon',
  '2026-04-03T12:00:00Z',
  '2026-04-03t12:00:00z',
  '2026-04-03T12:00:00.1234567899Z',
  '2026-04-03T12:00:00,5Z',
  '2026-04-03T24:00:00Z',
  '2026-02-29T12:00:00Z',
  '2024-02-29T12:00:00Z',
  '2016-12-31T23:59:60Z',
  '2026-04-03T12:00:00+23:59',
  '2026-04-03T12:00:00+24:00',
  '2026-04-03T12:00:00-00:00',
  '2026-04-03T12:00:00',
  '2026-4-3T12:00:00Z',
  '0000-01-01T00:00:00Z',
  '1677-09-21T00:12:43.145224192Z',
  '2262-04-11T23:47:16.854775808Z',
  '9999-12-31T23:59:59.999999999-23:59',
].map((time) => `"${time}"`);
const OTHERS: readonly Text[] = [
  'null',
  'true',
  'false',
  'nul',
  'TRUE',
  '{}',
  '[]',
  '[1,2]',
  '{"a":1,"b":2}',
  '{"a":1,"A":2}',
  '[[[0]]]',
  '[[[[0]]]]',
  '{"a":{"b":[{}]}}',
  '{"a":[{"b":[]}]}',
];
const KEYS = [
  'service_id',
  'session_id',
  'request_id',
  'sequence',
  'timestamp',
  'priority',
  'capability',
  'route',
  'payload_format',
];
/** What stands for a letter in another case, also far from ASCII. */
const OTHER_CASE: Readonly<Record<string, Text>> = { s: utf8('ſ'), k: utf8('K'), K: 'k' };
const UNKNOWN_KEYS: readonly Text[] = [
  'x',
  'X',
  'y',
  utf8('ß'),
  utf8('ẞ'),
  utf8('ı'),
  'i',
  utf8('σ'),
  utf8('ς'),
  utf8('Σ'),
  utf8('ĸ'),
  'ke',
  utf8('Ke'),
  '',
  'a\\u0062',
  'ab',
];
const BLANKS: readonly Text[] = [' ', '\t', '\n', '\r', '\n  '];
const NO_BLANKS: readonly Text[] = ['\x0b', '\x0c', '\xa0', '\0', utf8('\ufeff'), utf8('\u2028')];
const NOISE: readonly Text[] = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ':',
  ',',
  '\\',
  '0',
  'e',
  '-',
  '\0',
  '\xff',
  '/',
  '//',
  'null',
];

/** Returns one frame, made of an honest one. */
export function mutant(dice: Dice, honest: Buffer, key: Uint8Array): Buffer {
  switch (dice.below(10)) {
    case 0:
      return changedBytes(dice, honest);
    case 1:
      return changedFlags(dice, honest);
    case 2:
    case 3:
      return changedShape(dice, honest, key);
    default:
      return signed(dice, honest, changedHeader(dice, headerOf(honest)), key);
  }
}

function pick<T>(dice: Dice, from: readonly T[]): T {
  const one = from[dice.below(from.length)];
  if (one === undefined) throw new Error('nothing to choose from');
  return one;
}

function headerOf(frame: Buffer): Text {
  return frame.toString('latin1', PREAMBLE, PREAMBLE + frame.readUInt32BE(8));
}

function payloadOf(frame: Buffer): Buffer {
  const at = PREAMBLE + frame.readUInt32BE(8);
  return frame.subarray(at, at + frame.readUInt32BE(12));
}

/** A frame with another header, under a right tag; now and then without one, and then nobody needs a key for it. */
function signed(dice: Dice, honest: Buffer, header: Text, key: Uint8Array): Buffer {
  const bytes = Buffer.from(header, 'latin1');
  const preamble = Buffer.from(honest.subarray(0, PREAMBLE));
  preamble.writeUInt32BE(bytes.length, 8);
  if (dice.below(20) === 0) preamble.writeUInt8(0, 7);
  const signable = Buffer.concat([preamble, bytes, payloadOf(honest)]);
  return preamble.readUInt8(7) === 0 ? signable : Buffer.concat([signable, hmac(key, signable)]);
}

/** By somebody on the way. */
function changedBytes(dice: Dice, honest: Buffer): Buffer {
  const at = dice.below(honest.length);
  switch (dice.below(4)) {
    case 0: {
      const flipped = Buffer.from(honest);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << dice.below(8));
      return flipped;
    }
    case 1:
      return honest.subarray(0, at);
    case 2:
      return Buffer.concat([honest.subarray(0, at), honest.subarray(at + 1)]);
    default:
      return Buffer.concat([honest, Buffer.alloc(1 + dice.below(64), dice.below(256))]);
  }
}

/** By somebody on the way, who has no key: what the original verifies only if the frame asks for it. */
function changedFlags(dice: Dice, honest: Buffer): Buffer {
  const changed = Buffer.from(honest.subarray(0, honest.length - (dice.below(2) === 0 ? TAG : 0)));
  changed.writeUInt8(dice.below(2) === 0 ? 0 : 2 * dice.below(128), 7);
  return changed;
}

/** By one who holds the key. */
function changedShape(dice: Dice, honest: Buffer, key: Uint8Array): Buffer {
  const changed = Buffer.from(honest.subarray(0, honest.length - TAG));
  let behind = Buffer.alloc(0);
  for (let n = times(dice); n > 0; n -= 1)
    switch (dice.below(6)) {
      case 0:
        changed.writeUInt8(dice.below(256), 6);
        break;
      case 1:
        changed.writeUInt8(dice.below(256), 7);
        break;
      case 2:
        changed.writeUInt16BE(dice.below(3), 4);
        break;
      case 3: {
        const field = pick(dice, [8, 12]);
        const lengths = [
          0,
          1,
          changed.readUInt32BE(field) + 1,
          4_096,
          4_097,
          1 << 20,
          2 ** 31 - 1,
          2 ** 31,
          2 ** 32 - 1,
        ];
        changed.writeUInt32BE(pick(dice, lengths) >>> 0, field);
        break;
      }
      case 4:
        behind = Buffer.alloc(dice.below(40));
        break;
      default: {
        // The limit of a header, and a few bytes around it.
        const header = headerOf(honest);
        const length = 4_090 + dice.below(12);
        return signed(dice, honest, header.replace('{', `{${' '.repeat(Math.max(0, length - header.length))}`), key);
      }
    }
  return Buffer.concat([changed, hmac(key, changed), behind]);
}

/** One to three. */
function times(dice: Dice): number {
  return [1, 1, 1, 2, 2, 3][dice.below(6)] ?? 1;
}

function changedHeader(dice: Dice, header: Text): Text {
  if (dice.below(8) === 0) return changedText(dice, header);
  if (dice.below(60) === 0) return pick(dice, ['null', pick(dice, OTHERS), pick(dice, STRINGS), pick(dice, NUMBERS)]);
  const members = membersOf(header);
  // Mostly one change, so that each kind of difference also comes alone.
  for (let n = times(dice); n > 0; n -= 1) changeMembers(dice, members);
  const isSpaced = dice.below(4) === 0;
  const blank = (): Text => {
    if (!isSpaced || dice.below(8) !== 0) return '';
    return pick(dice, dice.below(60) === 0 ? NO_BLANKS : BLANKS);
  };
  const inside = members.map(([name, value]) => `${blank()}"${name}"${blank()}:${blank()}${value}${blank()}`).join(',');
  return `${blank()}{${inside}}${blank()}${dice.below(40) === 0 ? pick(dice, NOISE) : ''}`;
}

/** The members of a header that this package or Go has written: strings have no escaped quote but \". */
function membersOf(header: Text): [Text, Text][] {
  return [...header.matchAll(/"(\w+)":("(?:[^"\\]|\\.)*"|\d+)/g)].map(([, name = '', value = '']) => [name, value]);
}

function changeMembers(dice: Dice, members: [Text, Text][]): void {
  const at = dice.below(Math.max(1, members.length));
  const member = members[at];
  if (member === undefined) return;
  const insert = (name: Text, value: Text): void =>
    void members.splice(dice.below(members.length + 1), 0, [name, value]);
  switch (dice.below(14)) {
    case 0:
      members.splice(at, 1);
      break;
    case 1:
      members.reverse();
      break;
    case 2:
      insert(member[0], dice.below(2) === 0 ? member[1] : value(dice, 0));
      break;
    case 3:
      insert(otherSpelling(dice, member[0]), member[1]);
      break;
    case 4:
      member[0] = otherSpelling(dice, member[0]);
      break;
    case 5:
    case 6:
      for (let n = times(dice); n > 0; n -= 1) insert(pick(dice, UNKNOWN_KEYS), value(dice, 0));
      break;
    case 7:
      member[1] = value(dice, 0);
      break;
    case 8:
      set(members, 'timestamp', pick(dice, TIMES));
      break;
    case 9:
      set(members, pick(dice, ['sequence', 'priority', 'payload_format']), pick(dice, NUMBERS));
      break;
    case 10:
      set(members, pick(dice, ['priority', 'payload_format']), String(dice.below(8)));
      break;
    case 11:
      set(members, pick(dice, KEYS), 'null');
      break;
    default:
      set(members, pick(dice, KEYS), pick(dice, STRINGS));
  }
}

function set(members: [Text, Text][], name: Text, to: Text): void {
  const member = members.find(([one]) => one === name);
  if (member === undefined) members.push([name, to]);
  else member[1] = to;
}

/** A key with a letter in another case, or escaped, which no reader is to mind. */
function otherSpelling(dice: Dice, name: Text): Text {
  const at = dice.below(Math.max(1, name.length));
  const letter = name.charAt(at);
  const upper = letter.toUpperCase();
  const other = dice.below(2) === 0 ? (OTHER_CASE[letter] ?? upper) : upper;
  const escaped = `\\u00${letter.charCodeAt(0).toString(16).padStart(2, '0')}`;
  const instead = letter === '' ? '' : dice.below(4) === 0 ? escaped : other;
  return name.slice(0, at) + instead + name.slice(at + 1);
}

/** Any value, at a depth. */
function value(dice: Dice, depth: number): Text {
  if (depth < 6 && dice.below(3) === 0) {
    const inner = Array.from({ length: 1 + dice.below(2) }, () => value(dice, depth + 1));
    if (dice.below(2) === 0) return `[${inner.join(',')}]`;
    return `{${inner.map((one) => `"${pick(dice, [...UNKNOWN_KEYS, ...KEYS])}":${one}`).join(',')}}`;
  }
  return pick(dice, [pick(dice, STRINGS), pick(dice, NUMBERS), pick(dice, OTHERS), pick(dice, TIMES)]);
}

function changedText(dice: Dice, header: Text): Text {
  let changed = header;
  for (let n = times(dice); n > 0; n -= 1) {
    const at = dice.below(changed.length + 1);
    const length = dice.below(4);
    switch (dice.below(3)) {
      case 0:
        changed = changed.slice(0, at) + pick(dice, NOISE) + changed.slice(at);
        break;
      case 1:
        changed = changed.slice(0, at) + changed.slice(at + length);
        break;
      default:
        changed = changed.slice(0, at) + String.fromCharCode(dice.below(256)) + changed.slice(at + length);
    }
  }
  return changed;
}
