import { inspect } from 'node:util';

import { describe, expect, it } from 'vitest';

import { createMessage, messageTypeFromByte, messageTypeToByte } from '../../src/index.js';
import type { MessageType } from '../../src/index.js';

describe('a created message', () => {
  it('has every field it was made with, and the time', () => {
    const before = BigInt(Date.now()) * 1_000_000n;
    const message = createMessage(
      'tool_request',
      'eni.min',
      { tool: 'é' },
      { priority: 0, capability: 'c', route: 'ü/r', requestId: 'id', maxAge: 9 },
    );
    const after = BigInt(Date.now()) * 1_000_000n;
    expect(message).toMatchObject({
      type: 'tool_request',
      source: 'eni.min',
      priority: 0,
      capability: 'c',
      route: 'ü/r',
      requestId: 'id',
      maxAge: 9,
      sessionId: '',
      sequence: 0n,
      payloadFormat: 'json',
      payload: { tool: 'é' },
    });
    expect(message.timestamp >= before && message.timestamp <= after).toBe(true);
  });

  it('has an exact timestamp for times of many magnitudes', () => {
    const { now } = Date;
    try {
      for (const time of [0, 1, 65_535, 65_536, 4_294_967_295, 1_763_843_000_123, 4_102_444_800_000]) {
        Date.now = () => time;
        expect(createMessage('chat', '', null).timestamp).toBe(BigInt(time) * 1_000_000n);
      }
    } finally {
      Date.now = now;
    }
  });

  it('chooses the payload format by the value, and decodes to an equal value', () => {
    const values = [
      [{ a: [1, 'x', null] }, 'json'],
      [new Uint8Array([1, 2]), 'bytes'],
      [new Float32Array([0.5, -1, Infinity]), 'float32'],
      ['text', 'json'],
      [undefined, 'json'],
      [null, 'json'],
    ] as const;
    for (const [value, format] of values) {
      const message = createMessage('chat', 'x', value);
      expect(message.payloadFormat).toBe(format);
      expect(message.payload).toEqual(value);
    }
    expect(createMessage('chat', 'x', { a: 1 }, { payloadFormat: 'msgpack' }).payload).toEqual({ a: 1 });
  });

  it('decodes its payload once', () => {
    const message = createMessage('chat', 'x', { a: 1 });
    expect(message.payload).toBe(message.payload);
  });

  it('refuses payloads that do not have the named format', () => {
    expect(() => createMessage('chat', 'x', {}, { payloadFormat: 'bytes' })).toThrow(TypeError);
    expect(() => createMessage('chat', 'x', {}, { payloadFormat: 'float32' })).toThrow(TypeError);
    expect(() => createMessage('chat', 'x', {}, { payloadFormat: 'xml' as 'json' })).toThrow(RangeError);
    expect(() => createMessage('chat', 'x', Symbol('s'))).toThrow(TypeError);
  });

  it('throws EIPC_BAD_PAYLOAD for bytes that are not what they claim to be', () => {
    const claims = [
      ['json', new Uint8Array([0xff])],
      ['msgpack', new Uint8Array([0xc1])],
      ['float32', new Uint8Array(3)],
    ] as const;
    for (const [payloadFormat, bytes] of claims) {
      const message = createMessage('chat', 'x', bytes, { payloadFormat });
      expect(() => message.payload, payloadFormat).toThrow(
        expect.objectContaining({ code: 'EIPC_BAD_PAYLOAD' }) as Error,
      );
    }
  });

  it('refuses strings that the wire refuses', () => {
    for (const capability of ['a'.repeat(256), 'é'.repeat(128), 'a\nb', 'a\u007f', '\ud800']) {
      expect(() => createMessage('chat', 'x', 0, { capability }), inspect(capability)).toThrow(RangeError);
    }
    expect(createMessage('chat', 'x', 0, { capability: 'é'.repeat(127) }).capability).toBe('é'.repeat(127));
  });

  it('survives toJSON that makes messages itself', () => {
    const payload = { toJSON: () => createMessage('chat', 'inner', 'inner payload').payload };
    expect(createMessage('chat', 'outer', payload)).toMatchObject({ source: 'outer', payload: 'inner payload' });
  });

  it('has a copy with memory of its own', () => {
    const message = createMessage('chat', 'x', { a: 1 }, { capability: 'c' });
    const copy = message.copy();
    expect(copy).toMatchObject({
      type: 'chat',
      source: 'x',
      capability: 'c',
      payload: { a: 1 },
      timestamp: message.timestamp,
    });
    expect(copy.bytes.buffer).not.toBe(message.bytes.buffer);
  });

  it('shows its envelope and not its payload', () => {
    expect(inspect(createMessage('chat', 'x', { secret: 1 }))).toContain("source: 'x'");
    expect(inspect(createMessage('chat', 'x', { secret: 1 }))).not.toContain('secret');
  });
});

describe('message types', () => {
  it('have the bytes of the original, both ways', () => {
    const bytes: Record<MessageType, string> = {
      intent: 'i',
      features: 'f',
      tool_request: 't',
      ack: 'a',
      auth: 'A',
      challenge: 'H',
      auth_response: 'R',
      policy_result: 'p',
      heartbeat: 'h',
      audit: 'u',
      chat: 'c',
      complete: 'C',
    };
    for (const [type, byte] of Object.entries(bytes)) {
      expect(messageTypeToByte(type as MessageType)).toBe(byte.charCodeAt(0));
      expect(messageTypeFromByte(byte.charCodeAt(0))).toBe(type);
    }
  });

  it('are a closed set', () => {
    expect(() => messageTypeToByte('toString' as MessageType)).toThrow(RangeError);
    expect(() => messageTypeToByte('__proto__' as MessageType)).toThrow(RangeError);
    for (const byte of [0, 0x58, 128, -1, 1.5]) expect(() => messageTypeFromByte(byte)).toThrow(RangeError);
  });
});
