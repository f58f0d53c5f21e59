//! Two connections against each other on a virtual clock: handshake, messages, close, timers, alerts,
//! hand-over of shared memory, and an attacker between or behind them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod close;
mod epochs;
mod handshake;
mod handshake_bounds;
mod keys;
mod messages;
mod segment;
mod states;
mod suites;

use eipc_core::crypto::random::Random;
use eipc_core::session::handshake_v2::{ClientStart, ServerStart};
use eipc_core::{
    ClientConfig, CloseFrame, CloseReason, Code, Connection, Error, Features, KeyTable, Kind, MetaKind,
    Opener, Priority, Psk, Sealer, ServerConfig, State, Suite, Suites, Time,
};
use eipc_testkit::{End, Pair, Seen, meta, record};
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;

fn key(byte: u8) -> Arc<Psk> {
    Arc::new(Psk::new(&[byte; 32]).unwrap())
}

fn client() -> ClientConfig {
    ClientConfig::new(key(0x81), "nia.min")
}

fn server() -> ServerConfig {
    let mut keys = KeyTable::new();
    keys.insert("nia.min", key(0x81), &["ui:control".into(), "device:read".into()]).unwrap();
    keys.insert("other", key(0x82), &[]).unwrap();
    // A key under the server's own id, so that the rule against it is what refuses.
    keys.insert("eai", key(0x83), &[]).unwrap();
    ServerConfig::new("eai", Box::new(keys))
}

fn shared_memory(client: &mut ClientConfig, server: &mut ServerConfig) {
    client.features = client.features.union(Features::SHARED_MEMORY);
    server.features = server.features.union(Features::SHARED_MEMORY);
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

/// Runs a handshake that must fail; returns the codes of client and server.
fn failed(client: ClientConfig, server: ServerConfig) -> (Option<Code>, Option<Code>) {
    let mut pair = pair_of(client, server);
    let (seen_client, seen_server) = pair.run();
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.connection.state(), State::Closed);
        assert_eq!(end.connection.poll_deadline(), None);
    }
    assert!(pair.server.connection.session().is_none() || pair.client.connection.session().is_none());
    (code(&seen_client), code(&seen_server))
}

fn prefixed(frame: &[u8]) -> Vec<u8> {
    [&u32::try_from(frame.len()).unwrap().to_be_bytes(), frame].concat()
}

/// A frame of the right shape with a tag of zeros.
fn forged_message(session_id: u64) -> Vec<u8> {
    let (meta_len, mut frame) = record(&meta(Priority::P1), b"{}", 32);
    let header_len = u32::try_from(24 + meta_len).unwrap();
    frame[..8].copy_from_slice(b"EIPC\0\x02i\x01");
    frame[8..12].copy_from_slice(&header_len.to_be_bytes());
    frame[12..16].copy_from_slice(&2_u32.to_be_bytes());
    frame[16..24].copy_from_slice(&session_id.to_be_bytes());
    frame[31] = 1;
    frame[34] = 1;
    frame[35] = 1;
    frame
}

/// Seals a control frame that a connection would not send, with its length prefix.
fn control(sealer: &mut Sealer, kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut frame = [&[0; 40][..], b"{}", payload, &[0; 32]].concat();
    sealer.seal(kind, Priority::P0, MetaKind::Json, 2, &mut frame, Time(0)).unwrap();
    prefixed(&frame)
}

/// Replaces the pair's server by one in session with an attacker who holds a key and the client's sealer.
fn rogue(pair: &mut Pair, config: ClientConfig, accepting: ServerConfig) -> Sealer {
    let random = Random::system();
    let mut server = End::new(Connection::server(Arc::new(accepting), pair.now));
    let (hello, client) = ClientStart::new(config).unwrap().hello(&random).unwrap();
    server.receive(&prefixed(&hello), pair.now);
    let mut answer = server.transmit();
    let (finish, client) = client.receive(&mut answer[4..], pair.now).unwrap();
    server.receive(&prefixed(&finish), pair.now);
    let mut accept = server.transmit();
    let established = client.receive(&mut accept[4..]).unwrap();
    pair.server = server;
    established.planes.sealer
}
