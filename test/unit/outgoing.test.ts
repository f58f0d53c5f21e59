import { describe, expect, it } from 'vitest';

import { jsonCodec, msgpackCodec } from '../../src/codec.js';
import { Message } from '../../src/message.js';
import { RecordWriter } from '../../src/outgoing.js';
import type { Outgoing, RecordShape } from '../../src/outgoing.js';
import { describe as descriptorOf } from './fake-link.js';

const SHAPE: RecordShape = {
  tailLength: 32,
  binaryMeta: true,
  codec: jsonCodec,
  maxPayload: [65_536, 65_536, 262_144, 1_000_000],
  handshakeTypes: false,
};
const ORIGIN = { source: 'me', sessionId: 's', relays: true, codec: jsonCodec, protocol: 2 as const };

function read(writer: RecordWriter, at: number): Message {
  return new Message(ORIGIN, writer.buffer, writer.buffer.buffer, new Uint32Array(descriptorOf(writer.buffer, at)), 0);
}

describe('the record writer', () => {
  it('writes exactly the layout of the native boundary', () => {
    const writer = new RecordWriter();
    writer.writeOne(
      { type: 'intent', priority: 0, capability: 'ab', requestId: 'r', maxAge: 258, payload: new Uint8Array([7, 8]) },
      SHAPE,
    );
    const { buffer } = writer;
    expect(writer.length).toBe(44 + 24 + 3 + 2 + 32);
    expect([buffer.readUInt32LE(0), buffer.readUInt32LE(4), buffer.readUInt32LE(8)]).toEqual([writer.length, 27, 2]);
    expect([...buffer.subarray(12, 16)]).toEqual([0x69, 1, 0, 1]);
    const meta = [0, 2, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0];
    expect([...buffer.subarray(44, 44 + 24)]).toEqual(meta);
    expect(buffer.toString('latin1', 68, 71)).toBe('rab');
    expect([...buffer.subarray(71, 73)]).toEqual([7, 8]);
  });

  it('appends records without gaps and grows without losing any', () => {
    const writer = new RecordWriter();
    const messages: Outgoing[] = Array.from({ length: 300 }, (_, index) => ({
      type: 'features',
      payload: new Uint8Array(index * 7).fill(index),
    }));
    for (const message of messages) writer.append(message, SHAPE);
    let at = 0;
    for (const [index, message] of messages.entries()) {
      expect(read(writer, at).bytes, String(index)).toEqual(message.payload);
      at += writer.buffer.readUInt32LE(at);
    }
    expect(at).toBe(writer.length);
  });

  it('gives priorities by type unless told', () => {
    const writer = new RecordWriter();
    expect(
      (['intent', 'chat', 'features', 'heartbeat', 'audit'] as const).map((type) => writer.writeOne({ type }, SHAPE)),
    ).toEqual([1, 1, 2, 2, 2]);
    expect(writer.writeOne({ type: 'features', priority: 3 }, SHAPE)).toBe(3);
  });

  it('is not disturbed by user code that writes with it', () => {
    const writer = new RecordWriter();
    const payload = {
      toJSON() {
        writer.writeOne(
          { type: 'chat', capability: 'inner', payload: 'x'.repeat(100_000) },
          { ...SHAPE, maxPayload: [1e6, 1e6, 1e6, 1e6] },
        );
        return 'outer';
      },
    };
    writer.writeOne({ type: 'intent', capability: 'outer', payload }, SHAPE);
    expect(read(writer, 0)).toMatchObject({ type: 'intent', capability: 'outer', payload: 'outer' });
  });

  it('refuses a payload that is too large after it was encoded, with the code of the table', () => {
    const writer = new RecordWriter();
    const large = { type: 'chat', payload: 'é'.repeat(40_000) } as const;
    expect(() => writer.writeOne(large, SHAPE)).toThrow(
      expect.objectContaining({ code: 'EIPC_MESSAGE_TOO_LARGE' }) as Error,
    );
    expect(() => writer.writeOne(large, SHAPE)).toThrow(RangeError);
    expect(writer.writeOne({ ...large, priority: 2 }, SHAPE)).toBe(2);
  });

  it('refuses max ages that do not fit', () => {
    for (const maxAge of [-1, 0.5, 2 ** 32, Infinity, NaN])
      expect(() => new RecordWriter().writeOne({ type: 'chat', maxAge }, SHAPE)).toThrow(RangeError);
  });

  it("uses the endpoint's codec by default and takes encoded bytes as they are", () => {
    const writer = new RecordWriter();
    writer.writeOne({ type: 'chat', payload: { a: 1 } }, { ...SHAPE, codec: msgpackCodec });
    expect(read(writer, 0)).toMatchObject({ payloadFormat: 'msgpack', payload: { a: 1 } });
    writer.writeOne({ type: 'chat', payload: Buffer.from('[1]'), payloadFormat: 'json' }, SHAPE);
    expect(read(writer, 0).payload).toEqual([1]);
  });
});
