//! What a peer can make this side allocate: next to nothing for a length it merely claims, nothing at all
//! for a frame of an open session.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use eipc_core::crypto::random::Random;
use eipc_core::wire::{Deframed, Deframer};
use eipc_core::{
    ClientConfig, Code, Connection, Features, KeyTable, Kind, Lane, MetaKind, Opener, Psk, Received, Sealer,
    ServerConfig, State, Suite, Suites, Time, v1,
};
use eipc_testkit::heap::{Counting, measure};
use eipc_testkit::v1::Pair as V1Pair;
use eipc_testkit::{Pair, meta, record};
use std::sync::Arc;

#[global_allocator]
static HEAP: Counting = Counting;

const SUITES: [Suite; 3] = [Suite::HmacSha256, Suite::ChaCha20Poly1305, Suite::Aes256Gcm];
/// The lengths of the requirement.
const LENGTHS: [u32; 10] =
    [0, 1, 15, 16, 1 << 20, (1 << 20) + 1, (1 << 31) - 1, 1 << 31, u32::MAX - 1, u32::MAX];
/// What may be allocated for a peer that has proved nothing.
const BOUND: u64 = 4_096;

fn client(suite: Suite) -> ClientConfig {
    let psk = Arc::new(Psk::new(&[0x81; 32]).unwrap());
    let features = Features(15);
    ClientConfig { suites: Suites::of(&[suite]), features, ..ClientConfig::new(psk, "nia.min") }
}

fn server(features: Features) -> Arc<ServerConfig> {
    let mut keys = KeyTable::new();
    keys.insert("nia.min", Arc::new(Psk::new(&[0x81; 32]).unwrap()), &[]).unwrap();
    let mut config = ServerConfig::new("eai", Box::new(keys));
    config.features = features;
    Arc::new(config)
}

fn open_pair(suite: Suite, features: Features) -> Pair {
    let mut pair = Pair::new(client(suite), server(features));
    pair.run();
    assert_eq!((pair.client.connection.state(), pair.server.connection.state()), (State::Open, State::Open));
    pair
}

#[test]
fn a_claimed_stream_length_is_refused_by_its_value_and_costs_nothing() {
    // The attacker sends four bytes, or four bytes and a little of what it promised.
    for limit in [4_096_u32, 1 << 20] {
        for length in LENGTHS {
            for more in [0, 15] {
                let bytes = [&length.to_be_bytes()[..], &vec![0; more]].concat();
                let limit_here = usize::try_from(limit).unwrap();
                let (found, usage) = measure(|| {
                    let mut deframer = Deframer::new(limit_here);
                    deframer.poll(&mut &bytes[..], &mut []).map_err(|error| error.code)
                });
                let expected = match length {
                    0..16 => Err(Code::Truncated),
                    _ if length > limit => Err(Code::FrameTooLarge),
                    _ => Ok(Deframed::NeedInput),
                };
                assert_eq!(found, expected, "{length}");
                assert!(usage.bytes <= 256, "{length}: {usage:?}");
            }
        }
    }
}

/// Every pair of lengths in a preamble, and what a frame of `size` bytes with them must be refused as.
fn preambles(version_and_kind: &[u8], flags: u8, size: usize) -> impl Iterator<Item = Vec<u8>> {
    let front = [b"EIPC\0", version_and_kind, &[flags]].concat();
    LENGTHS.into_iter().flat_map(move |header_len| {
        let front = front.clone();
        LENGTHS.into_iter().map(move |payload_len| {
            let mut frame = [&front[..], &header_len.to_be_bytes(), &payload_len.to_be_bytes()].concat();
            frame.resize(size, 0);
            frame
        })
    })
}

/// The code of the wire text for a frame with these lengths, by arithmetic that cannot wrap.
fn expected(frame: &[u8], tag_len: u64, limit: u64) -> Code {
    let word = |at: usize| u64::from(u32::from_be_bytes(frame[at..at + 4].try_into().unwrap()));
    let total = 16 + word(8) + word(12) + tag_len;
    match total.cmp(&(frame.len() as u64)) {
        _ if total > limit || word(8) > 4_096 => Code::FrameTooLarge,
        core::cmp::Ordering::Greater => Code::Truncated,
        core::cmp::Ordering::Less => Code::TrailingBytes,
        core::cmp::Ordering::Equal => Code::Integrity,
    }
}

