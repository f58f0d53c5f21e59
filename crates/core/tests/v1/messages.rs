//! Messages of an open session, and an attacker on its wire or behind its key.

use super::*;
use eipc_core::wire::header_binary;

#[test]
fn messages_pass_in_both_directions_and_go_on_counting() {
    let mut pair = open_pair(client(), server());
    for round in 0..10_u8 {
        let mut bytes = pair.client.message(Kind::Chat, &[round]).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(
            text.contains(&format!("\"sequence\":{},", 3 + 2 * u64::from(round))),
            "two were the login's"
        );
        assert!(text.contains(&pair.client.connection.session().unwrap().session_id));
        bytes.extend(pair.client.message(Kind::Intent, &[round, 1]).unwrap());
        let expected = [Seen::Message(Kind::Chat, vec![round]), Seen::Message(Kind::Intent, vec![round, 1])];
        assert_eq!(pair.server.receive(&bytes, pair.now), expected);
        let bytes = pair.server.message(Kind::Chat, &[round]).unwrap();
        assert_eq!(pair.client.receive(&bytes, pair.now), message(&[round]));
    }
}

#[test]
fn every_application_kind_passes_and_no_other() {
    let mut pair = open_pair(client(), server());
    let token = pair.client.connection.session().unwrap().session_id.clone();
    for &kind in Kind::ALL {
        match pair.client.message(kind, b"x") {
            Ok(bytes) => {
                assert!(kind.is_application());
                assert_eq!(pair.server.receive(&bytes, pair.now), [Seen::Message(kind, b"x".to_vec())]);
            }
            Err(error) => assert!(error.code == Code::UnsupportedType && !kind.is_application(), "{kind:?}"),
        }
    }
    for byte in 0..=255 {
        let is_application = Kind::from_byte(byte).is_some_and(Kind::is_application);
        let mut pair = open_pair(client(), server());
        let token_now = pair.client.connection.session().unwrap().session_id.clone();
        assert_ne!(token, token_now);
        let seen = pair.server.receive(&signed(NIA, byte, &header("nia.min", &token_now, 3), b""), pair.now);
        assert_eq!(code(&seen), (!is_application).then_some(Code::UnsupportedType), "{byte}");
    }
}

/// What a server in session answers to a frame signed with the client's key.
fn refusal(options: Options, frame: impl FnOnce(&str) -> Vec<u8>) -> Option<Code> {
    let mut config = server();
    config.options = options;
    let mut pair = open_pair(client(), config);
    let token = pair.client.connection.session().unwrap().session_id.clone();
    let seen = pair.server.receive(&frame(&token), pair.now);
    assert!(pair.server.transmit().is_empty(), "v1 has no frame to say why");
    assert_eq!(pair.server.connection.state() == State::Closed, code(&seen).is_some());
    if code(&seen).is_some() {
        let mut bytes = [0; 64];
        let again = pair.server.connection.handle_frame(&mut bytes, &Random::system(), pair.now);
        assert_eq!(again.unwrap_err().code, Code::Closed, "the first refused frame is the last");
    }
    code(&seen)
}

fn strict(frame: impl FnOnce(&str) -> Vec<u8>) -> Option<Code> {
    refusal(Options::default(), frame)
}

