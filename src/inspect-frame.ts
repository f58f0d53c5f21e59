/**
 * One frame of either protocol looked at outside of any session: what its fields say and where, and what is wrong with it. The core reads it;
 * `eipc inspect` shows it.
 */
import { inspect } from 'node:util';

import { errorFromValue } from './errors.js';
import type { EipcError } from './errors.js';
import { Key } from './key.js';
import * as native from './native.js';

/** A field of a frame. Fields of a JSON text have the place of the text. */
export interface InspectedField {
  /** Its name in docs/wire.md. */
  readonly name: string;
  /** Its first byte, from the beginning of the frame. */
  readonly at: number;
  /** Its bytes. */
  readonly length: number;
  /** What it says; absent when it is nothing but bytes. Text of the peer: escape it before it is printed. */
  readonly value?: bigint | string;
}

/** What was found in a frame. */
export interface Inspection {
  /** What could be read, in the order of the bytes. */
  readonly fields: readonly InspectedField[];
  /** `unverified` without a key, and where it takes keys that only the two ends of an EIPC/2 session have. */
  readonly tag: 'absent' | 'unverified' | 'verified' | 'wrong';
  /** The first thing that every session refuses, with its first byte. A session, which knows more, may refuse a frame without a fault. */
  readonly fault?: { readonly at: number; readonly error: EipcError };
}

/**
 * Looks at one frame, without the length that streams have in front.
 *
 * @param key - verifies frames of v1, and the first frame of a client of EIPC/2
 */
export function inspectFrame(bytes: Uint8Array, key?: Key): Inspection {
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`a frame must be a Uint8Array, not ${inspect(bytes)}`);
  if (key !== undefined && !(key instanceof Key)) throw new TypeError('key must be a Key, as readKeyFile() returns it');
  const { fields, tag, fault } = native.inspectFrame(bytes, key === undefined ? undefined : Key.native(key));
  if (fault === undefined) return { fields, tag };
  return { fields, tag, fault: { at: fault.at, error: errorFromValue(fault.code, fault.context) } };
}
