/** The independent EIPC/2 implementation of test/helpers against the vectors: only then may it judge the package. */
import { describe, expect, test } from 'vitest';

import { Opener, buildFrame, closePayload, sequenceOf, type FrameFields } from '../helpers/independent-frames.js';
import {
  acceptServerHello,
  buildClientFinish,
  buildClientHello,
  buildServerHello,
} from '../helpers/independent-hellos.js';
import {
  exportKey,
  handshakeKeys,
  masterSecret,
  nextMaster,
  pskKeys,
  trafficKeys,
  transcript1,
  transcript2,
  x25519,
  x25519FromRaw,
  x25519Public,
  type Direction,
  type Plane,
} from '../helpers/independent-keys.js';
import { binaryMeta, jsonMeta, strictObject, type Meta } from '../helpers/independent-meta.js';
import { Refusal, hmac } from '../helpers/independent-preamble.js';
import { hex, load, type DataReject, type HelloReject, type Vector, type VectorFrame } from '../helpers/vectors.js';

const { vectors } = load<{ vectors: Vector[] }>('eipc2.json');
const rejects = load<{ data: DataReject[]; hello: HelloReject[] }>('eipc2-rejects.json');
const hmacVectors = vectors.filter((vector) => vector.suite === 1);
const hmacRejects = rejects.data.filter((reject) => reject.suite === 1);
const clientRejects = rejects.hello.filter((reject) => reject.receiver === 'client');

test('there are vectors of every kind', () => {
  expect(vectors.length).toBeGreaterThanOrEqual(12);
  expect(hmacVectors.map((vector) => vector.kx)).toEqual([0, 1, 0, 1]);
  expect(hmacRejects.length).toBeGreaterThanOrEqual(40);
  expect(clientRejects.length).toBeGreaterThanOrEqual(13);
});

describe.each(vectors)('$name', (vector) => {
  const psk = hex(vector.psk_hex);
  const clientSecret = secretOf(vector.client_x25519_private);
  const serverSecret = secretOf(vector.server_x25519_private);
  const clientHello = hex(vector.client_hello);
  const serverHello = hex(vector.server_hello);

  test('has the key schedule of the text', () => {
    const keys = pskKeys(psk);
    const shared = vector.kx === 1 ? x25519(clientSecret, x25519Public(serverSecret)) : Buffer.alloc(32);
    const { prk1 } = handshakeKeys(keys.derived, shared);
    const th1 = transcript1(clientHello, serverHello);
    const th2 = transcript2(th1, serverHello.subarray(-32));
    const master = masterSecret(prk1, th2);
    expect({
      key_id: keys.keyId.toString('hex'),
      prk0: keys.prk0.toString('hex'),
      dh: shared.toString('hex'),
      prk1: prk1.toString('hex'),
      th1: th1.toString('hex'),
      th2: th2.toString('hex'),
      master_0: master.toString('hex'),
      master_1: nextMaster(master).toString('hex'),
      epoch_0: epochKeys(master),
      epoch_1: epochKeys(nextMaster(master)),
      export_48: exportKey(master, vector.export_label, 48).toString('hex'),
    }).toEqual(Object.fromEntries(SCHEDULE_FIELDS.map((field) => [field, vector[field]])));
  });

  test('has the hellos of the text, byte for byte', () => {
    const keys = pskKeys(psk);
    const shared = vector.kx === 1 ? x25519(serverSecret, x25519Public(clientSecret)) : Buffer.alloc(32);
    const { serverHelloKey, clientFinishKey } = handshakeKeys(keys.derived, shared);
    const hello = buildClientHello(
      {
        kx: vector.kx,
        suites: vector.suites,
        features: vector.features,
        keyId: keys.keyId,
        nonce: hex(vector.client_nonce),
        publicKey: vector.kx === 1 ? x25519Public(clientSecret) : Buffer.alloc(32),
        channelBinding: hex(vector.channel_binding),
        serviceId: vector.service_id,
      },
      keys.helloKey,
    );
    const answer = buildServerHello({
      kx: vector.kx,
      suite: vector.suite,
      features: vector.features,
      sessionId: BigInt(vector.session_id),
      nonce: hex(vector.server_nonce),
      publicKey: vector.kx === 1 ? x25519Public(serverSecret) : Buffer.alloc(32),
    });
    const th1 = transcript1(hello, answer);
    const tag = hmac(serverHelloKey, th1);
    expect(hello.toString('hex')).toBe(vector.client_hello);
    expect(Buffer.concat([answer, tag]).toString('hex')).toBe(vector.server_hello);
    expect(buildClientFinish(clientFinishKey, transcript2(th1, tag)).toString('hex')).toBe(vector.client_finish);
  });

  test('is accepted by the client, with the finish and the master secret of the vector', () => {
    const session = acceptServerHello(clientHello, clientSecret, pskKeys(psk), serverHello);
    expect(session.sessionId).toBe(BigInt(vector.session_id));
    expect(session.master.toString('hex')).toBe(vector.master_0);
    expect(session.finish.toString('hex')).toBe(vector.client_finish);
  });

  test('is refused by the client with any byte of the ServerHello changed', () => {
    for (let at = 0; at < serverHello.length; at++) {
      const edited = Buffer.from(serverHello);
      edited[at] = (edited[at] ?? 0) ^ 0x01;
      expect(() => acceptServerHello(clientHello, clientSecret, pskKeys(psk), edited), `byte ${at}`).toThrow(Refusal);
    }
  });
});

