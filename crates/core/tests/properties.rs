//! What must hold for all bytes: any split of a stream is the whole stream, any message survives the
//! trip, random bytes never panic, and no changed frame is accepted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use eipc_core::crypto::random::Random;
use eipc_core::session::handshake_v2::{ClientStart, Established, ServerStart};
use eipc_core::wire::{Deframed, Deframer, header_binary, header_json};
use eipc_core::{
    ClientConfig, CloseReason, Connection, Features, KeyTable, Kind, Meta, MetaKind, Opener, PayloadFormat,
    Priority, Psk, Sealer, ServerConfig, Suite, Time,
};
use eipc_testkit::{End, Pair, Seen, changes, meta, pieces, record};
use proptest::prelude::*;
use std::sync::Arc;

/// Runs the same handshake again and again: every call gives openers with the same keys at counter 0.
struct Replay {
    suite: Suite,
    psk: Arc<Psk>,
    server_hello: Vec<u8>,
    hello: Vec<u8>,
    finish: Vec<u8>,
}

const SUITES: [Suite; 3] = [Suite::HmacSha256, Suite::ChaCha20Poly1305, Suite::Aes256Gcm];
const CLIENT_RANDOM: [u8; 64] = [0x21; 64];
const SERVER_RANDOM: [u8; 72] = [0x42; 72];

impl Replay {
    fn new(suite: Suite) -> (Self, Established) {
        let psk = Arc::new(Psk::new(&[0x81; 32]).unwrap());
        let mut config = ClientConfig::new(Arc::clone(&psk), "nia.min");
        config.features = Features(15);
        let random = Random::fixed(&CLIENT_RANDOM);
        let (hello, client) = ClientStart::new(config).unwrap().hello(&random).unwrap();
        let mut replay = Self { suite, psk, hello, server_hello: Vec::new(), finish: Vec::new() };
        let (mut server_hello, server) = replay.start();
        let (finish, client) = client.receive(&mut server_hello.clone(), Time(0)).unwrap();
        replay.finish = finish;
        replay.server_hello.append(&mut server_hello);
        let (mut accept, _) = server.receive(&mut replay.finish.clone(), Time(0)).unwrap();
        let client = client.receive(&mut accept).unwrap();
        (replay, client)
    }

    fn start(&self) -> (Vec<u8>, eipc_core::session::handshake_v2::AwaitFinish) {
        let mut keys = KeyTable::new();
        keys.insert("nia.min", Arc::clone(&self.psk), &[]).unwrap();
        let mut config = ServerConfig::new("eai", Box::new(keys));
        config.features = Features(15);
        config.suites = vec![self.suite];
        let start = ServerStart::new(Arc::new(config));
        start.receive(&mut self.hello.clone(), &Random::fixed(&SERVER_RANDOM), Time(0)).unwrap()
    }

    fn openers(&self) -> (Opener, Opener) {
        let (server_hello, server) = self.start();
        assert_eq!(server_hello, self.server_hello);
        let (_, server) = server.receive(&mut self.finish.clone(), Time(0)).unwrap();
        (server.planes.opener, server.planes.segment.unwrap().1)
    }
}

fn sealed(sealer: &mut Sealer, priority: Priority, payload: &[u8]) -> Vec<u8> {
    let meta = Meta { request_id: "req-1".into(), capability: "ui:control".into(), ..meta(priority) };
    let (meta_len, mut frame) = record(&meta, payload, sealer.tag_len());
    sealer.seal(Kind::Intent, priority, MetaKind::Binary, meta_len, &mut frame, Time(0)).unwrap();
    frame
}

#[test]
fn no_changed_frame_is_accepted() {
    // The attacker flips any one bit, cuts anywhere, or adds 1 to 64 bytes, on both planes.
    for suite in SUITES {
        refuses_every_change(suite);
    }
}

