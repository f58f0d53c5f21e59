//! Sessions of v1, the original's protocol, without its faults (`docs/wire.md`, "v1, hardened").
//!
//! [`Connection`] is one session of a stream, sans-IO; [`Sealer`] and [`Opener`] are its two directions.
//! The wire is the original's, and with it some of its limits: both directions have one key and no close
//! frame, and a recorded server can be played to a client. Frames and headers are in `wire`.
//!
//! # Example
//! A client logs in at a server and sends a message; the bytes between them are carried by hand.
//!
//! ```
//! use eipc_core::crypto::random::Random;
//! use eipc_core::v1::{ClientConfig, Connection, Key, KeyTable, Received, ServerConfig};
//! use eipc_core::{Kind, Meta, State, Time};
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), eipc_core::Error> {
//! let (random, now, unix_ns) = (Random::system(), Time(0), 1_775_217_600_000_000_000);
//! let key = Arc::new(Key::new(b"the bytes of a key file, 32 or more")?);
//! let mut keys = KeyTable::new();
//! keys.insert("nia.min", Arc::clone(&key), &["ui:control".into()])?;
//! let mut server = Connection::server(Arc::new(ServerConfig::new("eipc-server", keys)), unix_ns, now);
//! let mut client = Connection::client(ClientConfig::new(key, "nia.min"), unix_ns, now)?;
//!
//! while client.state() != State::Open {
//!     // Each transmission is one frame behind its 4-byte length; a socket would need a Deframer.
//!     while let Some(mut bytes) = client.poll_transmit() {
//!         server.handle_frame(&mut bytes[4..], &random, now)?;
//!     }
//!     while let Some(mut bytes) = server.poll_transmit() {
//!         client.handle_frame(&mut bytes[4..], &random, now)?;
//!     }
//! }
//! let mut frame = Vec::new(); // one buffer for all frames
//! client.seal_record(Kind::Intent, &Meta::default(), b"{\"intent\":\"stop\"}", &mut frame)?;
//! let Received::Message(envelope) = server.handle_frame(&mut frame, &random, now)? else { panic!() };
//! assert_eq!((envelope.kind(), envelope.meta().source.as_ref()), (Kind::Intent, "nia.min"));
//! # Ok(())
//! # }
//! ```

mod connection;
mod encryption;
mod frame;
pub mod handshake;
mod key;
mod open;
mod options;
mod replay;
mod seal;

pub use connection::{Connection, Received, StreamEnd};
pub use encryption::{decrypt, encrypt};
pub use frame::{FrameKey, decode_frame, encode_frame, sign, verify};
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

/// The longest `session_id`; the original's token has 64 digits.
const MAX_TOKEN_LEN: usize = 256;

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
