//! The attacker is a server that puts something else behind the name it offers, or somebody who has the name.
//!
//! What is not exactly a segment of the peer's user, for that user alone and of the offered size, is refused before it
//! is mapped, and no name and no descriptor stays behind. Names that no offer may carry are refused by its decoder
//! (`handover/offer.rs`); taken names, wrong header pages, and what is swapped after the look are in `map/named/`.
#![cfg(all(unix, not(loom)))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use eipc_shm::map::named::NamedRegion;
use eipc_shm::{Capacities, Created, Offer, OpenError, Reason, Segment};
use rustix::fs::{Mode, RawMode};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::shm;

const OWNER_ALONE: RawMode = 0o600;

/// One test at a time, because they count the descriptors of the process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn descriptors() -> usize {
    fs::read_dir("/dev/fd").unwrap().count()
}

fn capacities() -> Capacities {
    Capacities::new([4_096; 8]).unwrap()
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A segment made by hand: right in everything that the arguments do not change. Its name goes with it.
struct HandMade {
    fd: OwnedFd,
    offer: Offer,
}

impl HandMade {
    fn new(mode: RawMode, size: u64) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Hexadecimal, with other letters for the digits that a name cannot have.
        let number = format!("{:013x}{:013x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let letters = number.chars().map(|digit| match digit {
            '0' => 'w',
            '1' => 'x',
            '8' => 'y',
            '9' => 'z',
            digit => digit,
        });
        let name: String = "/e".chars().chain(letters).collect();
        let offer = Offer::named(capacities(), 7, &name).unwrap();
        let flags = shm::OFlags::CREATE | shm::OFlags::EXCL | shm::OFlags::RDWR;
        let mode = Mode::from_raw_mode(mode);
        let fd = shm::open(offer.name(), flags, mode).unwrap();
        let made = Self { fd, offer };
        if size > 0 {
            rustix::fs::ftruncate(&made.fd, size).unwrap();
        }
        made
    }

    /// Writes the header page through a mapping, because macOS has no other way.
    fn with_header(self) -> Self {
        let page = self.offer.header_page();
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        #[allow(unsafe_code, reason = "plays the peer, which writes into its own mapping")]
        // SAFETY: a new mapping at an address the kernel chooses, as long as the page that is copied into it, gone
        // before anybody else looks.
        unsafe {
            let base =
                mmap(std::ptr::null_mut(), page.len(), protection, MapFlags::SHARED, &self.fd, 0).unwrap();
            base.cast::<u8>().copy_from_nonoverlapping(page.as_ptr(), page.len());
            munmap(base, page.len()).unwrap();
        }
        self
    }

    fn is_linked(&self) -> bool {
        shm::open(self.offer.name(), shm::OFlags::RDONLY, Mode::empty()).is_ok()
    }
}

impl Drop for HandMade {
    fn drop(&mut self) {
        let _ = shm::unlink(self.offer.name());
    }
}

/// Asserts that the segment is refused and that nothing of it stays in this process.
fn refusal(offer: &Offer, peer_uid: u32) -> OpenError {
    let before = descriptors();
    let error = NamedRegion::open(offer, None, peer_uid).map(|_| ()).unwrap_err();
    assert_eq!(descriptors(), before);
    error
}

#[test]
fn a_right_segment_made_by_hand_is_mapped_and_goes_without_a_trace() {
    let _alone = alone();
    let made = HandMade::new(OWNER_ALONE, capacities().total()).with_header();
    let before = descriptors();
    drop(NamedRegion::open(&made.offer, None, uid()).unwrap());
    assert_eq!(descriptors(), before);
    assert!(!made.is_linked());
}

