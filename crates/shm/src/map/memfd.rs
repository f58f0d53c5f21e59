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
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::{error, fmt, io, ptr};

use rustix::fs::{FallocateFlags, FileType, MemfdFlags, SealFlags};
use rustix::io::{Errno, retry_on_intr};
use rustix::mm::{MapFlags, ProtFlags};

use crate::control::{Flag, Slot, Word};
use crate::handover::{HEADER_PAGE_LEN, Offer, Reason, SegmentKind};
use crate::layout::{DATA_OFFSET, Direction, Layout};
use crate::region::access::Access;
use crate::region::bytes::Bytes;
use crate::region::{OutOfRange, Seat, Seats};

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

/// Makes the segment that an offer describes. The second descriptor is the one to pass on; drop it afterwards.
///
/// # Errors
/// Whatever the system refuses; `InvalidInput` for an offer of another kind.
pub fn create(offer: &Offer) -> io::Result<(MemfdRegion, OwnedFd)> {
    if offer.kind() != SegmentKind::Memfd {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let fd = memory_file()?;
    rustix::fs::ftruncate(&fd, offer.total())?;
    // Written as a file, not through the mapping: lack of memory is an error here, a signal there.
    reserve_control_pages(fd.as_fd())?;
    if retry_on_intr(|| rustix::io::pwrite(&fd, &offer.header_page(), 0))? != HEADER_PAGE_LEN {
        return Err(io::ErrorKind::WriteZero.into());
    }
    rustix::fs::fcntl_add_seals(&fd, REQUIRED)?;
    let passed_on = rustix::io::fcntl_dupfd_cloexec(&fd, 0)?;
    Ok((map(fd, offer)?, passed_on))
}

/// Maps a segment that a peer made, after every check that a hostile descriptor could fail. `peer_uid` is the user
/// of the process at the other end of the control socket.
///
/// # Errors
/// What was wrong with the descriptor or the mapping; the descriptor is closed.
pub fn open(fd: OwnedFd, offer: &Offer, peer_uid: u32) -> Result<MemfdRegion, OpenError> {
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
    map(fd, offer).map_err(OpenError::System)
}

/// Says why a descriptor is no segment.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The offer is not for a memfd.
    Kind,
    /// The descriptor's file system is not tmpfs.
    FileSystem,
    /// The descriptor is no regular file.
    FileType,
    /// The file belongs to another user than the peer.
    Owner,
    /// The file's size is not the offer's.
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
            Self::Kind | Self::FileSystem | Self::FileType | Self::Owner | Self::Size | Self::Seals => {
                Reason::Descriptor
            }
            Self::Header | Self::System(_) => Reason::Mapping,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind => f.write_str("the offer is not for a memory file"),
            Self::FileSystem => f.write_str("the segment is not on tmpfs"),
            Self::FileType => f.write_str("the segment is not a regular file"),
            Self::Owner => f.write_str("the segment belongs to another user than the peer"),
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

fn check(fd: BorrowedFd<'_>, offer: &Offer, peer_uid: u32) -> Result<(), OpenError> {
    if offer.kind() != SegmentKind::Memfd {
        return Err(OpenError::Kind);
    }
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

impl Access for MemfdRegion {
    fn layout(&self) -> &Layout {
        &self.0.layout
    }

    fn word(&self, slot: Slot, word: Word) -> &AtomicU64 {
        self.0.bytes.word(slot, word)
    }

    fn flag(&self, direction: Direction, flag: Flag) -> &AtomicU32 {
        self.0.bytes.flag(direction, flag)
    }

    fn header(&self, offset: usize) -> Result<[u8; 8], OutOfRange> {
        self.0.bytes.header(offset)
    }

    fn set_header(&self, offset: usize, header: [u8; 8]) -> Result<(), OutOfRange> {
        self.0.bytes.set_header(offset, header)
    }

    fn copy_out(&self, offset: usize, out: &mut [u8]) -> Result<(), OutOfRange> {
        self.0.bytes.copy_out(offset, out)
    }

    fn copy_in(&self, offset: usize, bytes: &[u8]) -> Result<(), OutOfRange> {
        self.0.bytes.copy_in(offset, bytes)
    }

    fn reserve(&self, offset: usize, len: usize) -> io::Result<()> {
        allocate(self.0.fd.as_fd(), (DATA_OFFSET + offset) as u64, len as u64)
    }

    fn claim(&self, seat: Seat) -> bool {
        self.0.seats.claim(seat)
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
    fn an_offer_of_another_kind_is_neither_made_nor_opened() {
        let capacities = Capacities::new([4_096; 8]).unwrap();
        let (name, uid) = ("/eabcdefghijklmnopqrstuvwxyz", rustix::process::geteuid().as_raw());
        let named = Offer::named(capacities, 7, name).unwrap();
        assert_eq!(create(&named).map(drop).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let (_region, fd) = create(&Offer::memfd(capacities, 7)).unwrap();
        assert!(matches!(open(fd, &named, uid), Err(OpenError::Kind)));
    }

    #[test]
    fn pages_that_cannot_be_had_are_an_error() {
        let small = memory_file().unwrap();
        rustix::fs::fcntl_add_seals(&small, REQUIRED).unwrap();
        assert!(reserve_control_pages(small.as_fd()).is_err(), "sealed against growing, with no page at all");
    }
}