#[test]
fn the_header_names_the_peer_and_its_session() {
    // The attacker holds the key of nia.min and signs what it likes.
    let from = |id: &str, session: fn(&str) -> String, sequence: u64| {
        strict(|token| signed(NIA, b'c', &header(id, &session(token), sequence), b""))
    };
    let right = |token: &str| token.to_owned();
    assert_eq!(from("nia.min", right, 3), None);
    assert_eq!(from("eipc-server", right, 3), Some(Code::Reflection));
    assert_eq!(from("ail.framework", right, 3), Some(Code::Identity));
    assert_eq!(from("", right, 3), Some(Code::Identity));
    assert_eq!(from("NIA.MIN", right, 3), Some(Code::Identity));
    assert_eq!(from("nia.min", |_| String::new(), 3), Some(Code::Identity));
    assert_eq!(from("nia.min", |token| token[..63].to_owned(), 3), Some(Code::Identity));
    assert_eq!(from("nia.min", |token| token.to_uppercase() + "0", 3), Some(Code::Identity));
    assert_eq!(from("nia.min", |_| "0".repeat(64), 3), Some(Code::Identity));
    assert_eq!(from("nia.min", right, 0), Some(Code::Replay));
    assert_eq!(from("nia.min", right, 2), Some(Code::Replay), "the login's");
    assert_eq!(from("nia.min", right, u64::MAX), None);
    let by_ail = |token: &str| signed(AIL, b'c', &header("nia.min", token, 3), b"");
    assert_eq!(strict(by_ail), Some(Code::Integrity), "one key per session");
}

#[test]
fn an_earlier_fault_wins_over_a_later_one() {
    let bad_header = |header: Vec<u8>| [&header[..header.len() - 1], b",\"x\":null}"].concat();
    let of = |kind: u8, header: Vec<u8>| strict(|_| signed(NIA, kind, &header, b""));
    assert_eq!(of(b'?', bad_header(header("eipc-server", "", 0))), Some(Code::UnsupportedType));
    assert_eq!(of(b'c', bad_header(header("eipc-server", "", 0))), Some(Code::BadHeader));
    assert_eq!(of(b'c', header("eipc-server", "", 0)), Some(Code::Reflection));
    assert_eq!(of(b'c', header("ail.framework", "", 0)), Some(Code::Identity));
    assert_eq!(of(b'c', header("nia.min", "", 0)), Some(Code::Identity));
    assert_eq!(strict(|token| signed(NIA, b'c', &header("nia.min", token, 0), b"")), Some(Code::Replay));
    let unverified = |_: &str| {
        let mut frame = signed(NIA, b'?', b"{", b"");
        *frame.last_mut().unwrap() ^= 1;
        frame
    };
    assert_eq!(strict(unverified), Some(Code::Integrity), "nothing is read before the tag");
}

#[test]
fn each_option_relaxes_its_own_rule_only() {
    let cases = |options: Options| {
        let of = |id: &'static str, session: &'static str| {
            refusal(options, |token| {
                let session = if session == "token" { token } else { session };
                signed(NIA, b'c', &header(id, session, 3), b"")
            })
        };
        let time = refusal(options, |token| {
            let text = String::from_utf8(header("nia.min", token, 3)).unwrap();
            signed(NIA, b'c', text.replace("2026-04-03T12:00:00Z", "noon").as_bytes(), b"")
        });
        let own = of("eipc-server", "token");
        (time, of("other", "token"), of("nia.min", ""), of("nia.min", "wrong"), own)
    };
    let (bad_header, identity, reflection) =
        (Some(Code::BadHeader), Some(Code::Identity), Some(Code::Reflection));
    let strict = Options::default();
    assert_eq!(cases(strict), (bad_header, identity, identity, identity, reflection));
    let timestamp = Options { timestamp: TimestampRule::AnyString, ..strict };
    assert_eq!(cases(timestamp), (None, identity, identity, identity, reflection));
    let source = Options { source: SourceRule::Any, ..strict };
    assert_eq!(cases(source), (bad_header, None, identity, identity, reflection));
    let session_id = Options { session_id: SessionIdRule::WhenPresent, ..strict };
    assert_eq!(cases(session_id), (bad_header, identity, None, identity, reflection));
}