describe.each(hmacVectors)('$name frames', (vector) => {
  const masters = [hex(vector.master_0), hex(vector.master_1)];

  test.each(vector.frames)('$label is built byte for byte', (frame) => {
    const meta = metaOf(frame);
    const built = buildFrame(
      {
        type: frame.type,
        sessionId: BigInt(vector.session_id),
        sequence: sequenceOf(frame.lane, BigInt(frame.counter)),
        epoch: frame.epoch,
        metaKind: frame.meta_kind,
        meta,
        payload: hex(frame.payload_hex),
      },
      trafficKeys(masters[frame.epoch] ?? Buffer.alloc(0), frame.plane, frame.direction).key,
    );
    expect(meta.toString('hex')).toBe(frame.meta_hex);
    expect(built.toString('hex')).toBe(frame.frame_hex);
  });

  test('the payload of X is built byte for byte', () => {
    const close = vector.frames.find((frame) => frame.type === 'X');
    expect(closePayload(0, 4n, [0n, 0n, 0n, 1n]).toString('hex')).toBe(close?.payload_hex);
  });

  test.each([
    ['stream', 'c2s'],
    ['stream', 's2c'],
    ['shm', 'c2s'],
    ['shm', 's2c'],
  ] as const)('%s %s opens every frame in order', (plane, direction) => {
    const opener = openerOf(vector, plane, direction);
    const frames = vector.frames.filter((frame) => frame.plane === plane && frame.direction === direction);
    const opened = frames.map((frame) => opener.open(hex(frame.frame_hex), frame.type === 'R'));
    expect(frames.length).toBeGreaterThan(0);
    expect(
      opened.map(({ type, lane, counter, epoch, metaKind, payload }) => [
        type,
        lane,
        counter.toString(),
        epoch,
        metaKind,
        payload.toString('hex'),
      ]),
    ).toEqual(
      frames.map((frame) => [frame.type, frame.lane, frame.counter, frame.epoch, frame.meta_kind, frame.payload_hex]),
    );
  });
});

