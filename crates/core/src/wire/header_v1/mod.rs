//! The header of a v1 frame: one JSON object (`docs/wire.md`, "v1, hardened").
//!
//! Read only behind a verified tag, from `session::v1`. What the ids must be is decided there.

mod read;
mod write;

pub use read::parse;
pub use write::write;

pub use super::timestamp::Timestamp;
use crate::message::{PayloadFormat, Priority};
use std::borrow::Cow;

/// The fields of a v1 header, in the order they are written. Strings borrow from the frame unless they
/// hold escapes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HeaderV1<'a> {
    /// Who sent the frame.
    pub service_id: Cow<'a, str>,
    /// The token of the session; empty where there is none.
    pub session_id: Cow<'a, str>,
    /// Joins a request and its reply.
    pub request_id: Cow<'a, str>,
    /// Counts the frames of this connection and direction, from 1.
    pub sequence: u64,
    /// When the frame was made; the Unix epoch when the text could not be read and need not be.
    pub timestamp: Timestamp,
    /// How urgent the message is.
    pub priority: Priority,
    /// The sender's claim; not written when empty.
    pub capability: Cow<'a, str>,
    /// Where a broker is to deliver the message; not written when empty.
    pub route: Cow<'a, str>,
    /// How the payload is encoded; v1 knows JSON and MessagePack.
    pub payload_format: PayloadFormat,
}

/// What the timestamp of a received header must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum TimestampRule {
    /// RFC 3339 with an existing date, or 1..=11 digits of seconds.
    #[default]
    Strict,
    /// Any string.
    AnyString,
}