#[test]
fn a_client_refuses_what_is_reflected_replayed_or_not_of_its_server() {
    // The attacker sits on the wire; both directions have one key.
    let mut pair = open_pair(client(), server());
    let own = pair.client.message(Kind::Chat, b"x").unwrap();
    assert_eq!(code(&pair.client.receive(&own, pair.now)), Some(Code::Reflection));

    let mut pair = open_pair(client(), server());
    let reply = pair.server.message(Kind::Chat, b"x").unwrap();
    assert_eq!(pair.client.receive(&reply, pair.now), message(b"x"));
    assert_eq!(code(&pair.client.receive(&reply, pair.now)), Some(Code::Replay));

    let mut pair = open_pair(client(), server());
    let token = pair.client.connection.session().unwrap().session_id.clone();
    let other = signed(NIA, b'c', &header("other-server", &token, 3), b"");
    assert_eq!(code(&pair.client.receive(&other, pair.now)), Some(Code::Identity));

    // A frame of one session, played into the next.
    let mut first = open_pair(client(), server());
    let old = first.server.message(Kind::Chat, b"x").unwrap();
    let mut second = open_pair(client(), server());
    assert_eq!(code(&second.client.receive(&old, second.now)), Some(Code::Identity));
}

#[test]
fn frames_may_overtake_each_other_within_the_window() {
    for size in [64_usize, 128, 192] {
        let mut config = server();
        config.options.replay_window = WindowSize::new(size).unwrap();
        for (behind, expected) in [(size - 1, None), (size, Some(Code::Replay))] {
            let mut pair = open_pair(client(), config.clone());
            let first = pair.client.message(Kind::Chat, b"first").unwrap();
            let mut last = Vec::new();
            for _ in 0..behind {
                last = pair.client.message(Kind::Chat, b"x").unwrap();
            }
            assert_eq!(pair.server.receive(&last, pair.now), message(b"x"));
            assert_eq!(code(&pair.server.receive(&first, pair.now)), expected, "{size} {behind}");
        }
    }
}

#[test]
fn frames_may_be_large_once_the_peer_has_proved_itself() {
    let mut pair = open_pair(client(), server());
    let overhead = pair.client.message(Kind::Chat, b"").unwrap().len() - 4;
    let fits = vec![7; (1 << 20) - overhead];
    let bytes = pair.client.message(Kind::Chat, &fits).unwrap();
    assert_eq!(bytes.len(), 4 + (1 << 20));
    assert_eq!(pair.server.receive(&bytes, pair.now), message(&fits));
    let error = pair.client.message(Kind::Chat, &[&fits[..], &[7]].concat()).unwrap_err();
    assert_eq!(error.code, Code::MessageTooLarge);

    let mut config = server();
    config.options.max_frame = 1; // taken to 4 096
    let mut pair = open_pair(client(), config);
    assert_eq!(pair.server.connection.frame_limit(), 4_096);
    assert_eq!(pair.server.message(Kind::Chat, &[0; 4_096]).unwrap_err().code, Code::MessageTooLarge);
    let bytes = pair.client.message(Kind::Chat, &[0; 4_096]).unwrap();
    assert_eq!(code(&pair.server.receive(&bytes, pair.now)), Some(Code::FrameTooLarge));
}

#[test]
fn a_refused_record_uses_no_sequence_number_and_leaves_the_buffer_alone() {
    let mut pair = open_pair(client(), server());
    let good = Meta { source: "nia.min".into(), ..Meta::default() };
    let mut out = b"before".to_vec();
    let mut seal = |kind, meta: &Meta<'_>, payload: &[u8]| {
        let result = pair.client.connection.seal_record(kind, meta, payload, &mut out);
        assert!(result.is_ok() || out == b"before");
        result.map_err(|error| error.code)
    };
    let with = |change: fn(&mut Meta<'static>)| {
        let mut meta = Meta::default();
        change(&mut meta);
        meta
    };
    assert_eq!(seal(Kind::Auth, &good, b""), Err(Code::UnsupportedType));
    assert_eq!(seal(Kind::Close, &good, b""), Err(Code::UnsupportedType));
    for meta in [
        with(|meta| meta.source = "other".into()),
        with(|meta| meta.request_id = "a\0".into()),
        with(|meta| meta.route = "r".repeat(4_096).into()),
        with(|meta| meta.timestamp_ns = -1),
        with(|meta| meta.payload_format = eipc_core::PayloadFormat::Bytes),
    ] {
        assert_eq!(seal(Kind::Chat, &meta, b""), Err(Code::BadHeader), "{meta:?}");
    }
    assert_eq!(seal(Kind::Chat, &good, &vec![0; 1 << 20]), Err(Code::MessageTooLarge));
    assert_eq!(seal(Kind::Chat, &good, b"x"), Ok(()));
    assert!(String::from_utf8_lossy(&out).contains("\"sequence\":3,"));
    assert_eq!(pair.server.receive(&prefixed(&out[6..]), pair.now), message(b"x"));
}

