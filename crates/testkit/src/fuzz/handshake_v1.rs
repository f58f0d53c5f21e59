//! The handshake of v1: an attacker between the two, and one with the key on either side.

use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use eipc_core::crypto::random::Random;
use eipc_core::v1::{self, ClientConfig, Connection, Key, KeyTable, Options, ServerConfig};
use eipc_core::{Code, State, Time};

use super::Edit;

const KEY: [u8; 32] = [0x4b; 32];
const UNIX_NS: i64 = 1_775_217_600_000_000_000;

#[derive(Arbitrary, Debug)]
struct Script {
    ack_handshake: bool,
    client_accepts_ack: bool,
    /// What becomes of the frames, in their order.
    steps: [Step; 4],
}

#[derive(Arbitrary, Debug)]
enum Step {
    /// The honest frame, changed by somebody without the key.
    Edited(Edit),
    /// A frame of somebody who has it.
    Signed { kind: Kind, header: Option<Vec<u8>>, payload: Vec<u8> },
}

#[derive(Arbitrary, Debug)]
enum Kind {
    Same,
    Any(u8),
}

/// Both roles of v1.
pub fn handshake_v1(input: &[u8]) {
    let Ok(script) = Script::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let key = || Arc::new(Key::new(&KEY).unwrap());
    let mut keys = KeyTable::new();
    keys.insert("nia.min", key(), &[]).unwrap();
    let mut accepting = ServerConfig::new("eipc-server", keys);
    accepting.options = Options { ack_handshake: script.ack_handshake, ..Options::default() };
    let mut config = ClientConfig::new(key(), "nia.min");
    config.options = Options { ack_handshake: script.client_accepts_ack, ..Options::default() };
    let random = Random::fixed(&[0x42; 96]);
    let mut client = Connection::client(config, UNIX_NS, Time(0)).unwrap();
    let mut server = Connection::server(Arc::new(accepting), UNIX_NS, Time(0));
    let mut is_touched = false;
    for (at, step) in script.steps.iter().enumerate() {
        let (from, to) = if at % 2 == 0 { (&mut client, &mut server) } else { (&mut server, &mut client) };
        let Some(frame) = from.poll_transmit() else { break };
        let arriving = match step {
            Step::Edited(edit) => edit.apply(&frame[4..]),
            Step::Signed { kind, header, payload } => {
                let honest = v1::decode_frame(&mut frame[4..].to_vec(), Some(&KEY))
                    .map(|frame| (frame.kind, frame.header.to_vec()));
                let (own_kind, own_header) = honest.expect("an honest frame");
                let kind = if let Kind::Any(byte) = kind { *byte } else { own_kind };
                let header = header.clone().unwrap_or(own_header);
                let Ok(forged) = v1::encode_frame(kind, &header, payload, Some(&KEY)) else { return };
                vec![forged]
            }
        };
        let is_signed = matches!(step, Step::Signed { .. });
        is_touched |= arriving.as_slice() != [frame[4..].to_vec()];
        for mut bytes in arriving {
            let is_changed = bytes != frame[4..];
            let outcome = to.handle_frame(&mut bytes, &random, Time(0)).map(|_| ());
            assert!(outcome.is_err() || !is_changed || is_signed, "a changed frame was accepted");
            if outcome.is_err() {
                assert_eq!(to.state(), State::Closed);
                let again = to.handle_frame(&mut bytes, &random, Time(0)).map(|_| ());
                assert_eq!(again.unwrap_err().code, Code::Closed);
            }
        }
    }
    if !is_touched && script.ack_handshake == script.client_accepts_ack {
        assert_eq!((client.state(), server.state()), (State::Open, State::Open), "an honest handshake");
    }
}
