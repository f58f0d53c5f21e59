//! The sending direction of one plane: meta and payload in place → a sealed frame.
//!
//! Writes preamble, security header and tag around bytes the caller has already laid out, so that a
//! message is copied once and nothing is allocated. Counters are taken here and only on success: a send
//! that failed has used none (`docs/wire.md`, "EIPC/2 data frames").

use super::envelope::check_meta;
use super::keys::{FrameKey, LaneKeys};
use super::sec_header::{MetaKind, SecHeader, Sequence};
use super::suite::{Plane, Suite};
use crate::error::{Code, Error, Result};
use crate::message::{Kind, Lane, PerLane};
use crate::wire::limits::{MAX_META_LEN, PREAMBLE_LEN, SEC_HEADER_LEN};
use crate::wire::preamble::VERSION_2;
use crate::wire::{Preamble, header_json};
use core::fmt;

/// Frames a lane may send in one epoch with suite 1. Until epochs move, also in the session.
const MAX_FRAMES: u64 = 1 << 32;

/// Seals the frames of one direction of one plane.
pub struct Sealer {
    keys: LaneKeys,
    session_id: u64,
    suite: Suite,
    plane: Plane,
    binary_meta: bool,
    max_frame: usize,
    sent: PerLane<u64>,
}

impl Sealer {
    /// Bytes in front of the meta.
    pub const META_OFFSET: usize = PREAMBLE_LEN + SEC_HEADER_LEN;

    pub(crate) fn new(
        keys: LaneKeys,
        session_id: u64,
        suite: Suite,
        plane: Plane,
        binary_meta: bool,
        max_frame: usize,
    ) -> Self {
        Self { keys, session_id, suite, plane, binary_meta, max_frame, sent: PerLane::default() }
    }

    /// Returns the bytes of a tag.
    #[must_use]
    pub const fn tag_len(&self) -> usize {
        self.suite.tag_len()
    }

    /// Returns the largest frame that may be sealed.
    #[must_use]
    pub const fn max_frame(&self) -> usize {
        self.max_frame
    }

    /// Returns the counter of a lane's last sealed frame; 0 before the first. A stream has lane 0 only.
    #[must_use]
    pub const fn counter(&self, lane: Lane) -> u64 {
        self.sent.of(lane)
    }

    /// Returns how many bytes a frame with this meta and payload has.
    ///
    /// # Errors
    /// [`Code::MessageTooLarge`] above `max_frame`, [`Code::BadHeader`] for a meta above 4 072 bytes.
    pub fn frame_len(&self, meta_len: usize, payload_len: usize) -> Result<usize> {
        if meta_len > MAX_META_LEN {
            return Err(Error::with(Code::BadHeader, format!("meta of {meta_len} bytes")));
        }
        let length = (Self::META_OFFSET + meta_len + self.tag_len()).saturating_add(payload_len);
        if length > self.max_frame {
            let context = format!("frame of {length} bytes, limit {}", self.max_frame);
            return Err(Error::with(Code::MessageTooLarge, context));
        }
        Ok(length)
    }

    /// Seals `frame`, in which meta and payload are already in place behind [`Sealer::META_OFFSET`]
    /// bytes and in front of the tag's. `lane` is the priority the meta carries; on a stream every frame
    /// is counted in lane 0. Takes the counter only on success.
    ///
    /// # Errors
    /// Nothing that the peer would refuse is sealed: [`Code::UnsupportedType`] for a kind without a place
    /// on this plane, [`Code::BadHeader`] for a meta that is malformed or of another priority,
    /// [`Code::MessageTooLarge`] above `max_frame`, [`Code::Expired`] when the lane has no counter
    /// left. The caller may go on after each of them.
    pub fn seal(
        &mut self,
        kind: Kind,
        lane: Lane,
        meta_kind: MetaKind,
        meta_len: usize,
        frame: &mut [u8],
    ) -> Result<()> {
        if !(kind.is_application() || (kind.is_control() && self.plane == Plane::Stream)) {
            return Err(Error::with(Code::UnsupportedType, format!("{} on this plane", kind.name())));
        }
        self.seal_any(kind, lane, meta_kind, meta_len, frame)
    }

