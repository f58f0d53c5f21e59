//! The four-step challenge-response handshake (`docs/wire.md`, "Challenge-response"), one consuming type per
//! role and step.
//!
//! ```text
//! client  ClientStart ─A→ AwaitChallenge ─R→ AwaitResult ──→ Established
//! server  ServerStart ─H→ AwaitResponse ──R────────────────→ Established
//! ```
//!
//! A challenge lives in the type that sent it: it belongs to its connection and can be used once. Time
//! limits and the stream are `connection`'s.

mod client;
mod payload;
mod server;

pub use client::{AwaitChallenge, AwaitResult, ClientStart};
pub use server::{AwaitResponse, Denied, ServerStart};

use super::open::Opener;
use super::options::Session;
use super::seal::Sealer;
use crate::error::{Code, Error};
use crate::message::Kind;

/// A session whose client is known.
#[derive(Debug)]
pub struct Established {
    /// What is known.
    pub session: Session,
    /// Seals this side's frames.
    pub sealer: Sealer,
    /// Opens the peer's frames.
    pub opener: Opener,
}

/// Which types the four frames have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// `A`, `H`, `R`, `R`.
    Typed,
    /// All `a`, as an older client has it.
    Acks,
}

impl Style {
    const fn of(self, kind: Kind) -> Kind {
        match self {
            Self::Typed => kind,
            Self::Acks => Kind::Ack,
        }
    }
}

/// Tells whether these capabilities can be told: the last frame, with any header of ours, is one of at
/// most 4 096 bytes.
pub(super) fn can_tell(capabilities: &[String]) -> bool {
    payload::Answer::write_ok(&"0".repeat(64), capabilities).len() <= 3_072
}

/// A handshake failure with its local reason; the peer sees one generic denial.
const fn refused(why: &'static str) -> Error {
    Error::new(Code::HandshakeFailed, why)
}