describe('what must be refused', () => {
  test.each(hmacRejects)('$name as $error', (reject) => {
    const session = acceptServerHello(
      hex(reject.client_hello),
      secretOf(reject.client_x25519_private),
      pskKeys(hex(reject.psk_hex)),
      hex(reject.server_hello),
    );
    const opener = new Opener(session, reject.plane, 'c2s');
    for (const frame of reject.accepted_first) opener.open(hex(frame));
    expect(codeOf(() => opener.open(hex(reject.frame_hex)))).toBe(reject.error);
  });

  test.each(clientRejects)('ServerHello: $name', (reject) => {
    const clientHello = hex(reject.good_client_hello);
    const secret = secretOf(reject.client_x25519_private);
    const keys = pskKeys(hex(reject.psk_hex));
    expect(() => acceptServerHello(clientHello, secret, keys, hex(reject.good_server_hello))).not.toThrow();
    expect(codeOf(() => acceptServerHello(clientHello, secret, keys, hex(reject.frame_hex)))).toBe(reject.error);
  });

  // The vectors have no frame for these rules, so one is sealed here; only the rule is left to refuse it.
  test.each<[string, Partial<FrameFields>]>([
    ['another suite in SecHdr', { suite: 3 }],
    ['a reserved bit in SecHdr', { reserved: 1 }],
    ['a control frame with other meta', { type: 'X', metaKind: 0, meta: Buffer.from('{ }') }],
    ['a control frame with binary meta', { type: 'X' }],
    ['meta_kind 2', { metaKind: 2, meta: Buffer.from('{}') }],
  ])('%s', (_, lie) => {
    expect(codeOf(() => sealedWith(lie, 0b101))).toBe('BAD_HEADER');
  });

  test('binary meta without feature bit 2', () => {
    expect(codeOf(() => sealedWith({}, 0b101))).toBe('accepted');
    expect(codeOf(() => sealedWith({}, 0b001))).toBe('BAD_HEADER');
  });

  test.each<[string, number, number]>([
    ['hs_version 2', 0, 2],
    ['kx 0 for kx 1', 1, 0],
    ['the reserved byte', 3, 1],
  ])('a ServerHello with a good proof and %s', (_, at, value) => {
    const good = proveServerHello();
    const lie = proveServerHello({ at, value });
    expect(codeOf(() => acceptServerHello(good.clientHello, good.secret, good.keys, good.serverHello))).toBe(
      'accepted',
    );
    expect(codeOf(() => acceptServerHello(lie.clientHello, lie.secret, lie.keys, lie.serverHello))).toBe(
      'HANDSHAKE_FAILED',
    );
  });

  test.each([
    ['a duplicate key', '{"a":1,"a":2}'],
    ['a duplicate after folding', '{"status":"ok","\u017ftatus":"ok"}'],
    ['a duplicate deeper down', '{"a":{"b":1,"B":1}}'],
    ['null', '{"a":null}'],
    ['NUL', '{"a":"\\u0000"}'],
    ['half a surrogate pair', '{"a":"\\ud800"}'],
    ['depth 5', '{"a":{"b":{"c":{"d":{}}}}}'],
    ['a number with a point', '{"a":1.0}'],
    ['a number with an exponent', '{"a":1e3}'],
    ['something after the object', '{} {}'],
    ['an array', '[]'],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ])('JSON with %s', (_, text) => {
    expect(strictObject(Buffer.from(text))).toBeUndefined();
  });

  test('JSON that is strict is not refused', () => {
    expect(strictObject(Buffer.from('{"a":"\\":b","c":[{"d":1},true]} '))).toEqual({ a: '":b', c: [{ d: 1 }, true] });
  });
});

function sealedWith(lie: Partial<FrameFields>, features: number): unknown {
  const session = { sessionId: 7n, features, master: Buffer.alloc(32, 3) };
  const honest = {
    type: 'i',
    sessionId: 7n,
    sequence: 1n,
    metaKind: 1,
    meta: binaryMeta({}),
    payload: Buffer.alloc(8),
  };
  const { key } = trafficKeys(session.master, 'stream', 'c2s');
  return new Opener(session, 'stream', 'c2s').open(buildFrame({ ...honest, ...lie }, key));
}

