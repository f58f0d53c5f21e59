/**
 * Every export of the addon and what its calls get: `index.d.ts` in other words. `Class#name` is a method or getter, `Class.name` a
 * static, `new Class` a constructor. test/property/native.test.ts fails for an export that is missing here, or here only.
 */
import { array, bigint, boolean, bytes, callback, instance, memory, number, object, optional, text } from './values.js';
import fc from 'fast-check';

const id = text('eni.test', 'eai', 'eipc');
const key = instance('NativeKey');
const anyKey = fc.oneof(key, bytes(64));
const kind = fc.oneof(number(255), fc.constantFrom(...'iftaphucCXESAHR'.split('')).map(kindOf));
const lane = number(3);
const suites = array(number(3), 4);
const milliseconds = number(10_000);
/** As long as a test can stand still: whatever else is asked for is waited for. */
const blocking = fc.oneof(fc.nat(2).map(plain), text('soon'));
const service = object({ id, keys: array(key), capabilities: array(text('ui:control')) });
const rules = object({
  anyTimestamp: boolean,
  anySource: boolean,
  sessionIdWhenPresent: boolean,
  ackHandshake: boolean,
  window: fc.oneof(number(4_096), fc.constantFrom(64, 128).map(plain)),
});
const v1Server = object({ services: array(service), macOnly: boolean, ttlMs: milliseconds, rules });
const clientOptions = object({
  serviceId: id,
  serverId: optional(id),
  key,
  suites,
  handshakeTimeout: milliseconds,
  maxSegment: number(2 ** 26),
  pskOnly: boolean,
  tlsExporter: optional(bytes(32)),
});
const slab = memory(Buffer, 65_536);
const descriptors = memory(Uint32Array, 512);
const slabFrom = fc.oneof({ weight: 4, arbitrary: fc.constant(plain(0)) }, { weight: 1, arbitrary: number(70_000) });
const record = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ text: 'a record', make: (world) => world.record() }) },
  { weight: 1, arbitrary: bytes() },
);
/** That of `World.record()`, or any. */
const recordLength = fc.oneof({ weight: 3, arbitrary: fc.constant(plain(140)) }, { weight: 1, arbitrary: number(400) });
const path = fc.oneof(
  { weight: 3, arbitrary: fc.nat(7).map((at) => plain(`socket-${at}`)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '.', '/', '/dev/null', '/nowhere/socket', 'a\0b', `${'x'.repeat(200)}`).map(plain),
  },
);

/** What an audit chain seals, or any bytes. */
const auditBodies = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ text: 'the body of an audit line', make: () => AUDIT_BODY }) },
  { weight: 1, arbitrary: bytes() },
);
const AUDIT_BODY = Buffer.from(
  '"t":"2026-11-05T12:34:56.789Z","peer":"eni","action":"a","decision":"allow","result":"","request_id":"","frame":""\n',
);

/** @param {unknown} value */
function plain(value) {
  return { text: JSON.stringify(value), make: () => value };
}

/** @param {string} letter */
function kindOf(letter) {
  return plain(letter.charCodeAt(0));
}

