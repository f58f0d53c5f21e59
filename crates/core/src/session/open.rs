//! The receiving direction of one plane: bytes of a frame → [`Envelope`].
//!
//! Runs the steps in the one order of `docs/wire.md` ("Receiver: order of checks and codes"): shape,
//! tag, session, order, type, meta. The types of the steps make any other order impossible to write.

use super::envelope::{Envelope, Rules, Stage, open};
use super::keys::LaneKeys;
use super::sequence::Counters;
use super::suite::{Plane, Suite};
use super::verify::verify;
use crate::error::{Code, Error, Result};
use crate::message::Lane;
use crate::wire::preamble::VERSION_2;
use crate::wire::{Expect, RawFrame};
use core::fmt;

/// Opens the frames of one direction of one plane. The first refused frame is the last.
pub struct Opener {
    keys: LaneKeys,
    session_id: u64,
    suite: Suite,
    counters: Counters,
    expect: Expect,
    rules: Rules,
    poisoned: bool,
}

impl Opener {
    pub(crate) fn new(
        keys: LaneKeys,
        session_id: u64,
        suite: Suite,
        plane: Plane,
        binary_meta: bool,
        max_frame: usize,
    ) -> Self {
        Self {
            keys,
            session_id,
            suite,
            counters: Counters::new(plane),
            expect: Expect { version: VERSION_2, flags: suite.flags(), tag_len: suite.tag_len(), max_frame },
            rules: Rules { plane, stage: Stage::Session, binary_meta },
            poisoned: false,
        }
    }

    /// Verifies `bytes`, one frame without the stream's length, and reads its meta.
    ///
    /// # Errors
    /// The first failed check in the order of the wire text. Every failure is final: from then on the
    /// opener answers [`Code::Poisoned`].
    pub fn receive<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Envelope<'a>> {
        if self.poisoned {
            return Err(Error::new(Code::Poisoned, "a frame was refused before"));
        }
        let result = self.steps(bytes);
        self.poisoned = result.is_err();
        result
    }

    #[inline]
    fn steps<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Envelope<'a>> {
        let raw = RawFrame::parse(bytes, &self.expect)?;
        let authentic = verify(raw, &self.keys, self.session_id, self.suite)?;
        let fresh = self.counters.admit(authentic)?;
        open(&fresh, self.rules)
    }

    /// Returns the last counter of a lane; 0 before its first frame.
    #[must_use]
    pub const fn last(&self, lane: Lane) -> u64 {
        self.counters.last(lane)
    }

    /// Returns the bytes of a tag.
    #[must_use]
    pub const fn tag_len(&self) -> usize {
        self.expect.tag_len
    }

    /// Returns the largest frame accepted.
    #[must_use]
    pub const fn max_frame(&self) -> usize {
        self.expect.max_frame
    }

    pub(crate) const fn set_stage(&mut self, stage: Stage) {
        self.rules.stage = stage;
    }

    pub(crate) const fn set_max_frame(&mut self, max_frame: usize) {
        self.expect.max_frame = max_frame;
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Opener({:?}, {:?})", self.rules.plane, self.suite)
    }
}

#[cfg(test)]
mod tests {
    //! The attacker of these tests holds the session's key and signs whatever it likes.

    use super::*;
    use crate::crypto::mac::MacKey;
    use crate::message::{Kind, Meta, Priority};
    use crate::session::sec_header::{SecHeader, Sequence};
    use crate::wire::header_binary;

    const KEY: [u8; 32] = [0x5a; 32];
    const SESSION: u64 = 0x0102_0304_0506_0708;

    fn opener(plane: Plane, binary_meta: bool) -> Opener {
        let keys = LaneKeys::of_mac(&KEY);
        Opener::new(keys, SESSION, Suite::HmacSha256, plane, binary_meta, 1 << 20)
    }

    fn header() -> SecHeader {
        let sequence = Sequence::new(Lane::P0, 1);
        SecHeader { session_id: SESSION, sequence, epoch: 0, suite: 1, meta_kind: 1, reserved: 0 }
    }

    fn meta(priority: Priority) -> Vec<u8> {
        let mut out = vec![0; 24];
        header_binary::write(&Meta { priority, ..Meta::default() }, &mut out).unwrap();
        out
    }

