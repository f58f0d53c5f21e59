//! The attacker of these tests holds the session's key and signs whatever it likes.

use super::*;
use crate::message::{Kind, Meta, Priority};
use crate::session::frame_key::FrameKey;
use crate::session::sec_header::{SecHeader, Sequence};
use crate::session::suite::{Direction, Plane};
use crate::wire::header_binary;

const SESSION: u64 = 0x0102_0304_0506_0708;
const SUITES: [Suite; 3] = [Suite::HmacSha256, Suite::ChaCha20Poly1305, Suite::Aes256Gcm];

/// The attacker, who can seal anything.
#[derive(Clone, Copy)]
struct Forger {
    suite: Suite,
    plane: Plane,
    binary_meta: bool,
}

fn forger(plane: Plane, binary_meta: bool) -> Forger {
    Forger { suite: Suite::HmacSha256, plane, binary_meta }
}

impl Forger {
    /// A receiver the attacker is in session with.
    fn opener(self) -> Opener {
        let scope = Scope { suite: self.suite, plane: self.plane, direction: Direction::ClientToServer };
        Opener::new(&Master::known(), scope, SESSION, self.binary_meta, 1 << 20).unwrap()
    }

    fn header(self) -> SecHeader {
        let sequence = Sequence::new(Lane::P0, 1);
        let suite = self.suite.byte();
        SecHeader { session_id: SESSION, sequence, epoch: 0, suite, meta_kind: 1, reserved: 0 }
    }

    /// Seals under the keys of epoch `key_epoch`, whatever the header says.
    fn sign(self, kind: u8, key_epoch: u16, header: &[u8], payload: &[u8]) -> Vec<u8> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_be_bytes();
        let flags = self.suite.flags();
        let mut frame = [b"EIPC\0\x02", &[kind, flags][..], &length(header), &length(payload)].concat();
        frame.extend_from_slice(header);
        frame.extend_from_slice(payload);
        let mut master = Master::known();
        for _ in 0..key_epoch {
            master = master.next().unwrap();
        }
        let traffic = master.traffic(self.plane, Direction::ClientToServer).unwrap();
        let sequence = frame.get(24..32).map_or(0, |seq| u64::from_be_bytes(seq.try_into().unwrap()));
        let mut tag = vec![0; self.suite.tag_len()];
        let key = FrameKey::new(self.suite, &traffic).unwrap();
        let _ = key.seal(Sequence(sequence), &mut frame, &mut tag); // suites 2, 3: not below 40 bytes
        frame.extend_from_slice(&tag);
        frame
    }

    fn send(self, opener: &mut Opener, kind: u8, header: SecHeader, meta: &[u8]) -> Option<Code> {
        let bytes = [&header.to_bytes()[..], meta].concat();
        let mut frame = self.sign(kind, header.epoch, &bytes, b"{}");
        opener.receive(&mut frame).err().map(|error| error.code)
    }
}

fn meta(priority: Priority) -> Vec<u8> {
    let mut out = vec![0; 24];
    header_binary::write(&Meta { priority, ..Meta::default() }, &mut out).unwrap();
    out
}

#[test]
fn every_field_of_the_security_header_is_checked_behind_the_tag() {
    for suite in SUITES {
        let forger = Forger { suite, ..forger(Plane::Stream, true) };
        let good = forger.header();
        let (bad_header, other) = (Some(Code::BadHeader), suite.byte() % 3 + 1);
        let cases: [(&str, SecHeader, Option<Code>); 9] = [
            ("good", good, None),
            ("session", SecHeader { session_id: SESSION + 1, ..good }, bad_header),
            ("another suite", SecHeader { suite: other, ..good }, bad_header),
            ("suite 0", SecHeader { suite: 0, ..good }, bad_header),
            ("reserved", SecHeader { reserved: 1, ..good }, bad_header),
            ("meta kind", SecHeader { meta_kind: 2, ..good }, bad_header),
            ("next epoch", SecHeader { epoch: 1, ..good }, None),
            ("the epoch behind it", SecHeader { epoch: 2, ..good }, Some(Code::Integrity)),
            ("lane", SecHeader { sequence: Sequence::new(Lane::P1, 1), ..good }, Some(Code::Sequence)),
        ];
        for (name, header, expected) in cases {
            let code = forger.send(&mut forger.opener(), b'i', header, &meta(Priority::P1));
            assert_eq!(code, expected, "{suite:?} {name}");
        }
    }
}