/** The arguments of each. */
export const EXPORTS = {
  decodeFrame: [bytes(), optional(anyKey)],
  decodeHeader: [bytes()],
  decrypt: [bytes(32), bytes()],
  encodeFrame: [kind, bytes(), bytes(), optional(bytes(32)), optional(anyKey)],
  encodeHeader: [
    object({
      serviceId: id,
      sessionId: text(''),
      requestId: text(''),
      sequence: bigint,
      timestamp: bigint,
      priority: number(3),
      capability: text(''),
      route: text(''),
      payloadFormat: number(1),
    }),
  ],
  encodeCertificate: [
    object({
      publicKey: bytes(65),
      commonName: text('eipc'),
      names: array(text('localhost', '127.0.0.1')),
      notBefore: number(2 ** 32),
      notAfter: number(2 ** 32),
      serialNumber: bytes(20),
      keyIdentifier: bytes(20),
    }),
    callback,
  ],
  encrypt: [bytes(32), bytes()],
  errorTable: [],
  inspectFrame: [bytes(), optional(key)],
  sign: [anyKey, bytes()],
  signableBytes: [kind, bytes(), bytes(), boolean],
  verify: [anyKey, bytes(), bytes(32)],

  'new NativeAddress': [],
  'new NativeAuditChain': [],
  'NativeAuditChain.begin': [bytes(32), optional(key)],
  'NativeAuditChain.resume': [bytes(176), optional(key)],
  'NativeAuditChain#position': [],
  'NativeAuditChain#seal': [auditBodies],
  'NativeAuditChain#commit': [],
  'NativeAuditChain#rollback': [],
  'NativeAuditChain#recover': [auditBodies],
  'NativeAuditChain#beginFile': [],
  'NativeAuditChain#takeCheckpoints': [],
  'NativeAuditChain#checkpoint': [],
  'NativeAuditChain#state': [],
  'new NativeAuditState': [],
  'NativeAuditState#save': [path],
  'new NativeAuditVerifier': [optional(key), optional(bytes(90))],
  'NativeAuditVerifier#feed': [auditBodies],
  'NativeAuditVerifier#endFile': [],
  'NativeAuditVerifier#finish': [],
  'new NativeDeframer': [],
  'NativeDeframer#take': [bytes(), slabFrom],
  'NativeDeframer#isMidFrame': [],
  'new NativeFileLock': [],
  'NativeFileLock.acquire': [path],
  'NativeFileLock#release': [],
  'new NativeKey': [],
  'NativeKey.fromBytes': [bytes(64), boolean],
  'NativeKey.forV1': [bytes(64)],
  'NativeKey#id': [],
  'NativeKey#isShort': [],
  'NativeKey#isSame': [key],
  'new NativeReplayWindow': [fc.oneof(number(5_000), fc.constantFrom(64, 4_096).map(plain))],
  'NativeReplayWindow#accept': [bigint],
  'NativeReplayWindow#reset': [],
  'new NativeServer': [
    object({
      serverId: id,
      services: array(service),
      v1: optional(v1Server),
      ttlMs: milliseconds,
      handshakeTimeout: milliseconds,
      allowPskOnly: boolean,
    }),
  ],
  'NativeServer#addKey': [id, key, array(text('ui:control')), number(3)],
  'NativeServer#grant': [id, array(text('ui:control'))],
  'NativeServer#endKey': [key, milliseconds],
  'NativeServer#removeKey': [key],
  'NativeServer#address': [object({ suites, sharedMemory: boolean, tls: boolean })],
  'new Poller': [boolean, callback],
  'Poller#turn': [],
  'Poller#keepTurning': [],
  'Poller#deliverUrgent': [],
  'Poller#stats': [],

  'new ShmSession': [],
  'ShmSession.client': [instance('Poller'), instance('UnixSocket'), clientOptions, number(2), callback],
  'ShmSession.server': [instance('Poller'), instance('UnixSocket'), instance('NativeAddress'), number(2), callback],
  'ShmSession#calls': [],
  'ShmSession#waitForSpace': [lane],
  'ShmSession#noteDropped': [lane, number(2 ** 32)],
  'ShmSession#droppedByPeer': [lane],
  'ShmSession#timeoutMs': [],
  'ShmSession#handleTimeout': [],
  'ShmSession#block': [blocking],
  'ShmSession#close': [number(3)],
  'ShmSession#destroy': [number(40)],
  'ShmSession#state': [],
  'ShmSession#info': [],
  'ShmSession#usesKey': [key],
  'ShmSession#outcome': [],
  'ShmSession#setReferenced': [boolean],
  'ShmCalls#receive': [slab, slabFrom, descriptors, number(15)],
  'ShmCalls#push': [record, recordLength],

  'new StreamSession': [],
  'StreamSession.client': [clientOptions],
  'StreamSession.v1Client': [
    object({ serviceId: id, serverId: optional(id), key, handshakeTimeout: milliseconds, rules }),
  ],
  'StreamSession.v1Mac': [
    object({
      isServer: boolean,
      ownId: id,
      peerId: optional(id),
      key,
      sessionId: text(''),
      capabilities: array(text('ui:control')),
      rules,
    }),
  ],
  'StreamSession.server': [instance('NativeAddress')],
  'StreamSession#bindTls': [bytes(32)],
  'StreamSession#calls': [],
  'StreamSession#takeTransmit': [],
  'StreamSession#timeoutMs': [],
  'StreamSession#handleTimeout': [],
  'StreamSession#handleEnd': [boolean],
  'StreamSession#close': [number(3)],
  'StreamSession#finishClose': [],
  'StreamSession#rename': [id],
  'StreamSession#state': [],
  'StreamSession#info': [],
  'StreamSession#usesKey': [key],
  'StreamSession#outcome': [],
  'StreamCalls#receive': [bytes(), slabFrom, slab, slabFrom, descriptors],
  'StreamCalls#seal': [record, recordLength],

  'new UnixListener': [instance('Poller'), path, number(0o777), callback],
  'UnixListener#accept': [],
  'UnixListener#setReferenced': [boolean],
  'UnixListener#close': [],
  'new UnixSocket': [],
  'UnixSocket.connect': [path],
  'UnixSocket#uid': [],
  'UnixSocket#gid': [],
  'UnixSocket#pid': [],
  'UnixSocket#takeFd': [],
  'UnixSocket#close': [],
};
