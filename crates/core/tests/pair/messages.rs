//! Messages of an open session, and an attacker on its wire.

use super::*;
use eipc_core::wire::header_json;

#[test]
fn messages_pass_in_both_directions_and_keep_their_order() {
    let mut pair = open_pair(client(), server());
    for round in 0..10_u8 {
        let mut bytes = pair.client.message(Kind::Intent, &[round]).unwrap();
        bytes.extend(pair.client.message(Kind::Chat, &[round, 1]).unwrap());
        let expected = [Seen::Message(Kind::Intent, vec![round]), Seen::Message(Kind::Chat, vec![round, 1])];
        assert_eq!(pair.server.receive(&bytes, pair.now), expected);
        let bytes = pair.server.message(Kind::Ack, &[round]).unwrap();
        assert_eq!(pair.client.receive(&bytes, pair.now), [Seen::Message(Kind::Ack, vec![round])]);
    }
}

#[test]
fn every_application_kind_passes_and_no_other() {
    let mut pair = open_pair(client(), server());
    for &kind in Kind::ALL {
        match pair.client.message(kind, b"x") {
            Ok(bytes) => {
                assert!(kind.is_application());
                assert_eq!(pair.server.receive(&bytes, pair.now), [Seen::Message(kind, b"x".to_vec())]);
            }
            Err(error) => assert!(error.code == Code::UnsupportedType && !kind.is_application(), "{kind:?}"),
        }
    }
}

#[test]
fn tampered_replayed_reflected_dropped_and_swapped_messages_end_the_session() {
    // The attacker sits on the wire of an open session.
    type Attack = fn(&mut Pair) -> Vec<u8>;
    let attacks: [(&str, Code, Attack); 6] = [
        ("flip", Code::Integrity, |pair| {
            let mut bytes = pair.client.message(Kind::Chat, b"{}").unwrap();
            bytes[70] ^= 1;
            bytes
        }),
        ("replay", Code::Sequence, |pair| {
            let bytes = pair.client.message(Kind::Chat, b"{}").unwrap();
            assert_eq!(code(&pair.server.receive(&bytes, pair.now)), None);
            bytes
        }),
        ("reflect", Code::Integrity, |pair| pair.server.message(Kind::Chat, b"{}").unwrap()),
        ("drop", Code::Sequence, |pair| {
            pair.client.message(Kind::Chat, b"{}").unwrap();
            pair.client.message(Kind::Chat, b"{}").unwrap()
        }),
        ("forge", Code::Integrity, |pair| {
            prefixed(&forged_message(pair.client.connection.session().unwrap().session_id))
        }),
        ("alert without tag", Code::Integrity, |_| {
            prefixed(b"EIPC\x00\x02E\x00\x00\x00\x00\x00\x00\x00\x00\x04\x02\x00\x00\x00")
        }),
    ];
    for (name, expected, attack) in attacks {
        let mut pair = open_pair(client(), server());
        let bytes = attack(&mut pair);
        assert_eq!(code(&pair.server.receive(&bytes, pair.now)), Some(expected), "{name}");
        assert_eq!(pair.server.connection.state(), State::Closed);
        // The peer hears of it once, under the session's keys.
        if name != "reflect" {
            let alert = pair.server.transmit();
            assert_eq!(code(&pair.client.receive(&alert, pair.now)), Some(Code::ClosedByPeer), "{name}");
        }
        assert!(pair.client.transmit().is_empty());
        let error =
            pair.server.connection.handle_frame(&mut [0; 64], &Random::system(), pair.now).unwrap_err();
        assert_eq!(error.code, Code::Closed);
    }
}