#[test]
fn lengths_in_a_preamble_are_refused_before_authentication_within_4_kib() {
    // The attacker is anybody who can connect, or who answers a client.
    let random = Random::system();
    let accepting = server(Features(15));
    let mut rows = 0;
    for size in [16, 48, 49, 4_096] {
        for (is_server, frame) in preambles(b"\x02A", 1, size)
            .map(|frame| (true, frame))
            .chain(preambles(b"\x02H", 1, size).map(|frame| (false, frame)))
        {
            let mut connection = if is_server {
                Connection::server(Arc::clone(&accepting), Time(0))
            } else {
                Connection::client(client(Suite::HmacSha256), &random, Time(0)).unwrap()
            };
            let expected = match expected(&frame, 32, 4_096) {
                Code::Integrity => Code::HandshakeFailed, // a whole frame that says nothing
                other => other,
            };
            let mut bytes = frame.clone();
            let (result, usage) =
                measure(|| connection.handle_frame(&mut bytes, &random, Time(0)).map(drop).unwrap_err());
            assert_eq!(result.code, expected, "{frame:02x?}");
            assert!(usage.bytes <= BOUND, "{usage:?}");
            rows += 1;
        }
    }
    assert_eq!(rows, 800);
}

#[test]
fn a_connection_before_authentication_holds_4_kib_of_what_arrives() {
    // The attacker sends the largest hello there may be, byte by byte, with a tag of zeros.
    let random = Random::system();
    let accepting = server(Features(15));
    let mut hello = vec![0; 4_096];
    hello[..16].copy_from_slice(b"EIPC\0\x02A\x01\0\0\0\0\0\0\x0f\xd0");
    let stream = [&4_096_u32.to_be_bytes()[..], &hello].concat();
    let mut frame = vec![0; 4_096];
    let (code, usage) = measure(|| {
        let mut connection = Connection::server(Arc::clone(&accepting), Time(0));
        let mut deframer = Deframer::new(connection.frame_limit());
        for byte in &stream {
            if let Deframed::Frame(length) =
                deframer.poll(&mut core::slice::from_ref(byte), &mut frame).unwrap()
            {
                let refused = connection.handle_frame(&mut frame[..length], &random, Time(0));
                return refused.map(drop).unwrap_err().code;
            }
        }
        panic!("no whole frame");
    });
    assert_eq!(code, Code::HandshakeFailed);
    // The buffer doubled on its way to 4 095 bytes, so the sum of all its sizes is below twice that. The
    // rest is the error and the alert.
    assert!(usage.bytes <= 2 * BOUND + 256, "{usage:?}");
}

#[test]
fn lengths_in_a_preamble_are_refused_in_every_suite_of_an_open_session() {
    // The attacker sits on the wire of a session.
    let random = Random::system();
    let mut rows = 0;
    for suite in SUITES {
        let (flags, tag_len) = if suite == Suite::HmacSha256 { (1, 32) } else { (4, 16) };
        for size in [16, 32, 48, 65] {
            for frame in preambles(b"\x02i", flags, size) {
                let mut connection = open_pair(suite, Features::default()).server.connection;
                let mut bytes = frame.clone();
                let (result, usage) =
                    measure(|| connection.handle_frame(&mut bytes, &random, Time(0)).map(drop).unwrap_err());
                assert_eq!(result.code, expected(&frame, tag_len, 1 << 20), "{frame:02x?}");
                // The error and the alert.
                assert!(usage.bytes <= 1_024, "{usage:?}");
                rows += 1;
            }
        }
    }
    assert_eq!(rows, 1_200);
}

