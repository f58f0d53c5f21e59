//! What can go wrong in a segment.
//!
//! A [`Fault`] is final: the value that caused it came from a peer that may be hostile, so the object that met it
//! never touches the segment again. Turning a fault into an error class, an alert and an audit line is the caller's
//! part (docs/shm-abi.md, "A hostile peer").

use std::{error, fmt, io};

/// Says why a direction of a segment was given up for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The producer's tail went backwards.
    TailBackwards,
    /// The producer's tail is further from the head than the lane is long.
    TailBeyondCapacity,
    /// The producer's tail is not a multiple of 8.
    TailMisaligned,
    /// The consumer's head went backwards.
    HeadBackwards,
    /// The consumer's head passed what was published.
    HeadBeyondTail,
    /// The consumer's head is not a multiple of 8.
    HeadMisaligned,
    /// A record reaches past what was published.
    RecordBeyondTail,
    /// A record reaches past the end of the lane's memory.
    RecordBeyondEnd,
    /// A record is neither a frame nor padding.
    RecordKind,
    /// A frame is shorter than any authentic frame.
    RecordTooShort,
    /// A frame is longer than half the lane, which no producer may write.
    RecordTooLong,
    /// Padding follows padding.
    PaddingRepeated,
    /// Padding does not fill exactly to the end of the lane's memory.
    PaddingLength,
    /// Padding was published without the record it makes room for.
    PaddingAlone,
    /// The owner said so (a bad tag, a sequence fault, a fault of the other direction).
    Poisoned,
    /// Our own code addressed memory outside the segment, or copied a record it was not told about.
    Misuse,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TailBackwards => "the producer's tail went backwards",
            Self::TailBeyondCapacity => "the producer's tail is more than a capacity ahead of the head",
            Self::TailMisaligned => "the producer's tail is not a multiple of 8",
            Self::HeadBackwards => "the consumer's head went backwards",
            Self::HeadBeyondTail => "the consumer's head passed what was published",
            Self::HeadMisaligned => "the consumer's head is not a multiple of 8",
            Self::RecordBeyondTail => "a record reaches past what was published",
            Self::RecordBeyondEnd => "a record reaches past the end of its lane",
            Self::RecordKind => "a record is neither a frame nor padding",
            Self::RecordTooShort => "a record is shorter than any frame",
            Self::RecordTooLong => "a record is longer than half its lane",
            Self::PaddingRepeated => "padding follows padding",
            Self::PaddingLength => "padding does not fill exactly to the end of its lane",
            Self::PaddingAlone => "padding was published without the record after it",
            Self::Poisoned => "the connection was poisoned by its owner",
            Self::Misuse => {
                "a record was copied that was not announced, or memory outside the segment was addressed"
            }
        })
    }
}

impl error::Error for Fault {}

/// Says why a frame could not be put into a lane. Only [`PushError::Fault`] is final.
#[derive(Debug)]
pub enum PushError {
    /// The record is larger than half the lane and can never be sent; nothing was touched.
    TooLarge {
        /// Size of the record in bytes, with its header and rounded up.
        size: u64,
        /// The most that the lane takes.
        limit: u64,
    },
    /// The lane's pages could not be reserved at its first use (lack of memory); nothing was written.
    Reserve(io::Error),
    /// The segment was given up.
    Fault(Fault),
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { size, limit } => {
                write!(f, "a record of {size} bytes is larger than half its lane ({limit} bytes)")
            }
            Self::Reserve(error) => write!(f, "the memory of a lane could not be reserved: {error}"),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl error::Error for PushError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::TooLarge { .. } => None,
            Self::Reserve(error) => Some(error),
            Self::Fault(fault) => Some(fault),
        }
    }
}

impl From<Fault> for PushError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Says that a direction of a region already has its one producer, or its one consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatTaken;

impl fmt::Display for SeatTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this end of this direction is in use, or was used: a region is never resumed")
    }
}

impl error::Error for SeatTaken {}
