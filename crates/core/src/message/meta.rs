//! The routing fields of an EIPC/2 message, and the rules they obey in both encodings.
//!
//! `wire::header_binary` and `wire::header_json` read and write them by the rules written here once. Whether a message has expired is deliberately not here: that needs the
//! wall clock, which belongs to the owner (`docs/wire.md`, "EIPC/2 data frames").

use super::Priority;
use crate::error::{Code, Error, Result};
use std::borrow::Cow;

/// The longest string of a meta, in bytes.
pub(crate) const MAX_STRING_LEN: usize = 255;

/// How the payload's bytes are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum PayloadFormat {
    /// A JSON text.
    #[default]
    Json = 0,
    /// MessagePack.
    MessagePack = 1,
    /// Bytes without a structure EIPC knows.
    Bytes = 2,
    /// A vector of 32-bit floats, little-endian.
    Float32 = 3,
}

impl PayloadFormat {
    /// Finds a format by its number.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Json),
            1 => Some(Self::MessagePack),
            2 => Some(Self::Bytes),
            3 => Some(Self::Float32),
            _ => None,
        }
    }

    /// Returns its number.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self as u8
    }
}

/// The routing fields of a message. Strings borrow from the frame where the encoding allows it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Meta<'a> {
    /// How urgent the message is; in shared memory also its lane.
    pub priority: Priority,
    /// How the payload is encoded.
    pub payload_format: PayloadFormat,
    /// Who sent the message first; empty means the authenticated peer itself.
    pub source: Cow<'a, str>,
    /// Joins a request and its reply; empty for a message that is neither.
    pub request_id: Cow<'a, str>,
    /// The sender's claim; it can only narrow its rights. Empty means no claim.
    pub capability: Cow<'a, str>,
    /// Where a broker is to deliver the message.
    pub route: Cow<'a, str>,
    /// When the message was made, Unix nanoseconds ≥ 0; 0 means not said.
    pub timestamp_ns: i64,
    /// How old the message may become, milliseconds; 0 means any age.
    pub max_age_ms: u32,
}

impl Meta<'_> {
    /// Checks the rules both encodings share.
    ///
    /// # Errors
    /// [`Code::BadHeader`]: a string above 255 bytes or with a control character, a negative timestamp, or an age limit
    /// without a timestamp to measure it from.
    pub fn check(&self) -> Result<()> {
        for text in [&self.source, &self.request_id, &self.capability, &self.route] {
            if text.len() > MAX_STRING_LEN {
                return Err(Error::new(Code::BadHeader, "meta string above 255 bytes"));
            }
            if !is_clean(text) {
                return Err(Error::new(Code::BadHeader, "control character in a meta string"));
            }
        }
        check_age(self.timestamp_ns, self.max_age_ms)
    }
}

/// Checks the two fields an age is made of.
pub(crate) const fn check_age(timestamp_ns: i64, max_age_ms: u32) -> Result<()> {
    if timestamp_ns < 0 {
        return Err(Error::new(Code::BadHeader, "negative timestamp"));
    }
    if max_age_ms != 0 && timestamp_ns == 0 {
        return Err(Error::new(Code::BadHeader, "max_age_ms without timestamp"));
    }
    Ok(())
}

/// Tells whether a string is free of C0 characters and DEL.
pub(crate) fn is_clean(text: &str) -> bool {
    text.bytes().all(|byte| byte >= 0x20 && byte != 0x7f)
}
