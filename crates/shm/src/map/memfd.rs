//! Segments in sealed memory files (Linux; docs/shm-abi.md, "Hand-over").
//!
//! The server makes one and passes its descriptor; the client checks everything that could turn a later access into
//! a signal or somebody else's memory, before it maps. A memfd has no name, so there is nothing to squat or to leave
//! behind. Passing the descriptor is [`crate::doorbell`]'s part.
#![allow(unsafe_code, reason = "maps memory and owns the mapping by its address")]

use std::ffi::c_void;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::{io, ptr};

use rustix::fs::{FallocateFlags, FileType, MemfdFlags, SealFlags};
use rustix::io::{Errno, retry_on_intr};
use rustix::mm::{MapFlags, ProtFlags};

use crate::handover::{HEADER_PAGE_LEN, Offer, SegmentKind};
use crate::layout::{Capacities, DATA_OFFSET, Layout};
use crate::map::{Created, OpenError, Segment};
use crate::region::Seats;
use crate::region::backed::Backed;
use crate::region::bytes::Bytes;

/// `f_type` of tmpfs. A hugetlb memfd has another one; holes punched into it are a SIGBUS for the reader.
const TMPFS_MAGIC: i128 = 0x0102_1994;
/// Seals a segment must have: its size is fixed, and so are its seals.
const REQUIRED: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);
/// Seals it must not have: either side writes.
const FORBIDDEN: SealFlags = SealFlags::WRITE.union(SealFlags::FUTURE_WRITE);

/// A segment in a sealed memory file, mapped. Unmapped and closed when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct MemfdRegion(Arc<Mapping>);

#[derive(Debug)]
struct Mapping {
    bytes: Bytes,
    len: usize,
    layout: Layout,
    fd: OwnedFd,
    seats: Seats,
}

impl Segment for MemfdRegion {
    const PASSES_DESCRIPTOR: bool = true;

    fn create(capacities: Capacities, generation: u64) -> io::Result<Created<Self>> {
        let offer = Offer::memfd(capacities, generation);
        let fd = memory_file()?;
        rustix::fs::ftruncate(&fd, offer.total())?;
        // Written as a file, not through the mapping: lack of memory is an error here, a signal there.
        reserve_control_pages(fd.as_fd())?;
        if retry_on_intr(|| rustix::io::pwrite(&fd, &offer.header_page(), 0))? != HEADER_PAGE_LEN {
            return Err(io::ErrorKind::WriteZero.into());
        }
        rustix::fs::fcntl_add_seals(&fd, REQUIRED)?;
        let passed_on = rustix::io::fcntl_dupfd_cloexec(&fd, 0)?;
        let region = map(fd, &offer)?;
        kill_point!("s-made");
        Ok(Created { region, offer, descriptor: Some(passed_on) })
    }

    fn open(offer: &Offer, descriptor: Option<OwnedFd>, peer_uid: u32) -> Result<Self, OpenError> {
        if offer.kind() != SegmentKind::Memfd {
            return Err(OpenError::Kind);
        }
        let fd = descriptor.ok_or(OpenError::Missing)?;
        check(fd.as_fd(), offer, peer_uid)?;
        reserve_control_pages(fd.as_fd()).map_err(OpenError::System)?;
        // Once, into private memory; the authenticated offer is what counts from here on.
        let mut page = vec![0; HEADER_PAGE_LEN];
        let read = retry_on_intr(|| rustix::io::pread(&fd, &mut page, 0));
        if read.map_err(|errno| OpenError::System(errno.into()))? != HEADER_PAGE_LEN
            || page != offer.header_page()
        {
            return Err(OpenError::Header);
        }
        let region = map(fd, offer).map_err(OpenError::System)?;
        kill_point!("s-mapped-one");
        Ok(region)
    }

    // It has no name.
    fn unlink(&self) {}
}

