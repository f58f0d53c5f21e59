/**
 * What fits in a message: the largest payload of each priority.
 */
import type { SessionInfo } from './native.js';

/** By priority (docs/shm-abi.md, "Ring"); priority 3 takes what the frame limit leaves. The same on every transport. */
const PAYLOAD_LIMITS = [65_536, 65_536, 262_144, Infinity] as const;
/**
 * Bytes of a frame that are never payload. In EIPC/2: preamble, SecHdr, the longest binary meta, the longest tag. In v1: preamble, the
 * longest header, tag.
 */
const FRAME_OVERHEAD = { 1: 16 + 4_096 + 32, 2: 16 + 24 + (24 + 4 * 255) + 32 } as const;

/** Returns the largest payloads by priority in a session. */
export function payloadLimits(session: SessionInfo): readonly [number, number, number, number] {
  const most = session.maxFrame - FRAME_OVERHEAD[session.protocol === 1 ? 1 : 2];
  const [p0, p1, p2, p3] = PAYLOAD_LIMITS;
  return [Math.min(p0, most), Math.min(p1, most), Math.min(p2, most), Math.min(p3, most)];
}
