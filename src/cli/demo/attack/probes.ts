/**
 * The attacks of somebody who connects: what is sent to a socket of the running demo, without a key, and what came back.
 * Anything but the one generic alert means that the attack was accepted.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { connect, type NetConnectOpts } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { flipBit, PLAIN_ALERT, withPrefix } from './frames.js';
import type { Recording } from './path-attacks.js';
import type { AttackKind } from './tally.js';

/** For the other end to hang up. One that does not is no success of the attacker. */
const ANSWER_DEADLINE = 5_000;

type Row = readonly [kind: AttackKind, make: (old: Recording, serviceId: string) => readonly Buffer[]];

const ROWS: readonly Row[] = [
  ['forgery', (_, serviceId) => [clientHello(serviceId)]],
  ['forgery', () => [clientHello('eipc')]],
  ['forgery', () => [frame('i', 1, randomBytes(64))]],
  ['tampering', (old) => [flipBit(hello(old), randomInt(hello(old).length * 8))]],
  ['tampering', (old, serviceId) => [renamed(hello(old), serviceId)]],
  ['replay', (old) => [hello(old)]],
  ['replay', (old) => old.c2s],
  ['reflection', (old) => old.s2c],
  ['reflection', () => [PLAIN_ALERT]],
  ['deletion', (old) => old.c2s.slice(1)],
  ['deletion', (old) => [hello(old).subarray(0, 80)]],
  ['downgrade', () => [frame('i', 1, randomBytes(32), 1)]],
  ['downgrade', (old) => [versioned(hello(old), 1)]],
];

/** How many probes one round has. */
export const PROBES = ROWS.length;

/** A probe of the round: its kind, and the bytes to send. */
export function probe(number: number, old: Recording, serviceId: string): { kind: AttackKind; bytes: Buffer } {
  const row = ROWS[number % ROWS.length];
  if (row === undefined) throw new RangeError('there are no probes');
  const [kind, make] = row;
  return { kind, bytes: Buffer.concat(make(old, serviceId).map(withPrefix)) };
}

/** Sends bytes, inside TLS or not, and the end of the stream; resolves to whether anything but the alert was answered. */
export function isAnswered(target: NetConnectOpts, isTls: boolean, bytes: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = isTls ? connectTls({ ...target, rejectUnauthorized: false }) : connect(target);
    const answer: Buffer[] = [];
    socket.setTimeout(ANSWER_DEADLINE, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => answer.push(chunk));
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => {
      const text = Buffer.concat(answer);
      resolve(text.length > 0 && !text.equals(withPrefix(PLAIN_ALERT)));
    });
    socket.end(bytes);
  });
}

/** A ClientHello that is right in everything but what needs the key. */
function clientHello(serviceId: string): Buffer {
  const id = Buffer.from(serviceId);
  const fixed = Buffer.alloc(16);
  fixed.writeUInt8(1, 0);
  fixed.writeUInt8(1, 1);
  fixed.writeUInt16BE(0b111, 2);
  fixed.writeUInt32BE(0b1101, 4);
  randomBytes(8).copy(fixed, 8);
  return frame('A', 1, Buffer.concat([fixed, randomBytes(64), Buffer.alloc(32), Buffer.of(id.length), id]));
}

function frame(type: string, flags: number, payload: Buffer, version = 2): Buffer {
  const preamble = Buffer.from('454950430000000000000000' + '00000000', 'hex');
  preamble.writeUInt16BE(version, 4);
  preamble.write(type, 6, 'latin1');
  preamble.writeUInt8(flags, 7);
  preamble.writeUInt32BE(payload.length, 12);
  return Buffer.concat([preamble, payload, randomBytes(32)]);
}

/** A recorded hello under another id of the same length or not: the tag is that of the old one. */
function renamed(old: Buffer, serviceId: string): Buffer {
  const id = Buffer.from(serviceId);
  const payload = Buffer.concat([old.subarray(16, 128), Buffer.of(id.length), id]);
  return Buffer.concat([frame('A', 1, payload).subarray(0, -32), old.subarray(-32)]);
}

function versioned(old: Buffer, version: number): Buffer {
  const copy = Buffer.from(old);
  copy.writeUInt16BE(version, 4);
  return copy;
}

/** The recorded hello; before there is one, noise. */
function hello({ c2s }: Recording): Buffer {
  return c2s[0] ?? frame('A', 1, randomBytes(120));
}
