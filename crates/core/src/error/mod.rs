//! The one error type of the core: a [`Code`] from the table and what was seen.
//!
//! Every layer answers with it; the binding and the C interface map its code to a class or a status.
//! What to tell the *peer* is deliberately not here: a peer sees one generic alert
//! (`docs/wire.md`, "Receiver: order of checks and codes").

mod code;

pub use code::{Class, Code};

use std::borrow::Cow;
use std::fmt;

/// A failure: its code and, where it helps, what was seen.
///
/// `Display` prints the table's sentence and the context. The context never holds a secret and never
/// text of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure this is; stable across releases.
    pub code: Code,
    /// What was seen, for people; empty when the sentence says it all.
    pub context: Cow<'static, str>,
}

/// A result with the core's error.
pub type Result<T> = core::result::Result<T, Error>;

impl Error {
    /// Makes an error with a context that is known at compile time.
    #[must_use]
    pub const fn new(code: Code, context: &'static str) -> Self {
        Self { code, context: Cow::Borrowed(context) }
    }

    /// Makes an error with a context that holds values.
    #[must_use]
    pub fn with(code: Code, context: String) -> Self {
        Self { code, context: Cow::Owned(context) }
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::new(code, "")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code.sentence())?;
        if self.context.is_empty() { Ok(()) } else { write!(formatter, " ({})", self.context) }
    }
}

impl std::error::Error for Error {}
