/**
 * What fits: into a frame, and into a message of each priority.
 */
import type { SessionInfo } from './native.js';

/** Bytes of the length in front of every frame on a stream. */
export const PREFIX = 4;
/** Bytes of the shortest and of the largest frame (docs/wire.md, "Limits"). */
export const LEAST_FRAME = 16;
export const MAX_FRAME_SIZE = 1_048_576;
/** Bytes of the largest header. */
const MAX_HEADER = 4_096;

/** By priority (docs/shm-abi.md, "Ring"); priority 3 takes what the frame limit leaves. The same on every transport. */
const PAYLOAD_LIMITS = [65_536, 65_536, 262_144, Infinity] as const;
/**
 * Bytes of a frame that are never payload. In EIPC/2: preamble, SecHdr, the longest binary meta, the longest tag. In v1: preamble, the
 * longest header, tag.
 */
const FRAME_OVERHEAD = { 1: 16 + MAX_HEADER + 32, 2: 16 + 24 + (24 + 4 * 255) + 32 } as const;

/** What a peer of v1 can read, in bytes. */
export interface V1Limits {
  readonly payload: number;
  readonly header: number;
  /** One string of a header. */
  readonly text: number;
}

/** By the option `v1.limits` (docs/wire.md, "Limits of other implementations"). */
export const V1_LIMITS: Readonly<Record<'frame' | 'c-sdk', V1Limits>> = {
  frame: { payload: MAX_FRAME_SIZE, header: MAX_HEADER, text: 255 },
  'c-sdk': { payload: 4_096, header: 1_024, text: 63 },
};

/** Returns the largest payloads by priority in a session. */
export function payloadLimits(session: SessionInfo, v1: V1Limits): readonly [number, number, number, number] {
  const left = session.maxFrame - FRAME_OVERHEAD[session.protocol === 1 ? 1 : 2];
  const most = session.protocol === 1 ? Math.min(left, v1.payload) : left;
  const [p0, p1, p2, p3] = PAYLOAD_LIMITS;
  return [Math.min(p0, most), Math.min(p1, most), Math.min(p2, most), Math.min(p3, most)];
}
