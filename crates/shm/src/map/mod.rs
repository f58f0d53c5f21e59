//! Segments that another process maps too, one file for each way of passing them on.
//!
//! `memfd.rs` is what Linux offers and takes. `named/` is what macOS does, and what Windows will; Linux compiles it for
//! its tests only. Both are a [`Region`](crate::Region) to the rings; to the two ends of a Unix control socket they are
//! a [`Segment`]. The payloads that describe them are [`crate::handover`]'s.

#[cfg(target_os = "linux")]
pub mod memfd;
#[cfg(any(target_os = "macos", windows, feature = "named"))]
pub mod named;

#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::{error, fmt, io};

#[cfg(unix)]
use crate::Region;
#[cfg(unix)]
use crate::handover::Offer;
use crate::handover::Reason;
#[cfg(unix)]
use crate::layout::Capacities;

/// The kind of segment that this system offers and takes.
#[cfg(target_os = "linux")]
pub type SystemSegment = memfd::MemfdRegion;
/// The kind of segment that this system offers and takes.
#[cfg(target_os = "macos")]
pub type SystemSegment = named::NamedRegion;

/// Memory that a server hands over to a client beside a Unix control socket.
#[cfg(unix)]
pub trait Segment: Region {
    /// Whether a descriptor goes with the first byte of the offer.
    const PASSES_DESCRIPTOR: bool;

    /// Makes a segment for a session; `generation` is the session's id.
    ///
    /// # Errors
    /// Whatever the system refuses.
    fn create(capacities: Capacities, generation: u64) -> io::Result<Created<Self>>;

    /// Maps the segment that a peer made, after every check that a hostile one could fail. `descriptor` is what came
    /// with the offer, `peer_uid` the user of the process at the other end of the control socket.
    ///
    /// # Errors
    /// What was wrong with the segment; the descriptor is closed.
    fn open(offer: &Offer, descriptor: Option<OwnedFd>, peer_uid: u32) -> Result<Self, OpenError>;

    /// Takes the segment's name away, if it has one: both sides have mapped it.
    fn unlink(&self);
}

/// A segment that a server made, and what it sends to the client.
#[cfg(unix)]
#[derive(Debug)]
pub struct Created<S> {
    /// The segment, mapped.
    pub region: S,
    /// What describes it.
    pub offer: Offer,
    /// The descriptor to pass on with the offer; closed by being dropped.
    pub descriptor: Option<OwnedFd>,
}

/// Says why what a peer offered is no segment.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The offer is of a kind that this system does not take.
    Kind,
    /// No descriptor came with the offer, or nothing has its name.
    Missing,
    /// The descriptor's file system is not tmpfs.
    FileSystem,
    /// The descriptor is no regular file.
    FileType,
    /// The segment belongs to another user than the peer.
    Owner,
    /// Somebody else than its owner may open the segment.
    Mode,
    /// The segment's size is not the offer's.
    Size,
    /// The file lacks a seal, or has one that keeps us from writing.
    Seals,
    /// The header page does not say what the offer says.
    Header,
    /// The system refused.
    System(io::Error),
}

impl OpenError {
    /// Returns the reason to refuse the offer with.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Kind
            | Self::Missing
            | Self::FileSystem
            | Self::FileType
            | Self::Owner
            | Self::Mode
            | Self::Size
            | Self::Seals => Reason::Descriptor,
            Self::Header | Self::System(_) => Reason::Mapping,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind => f.write_str("this system takes no segment of that kind"),
            Self::Missing => f.write_str("no descriptor came with the offer, or nothing has its name"),
            Self::FileSystem => f.write_str("the segment is not on tmpfs"),
            Self::FileType => f.write_str("the segment is not a regular file"),
            Self::Owner => f.write_str("the segment belongs to another user than the peer"),
            Self::Mode => f.write_str("the segment is open to others than its owner"),
            Self::Size => f.write_str("the segment has another size than its offer"),
            Self::Seals => f.write_str("the segment is not sealed as it must be"),
            Self::Header => f.write_str("the segment's header differs from its offer"),
            Self::System(error) => write!(f, "the segment could not be mapped: {error}"),
        }
    }
}

impl error::Error for OpenError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        if let Self::System(error) = self { Some(error) } else { None }
    }
}
