//! What memory holds of an epoch that every lane has left: nothing.
//!
//! This binary's allocator never uses memory twice, so a secret that was freed without being wiped is
//! found like one that is alive. The secrets are those of the vectors. Stacks and registers are not
//! searched.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use core::hint::black_box;
use eipc_core::audit::{AuditKey, Chain};
use eipc_core::crypto::aead::{AeadKey, Cipher};
use eipc_core::crypto::mac::MacKey;
use eipc_core::crypto::random::Random;
use eipc_core::session::handshake_v2::{ClientStart, Planes, ServerStart};
use eipc_core::{
    ClientConfig, Connection, Features, KeyTable, Kind, Lane, MetaKind, Opener, Psk, Sealer, ServerConfig,
    Suite, Suites, Time,
};
use eipc_testkit::heap::Arena;
use eipc_testkit::vectors::{self, Vector};
use eipc_testkit::{meta, record};
use std::sync::Arc;

#[global_allocator]
static HEAP: Arena = Arena::new();

const HOUR: u64 = 3_600_000_000_000;

/// A secret no search can mistake for the session's: never whole on the heap, and masked on the stack.
struct Masked([u8; 32]);

impl Masked {
    fn new(digits: &str) -> Self {
        let mut masked = [0; 32];
        for (byte, pair) in masked.iter_mut().zip(digits.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap() ^ 0xff;
        }
        Self(masked)
    }

    fn occurrences(&self) -> usize {
        HEAP.occurrences(&self.0)
    }
}

/// What both ends of the vector's handshake bring: configurations and randomness.
fn setup(vector: &Vector) -> (ClientConfig, Random, Arc<ServerConfig>, Random) {
    let psk = Arc::new(Psk::new(&vector.bytes("psk_hex")).unwrap());
    let suite = Suite::from_byte(vector.number("suite").try_into().unwrap()).unwrap();
    let mut config = ClientConfig::new(Arc::clone(&psk), vector.text("service_id"));
    config.suites = Suites(vector.number("suites").try_into().unwrap());
    config.features = Features(vector.number("features").try_into().unwrap());
    config.channel_binding = vector.bytes("channel_binding").try_into().unwrap();
    config.psk_only = vector.number("kx") == 0;
    let mut keys = KeyTable::new();
    keys.insert(vector.text("service_id"), psk, &[]).unwrap();
    let mut accepting = ServerConfig::new("eai", Box::new(keys));
    accepting.suites = vec![suite];
    accepting.features = Features(15);
    accepting.channel_binding = config.channel_binding;
    accepting.allow_psk_only = config.psk_only;
    // Without a key exchange nobody draws a private key.
    let private = |field| if vector.number("kx") == 1 { vector.bytes(field) } else { Vec::new() };
    let client = [vector.bytes("client_nonce"), private("client_x25519_private")].concat();
    let id = vector.number("session_id").to_be_bytes();
    let server = [vector.bytes("server_nonce"), private("server_x25519_private"), id.to_vec()].concat();
    (config, Random::fixed(&client), Arc::new(accepting), Random::fixed(&server))
}

/// Runs the vector's handshake; returns both ends' keys at work.
fn handshake(vector: &Vector) -> (Planes, Planes) {
    let (config, client_random, accepting, server_random) = setup(vector);
    let (mut hello, client) = ClientStart::new(config).unwrap().hello(&client_random).unwrap();
    let (mut answer, server) =
        ServerStart::new(accepting).receive(&mut hello, &server_random, Time(0)).unwrap();
    let (mut finish, client) = client.receive(&mut answer, Time(0)).unwrap();
    let (mut accept, server) = server.receive(&mut finish, Time(0)).unwrap();
    (client.receive(&mut accept).unwrap().planes, server.planes)
}

