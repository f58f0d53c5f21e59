/**
 * What fits in a message: the largest payload of each priority.
 */

/** By priority (docs/shm-abi.md, "Ring"); priority 3 takes what the frame limit leaves. The same on every transport. */
const PAYLOAD_LIMITS = [65_536, 65_536, 262_144, Infinity] as const;
/** Bytes of a frame that are never payload: preamble, SecHdr, the longest binary meta, the longest tag. */
const FRAME_OVERHEAD = 16 + 24 + (24 + 4 * 255) + 32;

/** Returns the largest payloads by priority in a session with this frame limit. */
export function payloadLimits(maxFrame: number): readonly [number, number, number, number] {
  const most = maxFrame - FRAME_OVERHEAD;
  const [p0, p1, p2, p3] = PAYLOAD_LIMITS;
  return [Math.min(p0, most), Math.min(p1, most), Math.min(p2, most), Math.min(p3, most)];
}
