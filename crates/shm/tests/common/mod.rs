//! What the tests of this crate share: messages that prove themselves, and a peer's view of a segment's raw bytes.
//! The offsets are written down again from docs/shm-abi.md, not taken from the crate.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(unsafe_code, reason = "a hostile peer writes where it likes")]

#[cfg(target_os = "linux")]
pub(crate) mod descriptors;
#[cfg(unix)]
pub(crate) mod link;
pub(crate) mod reader;
pub(crate) mod strike;

use std::env;
use std::process::Command;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use eipc_shm::{Direction, Lane};
use ring::digest::{SHA256, digest};

/// Shortest frame the tests allow: EIPC/2's 40 bytes and a tag of 16.
pub(crate) const SHORTEST: u32 = 56;

/// Returns counter ‖ SHA-256(counter), and filling up to `len` that follows from the counter.
pub(crate) fn message(counter: u64, len: usize) -> Vec<u8> {
    let mut message = counter.to_be_bytes().to_vec();
    message.extend_from_slice(digest(&SHA256, &counter.to_be_bytes()).as_ref());
    let seed = counter.to_le_bytes()[0];
    message.extend((40..len.max(SHORTEST as usize)).map(|at| at.to_le_bytes()[0] ^ seed));
    message
}

/// Returns a length for the n-th message that visits every remainder and both ends of the range.
pub(crate) fn length(counter: u64, longest: usize) -> usize {
    let span = longest - SHORTEST as usize + 1;
    SHORTEST as usize + usize::try_from((counter.wrapping_mul(2_654_435_761) >> 7) % span as u64).unwrap()
}

/// Returns the counter of a message that is whole, `None` for any other bytes.
pub(crate) fn counter_of(bytes: &[u8]) -> Option<u64> {
    let counter = u64::from_be_bytes(*bytes.first_chunk()?);
    (bytes == message(counter, bytes.len())).then_some(counter)
}

/// Returns this test binary as a command of its own. A binary for another machine starts as it was started itself:
/// through the program and arguments in `EIPC_TEST_EMULATOR` (set by scripts/test-platforms.sh).
pub(crate) fn this_binary() -> Command {
    let binary = env::current_exe().unwrap();
    let emulator = env::var("EIPC_TEST_EMULATOR").unwrap_or_default();
    let mut words = emulator.split_whitespace();
    let Some(program) = words.next() else { return Command::new(binary) };
    let mut command = Command::new(program);
    command.args(words).arg(binary);
    command
}

/// A segment as a hostile peer sees it: raw bytes at an address.
#[derive(Clone, Copy)]
pub(crate) struct Raw(pub(crate) *mut u8);

// SAFETY: the tests keep the memory mapped while a `Raw` is used, and `Raw` accesses it atomically only.
unsafe impl Send for Raw {}
// SAFETY: as for Send.
unsafe impl Sync for Raw {}

impl Raw {
    /// Maps a segment beside the region that the crate maps, until the process ends.
    #[cfg(unix)]
    pub(crate) fn map(fd: std::os::fd::BorrowedFd<'_>, len: usize) -> Self {
        use rustix::mm::{MapFlags, ProtFlags, mmap};
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address the kernel chooses.
        let base = unsafe { mmap(std::ptr::null_mut(), len, protection, MapFlags::SHARED, fd, 0) };
        Self(base.unwrap().cast())
    }

    /// Undoes [`Raw::map`].
    #[cfg(unix)]
    pub(crate) fn unmap(self, len: usize) {
        // SAFETY: the caller made it by `map` with this length and uses it no more.
        unsafe { rustix::mm::munmap(self.0.cast(), len) }.unwrap();
    }

    pub(crate) fn u64_at(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: the tests pass offsets inside of their segment, multiples of 8.
        unsafe { AtomicU64::from_ptr(self.0.add(offset).cast()) }
    }

    pub(crate) fn u32_at(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: the tests pass offsets inside of their segment, multiples of 4.
        unsafe { AtomicU32::from_ptr(self.0.add(offset).cast()) }
    }

    pub(crate) fn set_tail(&self, direction: Direction, lane: Lane, tail: u64) {
        self.u64_at(tail_at(direction, lane)).store(tail, Ordering::Release);
    }

    pub(crate) fn set_head(&self, direction: Direction, lane: Lane, head: u64) {
        self.u64_at(tail_at(direction, lane) + 128).store(head, Ordering::Release);
    }

    pub(crate) fn set_producer_waiting(&self, direction: Direction, lane: Lane, value: u32) {
        self.u32_at(tail_at(direction, lane) + 256).store(value, Ordering::Relaxed);
    }

    pub(crate) fn set_consumer_waiting(&self, direction: Direction, value: u32) {
        self.u32_at(tail_at(direction, Lane::P0) + 2_048).store(value, Ordering::Relaxed);
    }

    pub(crate) fn set_header(&self, offset: usize, length: u32, kind: u32) {
        self.u32_at(offset).store(length, Ordering::Release);
        self.u32_at(offset + 4).store(kind, Ordering::Release);
    }
}

pub(crate) fn tail_at(direction: Direction, lane: Lane) -> usize {
    4_096 + 4_096 * direction.index() + 512 * lane.index()
}

/// xorshift64*: the tests' dice.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 33) as usize % end
    }
}
