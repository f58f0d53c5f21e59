//! The sending direction of one plane: meta and payload in place → a sealed frame.
//!
//! Writes preamble, security header and tag around bytes the caller has already laid out, so that a
//! message is copied once and nothing is allocated. Counters are taken here and only on success: a send
//! that failed has used none (`docs/wire.md`, "EIPC/2 data frames"). When a lane changes its keys is
//! decided in `epoch`.

use super::envelope::check_meta;
use super::epoch::{LaneKeys, Limits, Scope, SendLane};
use super::keys::Master;
use super::lanes::Lanes;
use super::sec_header::{MetaKind, SecHeader, Sequence};
use super::suite::{Plane, Suite};
use crate::error::{Code, Error, Result};
use crate::message::{Kind, Lane, Meta};
use crate::time::Time;
use crate::wire::limits::{MAX_META_LEN, PREAMBLE_LEN, SEC_HEADER_LEN};
use crate::wire::preamble::VERSION_2;
use crate::wire::{Preamble, header_json};
use core::fmt;

/// Seals the frames of one direction of one plane.
pub struct Sealer {
    lanes: Lanes<SendLane>,
    session_id: u64,
    suite: Suite,
    plane: Plane,
    binary_meta: bool,
    max_frame: usize,
}

impl Sealer {
    /// Bytes in front of the meta.
    pub const META_OFFSET: usize = PREAMBLE_LEN + SEC_HEADER_LEN;