    fn sign(kind: u8, header: &[u8], payload: &[u8]) -> Vec<u8> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_be_bytes();
        let mut frame = [b"EIPC\0\x02", &[kind, 1][..], &length(header), &length(payload)].concat();
        frame.extend_from_slice(header);
        frame.extend_from_slice(payload);
        let tag = MacKey::new(&KEY).sign(&frame);
        frame.extend_from_slice(&tag);
        frame
    }

    fn code(opener: &mut Opener, kind: u8, header: SecHeader, meta: &[u8]) -> Option<Code> {
        let header = [&header.to_bytes()[..], meta].concat();
        opener.receive(&mut sign(kind, &header, b"{}")).err().map(|error| error.code)
    }

    #[test]
    fn every_field_of_the_security_header_is_checked_behind_the_tag() {
        let cases: [(&str, SecHeader, Option<Code>); 8] = [
            ("good", header(), None),
            ("session", SecHeader { session_id: SESSION + 1, ..header() }, Some(Code::BadHeader)),
            ("suite 2", SecHeader { suite: 2, ..header() }, Some(Code::BadHeader)),
            ("suite 0", SecHeader { suite: 0, ..header() }, Some(Code::BadHeader)),
            ("reserved", SecHeader { reserved: 1, ..header() }, Some(Code::BadHeader)),
            ("meta kind", SecHeader { meta_kind: 2, ..header() }, Some(Code::BadHeader)),
            ("epoch", SecHeader { epoch: 1, ..header() }, Some(Code::Integrity)),
            ("lane", SecHeader { sequence: Sequence::new(Lane::P1, 1), ..header() }, Some(Code::Sequence)),
        ];
        for (name, header, expected) in cases {
            let mut opener = opener(Plane::Stream, true);
            assert_eq!(code(&mut opener, b'i', header, &meta(Priority::P1)), expected, "{name}");
        }
    }

    #[test]
    fn an_earlier_fault_wins_over_a_later_one() {
        let bad = SecHeader { suite: 9, sequence: Sequence::new(Lane::P3, 7), meta_kind: 9, ..header() };
        let refuse = |kind, header| code(&mut opener(Plane::Stream, true), kind, header, &[]);
        assert_eq!(refuse(b'?', SecHeader { epoch: 3, ..bad }), Some(Code::Integrity));
        assert_eq!(refuse(b'?', bad), Some(Code::BadHeader), "suite");
        assert_eq!(refuse(b'?', SecHeader { suite: 1, ..bad }), Some(Code::Sequence));
        assert_eq!(refuse(b'?', SecHeader { meta_kind: 9, ..header() }), Some(Code::UnsupportedType));
        assert_eq!(refuse(b'i', SecHeader { meta_kind: 9, ..header() }), Some(Code::BadHeader));
    }

    #[test]
    fn a_header_below_24_bytes_is_refused_although_it_is_signed() {
        for length in 0..24 {
            let mut frame = sign(b'i', &header().to_bytes()[..length], &[0; 64]);
            let error = opener(Plane::Stream, true).receive(&mut frame).unwrap_err();
            assert_eq!(error.code, Code::Integrity, "{length}");
        }
    }

    #[test]
    fn counters_go_up_by_one_and_never_wrap() {
        for (last, next, expected) in [
            (0, 0, Some(Code::Sequence)),
            (0, 1, None),
            (0, 2, Some(Code::Sequence)),
            (5, 5, Some(Code::Sequence)),
            (5, 4, Some(Code::Sequence)),
            (5, 6, None),
            (5, 7, Some(Code::Sequence)),
            (crate::session::sec_header::MAX_COUNTER, 0, Some(Code::Sequence)),
        ] {
            let mut opener = opener(Plane::SharedMemory, true);
            opener.counters.set_last(Lane::P2, last);
            let header = SecHeader { sequence: Sequence::new(Lane::P2, next), ..header() };
            assert_eq!(code(&mut opener, b'i', header, &meta(Priority::P2)), expected, "{last} {next}");
        }
    }

    #[test]
    fn types_are_those_of_the_plane_and_stage() {
        let accepted = |plane, stage, empty: &SecHeader| -> String {
            (0..=255_u8)
                .filter(|&kind| {
                    let is_application = Kind::from_byte(kind).is_some_and(Kind::is_application);
                    let (meta_kind, meta) =
                        if is_application { (1, meta(Priority::P0)) } else { (0, b"{}".to_vec()) };
                    let mut opener = opener(plane, true);
                    opener.set_stage(stage);
                    let result = code(&mut opener, kind, SecHeader { meta_kind, ..*empty }, &meta);
                    assert!(matches!(result, None | Some(Code::UnsupportedType)));
                    result.is_none()
                })
                .map(char::from)
                .collect()
        };
        assert_eq!(accepted(Plane::Stream, Stage::Session, &header()), "CESXacfhiptu");
        assert_eq!(accepted(Plane::SharedMemory, Stage::Session, &header()), "Cacfhiptu");
        assert_eq!(accepted(Plane::Stream, Stage::Accept, &header()), "R");
    }

    #[test]
    fn control_frames_have_the_empty_meta_and_nothing_else() {
        let json = |meta: &[u8]| {
            code(&mut opener(Plane::Stream, true), b'X', SecHeader { meta_kind: 0, ..header() }, meta)
        };
        assert_eq!(json(b"{}"), None);
        for other in [&b"{ }"[..], b"", b"{\"priority\":1}", b"[]"] {
            assert_eq!(json(other), Some(Code::BadHeader));
        }
        let binary = code(&mut opener(Plane::Stream, true), b'X', header(), &meta(Priority::P1));
        assert_eq!(binary, Some(Code::BadHeader));
    }

    #[test]
    fn binary_meta_and_lanes_are_as_agreed() {
        let agreed = |plane, binary_meta, priority| {
            code(&mut opener(plane, binary_meta), b'i', header(), &meta(priority))
        };
        assert_eq!(agreed(Plane::Stream, false, Priority::P1), Some(Code::BadHeader));
        assert_eq!(agreed(Plane::Stream, true, Priority::P3), None, "a stream has one lane for all");
        assert_eq!(agreed(Plane::SharedMemory, true, Priority::P1), Some(Code::BadHeader));
        assert_eq!(agreed(Plane::SharedMemory, true, Priority::P0), None);
    }

    #[test]
    fn the_first_refused_frame_is_the_last() {
        let mut opener = opener(Plane::Stream, true);
        assert_eq!(code(&mut opener, b'i', SecHeader { suite: 2, ..header() }, &[]), Some(Code::BadHeader));
        assert_eq!(code(&mut opener, b'i', header(), &meta(Priority::P1)), Some(Code::Poisoned));
    }
}
