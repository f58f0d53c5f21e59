/**
 * test/vectors/eipc2.json from TypeScript: every byte of every handshake in both roles, every frame sealed and opened, by the native code
 * that ships, with the randomness and the time of the vector. The secrets between stay in native code and are compared there
 * (crates/core/src/session/keys.rs).
 */
import { describe, expect, it } from 'vitest';

import { jsonCodec } from '../../../src/codec.js';
import { Message, PAYLOAD_FORMATS } from '../../../src/message.js';
import { DESCRIPTORS_FROM, DESCRIPTOR_WORDS, RECORD_HEADER, STATE } from '../../../src/native.js';
import { RECORD } from '../../../src/outgoing.js';
import { CAPABILITIES, setupOfVector, shakeHands, TTL_MS } from '../../helpers/vector-handshake.js';
import { addon } from '../../helpers/vectors-addon.js';
import type { NativePlane } from '../../helpers/vectors-addon.js';
import { hex, load } from '../../helpers/vectors.js';
import type { Vector, VectorFrame } from '../../helpers/vectors.js';

const { vectors } = load<{ vectors: readonly Vector[] }>('eipc2.json');
/** How long a lane stays in its epoch. */
const HOUR = 3_600_000;
const ORIGIN = { source: '', sessionId: '', relays: true, codec: jsonCodec, protocol: 2 as const };

const ran: string[] = [];

describe.each(vectors)('$name', (vector) => {
  const setup = setupOfVector(vector);

  it('shakes hands byte for byte in both roles', () => {
    addon.vectors.setTime(0);
    const { client, server, said } = shakeHands(setup);
    const { client_hello, server_hello, client_finish } = vector;
    const accept = vector.frames[0];
    expect(accept?.label).toBe('accept');
    expect(said).toEqual([client_hello, server_hello, client_finish, accept?.frame_hex]);
    const { capabilities, max_frame } = JSON.parse(hex(accept?.payload_hex ?? '').toString()) as Accept;
    for (const { session } of [client, server]) {
      expect(session.state()).toBe(STATE.open);
      expect(session.info()).toMatchObject({
        serviceId: vector.service_id,
        serverId: 'eai',
        sessionId: BigInt(vector.session_id).toString(16).padStart(16, '0'),
        suite: vector.suite,
        capabilities,
        ttlMs: TTL_MS,
        maxFrame: max_frame,
        binaryMeta: true,
      });
      const exported = hex(vector.export_48);
      expect(addon.vectors.exports(session, vector.export_label, exported)).toBe(true);
      exported[47] = (exported[47] ?? 0) ^ 1;
      expect(addon.vectors.exports(session, vector.export_label, exported)).toBe(false);
    }
    expect(capabilities).toEqual(CAPABILITIES);
    ran.push(vector.name, `${vector.name} accept`);
  });

  it('seals and opens every frame', () => {
    addon.vectors.setTime(0);
    const { client, server } = shakeHands(setup);
    const ends = {
      client: addon.vectors.takePlanes(client.session),
      server: addon.vectors.takePlanes(server.session),
    };
    for (const frame of vector.frames) {
      if (frame.label === 'accept') continue; // the last of the handshake
      const [sender, receiver] = frame.direction === 'c2s' ? [ends.client, ends.server] : [ends.server, ends.client];
      const [seals, opens] = [sender[frame.plane], receiver[frame.plane]];
      if (seals === undefined || opens === undefined) throw new Error(`${vector.name} has no plane ${frame.plane}`);
      checkSealed(seals, frame, vector.suite === 1 ? 32 : 16);
      checkOpened(opens, frame);
      ran.push(`${vector.name} ${frame.label}`);
    }
  });
});

it('every row of the file ran', () => {
  const rows = vectors.flatMap(({ name, frames }) => [name, ...frames.map(({ label }) => `${name} ${label}`)]);
  expect(ran.toSorted()).toEqual(rows.toSorted());
  expect(rows.length).toBe(12 + 180);
});

