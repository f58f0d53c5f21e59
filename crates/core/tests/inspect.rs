//! Each fault that shows without a session, with its code and its first byte; and which tags can be verified from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use eipc_core::session::inspect::{Inspection, InspectionKeys, Tag, Value, inspect};
use eipc_core::v1::{Key, encode_frame};
use eipc_core::{Code, Psk};
use eipc_testkit::vectors::{Vector, eipc2};

const KEY: &[u8] = b"sixteen bytes or more";
const HEADER: &[u8] = br#"{"service_id":"nia.min","session_id":"","request_id":"","sequence":1,"timestamp":"1","priority":1,"payload_format":0}"#;

fn found(frame: &[u8], keys: InspectionKeys<'_>) -> Inspection {
    inspect(&mut frame.to_vec(), keys)
}

fn fault(frame: &[u8]) -> Option<(Code, usize)> {
    found(frame, InspectionKeys::default()).fault.map(|fault| (fault.error.code, fault.at))
}

/// A vector with X25519 and suite 1.
fn vector() -> Vector {
    eipc2().into_iter().find(|vector| vector.number("kx") == 1 && vector.number("suite") == 1).unwrap()
}

/// Writes bytes over a good frame.
fn edited(frame: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    frame
}

#[test]
fn each_field_of_a_hello_that_no_peer_accepts_is_named() {
    let (client, server) = (vector().bytes("client_hello"), vector().bytes("server_hello"));
    assert_eq!((fault(&client), fault(&server)), (None, None));
    let failed = |at| Some((Code::HandshakeFailed, at));
    for (at, bytes, place) in [
        (16, &[2][..], 16),
        (17, &[2], 17),
        (17, &[0], 64),
        (18, &[0, 0], 18),
        (18, &[0xff, 0xf8], 18),
        (23, &[0x0c], 20),
        (128, &[0], 16),
        (129, b"E", 129),
        (129, &[0xff], 129),
    ] {
        assert_eq!(fault(&edited(&client, at, bytes)), failed(place), "client {at} {bytes:?}");
    }
    for (at, bytes, place) in [
        (16, &[2][..], 16),
        (17, &[2], 17),
        (17, &[0], 64),
        (18, &[0], 18),
        (18, &[4], 18),
        (19, &[1], 19),
        (23, &[0x0c], 20),
        (24, &[0; 8], 24),
    ] {
        assert_eq!(fault(&edited(&server, at, bytes)), failed(place), "server {at} {bytes:?}");
    }
}

#[test]
fn a_hello_without_key_exchange_has_no_public_key() {
    let client = vector().bytes("client_hello");
    let without = edited(&client, 17, &[0]);
    assert_eq!(fault(&without), Some((Code::HandshakeFailed, 64)));
    assert_eq!(fault(&edited(&without, 64, &[0; 32])), None);
}

#[test]
fn what_is_no_handshake_frame_is_read_as_data() {
    let client = vector().bytes("client_hello");
    let no_header = Some((Code::Integrity, 8));
    assert_eq!(fault(&edited(&client, 6, b"i")), no_header, "another type");
    let sealed = edited(&client, 7, &[4]);
    assert_eq!(fault(&sealed[..sealed.len() - 16]), no_header, "encrypted, so that its tag has 16 bytes");
}

#[test]
fn a_length_that_no_frame_has_is_named() {
    let with_header = |length: u32| {
        let frame = edited(&vector().bytes("client_hello"), 8, &length.to_be_bytes());
        fault(&edited(&frame, 12, &u32::MAX.to_be_bytes()))
    };
    assert_eq!(with_header(4_096), Some((Code::FrameTooLarge, 12)));
    assert_eq!(with_header(4_097), Some((Code::FrameTooLarge, 8)));
}

#[test]
fn a_handshake_frame_is_no_longer_than_its_kind_allows() {
    let finish = vector().bytes("client_finish");
    assert_eq!(fault(&finish), None);
    let with_payload = |payload_len: u32| {
        let mut frame = edited(&finish, 12, &payload_len.to_be_bytes());
        frame.resize(16 + payload_len as usize + 32, 0);
        fault(&frame)
    };
    assert_eq!(with_payload(1), Some((Code::HandshakeFailed, 16)));
    let mut longer = edited(&finish, 12, &1_u32.to_be_bytes());
    longer.push(0);
    let error = found(&longer, InspectionKeys::default()).fault.unwrap().error;
    assert_eq!(error.context, "ClientFinish has no payload");
    assert_eq!(with_payload(4_096 - 48), Some((Code::HandshakeFailed, 16)));
    assert_eq!(with_payload(4_096 - 47), Some((Code::FrameTooLarge, 12)));
    let server = vector().bytes("server_hello");
    let mut short = edited(&server, 12, &79_u32.to_be_bytes());
    short.pop();
    assert_eq!(fault(&short), Some((Code::HandshakeFailed, 16)));
}