#[test]
fn records_wait_until_the_login_is_written() {
    let mut pair = pair_of(client(), server());
    for from_client in [true, false, true] {
        let (from, to) = match from_client {
            true => (&mut pair.client, &mut pair.server),
            false => (&mut pair.server, &mut pair.client),
        };
        let bytes = from.transmit();
        to.receive(&bytes, Time(0));
    }
    assert!(pair.server.connection.has_transmit());
    assert_eq!(pair.server.message(Kind::Chat, b"x").unwrap_err().code, Code::Backpressure);
    let mut bytes = pair.server.transmit();
    assert!(!pair.server.connection.has_transmit());
    bytes.extend(pair.server.message(Kind::Chat, b"x").unwrap());
    let seen = pair.client.receive(&bytes, pair.now);
    assert_eq!(seen, [Seen::Established, Seen::Message(Kind::Chat, b"x".to_vec())]);
}

#[test]
fn a_message_sealed_in_its_place_must_be_a_message_and_have_room() {
    // Eight bytes of payload lie `gap` bytes behind the meta.
    let seal = |kind, room_len: usize, gap: usize| {
        let mut connection = Connection::mac_only(MacConfig::new(key(NIA), "nia.min"), Time(0)).unwrap();
        let mut room = vec![0; 1_024];
        let meta_len = header_binary::write(&Meta::default(), &mut room).unwrap();
        room.truncate(room_len);
        let payload = meta_len + gap..meta_len + gap + 8;
        connection.seal_in_place(kind, 0..meta_len, payload, &mut room).map_err(|error| error.code)
    };
    let length = seal(Kind::Chat, 1_024, 0).unwrap();
    assert_eq!(seal(Kind::Auth, 1_024, 0), Err(Code::UnsupportedType));
    assert_eq!(seal(Kind::Chat, length, 0), Ok(length), "not a byte more is needed");
    assert_eq!(seal(Kind::Chat, length - 1, 0), Err(Code::Internal), "no room for the tag");
    assert_eq!(seal(Kind::Chat, 64, 0), Err(Code::Internal), "no room for the header");
    assert_eq!(seal(Kind::Chat, 1_024, 1_000), Err(Code::Internal), "the payload ends outside");
}

#[test]
fn text_that_no_message_can_keep_is_refused() {
    // The attacker holds the key and writes text of any length.
    let with = |member: &str| {
        strict(|token| {
            let text = String::from_utf8(header("nia.min", token, 3)).unwrap();
            let text = text.replace("\"request_id\":\"\"", member);
            signed(NIA, b'c', text.as_bytes(), b"")
        })
    };
    let refused = Some(Code::BadHeader);
    for name in ["request_id", "capability", "route"] {
        let member = |value: &str| format!("\"{name}\":\"{value}\"");
        assert_eq!(with(&member(&"x".repeat(255))), None);
        assert_eq!(with(&member(&"x".repeat(256))), refused, "{name}");
        assert_eq!(with(&member(r"a\n\u001b\u007fb")), None, "text is the printer's to escape");
    }
    let config = || MacConfig::new(key(NIA), "eipc-server");
    let from = |session_id: &str| {
        let mut end = End::new(Connection::mac_only(config(), Time(0)).unwrap());
        code(&end.receive(&signed(NIA, b'c', &header("nia.min", session_id, 1), b""), Time(0)))
    };
    assert_eq!((from(&"x".repeat(256)), from(&"x".repeat(257))), (None, refused));
}