interface Accept {
  readonly capabilities: readonly string[];
  readonly max_frame: number;
}

/** Seals what the vector says at the time of its epoch and compares every byte. */
function checkSealed(plane: NativePlane, frame: VectorFrame, tagLength: number): void {
  const [meta, payload] = [hex(frame.meta_hex), hex(frame.payload_hex)];
  const record = Buffer.alloc(RECORD_HEADER + meta.length + payload.length + tagLength);
  record.writeUInt32LE(record.length, RECORD.length);
  record.writeUInt32LE(meta.length, RECORD.metaLength);
  record.writeUInt32LE(payload.length, RECORD.payloadLength);
  record.writeUInt8(frame.type.charCodeAt(0), RECORD.type);
  record.writeUInt8(frame.meta_kind, RECORD.metaKind);
  record.writeUInt8(fieldsOf(frame).priority, RECORD.lane);
  meta.copy(record, RECORD_HEADER);
  payload.copy(record, RECORD_HEADER + meta.length);
  addon.vectors.setTime(frame.epoch * HOUR);
  expect(plane.calls().seal(record, record.length), frame.label).toBe(record.length);
  expect(record.subarray(4).toString('hex'), frame.label).toBe(frame.frame_hex);
  const lane = { sealed: BigInt(frame.counter), sealEpoch: frame.epoch };
  expect(plane.lanes()[frame.lane], frame.label).toMatchObject(lane);
}

/** Opens the vector's frame and compares the message, as a receiver sees it. */
function checkOpened(plane: NativePlane, frame: VectorFrame): void {
  const bytes = hex(frame.frame_hex);
  const slab = Buffer.alloc(bytes.length + 2_048);
  const words = new Uint32Array(DESCRIPTORS_FROM + DESCRIPTOR_WORDS);
  expect(plane.calls().open(bytes, slab, words), frame.label).toBe(1);
  const plain = frame.meta_hex + frame.payload_hex;
  expect(slab.toString('hex', 40, 40 + plain.length / 2), frame.label).toBe(plain);
  const message = new Message(ORIGIN, slab, slab.buffer, words, DESCRIPTORS_FROM);
  const { priority, payloadFormat, source, requestId, capability, route, timestamp, maxAge } = message;
  const fields = { priority, payloadFormat, source, requestId, capability, route, timestamp, maxAge };
  expect(fields, frame.label).toEqual(fieldsOf(frame));
  expect((words[DESCRIPTORS_FROM + 1] ?? 0) & 0xff, frame.label).toBe(frame.type.charCodeAt(0));
  expect(message.sequence, frame.label).toBe(BigInt(frame.counter));
  expect(Buffer.from(message.bytes).toString('hex'), frame.label).toBe(frame.payload_hex);
  const lane = { opened: BigInt(frame.counter), openEpoch: frame.epoch };
  expect(plane.lanes()[frame.lane], frame.label).toMatchObject(lane);
}

/** What the vector says of the meta: fields of the binary kind by name, the JSON kind as the text itself. */
function fieldsOf({
  meta,
}: VectorFrame): Pick<
  Message,
  'priority' | 'payloadFormat' | 'source' | 'requestId' | 'capability' | 'route' | 'timestamp' | 'maxAge'
> {
  const written = typeof meta === 'string' ? (JSON.parse(meta) as Readonly<Record<string, string | number>>) : meta;
  const text = (binary: string, json = binary): string => String(written[binary] ?? written[json] ?? '');
  const number = (binary: string, json: string): number => Number(written[binary] ?? written[json] ?? 0);
  return {
    priority: (written['priority'] ?? 1) as Message['priority'],
    payloadFormat: PAYLOAD_FORMATS[number('payloadFormat', 'payload_format')] ?? 'json',
    source: text('source'),
    requestId: text('requestId', 'request_id'),
    capability: text('capability'),
    route: text('route'),
    timestamp: BigInt(written['timestampNs'] ?? written['timestamp_ns'] ?? 0),
    maxAge: number('maxAgeMs', 'max_age_ms'),
  };
}
