//! What must hold for all bytes: no changed frame is accepted, random bytes never panic, any message
//! survives the trip however its stream is split.

use super::*;
use eipc_core::v1::Received;
use eipc_core::wire::{FrameV1, header_binary};
use eipc_testkit::{changes, pieces};
use proptest::prelude::*;

fn receiver() -> Connection {
    let mut config = MacConfig::new(key(NIA), "eipc-server");
    config.peer_id = Some("nia.min".into());
    Connection::mac_only(config, Time(0)).unwrap()
}

#[test]
fn no_changed_frame_is_accepted() {
    // The attacker flips any one bit, cuts anywhere, or adds 1 to 64 bytes. The original accepts one flip.
    let good = encode_frame(b'i', &header("nia.min", "", 1), b"{\"intent\":\"stop\"}", Some(NIA)).unwrap();
    let (mut tried, mut accepted) = (0, 0);
    let mut attack = |mut bytes: Vec<u8>| {
        // The frame-level functions first: they see the bytes as they came.
        accepted += usize::from(decode_frame(&mut bytes, Some(NIA)).is_ok());
        let mut receiver = receiver();
        tried += 1;
        accepted += usize::from(receiver.handle_frame(&mut bytes, &Random::system(), Time(0)).is_ok());
        assert_eq!(receiver.session().unwrap().peer_id.as_deref(), Some("nia.min"), "no state changed");
    };
    for change in changes(good.len()) {
        let mut bytes = good.clone();
        change(&mut bytes);
        attack(bytes);
    }
    println!("v1: {tried} changed frames, {accepted} accepted");
    assert!(tried > 1_900, "{tried}");
    assert_eq!(accepted, 0);
    assert!(receiver().handle_frame(&mut good.clone(), &Random::system(), Time(0)).is_ok());
}

fn text() -> impl Strategy<Value = String> {
    // Everything but NUL, and much of what JSON escapes.
    let char = prop_oneof![
        any::<char>().prop_filter("NUL", |c| *c != '\0'),
        proptest::sample::select(vec![
            '"', '\\', '<', '>', '&', '\n', '\u{1b}', '\u{2028}', '\u{2029}', '\u{e2}'
        ]),
    ];
    proptest::collection::vec(char, 0..40).prop_map(|chars| chars.into_iter().collect())
}

prop_compose! {
    fn any_meta()(
        priority in 0..4_u8,
        payload_format in 0..2_u8,
        (request_id, capability, route) in (text(), text(), text()),
        timestamp_ns in 0..i64::MAX,
    ) -> Meta<'static> {
        Meta {
            priority: Priority::from_byte(priority).unwrap(),
            payload_format: eipc_core::PayloadFormat::from_byte(payload_format).unwrap(),
            source: "nia.min".into(),
            request_id: request_id.into(),
            capability: capability.into(),
            route: route.into(),
            timestamp_ns,
            max_age_ms: 0,
        }
    }
}

/// How many bytes a text is longer in a header than by itself.
fn escapes(text: &str) -> usize {
    let longer = |c| match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 1,
        '<' | '>' | '&' | '\0'..'\u{20}' => 5,
        '\u{2028}' | '\u{2029}' => 3,
        _ => 0,
    };
    text.chars().map(longer).sum()
}