    /// As [`Sealer::seal`], for the frames only the session itself sends.
    fn seal_any(
        &mut self,
        kind: Kind,
        lane: Lane,
        meta_kind: MetaKind,
        meta_len: usize,
        frame: &mut [u8],
    ) -> Result<()> {
        const SHORT: Error = Error::new(Code::Internal, "the frame has no room for its parts");
        let overhead = Self::META_OFFSET.saturating_add(meta_len).saturating_add(self.tag_len());
        let payload_len = frame.len().checked_sub(overhead).ok_or(SHORT)?;
        self.frame_len(meta_len, payload_len)?;
        let lane_sent = self.lane_of(lane);
        let counter = self.sent.of(lane_sent) + 1;
        if counter > MAX_FRAMES {
            return Err(Error::new(Code::Expired, "the lane has used all its counters"));
        }
        let (signed, tag) = frame.split_at_mut_checked(frame.len() - self.tag_len()).ok_or(SHORT)?;
        let (preamble_out, rest) = signed.split_first_chunk_mut::<PREAMBLE_LEN>().ok_or(SHORT)?;
        let (header_out, body) = rest.split_first_chunk_mut::<SEC_HEADER_LEN>().ok_or(SHORT)?;
        let meta = body.get(..meta_len).ok_or(SHORT)?;
        let priority = check_meta(kind, meta_kind, meta, self.binary_meta)?;
        if kind.is_application() && priority != lane {
            return Err(Error::new(Code::BadHeader, "the lane is not the meta's priority"));
        }
        let length = |length: usize| u32::try_from(length).map_err(|_| SHORT);
        let (epoch, key) = self.keys.current(lane_sent);
        *preamble_out = Preamble {
            version: VERSION_2,
            kind: kind.byte(),
            flags: self.suite.flags(),
            header_len: length(SEC_HEADER_LEN + meta_len)?,
            payload_len: length(payload_len)?,
        }
        .to_bytes();
        *header_out = SecHeader {
            session_id: self.session_id,
            sequence: Sequence::new(lane_sent, counter),
            epoch,
            suite: self.suite.byte(),
            meta_kind: meta_kind as u8,
            reserved: 0,
        }
        .to_bytes();
        match key {
            FrameKey::HmacSha256(key) => key.sign_into(signed, tag.try_into().map_err(|_| SHORT)?),
        }
        self.sent.set(lane_sent, counter);
        Ok(())
    }

    /// Builds and seals a frame with the meta `{}`: a control frame or SessionAccept.
    pub(crate) fn seal_control(&mut self, kind: Kind, payload: &[u8]) -> Result<Vec<u8>> {
        let mut frame = vec![0; Self::META_OFFSET];
        frame.extend_from_slice(header_json::EMPTY);
        frame.extend_from_slice(payload);
        frame.resize(frame.len() + self.tag_len(), 0);
        self.seal_any(kind, Lane::P0, MetaKind::Json, header_json::EMPTY.len(), &mut frame)?;
        Ok(frame)
    }

    const fn lane_of(&self, priority: Lane) -> Lane {
        match self.plane {
            Plane::Stream => Lane::P0,
            Plane::SharedMemory => priority,
        }
    }

    pub(crate) const fn set_max_frame(&mut self, max_frame: usize) {
        self.max_frame = max_frame;
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sealer({:?}, {:?})", self.plane, self.suite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(plane: Plane) -> Sealer {
        Sealer::new(LaneKeys::of_mac(&[0x5a; 32]), 7, Suite::HmacSha256, plane, true, 4_096)
    }

    fn frame() -> Vec<u8> {
        let mut frame = vec![0; Sealer::META_OFFSET + 24 + 32];
        frame[Sealer::META_OFFSET] = 2;
        frame
    }

    #[test]
    fn a_lane_without_counters_seals_nothing_more() {
        let mut sealer = sealer(Plane::SharedMemory);
        sealer.sent.set(Lane::P2, MAX_FRAMES - 1);
        let mut seal = || sealer.seal(Kind::Intent, Lane::P2, MetaKind::Binary, 24, &mut frame());
        assert_eq!(seal(), Ok(()));
        assert_eq!(seal().unwrap_err().code, Code::Expired);
        assert_eq!(sealer.counter(Lane::P2), MAX_FRAMES);
        assert_eq!(sealer.counter(Lane::P0), 0);
    }

    #[test]
    fn a_refused_frame_takes_no_counter() {
        let mut sealer = sealer(Plane::SharedMemory);
        let mut refused = |kind, lane, meta_kind, meta_len, frame: &mut [u8]| {
            let error = sealer.seal(kind, lane, meta_kind, meta_len, frame).unwrap_err();
            assert_eq!(Lane::ALL.map(|lane| sealer.counter(lane)), [0; 4]);
            error.code
        };
        let mut good = frame();
        assert_eq!(refused(Kind::Intent, Lane::P1, MetaKind::Binary, 24, &mut good), Code::BadHeader);
        assert_eq!(refused(Kind::Intent, Lane::P2, MetaKind::Json, 24, &mut good), Code::BadHeader);
        assert_eq!(refused(Kind::Close, Lane::P2, MetaKind::Json, 2, &mut good), Code::UnsupportedType);
        assert_eq!(refused(Kind::Auth, Lane::P2, MetaKind::Json, 2, &mut good), Code::UnsupportedType);
        assert_eq!(refused(Kind::Intent, Lane::P2, MetaKind::Binary, 25, &mut good), Code::Internal);
        assert_eq!(refused(Kind::Intent, Lane::P2, MetaKind::Binary, usize::MAX, &mut good), Code::Internal);
        let mut large = vec![0; 4_097];
        assert_eq!(refused(Kind::Intent, Lane::P0, MetaKind::Binary, 24, &mut large), Code::MessageTooLarge);
        assert_eq!(
            refused(Kind::Intent, Lane::P0, MetaKind::Binary, 4_073, &mut [0; 6_000]),
            Code::BadHeader
        );
        assert_eq!(refused(Kind::Intent, Lane::P0, MetaKind::Binary, 24, &mut []), Code::Internal);
        assert_eq!(sealer.seal(Kind::Intent, Lane::P2, MetaKind::Binary, 24, &mut good), Ok(()));
    }
}