#[test]
fn lengths_in_a_preamble_of_v1_are_refused_before_and_after_authentication() {
    // The attacker is anybody who can connect, who answers a client, or who sits on the wire of a session.
    let random = Random::system();
    let mut rows = 0;
    for size in [16, 48, 49, 4_096] {
        for frame in preambles(b"\x01A", 1, size) {
            let mut opened = open_v1_pair();
            let mut fresh = v1_pair();
            for (connection, limit) in [
                (&mut fresh.client.connection, 4_096),
                (&mut fresh.server.connection, 4_096),
                (&mut opened.client.connection, 1 << 20),
                (&mut opened.server.connection, 1 << 20),
            ] {
                let mut bytes = frame.clone();
                let (result, usage) =
                    measure(|| connection.handle_frame(&mut bytes, &random, Time(0)).map(drop).unwrap_err());
                assert_eq!(result.code, expected(&frame, 32, limit), "{frame:02x?}");
                assert!(usage.bytes <= 256, "{usage:?}");
                rows += 1;
            }
        }
    }
    assert_eq!(rows, 1_600);
}

#[test]
fn a_message_of_an_open_session_allocates_nothing() {
    for suite in SUITES {
        let now = Time(0);
        let mut stream = open_pair(suite, Features::default());
        let random = Random::system();
        let tag_len = suite.tag_len();
        let mut shared = open_pair(suite, Features(15));
        let ((mut sealer, _), (_, mut opener)) = hand_over(&mut shared);
        for payload in [0, 64, 60_000] {
            let (meta_len, mut frame) = record(&meta(Lane::P1), &vec![7; payload], tag_len);
            let mut at_lane = frame.clone();
            let ((), usage) = measure(|| {
                let sender = &mut stream.client.connection;
                sender
                    .seal_record(Kind::Chat, Lane::P1, MetaKind::Binary, meta_len, &mut frame, now)
                    .unwrap();
                let received = stream.server.connection.handle_frame(&mut frame, &random, now).unwrap();
                assert!(
                    matches!(received, Received::Message(envelope) if envelope.payload().len() == payload)
                );
                sealer.seal(Kind::Chat, Lane::P1, MetaKind::Binary, meta_len, &mut at_lane, now).unwrap();
                assert_eq!(opener.receive(&mut at_lane).unwrap().payload().len(), payload);
            });
            assert_eq!(usage.allocations, 0, "{suite:?}, {payload} bytes");
        }
    }
}

#[test]
fn a_v1_message_allocates_nothing_at_its_receiver() {
    let now = Time(0);
    let random = Random::system();
    let mut pair = open_v1_pair();
    for payload in [0, 64, 60_000] {
        let mut bytes = pair.client.message(Kind::Chat, &vec![7; payload]).unwrap();
        let ((), usage) = measure(|| {
            let received = pair.server.connection.handle_frame(&mut bytes[4..], &random, now).unwrap();
            assert!(
                matches!(received, v1::Received::Message(envelope) if envelope.payload().len() == payload)
            );
        });
        assert_eq!(usage.allocations, 0, "{payload} bytes");
    }
}

fn v1_pair() -> V1Pair {
    let key = || Arc::new(v1::Key::new(&[0x81; 32]).unwrap());
    let mut keys = v1::KeyTable::new();
    keys.insert("nia.min", key(), &[]).unwrap();
    let server = Arc::new(v1::ServerConfig::new("eipc-server", keys));
    V1Pair::new(v1::ClientConfig::new(key(), "nia.min"), server)
}

fn open_v1_pair() -> V1Pair {
    let mut pair = v1_pair();
    pair.run();
    assert_eq!((pair.client.connection.state(), pair.server.connection.state()), (State::Open, State::Open));
    pair
}

fn hand_over(pair: &mut Pair) -> ((Sealer, Opener), (Sealer, Opener)) {
    pair.server.connection.send_segment(b"offer", Time(0)).unwrap();
    pair.run();
    pair.client.connection.send_segment(b"ready", Time(0)).unwrap();
    pair.run();
    (pair.client.connection.use_segment().unwrap(), pair.server.connection.use_segment().unwrap())
}