/// Carries frames until neither end has anything to say.
fn run(client: (&mut Connection, &Random), server: (&mut Connection, &Random)) {
    let mut is_idle = false;
    while !is_idle {
        is_idle = true;
        while let Some(mut bytes) = client.0.poll_transmit() {
            server.0.handle_frame(&mut bytes[4..], server.1, Time(0)).unwrap();
            is_idle = false;
        }
        while let Some(mut bytes) = server.0.poll_transmit() {
            client.0.handle_frame(&mut bytes[4..], client.1, Time(0)).unwrap();
            is_idle = false;
        }
    }
}

/// Sends one message at a time, so that the lane is in the epoch of that hour.
fn pass((sealer, opener): (&mut Sealer, &mut Opener), lane: Lane, epoch: u64) {
    let (meta_len, mut frame) = record(&meta(lane), b"x", sealer.tag_len());
    sealer.seal(Kind::Chat, lane, MetaKind::Binary, meta_len, &mut frame, Time(epoch * HOUR)).unwrap();
    opener.receive(&mut frame).unwrap();
    assert_eq!((u64::from(sealer.epoch(lane)), u64::from(opener.epoch(lane))), (epoch, epoch));
}

#[test]
fn an_epoch_that_every_lane_has_left_leaves_no_secret_behind() {
    let mut suites = Vec::new();
    for vector in vectors::eipc2().into_iter().filter(|vector| vector.number("kx") == 1) {
        let (master_0, master_1) =
            (Masked::new(vector.text("master_0")), Masked::new(vector.text("master_1")));
        let suite = vector.number("suite");
        suites.push(suite);
        // Suite 1 keeps what it hashed from its keys, never the keys.
        let keys: Vec<Masked> = match suite {
            1 => Vec::new(),
            _ => ["c2s_key", "s2c_key", "shm_c2s_key", "shm_s2c_key"]
                .map(|field| Masked::new(vector.epoch_text(0, field)))
                .into(),
        };
        let (mut client, mut server) = handshake(&vector);
        let (mut client_shm, mut server_shm) =
            (client.segment.take().unwrap(), server.segment.take().unwrap());
        // Five lanes in each direction, and both ends of each are in this process.
        assert_eq!(master_0.occurrences(), 20, "suite {suite}: every lane has its own, and nobody else");
        // Without AES instructions ring keeps round keys in an order of its own, so suite 3's is not found there.
        let is_kept_whole = suite != 3 || !cfg!(target_arch = "arm");
        let are_found = keys.iter().all(|key| (key.occurrences() > 0) == is_kept_whole);
        assert!(are_found, "suite {suite}: the search finds keys in use");

        for epoch in [1, 2] {
            pass((&mut client.sealer, &mut server.opener), Lane::P0, epoch);
            pass((&mut server.sealer, &mut client.opener), Lane::P0, epoch);
            for lane in Lane::ALL {
                pass((&mut client_shm.0, &mut server_shm.1), lane, epoch);
                if lane != Lane::P3 {
                    pass((&mut server_shm.0, &mut client_shm.1), lane, epoch);
                }
            }
            let (left, entered) = if epoch == 1 { (&master_0, Some(&master_1)) } else { (&master_1, None) };
            assert_eq!(left.occurrences(), 2, "suite {suite}: one lane is still in its epoch, at both ends");
            pass((&mut server_shm.0, &mut client_shm.1), Lane::P3, epoch);
            assert_eq!(left.occurrences(), 0, "suite {suite}: no lane is in epoch {} any more", epoch - 1);
            assert!(keys.iter().all(|key| key.occurrences() == 0), "suite {suite}: nor are its keys");
            assert_eq!(entered.map_or(20, Masked::occurrences), 20);
        }
    }
    suites.sort_unstable();
    suites.dedup();
    assert_eq!(suites, [1, 2, 3]);
}