proptest! {
    #[test]
    fn a_message_sealed_in_its_place_is_the_same_frame_and_fits(
        messages in proptest::collection::vec((any_meta(), proptest::collection::vec(any::<u8>(), 0..600)), 1..4),
        own_id in "[a-z<&\"]{1,20}",
        gap in 0..400_usize,
    ) {
        let mut config = MacConfig::new(key(NIA), &own_id);
        config.session_id = own_id.repeat(3);
        let mut appending = Connection::mac_only(config.clone(), Time(0)).unwrap();
        let mut placing = Connection::mac_only(config, Time(0)).unwrap();
        for (meta, payload) in messages {
            let meta = Meta { source: "".into(), ..meta };
            let mut expected = Vec::new();
            appending.seal_record(Kind::Chat, &meta, &payload, &mut expected).unwrap();
            // The message begins anywhere, and exactly as much is behind it as the longest header and the tag need.
            let mut binary = [0; 1_044];
            let length = header_binary::write_any_text(&meta, &mut binary).unwrap();
            let text: usize = [&meta.request_id, &meta.capability, &meta.route].map(|text| text.len() + escapes(text)).iter().sum();
            let longest = 16 + placing.header_room().unwrap() + text + payload.len() + 32;
            let message = [&binary[..length], &payload].concat();
            let mut room = vec![0xaa; gap];
            room.extend_from_slice(&message);
            room.resize(room.len().max(longest), 0xaa);
            let (meta_at, payload_at) = (gap..gap + length, gap + length..gap + message.len());
            let sealed = placing.seal_in_place(Kind::Chat, meta_at, payload_at, &mut room).unwrap();
            prop_assert_eq!(&room[..sealed], &expected[..]);
        }
    }

    #[test]
    fn any_message_survives_the_trip(
        messages in proptest::collection::vec((any_meta(), proptest::collection::vec(any::<u8>(), 0..2_000)), 1..4),
    ) {
        let mut sender = Connection::mac_only(MacConfig::new(key(NIA), "nia.min"), Time(0)).unwrap();
        let mut receiver = receiver();
        let mut out = Vec::new();
        for (at, (meta, payload)) in messages.iter().enumerate() {
            out.clear();
            sender.seal_record(Kind::Features, meta, payload, &mut out).unwrap();
            let received = receiver.handle_frame(&mut out, &Random::system(), Time(0)).unwrap();
            let Received::Message(envelope) = received else { panic!("{received:?}") };
            prop_assert_eq!(envelope.meta(), meta);
            prop_assert_eq!(envelope.payload(), &payload[..]);
            prop_assert_eq!((envelope.kind(), envelope.sequence()), (Kind::Features, at as u64 + 1));
        }
    }

    #[test]
    fn any_split_of_a_session_is_the_whole_session(
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..8),
        cuts in proptest::collection::vec(any::<usize>(), 0..20),
    ) {
        // The four frames of the handshake, then messages in both directions.
        let mut pair = pair_of(client(), server());
        for (at, expected) in
            [Seen::Progress, Seen::Progress, Seen::Established, Seen::Established].into_iter().enumerate()
        {
            let (from, to) = match at % 2 {
                0 => (&mut pair.client, &mut pair.server),
                _ => (&mut pair.server, &mut pair.client),
            };
            let frame = from.transmit();
            let seen: Vec<_> =
                pieces(&frame, &cuts).into_iter().flat_map(|piece| to.receive(piece, Time(0))).collect();
            prop_assert_eq!(seen, [expected]);
        }
        let streams = [&mut pair.client, &mut pair.server].map(|end| -> Vec<u8> {
            payloads.iter().flat_map(|payload| end.message(Kind::Chat, payload).unwrap()).collect()
        });
        for (end, stream) in [&mut pair.server, &mut pair.client].into_iter().zip(&streams) {
            let seen: Vec<_> =
                pieces(stream, &cuts).into_iter().flat_map(|piece| end.receive(piece, Time(0))).collect();
            let expected: Vec<_> =
                payloads.iter().map(|payload| Seen::Message(Kind::Chat, payload.clone())).collect();
            prop_assert_eq!(seen, expected);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), skip in 0..60_usize) {
        // Random bytes, and random bytes behind the beginning of a good frame.
        let good = encode_frame(b'i', &header("nia.min", "", 1), b"payload", Some(NIA)).unwrap();
        for input in [bytes.clone(), [&good[..skip], &bytes].concat()] {
            let _ = header_v1::parse(&input, TimestampRule::Strict);
            let _ = FrameV1::decode(&mut input.clone());
            prop_assert!(decode_frame(&mut input.clone(), Some(NIA)).is_err());
            let random = Random::system();
            let mut config = server();
            config.options.ack_handshake = true;
            let config = Arc::new(config);
            for mut connection in [
                receiver(),
                Connection::server(config, UNIX_NS, Time(0)),
                Connection::client(client(), UNIX_NS, Time(0)).unwrap(),
            ] {
                prop_assert!(connection.handle_frame(&mut input.clone(), &random, Time(0)).is_err());
            }
        }
    }

    #[test]
    fn whatever_a_key_holder_signs_never_panics(
        kind in proptest::sample::select(b"AHRaixX?".to_vec()),
        member in "[\\{\\}\\[\\]\",:\\\\ua-f0-9 ]{0,40}",
        payload in "[\\{\\}\\[\\]\",:\\\\ua-f0-9 ]{0,60}",
    ) {
        // The attacker holds the key: everything behind the tag reads its text.
        let header = [&header("nia.min", "", 1)[..], member.as_bytes()].concat();
        for header in [&header[..], member.as_bytes()] {
            let frame = encode_frame(kind, header, payload.as_bytes(), Some(NIA)).unwrap();
            for mut connection in [
                receiver(),
                Connection::server(Arc::new(server()), UNIX_NS, Time(0)),
                Connection::client(ClientConfig::new(key(NIA), "other"), UNIX_NS, Time(0)).unwrap(),
            ] {
                let _ = connection.handle_frame(&mut frame.clone(), &Random::system(), Time(0));
            }
        }
    }
}
