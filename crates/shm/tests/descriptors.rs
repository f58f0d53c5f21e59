//! The attacker is a server that hands over a descriptor of its choice, or a peer that sends descriptors undue.
//!
//! Everything an unprivileged process can make: what is not exactly a sealed segment is refused before it is mapped,
//! and no descriptor stays behind.
#![cfg(all(target_os = "linux", not(loom)))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod common;

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::descriptors::{SEALS, memory_file, send_with_fds};
use eipc_shm::doorbell::{ReceiveError, Received, receive, send_nonblocking, send_with_fd};
use eipc_shm::map::memfd::MemfdRegion;
use eipc_shm::{Capacities, Offer, OpenError, Reason, Segment, SystemSegment};
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};

/// One test at a time, because they count the descriptors of the process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn capacities() -> Capacities {
    Capacities::new([4_096; 8]).unwrap()
}

fn offer() -> Offer {
    Offer::memfd(capacities(), 7)
}

fn open(fd: OwnedFd, offer: &Offer, peer_uid: u32) -> Result<MemfdRegion, OpenError> {
    MemfdRegion::open(offer, Some(fd), peer_uid)
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn sealed(seals: SealFlags) -> OwnedFd {
    memory_file(MemfdFlags::CLOEXEC, offer().total(), &offer().header_page(), seals)
}

fn refusal(fd: OwnedFd) -> OpenError {
    let before = descriptors();
    let error = open(fd, &offer(), uid()).map(|_| ()).unwrap_err();
    assert_eq!(descriptors(), before - 1, "the descriptor was closed");
    error
}

#[test]
fn a_right_segment_is_mapped_and_goes_without_a_trace() {
    let _alone = alone();
    let maps = || fs::read_to_string("/proc/self/maps").unwrap();
    let mappings = || maps().lines().filter(|line| line.contains("memfd:")).count();
    let before = (descriptors(), mappings());
    open(sealed(SEALS), &offer(), uid()).unwrap();
    let made = MemfdRegion::create(capacities(), 7).unwrap();
    assert_eq!(made.offer, offer());
    assert_eq!(descriptors(), before.0 + 2);
    let twin = MemfdRegion::open(&made.offer, made.descriptor, uid()).unwrap();
    drop((made.region, twin));
    assert_eq!((descriptors(), mappings()), before);
}

#[test]
fn an_offer_without_its_descriptor_or_of_a_named_segment_is_refused() {
    let _alone = alone();
    let error = MemfdRegion::open(&offer(), None, uid()).unwrap_err();
    assert!(matches!(error, OpenError::Missing), "{error}");
    assert_eq!(error.reason(), Reason::Descriptor);
    // Linux takes no named segment, not even with a descriptor that would do.
    let named = Offer::named(capacities(), 7, "/eabcdefghijklmnopqrstuvwxyz").unwrap();
    for fd in [None, Some(sealed(SEALS))] {
        let error = SystemSegment::open(&named, fd, uid()).map(|_| ()).unwrap_err();
        assert!(matches!(error, OpenError::Kind), "{error}");
        assert_eq!(error.reason(), Reason::Descriptor);
    }
}

#[test]
fn a_segment_that_is_not_sealed_as_it_must_be_is_refused() {
    let _alone = alone();
    let wrong = [
        SealFlags::empty(),
        SEALS - SealFlags::SHRINK,
        SEALS - SealFlags::GROW,
        SEALS - SealFlags::SEAL,
        SEALS | SealFlags::WRITE,
        SEALS | SealFlags::FUTURE_WRITE,
    ];
    for seals in wrong {
        let error = refusal(sealed(seals));
        assert!(matches!(error, OpenError::Seals), "{seals:?}: {error}");
        assert_eq!(error.reason(), Reason::Descriptor);
    }
    let unsealable = rustix::fs::memfd_create("x", MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::ftruncate(&unsealable, offer().total()).unwrap();
    assert!(matches!(refusal(unsealable), OpenError::Seals));
}

#[test]
fn a_segment_of_another_size_is_refused() {
    let _alone = alone();
    let total = offer().total();
    for size in [0, 4_096, 12_288, total - 1, total + 1, total * 2] {
        let page = offer().header_page();
        let header = if size == 0 { &[][..] } else { &page };
        let fd = memory_file(MemfdFlags::CLOEXEC, size, header, SEALS);
        assert!(matches!(refusal(fd), OpenError::Size), "{size}");
    }
}

#[test]
fn a_segment_of_another_user_is_refused() {
    let _alone = alone();
    assert!(matches!(open(sealed(SEALS), &offer(), uid() + 1), Err(OpenError::Owner)));
}

#[test]
fn a_segment_whose_header_differs_from_its_offer_is_refused() {
    let _alone = alone();
    for at in [0, 8, 12, 16, 24, 32, 63, 64, 95, 96, 4_095] {
        let mut header = offer().header_page();
        header[at] ^= 1;
        let error = refusal(memory_file(MemfdFlags::CLOEXEC, offer().total(), &header, SEALS));
        assert!(matches!(error, OpenError::Header), "byte {at}: {error}");
        assert_eq!(error.reason(), Reason::Mapping);
    }
}

#[test]
fn a_segment_of_huge_pages_is_refused() {
    let _alone = alone();
    // Holes punched into huge pages are a SIGBUS for the reader where no huge page is free.
    if let Ok(fd) =
        rustix::fs::memfd_create("x", MemfdFlags::CLOEXEC | MemfdFlags::HUGETLB | MemfdFlags::ALLOW_SEALING)
    {
        assert!(matches!(refusal(fd), OpenError::FileSystem));
    }
}

#[test]
fn what_is_no_memory_file_at_all_is_refused() {
    let _alone = alone();
    let opened = |path: &str| OwnedFd::from(File::open(path).unwrap());
    let error = refusal(opened("/"));
    assert!(matches!(error, OpenError::FileSystem | OpenError::FileType), "a directory: {error}");
    if let Ok(directory) = File::open("/dev/shm") {
        assert!(matches!(refusal(directory.into()), OpenError::FileType), "a directory on tmpfs");
    }
    for device in ["/dev/zero", "/dev/null"] {
        let error = refusal(opened(device));
        assert!(matches!(error, OpenError::FileSystem | OpenError::FileType), "{device}: {error}");
    }
    assert!(matches!(refusal(opened("/proc/self/exe")), OpenError::FileSystem), "a file on a disk");
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    assert!(matches!(refusal(reader), OpenError::FileSystem), "a pipe");
    drop(writer);
    let (socket, _other) = UnixStream::pair().unwrap();
    assert!(matches!(refusal(socket.into()), OpenError::FileSystem), "a socket");
}

#[test]
fn a_right_segment_through_a_wrong_descriptor_is_refused() {
    let _alone = alone();
    for flags in [OFlags::RDONLY, OFlags::WRONLY, OFlags::PATH] {
        let fd = sealed(SEALS);
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let reopened = rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).unwrap();
        drop(fd);
        let error = refusal(reopened);
        assert!(matches!(error, OpenError::System(_) | OpenError::Seals), "{flags:?}: {error}");
    }
}

fn send(socket: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
    assert!(send_with_fds(socket.as_fd(), bytes, fds));
}

#[test]
fn a_descriptor_arrives_with_the_first_byte_and_closes_on_exec() {
    let _alone = alone();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let file = File::open("/proc/self/comm").unwrap();
    assert_eq!(send_with_fd(theirs.as_fd(), b"\0\0\0H", file.as_fd()).unwrap(), 4);
    let mut buffer = [9; 64];
    let Ok(Received::Bytes(1, Some(fd))) = receive(ours.as_fd(), &mut buffer, true) else {
        panic!("no descriptor")
    };
    assert!(rustix::io::fcntl_getfd(&fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    let mut text = String::new();
    File::from(fd).read_to_string(&mut text).unwrap();
    assert_eq!(text, fs::read_to_string("/proc/self/comm").unwrap());
    assert!(matches!(receive(ours.as_fd(), &mut buffer, false), Ok(Received::Bytes(3, None))));
    assert_eq!(buffer[..4], [0, 0, b'H', 9]);
    assert!(matches!(receive(ours.as_fd(), &mut buffer, false), Ok(Received::WouldBlock)));
}

#[test]
fn two_descriptors_or_more_are_a_framing_error_and_are_closed() {
    let _alone = alone();
    for count in 2..=8 {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let file = sealed(SEALS);
        let before = descriptors();
        send(&theirs, b"\0", &vec![file.as_fd(); count]);
        assert!(
            matches!(receive(ours.as_fd(), &mut [0; 8], true), Err(ReceiveError::Descriptors)),
            "{count}"
        );
        assert_eq!(descriptors(), before);
    }
}

#[test]
fn an_offer_without_a_descriptor_has_none() {
    let _alone = alone();
    let (ours, theirs) = UnixStream::pair().unwrap();
    send(&theirs, b"\0", &[]);
    assert!(matches!(receive(ours.as_fd(), &mut [0; 8], true), Ok(Received::Bytes(1, None))));
}

#[test]
fn a_descriptor_at_any_other_time_is_a_framing_error_and_never_enters_the_process() {
    let _alone = alone();
    for count in 1..=2 {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let file = sealed(SEALS);
        let before = descriptors();
        send(&theirs, b"\x01", &vec![file.as_fd(); count]);
        assert!(matches!(receive(ours.as_fd(), &mut [0; 8], false), Err(ReceiveError::Descriptors)));
        assert_eq!(descriptors(), before);
    }
}

#[test]
fn a_descriptor_with_a_later_byte_of_the_offer_is_a_framing_error() {
    let _alone = alone();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let file = sealed(SEALS);
    send(&theirs, b"\0", &[]);
    send(&theirs, b"\0\0H", &[file.as_fd()]);
    assert!(matches!(receive(ours.as_fd(), &mut [0; 8], true), Ok(Received::Bytes(1, None))));
    assert!(matches!(receive(ours.as_fd(), &mut [0; 8], false), Err(ReceiveError::Descriptors)));
}

#[test]
fn a_read_up_to_the_frame_before_leaves_the_offers_descriptor_alone() {
    let _alone = alone();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let file = sealed(SEALS);
    assert_eq!(send_nonblocking(theirs.as_fd(), b"accept").unwrap(), 6);
    assert_eq!(send_with_fd(theirs.as_fd(), b"\0\0\0H", file.as_fd()).unwrap(), 4);
    assert!(matches!(receive(ours.as_fd(), &mut [0; 6], false), Ok(Received::Bytes(6, None))));
    assert!(matches!(receive(ours.as_fd(), &mut [0; 6], true), Ok(Received::Bytes(1, Some(_)))));
}

#[test]
fn an_empty_buffer_is_an_error_and_not_the_end() {
    let _alone = alone();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    for accept_fd in [false, true] {
        let result = receive(ours.as_fd(), &mut [], accept_fd);
        assert!(matches!(result, Err(ReceiveError::System(e)) if e.kind() == io::ErrorKind::InvalidInput));
    }
}

#[cfg(target_pointer_width = "32")]
#[test]
fn a_segment_larger_than_an_object_may_be_is_refused() {
    let _alone = alone();
    let largest = Capacities::new([1 << 28; 8]).unwrap();
    let refused = MemfdRegion::create(largest, 7).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory);
    assert_eq!(refused.raw_os_error(), None, "refused by us, not for lack of address space");
    assert!(eipc_shm::HeapRegion::new(eipc_shm::Layout::new(largest)).is_err());
}
