/** What `inspectFrame` and `eipc inspect` find in the frames of test/vectors, good and bad, of both protocols. */
import { describe, expect, it } from 'vitest';

import { decodeInput, findFrames } from '../../src/cli/inspect/frames.js';
import { inspectFrame, Key } from '../../src/index.js';
import type { Inspection } from '../../src/index.js';
import { codeOf, hex, load } from '../helpers/vectors.js';
import type { DataReject, HelloReject, RejectV1, Vector, VectorV1 } from '../helpers/vectors.js';

const v1 = load<{ vectors: readonly VectorV1[] }>('frames.json').vectors;
const rejects = load<{ key_hex: string; cases: readonly RejectV1[] }>('rejects.json');
const eipc2 = load<{ vectors: readonly Vector[] }>('eipc2.json').vectors;
const { data, hello } = load<{ data: readonly DataReject[]; hello: readonly HelloReject[] }>('eipc2-rejects.json');

const keyOf = (digits: string, protocol: 1 | 2): Key => Key.fromBytes(hex(digits), { protocol });

function field(found: Inspection, name: string): bigint | string | undefined {
  return found.fields.find((one) => one.name === name)?.value;
}

describe('a frame of v1', () => {
  it.each(v1)('$name says what it says, and its tag is verified', (row) => {
    const found = inspectFrame(hex(row.frame_hex), keyOf(row.key_hex, 1));
    expect(field(found, 'type')).toBe(row.type);
    if (row.flags === 0) {
      expect([found.fault?.error.code, found.fault?.at]).toEqual(['EIPC_INTEGRITY', 7]);
      return;
    }
    expect([found.tag, found.fault]).toEqual(['verified', undefined]);
    const { header } = row;
    expect(field(found, 'service_id')).toBe(header.service_id);
    expect(field(found, 'sequence')).toBe(BigInt(header.sequence));
    expect(field(found, 'timestamp')).toBe(header.timestamp);
    expect(field(found, 'capability')).toBe(header.capability);
    expect(field(found, 'route')).toBe(header.route);
  });

  it.each(rejects.cases.filter(({ name }) => name !== 'version-2'))('is bad: $name', (row) => {
    const bytes = hex(row.frame_hex);
    const found = inspectFrame(bytes, keyOf(rejects.key_hex, 1));
    expect(found.fault?.error.code).toBe(codeOf(row));
    expect(found.fault?.at).toBe(placeOf(row.name, bytes));
  });
});

describe('a handshake of EIPC/2', () => {
  it.each(eipc2)('$name is shown, and the first frame is verified with the key', (row) => {
    const key = keyOf(row.psk_hex, 2);
    const client = inspectFrame(hex(row.client_hello), key);
    expect([client.tag, client.fault]).toEqual(['verified', undefined]);
    expect(field(client, 'service_id')).toBe(row.service_id);
    expect(field(client, 'key_id')).toBe(row.key_id);
    const server = inspectFrame(hex(row.server_hello), key);
    expect([server.tag, server.fault]).toEqual(['unverified', undefined]);
    expect(field(server, 'suite')).toBe(BigInt(row.suite));
    expect(inspectFrame(hex(row.client_finish)).fault).toBeUndefined();
  });

  // What one server or client refuses and another takes is no fault of the frame.
  const ONLY_A_PEER_KNOWS = [
    'kx 0 without allowPskOnly',
    'unknown service',
    'channel binding without TLS',
    'server proof flipped',
    'features not a subset',
    'own hello reflected',
  ];

  it.each(hello)('is bad: $name', (row) => {
    const found = inspectFrame(hex(row.frame_hex), keyOf(row.psk_hex, 2));
    const isKnown = ONLY_A_PEER_KNOWS.includes(row.name) || row.name.startsWith('low-order');
    expect(found.fault?.error.code).toBe(isKnown ? undefined : codeOf(row));
  });

  it('made with another key names the key id, and with a changed bit the tag', () => {
    const [{ client_hello } = { client_hello: '' }] = eipc2;
    const other = inspectFrame(hex(client_hello), keyOf('81'.repeat(32), 2));
    expect([other.fault?.error.code, other.fault?.at, other.tag]).toEqual(['EIPC_HANDSHAKE_FAILED', 24, 'unverified']);
  });
});

