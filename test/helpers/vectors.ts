/** The rows of test/vectors as they are written, and their codes as the error table has them. */
import { readFileSync } from 'node:fs';

import type { MessageType } from '../../src/message.js';
import type { Direction, Plane } from './independent-keys.js';

interface VectorMeta {
  readonly [field: string]: string | number;
}

export interface VectorFrame {
  readonly label: string;
  readonly direction: Direction;
  readonly plane: Plane;
  readonly epoch: number;
  readonly type: string;
  readonly lane: number;
  readonly counter: string;
  readonly meta_kind: number;
  readonly meta: string | VectorMeta;
  readonly meta_hex: string;
  readonly payload_hex: string;
  readonly frame_hex: string;
}

type EpochKeys = Readonly<Record<`${'' | 'shm_'}${Direction}_${'key' | 'iv'}`, string>>;

interface Handshake {
  readonly name: string;
  readonly psk_hex: string;
  readonly service_id: string;
  readonly client_nonce: string;
  readonly client_x25519_private: string;
}

export interface Vector extends Handshake {
  readonly kx: 0 | 1;
  readonly suite: number;
  readonly suites: number;
  readonly features: number;
  readonly server_nonce: string;
  readonly session_id: string;
  readonly server_x25519_private: string;
  readonly key_id: string;
  readonly prk0: string;
  readonly dh: string;
  readonly prk1: string;
  readonly th1: string;
  readonly th2: string;
  readonly master_0: string;
  readonly master_1: string;
  readonly epoch_0: EpochKeys;
  readonly epoch_1: EpochKeys;
  readonly channel_binding: string;
  readonly export_label: string;
  readonly export_48: string;
  readonly client_hello: string;
  readonly server_hello: string;
  readonly client_finish: string;
  readonly frames: readonly VectorFrame[];
}

export interface DataReject extends Handshake {
  readonly kx: 1;
  readonly suite: number;
  readonly session_id: string;
  readonly server_nonce: string;
  readonly server_x25519_private: string;
  readonly client_hello: string;
  readonly server_hello: string;
  readonly client_finish: string;
  readonly receiver: 'server';
  readonly plane: Plane;
  readonly accepted_first: readonly string[];
  readonly frame_hex: string;
  readonly error: string;
}

export interface HelloReject extends Handshake {
  readonly receiver: 'client' | 'server';
  readonly good_client_hello: string;
  readonly good_server_hello: string;
  readonly frame_hex: string;
  readonly error: string;
}

export interface VectorV1 {
  readonly name: string;
  readonly type: MessageType;
  readonly type_byte: string;
  readonly flags: 0 | 1;
  readonly header: {
    readonly service_id: string;
    readonly session_id: string;
    readonly request_id: string;
    readonly sequence: string;
    readonly timestamp: string;
    readonly priority: number;
    readonly capability: string;
    readonly route: string;
    readonly payload_format: number;
  };
  readonly header_json: string;
  readonly payload_hex: string;
  readonly key_hex: string;
  readonly frame_hex: string;
  readonly length_prefixed_hex: string;
  readonly mac_hex: string;
}

export interface RejectV1 {
  readonly name: string;
  readonly frame_hex: string;
  readonly error: string;
}

export interface Replay {
  readonly window: number;
  readonly steps: readonly (readonly [sequence: number, isFresh: boolean])[];
}

/** Returns the code that the error table has for the one of a row. */
export function codeOf(row: { readonly error: string }): string {
  return row.error === 'TRUNCATED' ? 'EIPC_FRAME_TRUNCATED' : `EIPC_${row.error}`;
}

export function hex(digits: string): Buffer {
  return Buffer.from(digits, 'hex');
}

/** Reads a file of test/vectors. */
export function load<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8')) as T;
}
