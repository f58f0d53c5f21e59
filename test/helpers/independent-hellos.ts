/** ClientHello, ServerHello and ClientFinish, from the text of docs/wire.md alone (see independent-preamble.ts). */
import { timingSafeEqual, type KeyObject } from 'node:crypto';

import { handshakeKeys, masterSecret, transcript1, transcript2, x25519, type PskKeys } from './independent-keys.js';
import { FLAG_TAG, PREAMBLE_SIZE, Refusal, TAG_SIZE, hmac, preamble } from './independent-preamble.js';

const STRICT_SEQUENCE = 1;

export interface ClientHelloFields {
  readonly kx: 0 | 1;
  readonly suites: number;
  readonly features: number;
  readonly keyId: Uint8Array;
  readonly nonce: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly channelBinding: Uint8Array;
  readonly serviceId: string;
}

export function buildClientHello(fields: ClientHelloFields, helloKey: Uint8Array): Buffer {
  const id = Buffer.from(fields.serviceId, 'latin1');
  const payload = Buffer.alloc(113 + id.length);
  payload.writeUInt8(1, 0);
  payload.writeUInt8(fields.kx, 1);
  payload.writeUInt16BE(fields.suites, 2);
  payload.writeUInt32BE(fields.features, 4);
  payload.set(fields.keyId, 8);
  payload.set(fields.nonce, 16);
  payload.set(fields.publicKey, 48);
  payload.set(fields.channelBinding, 80);
  payload.writeUInt8(id.length, 112);
  payload.set(id, 113);
  const open = Buffer.concat([preamble('A', FLAG_TAG, 0, payload.length), payload]);
  return Buffer.concat([open, hmac(helloKey, open)]);
}

export interface ServerHelloFields {
  readonly kx: number;
  readonly suite: number;
  readonly features: number;
  readonly sessionId: bigint;
  readonly nonce: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** The ServerHello without its tag, which needs th1 and so the bytes made here. */
export function buildServerHello(fields: ServerHelloFields): Buffer {
  const payload = Buffer.alloc(80);
  payload.writeUInt8(1, 0);
  payload.writeUInt8(fields.kx, 1);
  payload.writeUInt8(fields.suite, 2);
  payload.writeUInt32BE(fields.features, 4);
  payload.writeBigUInt64BE(fields.sessionId, 8);
  payload.set(fields.nonce, 16);
  payload.set(fields.publicKey, 48);
  return Buffer.concat([preamble('H', FLAG_TAG, 0, payload.length), payload]);
}

/** ClientFinish over th2. */
export function buildClientFinish(clientFinishKey: Uint8Array, th2: Uint8Array): Buffer {
  return Buffer.concat([preamble('R', FLAG_TAG, 0, 0), hmac(clientFinishKey, th2)]);
}

export interface ClientSession {
  readonly sessionId: bigint;
  readonly features: number;
  readonly master: Buffer;
  readonly finish: Buffer;
}

/**
 * Verifies a ServerHello against the ClientHello that was sent, and derives the session.
 * @throws Refusal HANDSHAKE_FAILED for anything the client rules of wire.md refuse
 */
export function acceptServerHello(
  clientHello: Buffer,
  secret: KeyObject,
  keys: PskKeys,
  serverHello: Buffer,
): ClientSession {
  const refuse = (detail: string): never => {
    throw new Refusal('HANDSHAKE_FAILED', detail);
  };
  const expected = preamble('H', FLAG_TAG, 0, 80);
  if (serverHello.length !== PREAMBLE_SIZE + 80 + TAG_SIZE) refuse(`ServerHello of ${serverHello.length} bytes`);
  if (!serverHello.subarray(0, PREAMBLE_SIZE).equals(expected)) refuse('ServerHello preamble');
  const payload = serverHello.subarray(PREAMBLE_SIZE, PREAMBLE_SIZE + 80);
  const tag = serverHello.subarray(PREAMBLE_SIZE + 80);
  const offered = clientHello.subarray(PREAMBLE_SIZE);
  const kx = payload.readUInt8(1);
  const suite = payload.readUInt8(2);
  const features = payload.readUInt32BE(4);
  const sessionId = payload.readBigUInt64BE(8);
  const publicKey = payload.subarray(48, 80);
  if (payload.readUInt8(0) !== 1) refuse('hs_version');
  if (kx !== offered.readUInt8(1)) refuse('kx');
  if (suite < 1 || suite > 3 || (offered.readUInt16BE(2) & (1 << (suite - 1))) === 0) refuse('suite');
  if (payload.readUInt8(3) !== 0) refuse('reserved byte');
  if ((features & ~offered.readUInt32BE(4)) !== 0 || (features & STRICT_SEQUENCE) === 0) refuse('features');
  if (sessionId === 0n) refuse('session_id 0');
  if (kx === 0 && publicKey.some((byte) => byte !== 0)) refuse('public key with kx 0');
  const { prk1, serverHelloKey, clientFinishKey } = handshakeKeys(
    keys.derived,
    kx === 1 ? x25519(secret, publicKey) : Buffer.alloc(32),
  );
  const th1 = transcript1(clientHello, serverHello);
  if (!timingSafeEqual(hmac(serverHelloKey, th1), tag)) refuse('server proof');
  const th2 = transcript2(th1, tag);
  return { sessionId, features, master: masterSecret(prk1, th2), finish: buildClientFinish(clientFinishKey, th2) };
}
