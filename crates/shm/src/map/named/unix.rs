//! Named segments where names are POSIX's: macOS, and Linux for the tests.
//!
//! `shared_memory` creates with `O_EXCL` and mode 0600, and does not tell what it has opened. So the name is opened a
//! second time, only to be looked at. A peer that puts something else behind its own name between the two can make us
//! map memory that it could as well have shared with whomever it likes; the size is compared again with what was
//! mapped, because that is what accesses rely on.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::shm;

use super::{NamedRegion, fits, name};
use crate::handover::{Offer, SegmentKind};
use crate::layout::Capacities;
use crate::map::{Created, OpenError, Segment};

impl Segment for NamedRegion {
    const PASSES_DESCRIPTOR: bool = false;

    fn create(capacities: Capacities, generation: u64) -> io::Result<Created<Self>> {
        let (region, offer) = super::create(capacities, generation, name::random)?;
        Ok(Created { region, offer, descriptor: None })
    }

    fn open(offer: &Offer, _descriptor: Option<OwnedFd>, peer_uid: u32) -> Result<Self, OpenError> {
        if offer.kind() != SegmentKind::Named {
            return Err(OpenError::Kind);
        }
        check(offer, peer_uid)?;
        super::open(offer)
    }

    fn unlink(&self) {
        self.0.name.unlink();
    }
}

/// Looks at what was made just now.
pub(super) fn check_created(offer: &Offer) -> Result<(), OpenError> {
    check(offer, rustix::process::geteuid().as_raw())
}

pub(super) fn unlink(name: &str) {
    // It fails where the name is gone already, or not ours to take away.
    let _ = shm::unlink(name);
}

fn check(offer: &Offer, uid: u32) -> Result<(), OpenError> {
    let fd = shm::open(offer.name(), shm::OFlags::RDONLY, Mode::empty()).map_err(|errno| match errno {
        Errno::NOENT => OpenError::Missing,
        Errno::ACCESS => OpenError::Owner, // what is ours and has the mode below can be opened
        errno => OpenError::System(errno.into()),
    })?;
    let stat = rustix::fs::fstat(&fd).map_err(|errno| OpenError::System(errno.into()))?;
    if stat.st_uid != uid {
        return Err(OpenError::Owner);
    }
    if Mode::from_raw_mode(stat.st_mode) != Mode::RUSR | Mode::WUSR {
        return Err(OpenError::Mode);
    }
    match u64::try_from(stat.st_size) {
        Ok(size) if fits(size, offer.total()) => Ok(()),
        _ => Err(OpenError::Size),
    }
}
