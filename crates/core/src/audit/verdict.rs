//! What a verifier has to say of a log: how much of it is good, by which proof, and what the first bad line is.

use core::fmt;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Good lines, up to the first bad one.
    pub lines: u64,
    /// The number of the first good line; 0 without any.
    pub first: u64,
    /// The number of the last good line; 0 without any.
    pub last: u64,
    /// The hash of the last good line; zeros without any.
    pub hash: [u8; 32],
    /// How the lines were checked; none without any.
    pub check: Option<Check>,
    /// The key the chain says it was made with; none for a chain without.
    pub key_id: Option<u64>,
    /// Good lines that tell of bytes cut off after a crash.
    pub recoveries: u64,
    /// Checkpoints that were compared.
    pub checkpoints: u64,
    /// The first bad line; none if every line is good.
    pub fault: Option<Fault>,
}

/// How much the verdict proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Every hash with its key: only its holders and the logger, at the time of each line, could make it.
    Key,
    /// Every hash of a chain without a key: everybody could make it.
    Hash,
    /// The chain has a key, which was not given: form, numbers and links only. A changed text does not show.
    Structure,
}

/// The first bad line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which file, from 0.
    pub file: usize,
    /// Which line of it, from 1.
    pub line: u64,
    /// The number the line should have.
    pub number: u64,
    /// What became of it.
    pub reason: Reason,
    /// What was seen. Holds no text of the log.
    pub detail: String,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is not what was written.
    Changed,
    /// It, and perhaps others behind it, are missing.
    Deleted,
    /// It was not written here; the line that belongs here comes later.
    Inserted,
    /// It stands here in place of one that comes later.
    Swapped,
    /// The log ends before it, and a checkpoint says that it was written.
    Truncated,
    /// It does not end: it was being written when the machine stopped, or it was cut.
    Torn,
    /// It is not the line of its checkpoint: what is before it was made anew.
    Rewritten,
    /// The chain was made with another key than the one given, or without.
    Key,
}

impl Reason {
    /// Returns the word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Deleted => "deleted",
            Self::Inserted => "inserted",
            Self::Swapped => "swapped",
            Self::Truncated => "truncated",
            Self::Torn => "torn",
            Self::Rewritten => "rewritten",
            Self::Key => "key",
        }
    }
}

impl Check {
    /// Returns the word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Hash => "hash",
            Self::Structure => "structure",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}: {}", self.line, self.reason.word(), self.detail)
    }
}