#[test]
fn records_wait_until_control_frames_are_written() {
    let mut pair = pair_of(client(), server());
    for (from_client, _) in [(true, 0), (false, 1), (true, 2)] {
        let (from, to) = if from_client {
            (&mut pair.client, &mut pair.server)
        } else {
            (&mut pair.server, &mut pair.client)
        };
        let bytes = from.transmit();
        to.receive(&bytes, Time(0));
    }
    // SessionAccept is queued and has counter 1.
    assert!(pair.server.connection.has_transmit());
    let error = pair.server.message(Kind::Chat, b"{}").unwrap_err();
    assert_eq!(error.code, Code::Backpressure);
    let mut bytes = pair.server.transmit();
    assert!(!pair.server.connection.has_transmit());
    bytes.extend(pair.server.message(Kind::Chat, b"{}").unwrap());
    let seen = pair.client.receive(&bytes, pair.now);
    assert_eq!(seen, [Seen::Established, Seen::Message(Kind::Chat, b"{}".to_vec())]);
}

#[test]
fn a_refused_record_uses_no_counter() {
    let mut pair = open_pair(client(), server());
    let (meta_len, mut frame) = record(&meta(Priority::P1), b"x", 32);
    let mut seal = |kind, priority, meta_kind, meta_len, frame: &mut [u8]| {
        pair.client
            .connection
            .seal_record(kind, priority, meta_kind, meta_len, frame, Time(0))
            .map_err(|error| error.code)
    };
    assert_eq!(seal(Kind::Chat, Priority::P0, MetaKind::Binary, meta_len, &mut frame), Err(Code::BadHeader));
    assert_eq!(seal(Kind::Chat, Priority::P1, MetaKind::Json, meta_len, &mut frame), Err(Code::BadHeader));
    assert_eq!(
        seal(Kind::Chat, Priority::P1, MetaKind::Binary, meta_len + 1, &mut frame),
        Err(Code::BadHeader)
    );
    assert_eq!(
        seal(Kind::Chat, Priority::P1, MetaKind::Binary, 5_000, &mut [0; 6_000]),
        Err(Code::BadHeader)
    );
    assert_eq!(seal(Kind::Chat, Priority::P1, MetaKind::Binary, 24, &mut [0; 90]), Err(Code::Internal));
    assert_eq!(seal(Kind::Close, Priority::P1, MetaKind::Json, 2, &mut frame), Err(Code::UnsupportedType));
    assert_eq!(seal(Kind::Auth, Priority::P1, MetaKind::Json, 2, &mut frame), Err(Code::UnsupportedType));
    assert_eq!(seal(Kind::Chat, Priority::P1, MetaKind::Binary, meta_len, &mut frame), Ok(()));
    let seen = pair.server.receive(&prefixed(&frame), pair.now);
    assert_eq!(seen, [Seen::Message(Kind::Chat, b"x".to_vec())]);
}

#[test]
fn binary_meta_needs_its_feature() {
    let mut config = client();
    config.features = Features::STRICT_SEQUENCE;
    let mut pair = open_pair(config, server());
    assert_eq!(pair.client.message(Kind::Chat, b"x").unwrap_err().code, Code::BadHeader);
    let text = header_json::write(&meta(Priority::P3)).unwrap();
    let mut frame = [&[0; 40][..], text.as_bytes(), b"x", &[0; 32]].concat();
    pair.client
        .connection
        .seal_record(Kind::Chat, Priority::P3, MetaKind::Json, text.len(), &mut frame, Time(0))
        .unwrap();
    let seen = pair.server.receive(&prefixed(&frame), pair.now);
    assert_eq!(seen, [Seen::Message(Kind::Chat, b"x".to_vec())]);
}

#[test]
fn an_end_of_stream_without_close_is_truncation() {
    // The attacker cuts the wire between two frames.
    let mut pair = open_pair(client(), server());
    assert_eq!(pair.server.connection.handle_end(pair.now).unwrap_err().code, Code::Truncation);
    assert_eq!(pair.server.connection.state(), State::Closed);
    // Also when this side has already said that it closes: the peer's last messages may be missing.
    pair.client.connection.close(CloseReason::Normal, None, pair.now).unwrap();
    assert_eq!(pair.client.connection.handle_end(pair.now).unwrap_err().code, Code::Truncation);
}