#[test]
fn a_lane_moves_by_one_epoch_and_only_behind_the_tag() {
    for suite in SUITES {
        let forger = Forger { suite, ..forger(Plane::SharedMemory, true) };
        let mut opener = forger.opener();
        let mut expected = 0;
        // Lane 1 goes to and fro between staying and moving; lane 2 stays behind.
        for (counter, epoch) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 3)] {
            let header = SecHeader { sequence: Sequence::new(Lane::P1, counter), epoch, ..forger.header() };
            assert_eq!(forger.send(&mut opener, b'i', header, &meta(Priority::P1)), None);
            expected = epoch;
            assert_eq!((opener.epoch(Lane::P1), opener.epoch(Lane::P2)), (expected, 0));
        }
        let next = SecHeader { sequence: Sequence::new(Lane::P1, 6), epoch: 4, ..forger.header() };
        for (claimed, key_epoch) in [(4, 3), (4, 5), (3, 4), (2, 2), (5, 5), (0, 0)] {
            let mut opener = forger.opener();
            for (counter, epoch) in [(1, 0), (2, 1), (3, 2), (4, 3), (5, 3)] {
                let header =
                    SecHeader { sequence: Sequence::new(Lane::P1, counter), epoch, ..forger.header() };
                forger.send(&mut opener, b'i', header, &meta(Priority::P1));
            }
            let header = SecHeader { epoch: claimed, ..next }.to_bytes();
            let bytes = [&header[..], &meta(Priority::P1)].concat();
            let mut frame = forger.sign(b'i', key_epoch, &bytes, b"{}");
            assert_eq!(opener.receive(&mut frame).unwrap_err().code, Code::Integrity, "{claimed}");
            assert_eq!((opener.epoch(Lane::P1), opener.last(Lane::P1)), (expected, 5));
        }
    }
}

#[test]
fn without_its_master_a_lane_moves_once_more() {
    let forger = forger(Plane::Stream, true);
    let mut opener = forger.opener();
    opener.forget_master();
    opener.forget_master();
    let mut send = |counter, epoch| {
        let header = SecHeader { sequence: Sequence::new(Lane::P0, counter), epoch, ..forger.header() };
        forger.send(&mut opener, b'i', header, &meta(Priority::P1))
    };
    assert_eq!((send(1, 0), send(2, 1), send(3, 1)), (None, None, None));
    let header = SecHeader { sequence: Sequence::new(Lane::P0, 4), epoch: 2, ..forger.header() };
    let bytes = [&header.to_bytes()[..], &meta(Priority::P1)].concat();
    let error = opener.steps(&mut forger.sign(b'i', 2, &bytes, b"{}")).map(drop).unwrap_err();
    assert_eq!((error.code, &*error.context), (Code::Integrity, "the lane has no further epoch"));
}

#[test]
fn an_earlier_fault_wins_over_a_later_one() {
    let forger = forger(Plane::Stream, true);
    let good = forger.header();
    let bad = SecHeader { suite: 9, sequence: Sequence::new(Lane::P3, 7), meta_kind: 9, ..good };
    let refuse = |kind, header| forger.send(&mut forger.opener(), kind, header, &[]);
    assert_eq!(refuse(b'?', SecHeader { epoch: 3, ..bad }), Some(Code::Integrity));
    assert_eq!(refuse(b'?', bad), Some(Code::BadHeader), "suite");
    assert_eq!(refuse(b'?', SecHeader { suite: 1, ..bad }), Some(Code::Sequence));
    assert_eq!(refuse(b'?', SecHeader { meta_kind: 9, ..good }), Some(Code::UnsupportedType));
    assert_eq!(refuse(b'i', SecHeader { meta_kind: 9, ..good }), Some(Code::BadHeader));
}

#[test]
fn a_header_below_24_bytes_is_refused_although_it_is_signed() {
    for suite in SUITES {
        let forger = Forger { suite, ..forger(Plane::Stream, true) };
        for length in 0..24 {
            let mut frame = forger.sign(b'i', 0, &forger.header().to_bytes()[..length], &[0; 64]);
            let error = forger.opener().receive(&mut frame).unwrap_err();
            assert_eq!((error.code, &*error.context), (Code::Integrity, "header shorter than 24 bytes"));
        }
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
        ((1 << 32) - 1, 0, Some(Code::Sequence)),
        ((1 << 32) - 1, 1 << 32, None),
        (1 << 32, 1, Some(Code::Sequence)),
        (1 << 32, (1 << 32) + 1, None),
        (crate::session::sec_header::MAX_COUNTER, 0, Some(Code::Sequence)),
    ] {
        let forger = forger(Plane::SharedMemory, true);
        let mut opener = forger.opener();
        opener.counters.set_last(Lane::P2, last);
        let header = SecHeader { sequence: Sequence::new(Lane::P2, next), ..forger.header() };
        let code = forger.send(&mut opener, b'i', header, &meta(Priority::P2));
        assert_eq!(code, expected, "{last} {next}");
    }
}

