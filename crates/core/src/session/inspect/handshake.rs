//! Handshake frames of EIPC/2: all fields are in clear text; only ClientHello's tag is of the key itself.
//!
//! Judged is what every peer refuses. What depends on a peer's configuration is not.

use super::{Fault, Inspection, PAYLOAD_LEN_AT, Tag, fault};
use crate::error::Code;
use crate::message::Kind;
use crate::session::handshake_v2::hello::{
    ClientHello, HS_VERSION, KX_PSK, KX_X25519, KeyChoice, ServerHello,
};
use crate::session::keys::Psk;
use crate::session::suite::{Features, Suite, Suites};
use crate::wire::RawFrame;
use crate::wire::limits::{PREAMBLE_LEN, UNAUTHENTICATED_FRAME_LIMIT, is_id};

pub(super) fn look(raw: &RawFrame<'_>, psk: Option<&Psk>, found: &mut Inspection) -> Result<(), Fault> {
    if raw.signed().len() + raw.tag().len() > UNAUTHENTICATED_FRAME_LIMIT {
        return Err(fault(PAYLOAD_LEN_AT, Code::FrameTooLarge, "a handshake frame has at most 4096 bytes"));
    }
    let result = match Kind::from_byte(raw.kind()) {
        Some(Kind::Auth) => client_hello(raw, psk, found),
        Some(Kind::Challenge) => server_hello(raw, found),
        _ if raw.payload().is_empty() => Ok(()),
        _ => Err(refused(PREAMBLE_LEN, "ClientFinish has no payload")),
    };
    found.bytes("tag", raw.signed().len(), raw.tag().len());
    result
}

fn client_hello(raw: &RawFrame<'_>, psk: Option<&Psk>, found: &mut Inspection) -> Result<(), Fault> {
    let payload = raw.payload();
    let malformed = |error| Fault { at: PREAMBLE_LEN, error };
    let choice = KeyChoice::read(payload).map_err(malformed)?;
    let id_text = String::from_utf8_lossy(choice.service_id).into_owned();
    let hello = ClientHello::read(payload);
    if let Ok(hello) = &hello {
        found.number("hs_version", at(0), 1, hello.hs_version);
        found.number("kx", at(1), 1, hello.kx);
        found.number("suites", at(2), 2, hello.suites);
        found.number("features", at(4), 4, hello.features);
        found.text("key_id", at(8), 8, &format!("{:016x}", hello.key_id));
        found.bytes("client_nonce", at(16), 32);
        found.bytes("client_public", at(48), 32);
        found.bytes("channel_binding", at(80), 32);
    }
    found.text("service_id", at(113), choice.service_id.len(), &id_text);
    if let Some(psk) = psk {
        if psk.key_id() != choice.key_id {
            return Err(refused(at(8), "made with another key than the given one"));
        }
        if !psk.hello_key().verify(raw.signed(), raw.tag()) {
            found.tag = Tag::Wrong;
            return Err(refused(raw.signed().len(), "not the tag that this key makes"));
        }
        found.tag = Tag::Verified;
    }
    let hello = hello.map_err(|error| Fault { at: at(113), error })?;
    if hello.hs_version != HS_VERSION {
        return Err(refused(at(0), "another version of the handshake"));
    }
    key_exchange(hello.kx, &hello.public)?;
    if Suites(hello.suites).0 & Suites::AVAILABLE.0 == 0 {
        return Err(refused(at(2), "no suite is offered"));
    }
    if !Features(hello.features).contains(Features::STRICT_SEQUENCE) {
        return Err(refused(at(4), "the client does not count strictly"));
    }
    if !is_id(hello.service_id) {
        return Err(refused(at(113), "a service id is 1..=64 of a-z 0-9 . _ -"));
    }
    Ok(())
}

fn server_hello(raw: &RawFrame<'_>, found: &mut Inspection) -> Result<(), Fault> {
    let hello = ServerHello::read(raw.payload()).map_err(|error| Fault { at: PREAMBLE_LEN, error })?;
    found.number("hs_version", at(0), 1, hello.hs_version);
    found.number("kx", at(1), 1, hello.kx);
    found.number("suite", at(2), 1, hello.suite);
    found.number("reserved", at(3), 1, hello.reserved);
    found.number("features", at(4), 4, hello.features);
    found.text("session_id", at(8), 8, &format!("{:016x}", hello.session_id));
    found.bytes("server_nonce", at(16), 32);
    found.bytes("server_public", at(48), 32);
    if hello.hs_version != HS_VERSION {
        return Err(refused(at(0), "another version of the handshake"));
    }
    key_exchange(hello.kx, &hello.public)?;
    if Suite::from_byte(hello.suite).is_none() {
        return Err(refused(at(2), "no such suite"));
    }
    if hello.reserved != 0 {
        return Err(refused(at(3), "reserved field set"));
    }
    if !Features(hello.features).contains(Features::STRICT_SEQUENCE) {
        return Err(refused(at(4), "the server does not count strictly"));
    }
    if hello.session_id == 0 {
        return Err(refused(at(8), "session id 0"));
    }
    Ok(())
}

fn key_exchange(kx: u8, public: &[u8; 32]) -> Result<(), Fault> {
    match kx {
        KX_X25519 => Ok(()),
        KX_PSK if *public == [0; 32] => Ok(()),
        KX_PSK => Err(refused(at(48), "a public key without key exchange")),
        _ => Err(refused(at(1), "unknown key exchange")),
    }
}

/// The place of a byte of the payload.
const fn at(offset: usize) -> usize {
    PREAMBLE_LEN + offset
}

fn refused(at: usize, why: &'static str) -> Fault {
    fault(at, Code::HandshakeFailed, why)
}