#[test]
fn each_field_of_a_data_frame_that_no_session_accepts_is_named() {
    let vector = vector();
    let message = vector.frames().into_iter().find(|frame| frame.text("type") == "i").unwrap();
    let frame = message.bytes("frame_hex");
    assert_eq!(fault(&frame), None);
    for (at, bytes, expected) in [
        (6, &b"A"[..], (Code::UnsupportedType, 6)),
        (6, b"H", (Code::UnsupportedType, 6)),
        (6, b"z", (Code::UnsupportedType, 6)),
        (16, &[0; 8], (Code::BadHeader, 16)),
        (24, &[0; 8], (Code::Sequence, 24)),
        (34, &[2], (Code::BadHeader, 34)),
        (34, &[0], (Code::BadHeader, 34)),
        (35, &[2], (Code::BadHeader, 35)),
        (39, &[1], (Code::BadHeader, 36)),
        (40, &[9], (Code::BadHeader, 40)),
    ] {
        assert_eq!(fault(&edited(&frame, at, bytes)), Some(expected), "{at} {bytes:?}");
    }
    assert_eq!(fault(&edited(&frame, 6, b"R")), None, "a SessionAccept has this type");
}

#[test]
fn sealed_frames_show_their_header_and_nothing_else() {
    for vector in eipc2().iter().filter(|vector| vector.number("suite") != 1) {
        for frame in vector.frames() {
            let bytes = frame.bytes("frame_hex");
            let found = found(&bytes, InspectionKeys::default());
            assert_eq!((found.fault, found.tag), (None, Tag::Unverified));
            let names: Vec<_> = found.fields.iter().map(|field| field.name).collect();
            assert!(
                names.contains(&"encrypted") && !names.contains(&"payload") && !names.contains(&"priority")
            );
            assert_eq!(fault(&edited(&bytes, 34, &[1])), Some((Code::BadHeader, 34)));
        }
    }
}

#[test]
fn a_close_shows_its_reason() {
    let payload = [&[2, 0, 0, 0, 0, 0, 0, 0][..], &7_u64.to_be_bytes()].concat();
    let mut frame = b"EIPC\0\x02X\x01\0\0\0\x1a\0\0\0\x10".to_vec();
    frame.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0]);
    frame.extend_from_slice(b"{}");
    frame.extend_from_slice(&payload);
    frame.extend_from_slice(&[0; 32]);
    let shown = |frame: &[u8]| {
        let found = found(frame, InspectionKeys::default());
        assert_eq!(found.fault, None);
        let value =
            |name| found.fields.iter().find(|field| field.name == name).map(|field| field.value.clone());
        (value("close.reason"), value("close.stream_last"))
    };
    assert_eq!(shown(&frame), (Some(Value::Number(2)), Some(Value::Number(7))));
    assert_eq!(shown(&edited(&frame, 6, b"i")), (None, None));
}

#[test]
fn a_v1_frame_is_verified_before_its_content_is_judged() {
    let (key, other) = (Key::new(KEY).unwrap(), Key::new(b"another sixteen bytes").unwrap());
    let with = |key| InspectionKeys { v1: Some(key), psk: None };
    let good = encode_frame(b'i', HEADER, b"{}", Some(KEY)).unwrap();
    let verified = found(&good, with(&key));
    assert_eq!((verified.fault, verified.tag), (None, Tag::Verified));
    assert_eq!(found(&good, InspectionKeys::default()).tag, Tag::Unverified);
    let wrong = found(&good, with(&other));
    assert_eq!(
        (wrong.tag, wrong.fault.map(|fault| (fault.error.code, fault.at))),
        (Tag::Wrong, Some((Code::Integrity, good.len() - 32)))
    );

    for (kind, header, expected) in [
        (b'X', HEADER, (Code::UnsupportedType, 6)),
        (b'z', HEADER, (Code::UnsupportedType, 6)),
        (b'i', &b"{}"[..], (Code::BadHeader, 16)),
    ] {
        let frame = encode_frame(kind, header, b"{}", Some(KEY)).unwrap();
        assert_eq!(fault(&frame), Some(expected));
        let fault = found(&frame, with(&other)).fault.unwrap();
        assert_eq!(fault.error.code, Code::Integrity);
    }
}

#[test]
fn a_client_hello_is_verified_with_its_key_and_says_whose_it_is_otherwise() {
    let vector = vector();
    let hello = vector.bytes("client_hello");
    let (psk, other) = (Psk::new(&vector.bytes("psk_hex")).unwrap(), Psk::new(&[0x81; 32]).unwrap());
    let with = |psk, frame: &[u8]| {
        let found = found(frame, InspectionKeys { v1: None, psk: Some(psk) });
        (found.tag, found.fault.map(|fault| fault.at))
    };
    assert_eq!(with(&psk, &hello), (Tag::Verified, None));
    assert_eq!(with(&other, &hello), (Tag::Unverified, Some(24)));
    let tag_at = hello.len() - 32;
    assert_eq!(with(&psk, &edited(&hello, 32, &[!hello[32]])), (Tag::Wrong, Some(tag_at)));
    assert_eq!(
        with(&psk, &edited(&hello, 16, &[2])),
        (Tag::Wrong, Some(tag_at)),
        "the tag before the fields"
    );
}
