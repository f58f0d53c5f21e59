/** Frames, tags and ciphertexts by themselves: what is refused, and with which words. The bytes are in test/unit/vectors. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import {
  decodeFrame,
  decodeHeader,
  decrypt,
  encodeFrame,
  encodeHeader,
  encrypt,
  FLAG_ENCRYPTED,
  FLAG_HMAC,
  Key,
  MAC_SIZE,
  MAGIC,
  MAX_FRAME_SIZE,
  PROTOCOL_VERSION,
  ReplayTracker,
  sign,
  signableBytes,
  verify,
} from '../../src/index.js';
import type { Frame } from '../../src/index.js';

const key = Buffer.from('k');
const header = encodeHeader({ serviceId: 'nia.min', sequence: 1, timestamp: 1_775_217_600_000_000_000n });
const frame: Frame = { type: 'intent', header, payload: Buffer.from('{}') };
const code = (name: string): unknown => expect.objectContaining({ code: name });

describe('a frame', () => {
  it('begins with the magic and the version, and ends with the tag', () => {
    const bytes = Buffer.from(encodeFrame(frame, key));
    expect([bytes.readUInt32BE(0), bytes.readUInt16BE(4)]).toEqual([MAGIC, PROTOCOL_VERSION]);
    expect(bytes[7]).toBe(FLAG_HMAC);
    expect(bytes.length).toBe(signableBytes(frame).length + MAC_SIZE);
    expect(bytes.subarray(-MAC_SIZE)).toEqual(Buffer.from(sign(key, signableBytes(frame))));
  });

  it('may have exactly the largest size, and not a byte more, in either direction', () => {
    const room = MAX_FRAME_SIZE - 16 - header.length - MAC_SIZE;
    const largest = encodeFrame({ ...frame, payload: Buffer.alloc(room) }, key);
    expect([largest.length, decodeFrame(largest, key).payload.length]).toEqual([MAX_FRAME_SIZE, room]);
    const larger = { ...frame, payload: Buffer.alloc(room + 1) };
    expect(() => encodeFrame(larger, key)).toThrow(code('EIPC_FRAME_TOO_LARGE'));
    expect(() => signableBytes(larger)).toThrow(code('EIPC_FRAME_TOO_LARGE'));
    expect(() => encodeFrame({ ...frame, header: Buffer.alloc(4_097) })).toThrow(code('EIPC_FRAME_TOO_LARGE'));
  });

  // The attacker stands between the peers and takes the tag off, as the original lets him.
  it('without a tag is refused by who has a key, and decoded by who has none', () => {
    const bare = encodeFrame(frame);
    expect(() => decodeFrame(bare, key)).toThrow(code('EIPC_INTEGRITY'));
    expect(decodeFrame(bare)).toMatchObject({ type: 'intent', flags: 0 });
  });

  it('of a type that does not exist is refused', () => {
    const bytes = encodeFrame(frame);
    bytes[6] = 0x7a;
    expect(() => decodeFrame(bytes)).toThrow(code('EIPC_UNSUPPORTED_TYPE'));
    expect(() => encodeFrame({ ...frame, type: 'close' as 'ack' })).toThrow(/no message type 'close'/);
  });

  it('does not change the bytes it was decoded from, nor share them', () => {
    const bytes = encodeFrame(frame, key);
    const before = Buffer.from(bytes);
    const decoded = decodeFrame(bytes, key);
    decoded.payload[0] = 0xff;
    expect(Buffer.from(bytes)).toEqual(before);
  });

  it('with parts that are none is refused with what they must be', () => {
    expect(() => encodeFrame({ ...frame, payload: '{}' as unknown as Uint8Array })).toThrow(
      /payload must be a Uint8Array/,
    );
    expect(() => encodeFrame({ ...frame, mac: Buffer.alloc(31) })).toThrow(/mac has 31 bytes; a tag has 32/);
    expect(() => encodeFrame({ ...frame, mac: Buffer.alloc(32) }, key)).toThrow(/leave one of them out/);
    expect(() => encodeFrame({ ...frame, flags: FLAG_ENCRYPTED }, key)).toThrow(/flags is 4/);
    expect(() => encodeFrame({ ...frame, flags: FLAG_HMAC })).toThrow(/flags is 1/);
    expect(() => decodeFrame('EIPC' as unknown as Uint8Array)).toThrow(TypeError);
    expect(() => encodeFrame(null as unknown as Frame)).toThrow(/a frame is \{ type, header, payload \}/);
  });
});

describe('a header', () => {
  it('is read back as it was written, with what was left out as its default', () => {
    expect(decodeHeader(header)).toEqual({
      serviceId: 'nia.min',
      sessionId: '',
      requestId: '',
      sequence: 1n,
      timestamp: 1_775_217_600_000_000_000n,
      priority: 1,
      capability: '',
      route: '',
      payloadFormat: 'json',
    });
  });

  it('with a field that cannot be said is refused with its name', () => {
    const fields = { serviceId: 'nia.min', sequence: 1, timestamp: 0n };
    expect(() => encodeHeader({ ...fields, sequence: -1 })).toThrow(/sequence is -1/);
    expect(() => encodeHeader({ ...fields, sequence: 2 ** 53 })).toThrow(/above 2\^53 a bigint/);
    expect(() => encodeHeader({ ...fields, sequence: 2n ** 64n })).toThrow(RangeError);
    expect(() => encodeHeader({ ...fields, timestamp: 2n ** 63n })).toThrow(/timestamp is 9223372036854775808/);
    expect(() => encodeHeader({ ...fields, timestamp: 1 as unknown as bigint })).toThrow(TypeError);
    expect(() => encodeHeader({ ...fields, priority: 4 as 3 })).toThrow(/priority is 4/);
    expect(() => encodeHeader({ ...fields, payloadFormat: 'bytes' as 'json' })).toThrow(/payloadFormat is 'bytes'/);
    expect(() => encodeHeader({ ...fields, route: 7 as unknown as string })).toThrow(/route must be a string/);
  });

  it('that another reader could take differently is refused', () => {
    const text = Buffer.from(header).toString();
    for (const wrong of [
      text.replace('service_id', 'Service_id'),
      text.replace('"sequence":1', '"sequence":1e0'),
      '[]',
    ])
      expect(() => decodeHeader(Buffer.from(wrong))).toThrow(code('EIPC_BAD_HEADER'));
  });
});

describe('a tag', () => {
  const mac = sign(key, Buffer.from('data'));

  it('that is wrong, short, long or empty is false and no exception', () => {
    for (let bit = 0; bit < mac.length * 8; bit += 1) {
      const wrong = Buffer.from(mac);
      wrong.writeUInt8(wrong.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(verify(key, Buffer.from('data'), wrong)).toBe(false);
    }
    for (const wrong of [mac.subarray(1), Buffer.concat([mac, mac]), new Uint8Array()])
      expect(verify(key, Buffer.from('data'), wrong)).toBe(false);
    expect(verify(key, Buffer.from('data'), mac)).toBe(true);
  });

  it('needs a key that is not empty, and one that is not of EIPC/2 alone', () => {
    const other = Key.fromBytes(randomBytes(32), { protocol: 2 });
    for (const call of [
      (wrong: Uint8Array | Key) => sign(wrong, Buffer.from('data')),
      (wrong: Uint8Array | Key) => verify(wrong, Buffer.from('data'), mac),
      (wrong: Uint8Array | Key) => encodeFrame(frame, wrong),
      (wrong: Uint8Array | Key) => decodeFrame(encodeFrame(frame, key), wrong),
    ]) {
      expect(() => call(new Uint8Array())).toThrow(/the key is empty/);
      expect(() => call(new Uint8Array())).toThrow(RangeError);
      expect(() => call(other)).toThrow(/made for protocol 2/);
      expect(() => call('k' as unknown as Uint8Array)).toThrow(TypeError);
    }
  });
});

describe('a ciphertext', () => {
  const secret = randomBytes(32);

  it('is nonce, text and tag, and decrypts to what was encrypted', () => {
    for (const length of [0, 1, 1_000]) {
      const text = randomBytes(length);
      const sealed = encrypt(secret, text);
      expect(sealed.length).toBe(12 + length + 16);
      expect(Buffer.from(decrypt(secret, sealed))).toEqual(text);
      expect(Buffer.from(encrypt(secret, text))).not.toEqual(Buffer.from(sealed));
    }
  });

  it('is what node:crypto reads as AES-256-GCM', async () => {
    const { createDecipheriv } = await import('node:crypto');
    const sealed = Buffer.from(encrypt(secret, Buffer.from('text')));
    const cipher = createDecipheriv('aes-256-gcm', secret, sealed.subarray(0, 12));
    cipher.setAuthTag(sealed.subarray(-16));
    expect(Buffer.concat([cipher.update(sealed.subarray(12, -16)), cipher.final()]).toString()).toBe('text');
  });

  // The attacker keeps or carries the ciphertext.
  it('that was changed, cut, or made with another key is an IntegrityError', () => {
    const sealed = encrypt(secret, Buffer.from('text'));
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      expect(() => decrypt(secret, changed)).toThrow(code('EIPC_INTEGRITY'));
      expect(() => decrypt(secret, sealed.subarray(0, at))).toThrow(code('EIPC_INTEGRITY'));
    }
    expect(() => decrypt(randomBytes(32), sealed)).toThrow(code('EIPC_INTEGRITY'));
  });

  it('needs a key of 32 bytes, whose bytes no error shows', () => {
    const short = randomBytes(31);
    expect(() => encrypt(short, new Uint8Array())).toThrow('has 32 bytes (AES-256); this one has 31');
    expect(() => decrypt(Key.fromBytes(secret) as unknown as Uint8Array, new Uint8Array())).toThrow(/a key of its own/);
    expect(() => encrypt(secret, 'text' as unknown as Uint8Array)).toThrow(/plaintext must be a Uint8Array/);
  });
});

describe('a replay tracker', () => {
  it('throws for a number that it saw, and not after a reset', () => {
    const tracker = new ReplayTracker(128);
    tracker.check(1);
    expect(() => tracker.check(1n)).toThrow(code('EIPC_REPLAY'));
    expect(() => tracker.check(0)).toThrow(code('EIPC_REPLAY'));
    tracker.check(2n ** 64n - 1n);
    tracker.reset();
    tracker.check(1);
  });

  it('refuses what is no number, and windows that the core has not', () => {
    const tracker = new ReplayTracker();
    for (const wrong of [-1, 1.5, NaN, 2 ** 53, 2n ** 64n, -1n]) expect(() => tracker.check(wrong)).toThrow(RangeError);
    expect(() => tracker.check('1' as unknown as number)).toThrow(TypeError);
    tracker.check(1);
    for (const window of [0, 63, 100, 4_160, NaN]) expect(() => new ReplayTracker(window)).toThrow(RangeError);
  });
});
