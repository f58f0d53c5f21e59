/**
 * The addon with fixed randomness and time (crates/node/src/vectors), which is never the one that ships. Its ordinary classes are its own:
 * a key made by the shipped addon is none here.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import type {
  ErrorRow,
  NativeAddress,
  NativeClientOptions,
  NativeKey,
  NativeServer,
  StreamSession,
} from '../../src/native.js';

/** What a vector fixes of one side of a handshake. */
interface Fixed {
  /** Nonce, X25519 secret unless there is none, and on a server the session id. */
  readonly random: Uint8Array;
  /** The suites a client offers, bit by bit. */
  readonly suites?: number;
  readonly features: number;
  readonly channelBinding: Uint8Array;
}

export interface NativePlane {
  calls(): {
    seal(batch: Uint8Array, length: number): number;
    open(frame: Uint8Array, slab: Uint8Array, descriptors: Uint32Array): number;
  };
  lanes(): readonly {
    readonly sealed: bigint;
    readonly sealEpoch: number;
    readonly opened: bigint;
    readonly openEpoch: number;
  }[];
}

interface Frame {
  readonly kind: number;
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
  readonly mac?: Uint8Array;
}

interface Header<Time> {
  readonly serviceId: string;
  readonly sessionId: string;
  readonly requestId: string;
  readonly sequence: bigint;
  readonly timestamp: Time;
  readonly priority: number;
  readonly capability: string;
  readonly route: string;
  readonly payloadFormat: number;
}

interface MessageV1 {
  readonly kind: number;
  readonly sequence: bigint;
  readonly sessionId: string;
  readonly source: string;
  readonly requestId: string;
  readonly capability: string;
  readonly route: string;
  readonly priority: number;
  readonly payloadFormat: number;
  readonly timestamp: bigint;
  readonly payload: Uint8Array;
}

interface Vectors {
  setTime(milliseconds: number): void;
  clientSession(options: NativeClientOptions, fixed: Fixed): StreamSession;
  serverSession(address: NativeAddress, fixed: Fixed): StreamSession;
  exports(session: StreamSession, label: string, expected: Uint8Array): boolean;
  takePlanes(session: StreamSession): { readonly stream: NativePlane; readonly shm?: NativePlane };
  encodeFrame(frame: Frame, key?: Uint8Array): Uint8Array;
  decodeFrame(bytes: Uint8Array, key?: Uint8Array): Frame;
  signableBytes(frame: Frame): Uint8Array;
  sign(key: Uint8Array, bytes: Uint8Array): Uint8Array;
  verify(key: Uint8Array, bytes: Uint8Array, mac: Uint8Array): boolean;
  deframe(stream: Uint8Array): Uint8Array | null;
  writeHeader(header: Header<string>): Uint8Array;
  readHeader(json: Uint8Array): Header<bigint>;
  readonly ReplayWindow: new (size: number) => { accept(sequence: bigint): boolean };
  readonly MacSession: new (
    key: Uint8Array,
    serviceId: string,
    peerId: string,
  ) => { receive(frame: Uint8Array): MessageV1; state(): number };
}

/** Classes that every addon has, and that do not mix. */
export interface NativeClasses {
  readonly NativeKey: typeof NativeKey;
  readonly NativeServer: typeof NativeServer;
}

interface VectorsAddon extends NativeClasses {
  errorTable(): ErrorRow[];
  readonly vectors: Vectors;
}

/** Where `npm run build:vectors` puts it. */
export const VECTORS_ADDON = fileURLToPath(new URL('../../target/vectors/eipc.node', import.meta.url));

function load(): VectorsAddon {
  // Not skipped: a test that did not run has shown nothing.
  if (!existsSync(VECTORS_ADDON)) throw new Error(`${VECTORS_ADDON} is missing; build it with: npm run build:vectors`);
  return createRequire(import.meta.url)(VECTORS_ADDON) as VectorsAddon;
}

export const addon = load();
