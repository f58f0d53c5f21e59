/**
 * What fits: into a frame, and into a message of each priority.
 */
import type { SessionInfo } from './native.js';

/** Bytes of the length in front of every frame on a stream. */
export const PREFIX = 4;
/** Bytes of the shortest and of the largest frame (docs/wire.md, "Limits"). */
export const LEAST_FRAME = 16;
export const MAX_FRAME = 1_048_576;
/** Bytes of the largest header. */
export const MAX_HEADER = 4_096;

/** By priority (docs/shm-abi.md, "Ring"); priority 3 takes what the frame limit leaves. The same on every transport. */
const PAYLOAD_LIMITS = [65_536, 65_536, 262_144, Infinity] as const;
/**
 * Bytes of a frame that are never payload. In EIPC/2: preamble, SecHdr, the longest binary meta, the longest tag. In v1: preamble, the
 * longest header, tag.
 */
const FRAME_OVERHEAD = { 1: 16 + MAX_HEADER + 32, 2: 16 + 24 + (24 + 4 * 255) + 32 } as const;

/** Returns the largest payloads by priority in a session. */
export function payloadLimits(session: SessionInfo): readonly [number, number, number, number] {
  const most = session.maxFrame - FRAME_OVERHEAD[session.protocol === 1 ? 1 : 2];
  const [p0, p1, p2, p3] = PAYLOAD_LIMITS;
  return [Math.min(p0, most), Math.min(p1, most), Math.min(p2, most), Math.min(p3, most)];
}
