/** The EIPC/2 vectors of test/vectors as they are written. */
import { readFileSync } from 'node:fs';

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
  readonly kx: 0 | 1;
  readonly suite: number;
  readonly session_id: string;
  readonly client_hello: string;
  readonly server_hello: string;
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

/** Reads a file of test/vectors. */
export function load<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8')) as T;
}
