//! Single frames: what is decoded is encoded again as the same; what a session accepts is what its rules say.

use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use eipc_core::crypto::random::Random;
use eipc_core::session::inspect::{InspectionKeys, inspect};
use eipc_core::v1::{self, Key, MacConfig};
use eipc_core::wire::FrameV1;
use eipc_core::{Code, Connection, Features, KeyTable, Psk, Received, ServerConfig, Time};

use super::forge::{Attacker, DataFrame, PSK, Session};

const KEY: [u8; 32] = [0x4b; 32];

/// A frame of somebody who has the key.
#[derive(Arbitrary, Debug)]
struct Signed {
    kind: u8,
    header: HeaderV1,
    payload: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
enum HeaderV1 {
    Good { sequence: u64, priority: u8, request_id: String, format: u8 },
    Bytes(Vec<u8>),
}

/// Frames of v1: behind a 0 a stranger's bytes, behind anything else a script of somebody who has the key.
pub fn frame_v1(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else { return };
    let mut config = MacConfig::new(Arc::new(Key::new(&KEY).unwrap()), "eipc-server");
    config.peer_id = Some("nia.min".into());
    let connection = v1::Connection::mac_only(config, Time(0)).unwrap();
    if *choice == 0 {
        strange_v1(connection, rest);
    } else if let Ok(frame) = Signed::arbitrary_take_rest(Unstructured::new(rest)) {
        signed_v1(connection, frame);
    }
}

fn strange_v1(mut connection: v1::Connection, bytes: &[u8]) {
    let mut copy = bytes.to_vec();
    if let Ok(frame) = FrameV1::decode(&mut copy) {
        assert_eq!(frame.encode().unwrap(), bytes, "one frame has one encoding");
    }
    assert!(v1::decode_frame(&mut copy, Some(&KEY)).is_err(), "accepted without the key");
    let key = Key::new(&KEY).unwrap();
    let inspection = inspect(&mut copy, InspectionKeys { v1: Some(&key), psk: None });
    assert_eq!(copy, bytes, "looking changes nothing");
    assert!(inspection.fields.iter().all(|field| field.at + field.len <= bytes.len()));
    assert!(connection.handle_frame(&mut copy, &Random::fixed(&[]), Time(0)).is_err());
}

fn signed_v1(mut connection: v1::Connection, Signed { kind, header, payload }: Signed) {
    let header = match header {
        HeaderV1::Good { sequence, priority, request_id, format } => format!(
            "{{\"service_id\":\"nia.min\",\"session_id\":\"\",\"request_id\":{request_id:?},\"sequence\":{sequence},\
             \"timestamp\":\"1775217600\",\"priority\":{priority},\"payload_format\":{format}}}"
        )
        .into_bytes(),
        HeaderV1::Bytes(bytes) => bytes,
    };
    let Ok(frame) = v1::encode_frame(kind, &header, &payload, Some(&KEY)) else { return };
    let mut copy = frame.clone();
    let decoded = v1::decode_frame(&mut copy, Some(&KEY)).expect("it has the key");
    assert_eq!((decoded.kind, decoded.header, decoded.payload), (kind, &header[..], &payload[..]));
    match connection.handle_frame(&mut frame.clone(), &Random::fixed(&[]), Time(0)) {
        Ok(v1::Received::Message(envelope)) => {
            assert_eq!((envelope.kind().byte(), envelope.payload()), (kind, &payload[..]));
            assert_eq!(envelope.meta().source, "nia.min");
            assert!(envelope.sequence() > 0);
            assert_eq!(refusal(&mut connection, &frame), Code::Replay);
        }
        Ok(other) => panic!("{other:?}"),
        Err(_) => {
            let again = refusal(&mut connection, &frame);
            assert_eq!(again, Code::Closed, "a connection that failed goes on");
        }
    }
}

fn refusal(connection: &mut v1::Connection, frame: &[u8]) -> Code {
    let mut frame = frame.to_vec();
    connection.handle_frame(&mut frame, &Random::fixed(&[]), Time(0)).map(|_| ()).unwrap_err().code
}

/// Frames of the peer, in an open session.
#[derive(Arbitrary, Debug)]
struct Frames {
    shares_memory: bool,
    frames: Vec<DataFrame>,
}

/// Frames of EIPC/2: behind a 0 a stranger's bytes, behind anything else a script of the peer.
pub fn frame_v2(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else { return };
    if *choice == 0 {
        strange_v2(rest);
    } else if let Ok(script) = Frames::arbitrary_take_rest(Unstructured::new(rest)) {
        peers_v2(script);
    }
}

fn strange_v2(bytes: &[u8]) {
    let mut copy = bytes.to_vec();
    let psk = Psk::new(&PSK).unwrap();
    let inspection = inspect(&mut copy, InspectionKeys { v1: None, psk: Some(&psk) });
    assert_eq!(copy, bytes, "looking changes nothing");
    assert!(inspection.fields.iter().all(|field| field.at + field.len <= bytes.len()));
    let (mut server, _) = open_server(false);
    assert!(
        server.handle_frame(&mut copy, &Random::fixed(&[]), Time(0)).is_err(),
        "accepted without the key"
    );
}

fn peers_v2(Frames { shares_memory, frames }: Frames) {
    let (mut server, session) = open_server(shares_memory);
    if shares_memory {
        server.send_segment(b"an offer", Time(0)).expect("the server's turn");
    }
    let (mut last, mut is_over) = (0, false);
    for frame in frames {
        let payload = frame.payload(last);
        let mut bytes = frame.build(&session, &session.c2s, last);
        let Ok(received) = server.handle_frame(&mut bytes, &Random::fixed(&[]), Time(0)) else {
            is_over = true;
            continue;
        };
        assert!(frame.is_next() && !is_over, "a frame that nobody should accept");
        last += 1;
        match received {
            Received::Message(envelope) => {
                assert!(!shares_memory);
                assert_eq!(envelope.payload(), payload);
            }
            Received::Segment(sent) => assert!(shares_memory && sent == payload),
            Received::Close(close) => {
                assert_eq!(close.stream_last, last - 1);
                is_over = true;
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A server with an open session, and the keys of its client.
fn open_server(shares_memory: bool) -> (Connection, Session) {
    let mut keys = KeyTable::new();
    keys.insert("nia.min", Arc::new(Psk::new(&PSK).unwrap()), &[]).unwrap();
    let mut config = ServerConfig::new("eai", Box::new(keys));
    config.allow_psk_only = true;
    config.features = Features(15);
    let mut server = Connection::server(Arc::new(config), Time(0));
    let attacker = Attacker::new();
    let features: u32 = if shares_memory { 13 } else { 5 };
    let hello = [
        &[1, 0, 0, 1][..],
        &features.to_be_bytes(),
        &attacker.key_id(),
        &[0x21; 32],
        &[0; 64],
        &[7],
        b"nia.min",
    ]
    .concat();
    let hello = attacker.client_hello(&hello);
    let random = Random::fixed(&[0x42; 72]);
    server.handle_frame(&mut hello.clone(), &random, Time(0)).expect("a good hello");
    let answer = server.poll_transmit().unwrap();
    let (mut finish, session) = attacker.client_finish(&hello, &answer[4..]).unwrap();
    server.handle_frame(&mut finish, &random, Time(0)).expect("a good finish");
    let _accept = server.poll_transmit();
    (server, session)
}
