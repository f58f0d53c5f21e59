//! Sessions of v1, the original's protocol, without its faults (`docs/wire.md`, "v1, hardened").
//!
//! [`Connection`] is one session of a stream, sans-IO; [`Sealer`] and [`Opener`] are its two directions.
//! The wire is the original's, and with it some of its limits: both directions have one key and no close
//! frame, and a recorded server can be played to a client. Frames and headers are in `wire`.

mod connection;
mod frame;
pub mod handshake;
mod hex;
mod key;
mod open;
mod options;
mod replay;
mod seal;

pub use connection::{Connection, Received};
pub use frame::{decode_frame, encode_frame, sign, verify};
pub use key::{Credential, Key, KeyTable};
pub use open::{Envelope, Opener};
pub use options::{
    Authentication, ClientConfig, MacConfig, Options, ServerConfig, Session, SessionIdRule, SourceRule,
};
pub use replay::{ReplayWindow, WindowSize};
pub use seal::Sealer;

pub use crate::wire::header_v1::TimestampRule;

use crate::error::{Code, Error, Result};
use crate::message::is_clean;
use crate::wire::limits::MAX_ID_LEN;

/// Tells whether `text` can be an id in v1: the original knows no rule, so this one has room for its ids.
fn is_id(text: &str) -> bool {
    (1..=MAX_ID_LEN).contains(&text.len()) && is_clean(text)
}

/// Refuses ids that would make every frame fail.
fn check_ids(own_id: &str, peer_id: Option<&str>) -> Result<()> {
    if !is_id(own_id) || !peer_id.is_none_or(is_id) {
        return Err(Error::new(Code::HandshakeFailed, "a v1 id is 1..=64 bytes without control characters"));
    }
    if peer_id == Some(own_id) {
        return Err(Error::new(Code::Reflection, "both sides have the same id"));
    }
    Ok(())
}