#[test]
fn types_are_those_of_the_plane_and_stage() {
    let accepted = |plane, stage| -> String {
        let forger = forger(plane, true);
        (0..=255_u8)
            .filter(|&kind| {
                let is_application = Kind::from_byte(kind).is_some_and(Kind::is_application);
                let (meta_kind, meta) =
                    if is_application { (1, meta(Priority::P0)) } else { (0, b"{}".to_vec()) };
                let mut opener = forger.opener();
                opener.set_stage(stage);
                let header = SecHeader { meta_kind, ..forger.header() };
                let result = forger.send(&mut opener, kind, header, &meta);
                assert!(matches!(result, None | Some(Code::UnsupportedType)));
                result.is_none()
            })
            .map(char::from)
            .collect()
    };
    assert_eq!(accepted(Plane::Stream, Stage::Session), "CESXacfhiptu");
    assert_eq!(accepted(Plane::SharedMemory, Stage::Session), "Cacfhiptu");
    assert_eq!(accepted(Plane::Stream, Stage::Accept), "R");
}

#[test]
fn control_frames_have_the_empty_meta_and_nothing_else() {
    let forger = forger(Plane::Stream, true);
    for kind in *b"XES" {
        let send = |meta_kind, meta: &[u8]| {
            let header = SecHeader { meta_kind, ..forger.header() }.to_bytes();
            let mut frame = forger.sign(kind, 0, &[&header, meta].concat(), b"{}");
            forger.opener().receive(&mut frame).map(drop)
        };
        assert_eq!(send(0, b"{}"), Ok(()));
        let refused = Err(Error::new(Code::BadHeader, "a control frame has the meta {}"));
        for other in [&b"{ }"[..], b"", b"{\"priority\":1}", b"[]"] {
            assert_eq!(send(0, other), refused);
        }
        assert_eq!(send(1, &meta(Priority::P1)), refused);
        assert_eq!(send(1, b"{}"), refused, "the binary kind with the meta of the other");
        assert_eq!(send(2, b"{}"), refused);
    }
}

#[test]
fn binary_meta_and_lanes_are_as_agreed() {
    let agreed = |plane, binary_meta, priority| {
        let forger = forger(plane, binary_meta);
        forger.send(&mut forger.opener(), b'i', forger.header(), &meta(priority))
    };
    assert_eq!(agreed(Plane::Stream, false, Priority::P1), Some(Code::BadHeader));
    assert_eq!(agreed(Plane::Stream, true, Priority::P3), None, "a stream has one lane for all");
    assert_eq!(agreed(Plane::SharedMemory, true, Priority::P1), Some(Code::BadHeader));
    assert_eq!(agreed(Plane::SharedMemory, true, Priority::P0), None);
}

#[test]
fn the_first_refused_frame_is_the_last() {
    let forger = forger(Plane::Stream, true);
    let (mut opener, good) = (forger.opener(), forger.header());
    let code = forger.send(&mut opener, b'i', SecHeader { suite: 2, ..good }, &[]);
    assert_eq!(code, Some(Code::BadHeader));
    assert_eq!(forger.send(&mut opener, b'i', good, &meta(Priority::P1)), Some(Code::Poisoned));
}

#[test]
fn random_bytes_are_refused_without_a_panic() {
    // Whole frames: nothing but the untouched one is accepted, in any suite.
    for suite in SUITES {
        let forger = Forger { suite, ..forger(Plane::SharedMemory, true) };
        let bytes = [&forger.header().to_bytes()[..], &meta(Priority::P0)].concat();
        let good = forger.sign(b'i', 0, &bytes, b"payload");
        let mut opener = forger.opener();
        eipc_testkit::noise::feed(&good, |bytes| {
            let is_good = bytes == good;
            opener.counters.set_last(Lane::P0, 0);
            let is_accepted = opener.steps(bytes).is_ok();
            assert!(is_good || !is_accepted);
            is_accepted
        });
    }
}

#[test]
fn random_bytes_behind_a_good_tag_are_refused_without_a_panic() {
    // The attacker holds the key and signs whatever it likes: type, header and payload.
    let forger = forger(Plane::Stream, true);
    let mut opener = forger.opener();
    let sample = [b"i\x30", &forger.header().to_bytes()[..], &meta(Priority::P1), b"payload"].concat();
    let accepted = eipc_testkit::noise::feed(&sample, |bytes| {
        let Some(([kind, header_len], rest)) = bytes.split_first_chunk() else { return false };
        let Some((header, payload)) = rest.split_at_checked((*header_len).into()) else { return false };
        let mut frame = forger.sign(*kind, 0, header, payload);
        opener.counters.set_last(Lane::P0, 0);
        opener.steps(&mut frame).is_ok()
    });
    assert!(accepted > 0);
}
