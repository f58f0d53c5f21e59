//! v1: the vectors, two connections against each other on a virtual clock, and an attacker between,
//! behind or beside them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod ends;
mod frames;
mod handshake;
mod hostile;
mod keys;
mod login;
mod mac_only;
mod messages;

use eipc_core::crypto::random::Random;
use eipc_core::v1::{
    Authentication, ClientConfig, Connection, Key, KeyTable, MacConfig, Options, ServerConfig, SessionIdRule,
    SourceRule, StreamEnd, TimestampRule, WindowSize, decode_frame, encode_frame, sign,
};
use eipc_core::wire::header_v1::{self, HeaderV1, Timestamp};
use eipc_core::{Code, Kind, Meta, Priority, State, Time};
use eipc_testkit::v1::{End, Pair, Seen};
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;
const UNIX_NS: i64 = 1_775_217_600_000_000_000;
/// The keys of the services `nia.min` and `ail.framework`.
/// No key for a frame.
const UNSIGNED: Option<&[u8]> = None;
const NIA: &[u8] = b"secret-key-32bytes!!";
const AIL: &[u8] = b"another key of the same server";

fn key(bytes: &[u8]) -> Arc<Key> {
    Arc::new(Key::new(bytes).unwrap())
}

fn client() -> ClientConfig {
    ClientConfig::new(key(NIA), "nia.min")
}

fn server() -> ServerConfig {
    let mut keys = KeyTable::new();
    keys.insert("nia.min", key(NIA), &["ui:control".into(), "device:read".into()]).unwrap();
    keys.insert("ail.framework", key(AIL), &[]).unwrap();
    // A key under the server's own id, so that the rule against it is what refuses.
    keys.insert("eipc-server", key(b"the server's own key"), &[]).unwrap();
    ServerConfig::new("eipc-server", keys)
}

fn pair_of(client: ClientConfig, server: ServerConfig) -> Pair {
    Pair::new(client, Arc::new(server))
}

/// A pair whose handshake is done.
fn open_pair(client: ClientConfig, server: ServerConfig) -> Pair {
    let mut pair = pair_of(client, server);
    let (seen_client, seen_server) = pair.run();
    assert_eq!(seen_client, [Seen::Progress, Seen::Established]);
    assert_eq!(seen_server, [Seen::Progress, Seen::Established]);
    assert_eq!((pair.client.connection.state(), pair.server.connection.state()), (State::Open, State::Open));
    pair
}

fn code(seen: &[Seen]) -> Option<Code> {
    match seen.last() {
        Some(Seen::Failed(error)) => Some(error.code),
        _ => None,
    }
}

fn message(payload: &[u8]) -> [Seen; 1] {
    [Seen::Message(Kind::Chat, payload.to_vec())]
}

fn prefixed(frame: &[u8]) -> Vec<u8> {
    [&u32::try_from(frame.len()).unwrap().to_be_bytes(), frame].concat()
}

/// A header as a holder of the key may write it.
fn header(service_id: &str, session_id: &str, sequence: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let header = HeaderV1 {
        service_id: service_id.into(),
        session_id: session_id.into(),
        sequence,
        timestamp: Timestamp::from_unix_ns(UNIX_NS),
        ..HeaderV1::default()
    };
    header_v1::write(&header, &mut out).unwrap();
    out
}

/// A frame as a holder of the key may sign it, with its length prefix.
fn signed(key: &[u8], kind: u8, header: &[u8], payload: &[u8]) -> Vec<u8> {
    prefixed(&encode_frame(kind, header, payload, Some(key)).unwrap())
}

/// The payload of the one frame in `bytes`, which must verify.
fn payload_of(bytes: &[u8], key: &[u8]) -> String {
    let mut frame = bytes[4..].to_vec();
    String::from_utf8(decode_frame(&mut frame, Some(key)).unwrap().payload.to_vec()).unwrap()
}