#[test]
fn a_segment_is_for_its_owner_alone_and_closes_on_exec() {
    let _alone = alone();
    let before: Vec<String> = open_files();
    let Created { region, offer, descriptor } = NamedRegion::create(capacities(), 7).unwrap();
    assert!(descriptor.is_none());
    let fd = shm::open(offer.name(), shm::OFlags::RDONLY, Mode::empty()).unwrap();
    let stat = rustix::fs::fstat(fd.as_fd()).unwrap();
    assert_eq!(Mode::from_raw_mode(stat.st_mode), Mode::RUSR | Mode::WUSR);
    assert_eq!(stat.st_uid, uid());
    drop(fd);
    for number in open_files().iter().filter(|number| !before.contains(number)) {
        let number: i32 = number.parse().unwrap();
        #[allow(unsafe_code, reason = "looks at a descriptor that the region holds")]
        // SAFETY: the region holds it open, and no other test opens or closes one meanwhile.
        let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
        // The descriptor of the directory that was read is closed again by now.
        if let Ok(flags) = rustix::io::fcntl_getfd(fd) {
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC), "descriptor {number}");
        }
    }
    drop(region);
}

fn open_files() -> Vec<String> {
    let names = fs::read_dir("/dev/fd").unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn a_segment_that_others_may_open_is_refused() {
    let _alone = alone();
    for mode in [0o400, 0o700, 0o610, 0o640, 0o604, 0o644] {
        let made = HandMade::new(mode, capacities().total()).with_header();
        let error = refusal(&made.offer, uid());
        assert!(matches!(error, OpenError::Mode), "{mode:o}: {error}");
        assert_eq!(error.reason(), Reason::Descriptor);
        assert!(made.is_linked(), "what was refused is not ours to take away");
    }
}

#[test]
fn a_segment_of_another_size_is_refused() {
    let _alone = alone();
    let total = capacities().total();
    for size in [0, 4_096, 12_288, total - 16_384, total + 65_536, 16 << 20] {
        let made = HandMade::new(OWNER_ALONE, size);
        let error = refusal(&made.offer, uid());
        assert!(matches!(error, OpenError::Size), "{size}: {error}");
        assert_eq!(error.reason(), Reason::Descriptor);
    }
    // Rounded up to a page, as macOS does it.
    let made = HandMade::new(OWNER_ALONE, total + 4_096).with_header();
    assert!(NamedRegion::open(&made.offer, None, uid()).is_ok());
}

#[test]
fn a_segment_of_another_user_than_the_peer_is_refused() {
    let _alone = alone();
    let made = HandMade::new(OWNER_ALONE, capacities().total()).with_header();
    assert!(matches!(refusal(&made.offer, uid() + 1), OpenError::Owner));
    // Only root can give a file away.
    #[cfg(target_os = "linux")]
    if uid() == 0 {
        rustix::fs::fchown(&made.fd, Some(rustix::fs::Uid::from_raw(65_534)), None).unwrap();
        assert!(matches!(refusal(&made.offer, 0), OpenError::Owner));
    }
}

#[test]
fn a_segment_whose_header_was_not_written_is_refused() {
    let _alone = alone();
    let made = HandMade::new(OWNER_ALONE, capacities().total());
    let error = refusal(&made.offer, uid());
    assert!(matches!(error, OpenError::Header), "{error}");
    assert_eq!(error.reason(), Reason::Mapping);
}

#[test]
fn a_name_that_leads_nowhere_or_led_somewhere_once_is_refused() {
    let _alone = alone();
    let missing = Offer::named(capacities(), 7, "/eabcdefghijklmnopqrstuvwxyz").unwrap();
    let Created { region, offer, .. } = NamedRegion::create(capacities(), 7).unwrap();
    let twin = NamedRegion::open(&offer, None, uid()).unwrap();
    for offer in [missing, offer] {
        let error = refusal(&offer, uid());
        assert!(matches!(error, OpenError::Missing), "{error}");
        assert_eq!(error.reason(), Reason::Descriptor);
    }
    drop((region, twin));
}

#[test]
fn an_offer_of_a_memory_file_is_refused() {
    let _alone = alone();
    let error = refusal(&Offer::memfd(capacities(), 7), uid());
    assert!(matches!(error, OpenError::Kind), "{error}");
}