fn refuses_every_change(suite: Suite) {
    let (replay, mut client) = Replay::new(suite);
    let stream = sealed(&mut client.planes.sealer, Priority::P1, b"{\"intent\":\"stop\"}");
    let segment = sealed(&mut client.planes.segment.unwrap().0, Priority::P0, b"{\"intent\":\"stop\"}");
    let (mut tried, mut accepted) = (0, 0);
    for (on_stream, frame) in [(true, &stream), (false, &segment)] {
        let mut attack = |mut bytes: Vec<u8>| {
            let (stream, segment) = replay.openers();
            let mut opener = if on_stream { stream } else { segment };
            tried += 1;
            accepted += usize::from(opener.receive(&mut bytes).is_ok());
            assert!(Priority::ALL.iter().all(|lane| opener.last(*lane) == 0), "no state changed");
        };
        for change in changes(frame.len()) {
            let mut bytes = frame.clone();
            change(&mut bytes);
            attack(bytes);
        }
        let (stream, segment) = replay.openers();
        let mut opener = if on_stream { stream } else { segment };
        opener.receive(&mut frame.clone()).expect("the frame itself is good");
    }
    println!("{suite:?}: {tried} changed frames, {accepted} accepted");
    assert!(tried > 2_000);
    assert_eq!(accepted, 0);
}

fn text() -> impl Strategy<Value = String> {
    // No C0 and no DEL; up to 255 bytes once encoded.
    proptest::collection::vec(any::<char>().prop_filter("control", |c| *c >= ' ' && *c != '\u{7f}'), 0..60)
        .prop_map(String::from_iter)
}

fn any_meta() -> impl Strategy<Value = Meta<'static>> {
    (0..4_u8, 0..4_u8, text(), text(), text(), text(), 0..=i64::MAX, any::<u32>()).prop_map(
        |(priority, format, source, request_id, capability, route, timestamp_ns, max_age_ms)| Meta {
            priority: Priority::from_byte(priority).unwrap(),
            payload_format: PayloadFormat::from_byte(format).unwrap(),
            source: source.into(),
            request_id: request_id.into(),
            capability: capability.into(),
            route: route.into(),
            timestamp_ns,
            max_age_ms: if timestamp_ns == 0 { 0 } else { max_age_ms },
        },
    )
}

fn any_suite() -> impl Strategy<Value = Suite> {
    prop_oneof![Just(Suite::HmacSha256), Just(Suite::ChaCha20Poly1305), Just(Suite::Aes256Gcm)]
}

fn frames() -> impl Strategy<Value = Vec<Option<Vec<u8>>>> {
    // None is a doorbell.
    let frame = proptest::collection::vec(any::<u8>(), 16..300);
    proptest::collection::vec(proptest::option::weighted(0.8, frame), 0..12)
}

fn poll_all(deframer: &mut Deframer, mut chunk: &[u8], out: &mut Vec<Option<Vec<u8>>>) {
    let mut buffer = Vec::new();
    loop {
        match deframer.poll(&mut chunk, &mut buffer).unwrap() {
            Deframed::NeedInput => return assert!(chunk.is_empty()),
            Deframed::NeedRoom(length) => buffer.resize(length, 0),
            Deframed::Frame(length) => out.push(Some(buffer[..length].to_vec())),
            Deframed::Doorbell => out.push(None),
        }
    }
}