#[test]
fn a_stream_that_only_waits_for_the_end_keeps_no_master_secret() {
    let vector = vectors::eipc2().into_iter().find(|vector| vector.number("kx") == 0).unwrap();
    let master_0 = Masked::new(vector.text("master_0"));
    let (config, client_random, accepting, server_random) = setup(&vector);
    let mut client = Connection::client(config, &client_random, Time(0)).unwrap();
    let mut server = Connection::server(accepting, Time(0));
    run((&mut client, &client_random), (&mut server, &server_random));
    assert_eq!(master_0.occurrences(), 20);
    server.send_segment(b"offer", Time(0)).unwrap();
    run((&mut client, &client_random), (&mut server, &server_random));
    client.send_segment(b"ready", Time(0)).unwrap();
    run((&mut client, &client_random), (&mut server, &server_random));
    let (mut from_client, mut from_server) = (client.use_segment().unwrap(), server.use_segment().unwrap());
    assert_eq!(master_0.occurrences(), 16, "the lanes in shared memory, at both ends");
    for lane in Lane::ALL {
        pass((&mut from_client.0, &mut from_server.1), lane, 1);
        pass((&mut from_server.0, &mut from_client.1), lane, 1);
    }
    assert_eq!(master_0.occurrences(), 0);
}

/// Covers the stack below the caller's frame with a secret, as a call leaves it that had it there.
#[inline(never)]
fn leave_on_stack(secret: &Masked) {
    let mut left = [[0; 32]; 256];
    for copy in &mut left {
        for (byte, masked) in copy.iter_mut().zip(secret.0) {
            *byte = masked ^ 0xff;
        }
    }
    black_box(&mut left);
}

#[test]
fn a_key_takes_nothing_along_that_an_earlier_call_left_on_the_stack() {
    let earlier = Masked([0x35; 32]);
    let mut keys = Vec::new();
    for cipher in [Cipher::ChaCha20Poly1305, Cipher::Aes256Gcm] {
        leave_on_stack(&earlier);
        keys.push(AeadKey::new(cipher, &[1; 32], &[2; 12]).unwrap());
    }
    leave_on_stack(&earlier);
    let mac = MacKey::new(&[1; 32]);
    assert_eq!(earlier.occurrences(), 0);
    drop((keys, mac));
}

#[test]
fn an_audit_chain_keeps_no_key_of_a_line_that_is_durable() {
    // python: hmac(b"EIPC/2 audit key", bytes([0x81] * 32)), and what it evolves to
    let keys = [
        "a476599ad545cd234275b3317f289eb984a707c246827688fceb41635c401faa",
        "195fbea0545018aa76d5b46c0aa039183f9e2266c715807de526d385cdaf4cbc",
        "d771700976453a5a8957d50ff8971837111e3bfaffdf2d92ffba28345a3fa8d4",
    ]
    .map(Masked::new);
    let found = || keys.each_ref().map(Masked::occurrences);
    let body = b"\"t\":\"2026-11-05T12:34:56.789Z\",\"peer\":\"\",\"action\":\"a\",\"decision\":\"\",\
        \"result\":\"\",\"request_id\":\"\",\"frame\":\"\"\n";
    let key = AuditKey::new(&[0x81; 32]).unwrap();
    let mut chain = Chain::begin([7; 32], Some(&key));
    drop(key);
    assert_eq!(found(), [1, 0, 0]);
    chain.seal(body, &mut Vec::new()).unwrap();
    assert_eq!(found(), [1, 1, 0], "the line may have to be sealed again");
    chain.rollback();
    assert_eq!(found(), [1, 0, 0]);
    let lines = &mut Vec::new();
    chain.seal(&body.repeat(2), lines).unwrap();
    assert_eq!(found(), [1, 0, 1], "none of a line in between");
    chain.commit();
    assert_eq!(found(), [0, 0, 1]);
    let state = chain.state();
    assert_eq!(found(), [0, 0, 2]);
    drop(chain);
    let mut chain = Chain::resume(state.expose()).unwrap();
    drop(state);
    assert_eq!(found(), [0, 0, 1]);
    chain.seal(body, &mut Vec::new()).unwrap();
    chain.commit();
    assert_eq!(found(), [0, 0, 0]);
}
