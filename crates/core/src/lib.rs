//! EIPC frames, cryptography, handshake and sessions, without any I/O.
//!
//! Bytes come in, a verified message comes out, and the same way back. Every step is one function in
//! one file, and the order of checks is a type: an unverified frame cannot be passed to the next step.
//!
//! ```text
//! chunk ─Deframer→ RawFrame ─verify→ Authentic ─admit→ Fresh ─open→ Envelope
//! ```
//!
//! The crate is sans-IO: callers hand in bytes, randomness and the time ([`Time`]), and take bytes, a
//! deadline and events out. It has no sockets, clocks, threads or environment; two peers on a virtual
//! clock are an ordinary unit test. The rules it follows are written in `docs/wire.md`.
//!
//! # Example
//! A client and a server prove themselves to each other; the bytes between them are carried by hand.
//!
//! ```
//! use eipc_core::crypto::random::Random;
//! use eipc_core::{ClientConfig, Connection, KeyTable, Psk, ServerConfig, State, Time};
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), eipc_core::Error> {
//! let (random, now) = (Random::system(), Time(0));
//! # let key: [u8; 32] = random.array().unwrap_or([0xee; 32]);
//! let psk = Arc::new(Psk::new(&key)?); // 32 random bytes that both sides have
//! let mut keys = KeyTable::new();
//! keys.insert("nia.min", Arc::clone(&psk), &["ui:control".into()])?;
//! let mut server = Connection::server(Arc::new(ServerConfig::new("eai", Box::new(keys))), now);
//! let mut client = Connection::client(ClientConfig::new(psk, "nia.min"), &random, now)?;
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
//! assert_eq!(client.session().map(|session| session.server_id.as_str()), Some("eai"));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod audit;
pub mod crypto;
pub mod error;
mod hex;
pub mod message;
pub mod session;
mod time;
pub mod wire;

pub use error::{Class, Code, Error};
pub use message::{Kind, Lane, Meta, PayloadFormat, Priority};
pub use session::v1;
pub use session::{
    ClientConfig, CloseFrame, CloseReason, Connection, Envelope, Features, KeyStore, KeyTable, LiveKeys,
    MetaKind, Opener, Psk, Received, Role, Sealer, ServerConfig, Session, State, Suite, Suites,
    tls_channel_binding,
};
pub use time::Time;

/// Counts what parsers allocate; see the tests that feed them noise.
#[cfg(test)]
#[global_allocator]
static HEAP: eipc_testkit::heap::Counting = eipc_testkit::heap::Counting;
