/** The EIPC/2 key schedule and X25519 with raw keys, from the text of docs/wire.md alone (see independent-preamble.ts). */
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';

import { FLAG_TAG, PREAMBLE_SIZE, Refusal, preamble } from './independent-preamble.js';

export type Direction = 'c2s' | 's2c';
export type Plane = 'stream' | 'shm';

/** RFC 5869 section 2.2. */
function extract(salt: string | Uint8Array, inputKey: Uint8Array): Buffer {
  return createHmac('sha256', salt).update(inputKey).digest();
}

/** RFC 5869 section 2.3. */
function expand(prk: Uint8Array, info: string | Uint8Array, length: number): Buffer {
  const blocks: Buffer[] = [];
  let previous: Buffer = Buffer.alloc(0);
  for (let i = 1; blocks.length * 32 < length; i++) {
    previous = createHmac('sha256', prk).update(previous).update(info).update(Uint8Array.of(i)).digest();
    blocks.push(previous);
  }
  return Buffer.concat(blocks).subarray(0, length);
}

export interface PskKeys {
  readonly prk0: Buffer;
  readonly helloKey: Buffer;
  readonly keyId: Buffer;
  readonly derived: Buffer;
}

/** What follows from the PSK alone: K_ch, key_id and S0. */
export function pskKeys(psk: Uint8Array): PskKeys {
  const prk0 = extract('EIPC/2 psk', psk);
  return {
    prk0,
    helloKey: expand(prk0, 'EIPC/2 ch mac', 32),
    keyId: expand(prk0, 'EIPC/2 key id', 8),
    derived: expand(prk0, 'EIPC/2 derived', 32),
  };
}

export interface HandshakeKeys {
  readonly prk1: Buffer;
  readonly serverHelloKey: Buffer;
  readonly clientFinishKey: Buffer;
}

/** PRK1, K_sh and K_cf; `shared` is the X25519 result, or 32 zero bytes when kx = 0. */
export function handshakeKeys(derived: Uint8Array, shared: Uint8Array): HandshakeKeys {
  const prk1 = extract(derived, shared);
  return {
    prk1,
    serverHelloKey: expand(prk1, 'EIPC/2 sh mac', 32),
    clientFinishKey: expand(prk1, 'EIPC/2 cf mac', 32),
  };
}

/** th1; `serverHello` may be the whole frame: its tag is left out. */
export function transcript1(clientHello: Uint8Array, serverHello: Uint8Array): Buffer {
  return sha256('EIPC/2 th1\0', clientHello, serverHello.subarray(0, PREAMBLE_SIZE + 80));
}

export function transcript2(th1: Uint8Array, serverHelloTag: Uint8Array): Buffer {
  return sha256('EIPC/2 th2\0', th1, serverHelloTag, preamble('R', FLAG_TAG, 0, 0));
}

/** MS_0. */
export function masterSecret(prk1: Uint8Array, th2: Uint8Array): Buffer {
  return expand(prk1, Buffer.concat([Buffer.from('EIPC/2 master'), th2]), 32);
}

/** MS_{e+1} from MS_e. */
export function nextMaster(master: Uint8Array): Buffer {
  return expand(master, 'EIPC/2 rekey', 32);
}

/** Key and iv of one direction and plane in the epoch of `master`. */
export function trafficKeys(master: Uint8Array, plane: Plane, direction: Direction): { key: Buffer; iv: Buffer } {
  const label = plane === 'shm' ? `EIPC/2 shm ${direction}` : `EIPC/2 ${direction}`;
  return { key: expand(master, `${label} key`, 32), iv: expand(master, `${label} iv`, 12) };
}

/** export(label, L) of MS_0. */
export function exportKey(master0: Uint8Array, label: string, length: number): Buffer {
  return expand(expand(master0, 'EIPC/2 exp master', 32), `EIPC/2 exp\0${label}`, length);
}

const PKCS8_X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI_X25519 = Buffer.from('302a300506032b656e032100', 'hex');

export function x25519Generate(): KeyObject {
  return generateKeyPairSync('x25519').privateKey;
}

export function x25519FromRaw(secret: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_X25519, secret]), format: 'der', type: 'pkcs8' });
}

export function x25519Public(secret: KeyObject): Buffer {
  return createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(SPKI_X25519.length);
}

/** @throws Refusal when the result is zero: the peer sent a point of low order. */
export function x25519(secret: KeyObject, peerPublic: Uint8Array): Buffer {
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI_X25519, peerPublic]), format: 'der', type: 'spki' });
  let shared: Buffer;
  try {
    shared = diffieHellman({ privateKey: secret, publicKey });
  } catch {
    throw new Refusal('HANDSHAKE_FAILED', 'low-order point'); // OpenSSL 3 refuses the zero result itself
  }
  if (shared.every((byte) => byte === 0)) throw new Refusal('HANDSHAKE_FAILED', 'low-order point');
  return shared;
}

function sha256(label: string, ...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256').update(label);
  for (const part of parts) hash.update(part);
  return hash.digest();
}