fn check(fd: BorrowedFd<'_>, offer: &Offer, peer_uid: u32) -> Result<(), OpenError> {
    let system = |errno: Errno| OpenError::System(errno.into());
    // The field's type differs between machines; every one of them fits.
    if i128::from(rustix::fs::fstatfs(fd).map_err(system)?.f_type) != TMPFS_MAGIC {
        return Err(OpenError::FileSystem);
    }
    let stat = rustix::fs::fstat(fd).map_err(system)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(OpenError::FileType);
    }
    if stat.st_uid != peer_uid {
        return Err(OpenError::Owner);
    }
    // EINVAL: a file that cannot be sealed. After SEAL the answer cannot change any more.
    let seals = rustix::fs::fcntl_get_seals(fd).map_err(|_| OpenError::Seals)?;
    if !seals.contains(REQUIRED) || seals.intersects(FORBIDDEN) {
        return Err(OpenError::Seals);
    }
    // Behind the look at SHRINK and GROW: before it the size could have changed after it was compared.
    let stat = rustix::fs::fstat(fd).map_err(system)?;
    if u64::try_from(stat.st_size) != Ok(offer.total()) {
        return Err(OpenError::Size);
    }
    Ok(())
}

fn memory_file() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match rustix::fs::memfd_create(c"eipc", flags | MemfdFlags::NOEXEC_SEAL) {
        // Linux before 6.3 does not know that flag.
        Err(Errno::INVAL) => Ok(rustix::fs::memfd_create(c"eipc", flags)?),
        result => Ok(result?),
    }
}

fn reserve_control_pages(fd: BorrowedFd<'_>) -> io::Result<()> {
    allocate(fd, 0, DATA_OFFSET as u64)
}

fn allocate(fd: BorrowedFd<'_>, offset: u64, len: u64) -> io::Result<()> {
    Ok(retry_on_intr(|| rustix::fs::fallocate(fd, FallocateFlags::empty(), offset, len))?)
}

fn map(fd: OwnedFd, offer: &Offer) -> io::Result<MemfdRegion> {
    let layout = offer.layout();
    let data_len = layout.data_len();
    let len = DATA_OFFSET + data_len;
    // On a 32-bit machine the largest layouts are more than one object may have, so pointers into them would be invalid.
    if isize::try_from(len).is_err() {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    // SAFETY: a new mapping at an address that the kernel chooses overlaps nothing of ours. The file has exactly
    // `len` bytes and can never have fewer: it was sealed against that, by us or as `check` has seen.
    let base = unsafe {
        rustix::mm::mmap(ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &fd, 0)?
    };
    let base = NonNull::new(base.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
    // SAFETY: page-aligned, `len` bytes, readable and writable until the drop of the `Mapping` that owns these
    // `Bytes`; every page of tmpfs below the sealed size reads as something, zeros at first. No reference into it is
    // made but by `Bytes`.
    let bytes = unsafe { Bytes::new(base, data_len) };
    Ok(MemfdRegion(Arc::new(Mapping { bytes, len, layout, fd, seats: Seats::default() })))
}

impl Backed for MemfdRegion {
    fn layout(&self) -> &Layout {
        &self.0.layout
    }

    fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    fn seats(&self) -> &Seats {
        &self.0.seats
    }

    fn reserve(&self, offset: usize, len: usize) -> io::Result<()> {
        allocate(self.0.fd.as_fd(), (DATA_OFFSET + offset) as u64, len as u64)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let base = self.bytes.base().as_ptr().cast::<c_void>();
        // SAFETY: mapped in `map` with this address and length, unmapped only here. The last clone is gone, and every
        // reference into the mapping borrowed from one.
        let unmapped = unsafe { rustix::mm::munmap(base, self.len) };
        // It fails for a wrong address only; there is nothing to do about it in a drop.
        debug_assert!(unmapped.is_ok(), "munmap of our own mapping");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Capacities;

    #[test]
    fn an_offer_of_another_kind_is_not_opened() {
        let capacities = Capacities::new([4_096; 8]).unwrap();
        let (name, uid) = ("/eabcdefghijklmnopqrstuvwx27", rustix::process::geteuid().as_raw());
        let named = Offer::named(capacities, 7, name).unwrap();
        let created = MemfdRegion::create(capacities, 7).unwrap();
        assert!(matches!(MemfdRegion::open(&named, created.descriptor, uid), Err(OpenError::Kind)));
    }

    #[test]
    fn pages_that_cannot_be_had_are_an_error() {
        let small = memory_file().unwrap();
        rustix::fs::fcntl_add_seals(&small, REQUIRED).unwrap();
        assert!(reserve_control_pages(small.as_fd()).is_err(), "sealed against growing, with no page at all");
    }
}
