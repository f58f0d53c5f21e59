//! Memory files made by hand, and messages with any number of descriptors: what a hostile server sends.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// The seals that a segment has.
pub(crate) const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// Makes a memory file: right in everything that the arguments do not change.
pub(crate) fn memory_file(flags: MemfdFlags, size: u64, header: &[u8], seals: SealFlags) -> OwnedFd {
    let fd = rustix::fs::memfd_create("x", flags | MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::fs::ftruncate(&fd, size).unwrap();
    if !header.is_empty() {
        assert_eq!(rustix::io::pwrite(&fd, header, 0).unwrap(), header.len());
    }
    rustix::fs::fcntl_add_seals(&fd, seals).unwrap();
    fd
}

/// Sends one message with these descriptors; false when the other side has hung up.
pub(crate) fn send_with_fds(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> bool {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
    }
    match sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::empty()) {
        Ok(sent) => assert_eq!(sent, bytes.len()),
        Err(Errno::PIPE | Errno::CONNRESET) => return false,
        Err(errno) => panic!("{errno}"),
    }
    true
}
