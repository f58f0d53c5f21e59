//! Named segments on Windows.
//!
//! A segment is a file in the folder `shared_memory-rs` of the user's temporary folder and a section object of the
//! session, both with default rights: the crate gives no way to ask for others, to learn an owner, or to take the
//! section's name away. Owner and mode are therefore not checked here (docs/shm-abi.md, "A named segment").

use std::io;

use shared_memory::ShmemConf;

use super::{NamedRegion, name};
use crate::handover::{Offer, SegmentKind};
use crate::layout::Capacities;
use crate::map::OpenError;

impl NamedRegion {
    /// Makes a segment for a session; `generation` is the session's id.
    ///
    /// # Errors
    /// Whatever the system refuses.
    pub fn create(capacities: Capacities, generation: u64) -> io::Result<(Self, Offer)> {
        super::create(capacities, generation, name::random)
    }

    /// Maps the segment that a peer made. Size and header are checked; owner and rights cannot be.
    ///
    /// # Errors
    /// What was wrong with the segment.
    pub fn open(offer: &Offer) -> Result<Self, OpenError> {
        if offer.kind() != SegmentKind::Named {
            return Err(OpenError::Kind);
        }
        super::open(offer)
    }

    /// Takes the name of the segment's file away: both sides have mapped it.
    pub fn unlink(&self) {
        self.0.name.unlink();
    }
}

/// There is nothing to look at.
#[allow(clippy::unnecessary_wraps, reason = "the same name and type as on the other systems")]
pub(super) fn check_created(_offer: &Offer) -> Result<(), OpenError> {
    Ok(())
}

pub(super) fn unlink(name: &str) {
    // The crate has no call for it: it renames and deletes the file when the mapping of an owner is dropped. Its drop
    // is careful only where the temporary folder exists, so nothing is done where the file cannot be opened.
    if let Ok(mut memory) = ShmemConf::new().os_id(name).open() {
        memory.set_owner(true);
    }
}