describe('a data frame of EIPC/2', () => {
  it.each(eipc2)('of $name shows its lane and counter, and in suite 1 its meta', (row) => {
    for (const frame of row.frames) {
      const found = inspectFrame(hex(frame.frame_hex));
      expect([found.tag, found.fault], frame.label).toEqual(['unverified', undefined]);
      expect(field(found, 'lane')).toBe(BigInt(frame.lane));
      expect(field(found, 'counter')).toBe(BigInt(frame.counter));
      expect(field(found, 'epoch')).toBe(BigInt(frame.epoch));
      expect(field(found, 'priority') !== undefined).toBe(row.suite === 1);
    }
  });

  it('that sessions refuse is refused with their code, or needs their keys to be', () => {
    const codes = new Map<string, number>();
    for (const row of data) {
      const code = inspectFrame(hex(row.frame_hex)).fault?.error.code;
      if (code === undefined) continue;
      // A receiver finds a wrong tag first, and knows the version and suite of its session.
      const isOnlyKnownThere =
        row.error === 'INTEGRITY' || / (?:flags of another suite|version 1 in a version 2 session)$/.test(row.name);
      if (!isOnlyKnownThere) expect([row.name, code]).toEqual([row.name, codeOf(row)]);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    expect([...codes.keys()]).toEqual(
      expect.arrayContaining(['EIPC_BAD_HEADER', 'EIPC_SEQUENCE', 'EIPC_TRAILING_BYTES', 'EIPC_UNSUPPORTED_FLAGS']),
    );
  });
});

describe('the frames of a recording', () => {
  const [first, second] = [hex(v1[0]?.frame_hex ?? ''), hex(eipc2[0]?.client_hello ?? '')];
  const prefixed = (frame: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(frame.length);
    return Buffer.concat([length, frame]);
  };
  const shapes = (bytes: Buffer): unknown =>
    findFrames(bytes).map(({ at, bytes: { length }, prefix }) => [at, length, prefix]);

  it('are found with and without the length in front, mixed too', () => {
    expect(shapes(Buffer.concat([first, second]))).toEqual([
      [0, first.length, undefined],
      [first.length, second.length, undefined],
    ]);
    expect(shapes(Buffer.concat([prefixed(first), prefixed(second), first]))).toEqual([
      [4, first.length, first.length],
      [8 + first.length, second.length, second.length],
      [8 + first.length + second.length, first.length, undefined],
    ]);
  });

  it('are one that is bad where none begins, or where one is cut', () => {
    expect(shapes(Buffer.from('nothing'))).toEqual([[0, 7, undefined]]);
    expect(shapes(Buffer.concat([first, Buffer.from('x')]))).toEqual([[0, first.length + 1, undefined]]);
    expect(shapes(prefixed(first).subarray(0, 40))).toEqual([[4, 36, first.length]]);
    expect(shapes(Buffer.alloc(0))).toEqual([]);
  });

  it('are decoded from hex digits, and from bytes that are none', () => {
    expect(decodeInput(Buffer.from(`${first.toString('hex').replace(/(.{60})/g, '$1\n')}\n`))).toEqual(first);
    expect(decodeInput(first)).toEqual(first);
    expect(() => decodeInput(Buffer.from('454'))).toThrow(/3 hex digits/);
  });
});

/** The first byte of what is wrong. */
function placeOf(name: string, bytes: Buffer): number {
  const end = 16 + (bytes.length < 16 ? 0 : bytes.readUInt32BE(8) + bytes.readUInt32BE(12));
  if (name === 'bad-magic') return Buffer.from('EIPC').findIndex((byte, at) => bytes[at] !== byte);
  if (name.startsWith('version')) return 4;
  if (name.startsWith('truncated')) return bytes.length;
  if (name === 'header-len-huge' || name === 'sum-just-over') return 8;
  if (name === 'payload-len-huge') return 12;
  if (name === 'trailing-bytes') return end + 32;
  if (name === 'hmac-flag-stripped' || name === 'unknown-flag') return 7;
  return name.startsWith('flipped') ? end : 16;
}
