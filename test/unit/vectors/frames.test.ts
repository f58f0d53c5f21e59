/** test/vectors/frames.json from TypeScript: v1 frames of all types written, read, and received by a session without a handshake. */
import { describe, expect, it } from 'vitest';

import { messageTypeFromByte, messageTypeToByte } from '../../../src/message.js';
import { addon } from '../../helpers/vectors-addon.js';
import { hex, load } from '../../helpers/vectors.js';
import type { VectorV1 } from '../../helpers/vectors.js';

const { vectors } = load<{ vectors: readonly VectorV1[] }>('frames.json');
const { vectors: native } = addon;

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
    priority: row.header.priority,
    capability: row.header.capability,
    route: row.header.route,
    payloadFormat: row.header.payload_format,
  };
  const timestamp = nanoseconds(row.header.timestamp);

  it('is written byte for byte', () => {
    expect(String.fromCharCode(kind)).toBe(row.type_byte);
    const json = native.writeHeader({ ...fields, timestamp: row.header.timestamp });
    expect(Buffer.from(json).toString()).toBe(row.header_json);
    expect(toHex(native.encodeFrame({ kind, header, payload }, signingKey))).toBe(row.frame_hex);
    ran.push(`${row.name} written`);
  });

  it('is read field by field', () => {
    const decoded = native.decodeFrame(frame, signingKey);
    expect(messageTypeFromByte(decoded.kind)).toBe(row.type);
    expect(toHex(decoded.header)).toBe(toHex(header));
    expect(toHex(decoded.payload)).toBe(row.payload_hex);
    expect(decoded.mac === undefined ? '' : toHex(decoded.mac)).toBe(row.mac_hex);
    expect(native.readHeader(decoded.header)).toEqual({ ...fields, timestamp });
    const stream = native.deframe(hex(row.length_prefixed_hex));
    expect(stream === null ? null : toHex(stream)).toBe(row.frame_hex);
    ran.push(`${row.name} read`);
  });

  it('has the tag of its key and of no other, or none', () => {
    if (row.flags === 0) {
      expect(row.mac_hex).toBe('');
      expect(() => native.decodeFrame(frame, key)).toThrow(withCode('EIPC_INTEGRITY'));
      return;
    }
    const mac = hex(row.mac_hex);
    const signable = native.signableBytes({ kind, header, payload, mac });
    expect(toHex(signable)).toBe(toHex(frame.subarray(0, -mac.length)));
    expect(toHex(native.sign(key, signable))).toBe(row.mac_hex);
    expect(native.verify(key, signable, mac)).toBe(true);
    expect(native.verify(Buffer.from('x'), signable, mac)).toBe(false);
    expect(() => native.decodeFrame(frame, Buffer.from('x'))).toThrow(withCode('EIPC_INTEGRITY'));
  });

  it('is received by a session, or refused where a session may not take it', () => {
    const session = new native.MacSession(key, 'eipc-server', row.header.service_id);
    const refusal = refusalOf(row, frame.length);
    if (refusal !== undefined) {
      expect(() => session.receive(frame)).toThrow(withCode(refusal));
      return;
    }
    const { serviceId: source, ...rest } = fields;
    const { payload: bytes, ...message } = session.receive(frame);
    expect(message).toEqual({ ...rest, source, kind, timestamp });
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