    /// Every lane begins in epoch 0 at `now`, with its own copy of `master`.
    pub(crate) fn new(
        master: &Master,
        scope: Scope,
        session_id: u64,
        binary_meta: bool,
        max_frame: usize,
        now: Time,
    ) -> Result<Self> {
        let limits = Limits::of(scope.suite);
        let lane = || Ok(SendLane::new(LaneKeys::new(master.duplicate(), scope)?, limits, now));
        let lanes = Lanes::new(scope.plane, lane)?;
        Ok(Self { lanes, session_id, suite: scope.suite, plane: scope.plane, binary_meta, max_frame })
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
    pub fn counter(&self, lane: Lane) -> u64 {
        self.lanes.find(lane).map_or(0, SendLane::counter)
    }

    /// Returns the epoch of a lane's keys.
    #[must_use]
    pub fn epoch(&self, lane: Lane) -> u16 {
        self.lanes.find(lane).map_or(0, |lane| lane.keys().epoch())
    }

    /// Returns when a lane will have been in its epoch for an hour. If it has nothing to send then, it is
    /// to send a heartbeat, so that it moves to the next: see [`Sealer::due_lanes`].
    #[must_use]
    pub fn poll_deadline(&self) -> Time {
        self.lanes.iter().map(|(_, lane)| lane.due()).min().unwrap_or(Time(u64::MAX))
    }

    /// Returns the lanes that have been in their epoch for an hour and are to send a heartbeat:
    /// [`Sealer::heartbeat`] lays one out.
    pub fn due_lanes(&self, now: Time) -> impl Iterator<Item = Lane> {
        self.lanes.iter().filter(move |(_, lane)| now >= lane.due()).map(|(lane, _)| lane)
    }

    /// Lays out a heartbeat of a lane, without payload, for [`Sealer::seal`] as [`Kind::Heartbeat`] with
    /// [`MetaKind::Json`]; returns the length of the meta and the frame.
    ///
    /// # Errors
    /// None is expected: the meta is well-formed.
    pub fn heartbeat(&self, lane: Lane) -> Result<(usize, Vec<u8>)> {
        let meta = header_json::write(&Meta { priority: lane, ..Meta::default() })?;
        Ok((meta.len(), self.lay_out(meta.as_bytes(), b"")))
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
    /// [`Code::MessageTooLarge`] above `max_frame`; the caller may go on. [`Code::Expired`] when the lane
    /// has used its last epoch: close the session with [`CloseReason::Time`](super::CloseReason::Time).
    pub fn seal(
        &mut self,
        kind: Kind,
        lane: Lane,
        meta_kind: MetaKind,
        meta_len: usize,
        frame: &mut [u8],
        now: Time,
    ) -> Result<()> {
        if !(kind.is_application() || (kind.is_control() && self.plane == Plane::Stream)) {
            return Err(Error::with(Code::UnsupportedType, format!("{} on this plane", kind.name())));
        }
        self.seal_any(kind, lane, meta_kind, meta_len, frame, now)
    }

    /// As [`Sealer::seal`], for the frames only the session itself sends.
    fn seal_any(
        &mut self,
        kind: Kind,
        lane: Lane,
        meta_kind: MetaKind,
        meta_len: usize,
        frame: &mut [u8],
        now: Time,
    ) -> Result<()> {
        const SHORT: Error = Error::new(Code::Internal, "the frame has no room for its parts");
        let overhead = Self::META_OFFSET.saturating_add(meta_len).saturating_add(self.tag_len());
        let payload_len = frame.len().checked_sub(overhead).ok_or(SHORT)?;
        self.frame_len(meta_len, payload_len)?;
        let frame_len = frame.len();
        let (signed, tag) = frame.split_at_mut_checked(frame_len - self.tag_len()).ok_or(SHORT)?;
        let (preamble_out, rest) = signed.split_first_chunk_mut::<PREAMBLE_LEN>().ok_or(SHORT)?;
        let (header_out, body) = rest.split_first_chunk_mut::<SEC_HEADER_LEN>().ok_or(SHORT)?;
        let meta = body.get(..meta_len).ok_or(SHORT)?;
        let priority = check_meta(kind, meta_kind, meta, self.binary_meta)?;
        if kind.is_application() && priority != lane {
            return Err(Error::new(Code::BadHeader, "the lane is not the meta's priority"));
        }
        let length = |length: usize| u32::try_from(length).map_err(|_| SHORT);
        let lane_sent = self.lane_of(lane);
        let state = self.lanes.of_mut(lane_sent);
        state.prepare(kind.is_control(), now)?;
        let sequence = Sequence::new(lane_sent, state.counter() + 1);
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
            sequence,
            epoch: state.keys().epoch(),
            suite: self.suite.byte(),
            meta_kind: meta_kind as u8,
            reserved: 0,
        }
        .to_bytes();
        state.keys().seal(sequence, signed, tag)?;
        state.count(frame_len);
        Ok(())
    }

    /// Builds and seals a frame with the meta `{}`: a control frame or SessionAccept.
    pub(crate) fn seal_control(&mut self, kind: Kind, payload: &[u8], now: Time) -> Result<Vec<u8>> {
        let mut frame = self.lay_out(header_json::EMPTY, payload);
        self.seal_any(kind, Lane::P0, MetaKind::Json, header_json::EMPTY.len(), &mut frame, now)?;
        Ok(frame)
    }

    /// Leaves room for everything sealing writes.
    fn lay_out(&self, meta: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; Self::META_OFFSET];
        frame.extend_from_slice(meta);
        frame.extend_from_slice(payload);
        frame.resize(frame.len() + self.tag_len(), 0);
        frame
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

    /// Keeps one more move for each lane and wipes what leads further.
    pub(crate) fn forget_master(&mut self) {
        self.lanes.iter_mut().for_each(SendLane::forget_master);
    }

    /// Makes every lane move on after so many frames or bytes, or so long. For tests only.
    #[cfg(any(test, feature = "deterministic"))]
    pub fn limit_epochs(&mut self, frames: u64, bytes: u64, age: core::time::Duration) {
        for lane in self.lanes.iter_mut() {
            lane.set_limits(Limits { frames, bytes, age });
        }
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

    use crate::session::suite::Direction;

    fn sealer(plane: Plane) -> Sealer {
        let scope = Scope { suite: Suite::HmacSha256, plane, direction: Direction::ClientToServer };
        Sealer::new(&Master::known(), scope, 7, true, 4_096, Time(0)).unwrap()
    }

    fn frame() -> Vec<u8> {
        let mut frame = vec![0; Sealer::META_OFFSET + 24 + 32];
        frame[Sealer::META_OFFSET] = 2;
        frame
    }

    #[test]
    fn a_refused_frame_takes_no_counter() {
        let mut sealer = sealer(Plane::SharedMemory);
        let mut refused = |kind, lane, meta_kind, meta_len, frame: &mut [u8]| {
            let error = sealer.seal(kind, lane, meta_kind, meta_len, frame, Time(0)).unwrap_err();
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
        assert_eq!(sealer.seal(Kind::Intent, Lane::P2, MetaKind::Binary, 24, &mut good, Time(0)), Ok(()));
    }

    #[test]
    fn the_longest_meta_is_sealed_and_no_longer_one() {
        let scope =
            Scope { suite: Suite::HmacSha256, plane: Plane::Stream, direction: Direction::ClientToServer };
        let sealer = Sealer::new(&Master::known(), scope, 7, true, 1 << 20, Time(0)).unwrap();
        assert_eq!(sealer.frame_len(4_072, 0), Ok(16 + 4_096 + 32));
        assert_eq!(sealer.frame_len(4_073, 0).unwrap_err().code, Code::BadHeader);
        assert_eq!(sealer.frame_len(0, (1 << 20) - 72), Ok(1 << 20));
        assert_eq!(sealer.frame_len(0, (1 << 20) - 71).unwrap_err().code, Code::MessageTooLarge);
        assert_eq!(sealer.frame_len(0, usize::MAX).unwrap_err().code, Code::MessageTooLarge);
    }

    #[test]
    fn an_owner_seals_no_handshake_frame() {
        for plane in [Plane::Stream, Plane::SharedMemory] {
            let mut sealer = sealer(plane);
            for kind in [Kind::Auth, Kind::Challenge, Kind::AuthResponse] {
                let mut frame = [&[0; Sealer::META_OFFSET][..], b"{}", &[0; 32]].concat();
                let error = sealer.seal(kind, Lane::P0, MetaKind::Json, 2, &mut frame, Time(0)).unwrap_err();
                assert_eq!((error.code, sealer.counter(Lane::P0)), (Code::UnsupportedType, 0), "{kind:?}");
            }
        }
    }
}
