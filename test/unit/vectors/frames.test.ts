/** test/vectors/frames.json from TypeScript: v1 frames of all types written, read, and received by a session without a handshake. */
import { describe, expect, it } from 'vitest';

import {
  decodeFrame,
  decodeHeader,
  encodeFrame,
  encodeHeader,
  Key,
  messageTypeToByte,
  sign,
  signableBytes,
  verify,
} from '../../../src/index.js';
import type { Priority } from '../../../src/index.js';
import { PAYLOAD_FORMATS } from '../../../src/message.js';
import { NativeDeframer } from '../../../src/native.js';
import { addon } from '../../helpers/vectors-addon.js';
import { hex, load } from '../../helpers/vectors.js';
import type { VectorV1 } from '../../helpers/vectors.js';

const { vectors } = load<{ vectors: readonly VectorV1[] }>('frames.json');

const HANDSHAKE_TYPES: readonly string[] = ['auth', 'challenge', 'auth_response'];
/** The largest frame of a peer that has not proved itself. */
const UNAUTHENTICATED_LIMIT = 4_096;

const ran: string[] = [];
const received: string[] = [];

describe.each(vectors)('$name', (row) => {
  const [frame, header, payload, key] = [
    hex(row.frame_hex),
    Buffer.from(row.header_json),
    hex(row.payload_hex),
    hex(row.key_hex),
  ];
  const kind = messageTypeToByte(row.type);
  const signingKey = row.flags === 1 ? key : undefined;
  const fields = {
    serviceId: row.header.service_id,
    sessionId: row.header.session_id,
    requestId: row.header.request_id,
    sequence: BigInt(row.header.sequence),
    priority: row.header.priority as Priority,
    capability: row.header.capability,
    route: row.header.route,
    timestamp: nanoseconds(row.header.timestamp),
  };
  const payloadFormat = PAYLOAD_FORMATS[row.header.payload_format] as 'json' | 'msgpack';

  it('is written byte for byte', () => {
    expect(String.fromCharCode(kind)).toBe(row.type_byte);
    const json = encodeHeader({ ...fields, payloadFormat });
    expect(Buffer.from(json).toString()).toBe(row.header_json);
    const frame = { type: row.type, header, payload };
    expect(toHex(encodeFrame(frame, signingKey))).toBe(row.frame_hex);
    if (row.flags === 1) expect(toHex(encodeFrame({ ...frame, mac: hex(row.mac_hex) }))).toBe(row.frame_hex);
    ran.push(`${row.name} written`);
  });

  it('is read field by field', () => {
    const decoded = decodeFrame(frame, signingKey);
    expect([decoded.type, decoded.flags]).toEqual([row.type, row.flags]);
    expect(toHex(decoded.header)).toBe(toHex(header));
    expect(toHex(decoded.payload)).toBe(row.payload_hex);
    expect(decoded.mac === undefined ? '' : toHex(decoded.mac)).toBe(row.mac_hex);
    expect(decodeHeader(decoded.header)).toEqual({ ...fields, payloadFormat });
    expect(toHex(encodeFrame(decoded))).toBe(row.frame_hex);
    const { frame: found } = new NativeDeframer().take(hex(row.length_prefixed_hex), 0);
    expect(found === undefined ? undefined : toHex(found)).toBe(row.frame_hex);
    ran.push(`${row.name} read`);
  });

  it('has the tag of its key and of no other, or none', () => {
    if (row.flags === 0) {
      expect(row.mac_hex).toBe('');
      expect(() => decodeFrame(frame, key)).toThrow(withCode('EIPC_INTEGRITY'));
      return;
    }
    const mac = hex(row.mac_hex);
    const signable = signableBytes({ type: row.type, header, payload });
    expect(toHex(signable)).toBe(toHex(frame.subarray(0, -mac.length)));
    for (const signing of [key, Key.fromBytes(key, { protocol: 1 })]) {
      expect(toHex(sign(signing, signable))).toBe(row.mac_hex);
      expect(verify(signing, signable, mac)).toBe(true);
      expect(toHex(encodeFrame({ type: row.type, header, payload }, signing))).toBe(row.frame_hex);
      expect(toHex(decodeFrame(frame, signing).payload)).toBe(row.payload_hex);
    }
    expect(verify(Buffer.from('x'), signable, mac)).toBe(false);
    expect(() => decodeFrame(frame, Buffer.from('x'))).toThrow(withCode('EIPC_INTEGRITY'));
  });

  it('is received by a session, or refused where a session may not take it', () => {
    const session = new addon.vectors.MacSession(key, 'eipc-server', row.header.service_id);
    const refusal = refusalOf(row, frame.length);
    if (refusal !== undefined) {
      expect(() => session.receive(frame)).toThrow(withCode(refusal));
      return;
    }
    const { serviceId: source, ...rest } = fields;
    const { payload: bytes, ...message } = session.receive(frame);
    expect(message).toEqual({ ...rest, source, kind, payloadFormat: row.header.payload_format });
    expect(toHex(bytes)).toBe(row.payload_hex);
    received.push(row.name);
  });
});

it('every row of the file ran', () => {
  const rows = vectors.flatMap(({ name }) => [`${name} written`, `${name} read`]);
  expect(ran.toSorted()).toEqual(rows.toSorted());
  expect(vectors.length).toBe(63);
  expect(received.length).toBe(43);
});

/** Why a session refuses a frame whose bytes are right. */
function refusalOf(row: VectorV1, length: number): string | undefined {
  if (row.flags === 0) return 'EIPC_INTEGRITY';
  if (length > UNAUTHENTICATED_LIMIT) return 'EIPC_FRAME_TOO_LARGE';
  return HANDSHAKE_TYPES.includes(row.type) ? 'EIPC_UNSUPPORTED_TYPE' : undefined;
}

function nanoseconds(timestamp: string): bigint {
  const [seconds = '', fraction = ''] = timestamp.slice(0, -1).split('.');
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function withCode(code: string): unknown {
  return expect.objectContaining({ code });
}