proptest! {
    #[test]
    fn any_split_of_a_stream_is_the_whole_stream(
        frames in frames(),
        cuts in proptest::collection::vec(any::<usize>(), 0..20),
    ) {
        let mut stream = Vec::new();
        for frame in &frames {
            match frame {
                None => stream.push(1),
                Some(frame) => {
                    stream.extend(u32::try_from(frame.len()).unwrap().to_be_bytes());
                    stream.extend(frame);
                }
            }
        }
        let mut deframer = Deframer::new(4_096);
        deframer.allow_doorbells();
        let mut seen = Vec::new();
        for piece in pieces(&stream, &cuts) {
            poll_all(&mut deframer, piece, &mut seen);
        }
        prop_assert_eq!(seen, frames);
        prop_assert!(!deframer.is_mid_frame());
    }

    #[test]
    fn any_split_of_a_session_is_the_whole_session(
        suite in any_suite(),
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..8),
        cuts in proptest::collection::vec(any::<usize>(), 0..20),
    ) {
        // The four frames of the handshake, then messages and the close in both directions.
        let mut keys = KeyTable::new();
        let psk = Arc::new(Psk::new(&[0x81; 32]).unwrap());
        keys.insert("nia.min", Arc::clone(&psk), &[]).unwrap();
        let mut accepting = ServerConfig::new("eai", Box::new(keys));
        accepting.suites = vec![suite];
        let mut pair = Pair::new(ClientConfig::new(psk, "nia.min"), Arc::new(accepting));
        let in_pieces = |end: &mut End, bytes: &[u8]| -> Vec<Seen> {
            pieces(bytes, &cuts).into_iter().flat_map(|piece| end.receive(piece, Time(0))).collect()
        };
        for (at, expected) in
            [Seen::Progress, Seen::Progress, Seen::Established, Seen::Established].into_iter().enumerate()
        {
            let (from, to) = match at % 2 {
                0 => (&mut pair.client, &mut pair.server),
                _ => (&mut pair.server, &mut pair.client),
            };
            prop_assert_eq!(in_pieces(to, &from.transmit()), [expected]);
        }
        let streams = [&mut pair.client, &mut pair.server].map(|end| {
            let mut stream: Vec<u8> =
                payloads.iter().flat_map(|payload| end.message(Kind::Chat, payload).unwrap()).collect();
            end.connection.close(CloseReason::Normal, None, Time(0)).unwrap();
            stream.extend(end.transmit());
            stream
        });
        for (end, stream) in [&mut pair.server, &mut pair.client].into_iter().zip(&streams) {
            let mut seen = in_pieces(end, stream);
            prop_assert!(matches!(seen.pop(), Some(Seen::Close(_))));
            let expected: Vec<_> =
                payloads.iter().map(|payload| Seen::Message(Kind::Chat, payload.clone())).collect();
            prop_assert_eq!(seen, expected);
        }
    }

    #[test]
    fn any_meta_survives_both_encodings(meta in any_meta()) {
        let mut out = [0; 1_100];
        let length = header_binary::write(&meta, &mut out).unwrap();
        prop_assert_eq!(&header_binary::parse(&out[..length]).unwrap(), &meta);
        let text = header_json::write(&meta).unwrap();
        prop_assert_eq!(&header_json::parse(text.as_bytes()).unwrap(), &meta);
    }

    #[test]
    fn any_message_survives_the_trip(
        suite in any_suite(),
        messages in proptest::collection::vec((any_meta(), proptest::collection::vec(any::<u8>(), 0..2_000), any::<bool>()), 1..4),
    ) {
        let (replay, client) = Replay::new(suite);
        let (mut stream_opener, mut segment_opener) = replay.openers();
        let (mut stream, mut segment) = (client.planes.sealer, client.planes.segment.unwrap().0);
        for (meta, payload, is_json) in &messages {
            for (sealer, opener) in [(&mut stream, &mut stream_opener), (&mut segment, &mut segment_opener)] {
                let (mut meta_len, mut frame) = record(meta, payload, suite.tag_len());
                let mut meta_kind = MetaKind::Binary;
                if *is_json {
                    let text = header_json::write(meta).unwrap();
                    meta_kind = MetaKind::Json;
                    meta_len = text.len();
                    frame = [&[0; 40], text.as_bytes(), payload, &vec![0; suite.tag_len()]].concat();
                }
                sealer.seal(Kind::Features, meta.priority, meta_kind, meta_len, &mut frame, Time(0)).unwrap();
                let envelope = opener.receive(&mut frame).unwrap();
                prop_assert_eq!(envelope.meta(), meta);
                prop_assert_eq!(envelope.payload(), &payload[..]);
                prop_assert_eq!(envelope.kind(), Kind::Features);
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), skip in 0..40_usize) {
        // Random bytes, and random bytes behind the beginning of a good frame.
        let (replay, mut client) = Replay::new(Suite::Aes256Gcm);
        let good = sealed(&mut client.planes.sealer, Priority::P1, b"payload");
        for mut input in [bytes.clone(), [&good[..skip], &bytes].concat()] {
            let _ = header_binary::parse(&input);
            let _ = header_json::parse(&input);
            let _ = Deframer::new(4_096).poll(&mut &input[..], &mut [0; 4_096]);
            let (mut stream, mut segment) = replay.openers();
            prop_assert!(stream.receive(&mut input.clone()).is_err());
            prop_assert!(segment.receive(&mut input.clone()).is_err());
            let config = Arc::new(ServerConfig::new("eai", Box::new(KeyTable::new())));
            let mut server = Connection::server(config, Time(0));
            prop_assert!(server.handle_frame(&mut input, &Random::system(), Time(0)).is_err());
        }
    }

    #[test]
    fn random_json_like_text_never_panics(text in "[\\{\\}\\[\\]\",:\\\\ua-f0-9 ]{0,60}") {
        let _ = header_json::parse(text.as_bytes());
    }
}