/** The kx 1 handshake of the vectors, with one byte of the ServerHello's payload replaced before it is proved. */
function proveServerHello(lie?: { at: number; value: number }) {
  const vector = hmacVectors.find(({ kx }) => kx === 1);
  if (vector === undefined) throw new Error('no vector with kx 1');
  const secret = secretOf(vector.client_x25519_private);
  const clientHello = hex(vector.client_hello);
  const keys = pskKeys(hex(vector.psk_hex));
  const serverHello = hex(vector.server_hello);
  if (lie !== undefined) serverHello.writeUInt8(lie.value, 16 + lie.at);
  // A liar about kx would derive without X25519, as kx 0 says.
  const isKx1 = serverHello.readUInt8(17) === 1;
  if (!isKx1) serverHello.fill(0, 16 + 48, 16 + 80);
  const shared = isKx1 ? x25519(secretOf(vector.server_x25519_private), x25519Public(secret)) : Buffer.alloc(32);
  const { serverHelloKey } = handshakeKeys(keys.derived, shared);
  serverHello.set(hmac(serverHelloKey, transcript1(clientHello, serverHello)), 16 + 80);
  return { secret, clientHello, keys, serverHello };
}

const SCHEDULE_FIELDS = [
  'key_id',
  'prk0',
  'dh',
  'prk1',
  'th1',
  'th2',
  'master_0',
  'master_1',
  'epoch_0',
  'epoch_1',
  'export_48',
] as const;

function epochKeys(master: Buffer): Record<string, string> {
  const entries = (['stream', 'shm'] as const).flatMap((plane) =>
    (['c2s', 's2c'] as const).flatMap((direction) => {
      const { key, iv } = trafficKeys(master, plane, direction);
      const name = plane === 'shm' ? `shm_${direction}` : direction;
      return [
        [`${name}_key`, key.toString('hex')],
        [`${name}_iv`, iv.toString('hex')],
      ];
    }),
  );
  return Object.fromEntries(entries) as Record<string, string>;
}

function openerOf(vector: Vector, plane: Plane, direction: Direction): Opener {
  const { session_id, features, master_0 } = vector;
  return new Opener({ sessionId: BigInt(session_id), features, master: hex(master_0) }, plane, direction);
}

/** Meta encoded from the fields of the vector, not copied from its bytes. */
function metaOf(frame: VectorFrame): Buffer {
  if (typeof frame.meta === 'string') {
    const json = strictObject(Buffer.from(frame.meta)) ?? {};
    return Object.keys(json).length === 0 ? Buffer.from('{}') : jsonMeta(fieldsOf(json));
  }
  return binaryMeta(fieldsOf(frame.meta));
}

function fieldsOf(fields: Readonly<Record<string, unknown>>): Meta {
  const text = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : '');
  const number = (name: string): number | undefined => (typeof fields[name] === 'number' ? fields[name] : undefined);
  const isJson = 'timestamp_ns' in fields;
  const [requestId, timestampNs, maxAgeMs] = isJson
    ? [text('request_id'), text('timestamp_ns'), number('max_age_ms')]
    : [text('requestId'), text('timestampNs'), number('maxAgeMs')];
  const payloadFormat = number('payloadFormat');
  return {
    priority: number('priority') ?? 1,
    ...(payloadFormat === undefined ? {} : { payloadFormat }),
    ...(text('source') === '' ? {} : { source: text('source') }),
    ...(requestId === '' ? {} : { requestId }),
    ...(text('capability') === '' ? {} : { capability: text('capability') }),
    ...(text('route') === '' ? {} : { route: text('route') }),
    timestampNs: BigInt(timestampNs),
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
  };
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
  return 'accepted';
}

function secretOf(privateHex: string): ReturnType<typeof x25519FromRaw> {
  return x25519FromRaw(privateHex === '' ? Buffer.alloc(32, 1) : hex(privateHex));
}
