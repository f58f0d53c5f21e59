//! Two global allocators for tests: one counts what a piece of work allocates, one remembers everything
//! that ever was on the heap.
//!
//! A test binary installs one of them with `#[global_allocator]`.
#![allow(unsafe_code, reason = "an allocator is unsafe by its trait; the kit does not ship")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, with a count per thread.
#[derive(Debug)]
pub struct Counting;

/// What was allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls of the allocator.
    pub allocations: usize,
    /// Bytes of all of them together, freed or not: more in a long run than 32 bits count.
    pub bytes: u64,
}

thread_local! {
    static USED: Cell<Usage> = const { Cell::new(Usage { allocations: 0, bytes: 0 }) };
}

/// Returns what `work` returns and what this thread allocated meanwhile. Nothing is counted unless
/// [`Counting`] is installed.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Usage) {
    let before = USED.get();
    let result = work();
    let after = USED.get();
    let usage =
        Usage { allocations: after.allocations - before.allocations, bytes: after.bytes - before.bytes };
    (result, usage)
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting allocates nothing,
// because the cell is initialised at compile time and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.get();
        USED.set(Usage { allocations: used.allocations + 1, bytes: used.bytes + layout.size() as u64 });
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System.alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Bytes a test may allocate in all.
const ARENA_LEN: usize = 256 << 20;

/// An allocator that never uses memory twice, so that what was freed without being wiped can be found.
pub struct Arena {
    bytes: UnsafeCell<[u8; ARENA_LEN]>,
    used: AtomicUsize,
}

// SAFETY: `used` hands out every byte once; nobody else writes to it.
unsafe impl Sync for Arena {}

impl Arena {
    /// Makes an empty arena, to be a `static`.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "only ever a static")]
    #[allow(clippy::large_stack_frames, reason = "evaluated at compile time")]
    pub const fn new() -> Self {
        Self { bytes: UnsafeCell::new([0; ARENA_LEN]), used: AtomicUsize::new(0) }
    }

    /// Counts where on the heap, freed memory included, the secret lies. `masked` is the secret XOR
    /// 0xff, so that the search does not find itself.
    #[must_use]
    pub fn occurrences(&self, masked: &[u8; 32]) -> usize {
        let length = self.used.load(Ordering::Acquire).min(ARENA_LEN);
        let start = self.bytes.get().cast::<u8>();
        let mut found = 0;
        for at in 0..length.saturating_sub(masked.len() - 1) {
            let matches = masked.iter().enumerate().all(|(offset, byte)| {
                // SAFETY: `at + offset < length`, inside the arena. Volatile, because other threads may
                // own what is read; a torn value at worst misses a match this test has not caused.
                unsafe { start.add(at + offset).read_volatile() == byte ^ 0xff }
            });
            found += usize::from(matches);
        }
        found
    }
}

// SAFETY: each block is aligned, inside the arena, and handed out once.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(room) = layout.size().checked_add(layout.align()) else { return std::ptr::null_mut() };
        let from = self.used.fetch_add(room, Ordering::AcqRel);
        if from.saturating_add(room) > ARENA_LEN {
            return std::ptr::null_mut();
        }
        let start = self.bytes.get().cast::<u8>();
        // SAFETY: `from + room` is inside the arena, and aligning adds less than `align`.
        unsafe {
            let block = start.add(from);
            block.add(block.align_offset(layout.align()))
        }
    }

    unsafe fn dealloc(&self, _pointer: *mut u8, _layout: Layout) {}
}

impl std::fmt::Debug for Arena {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Arena")
    }
}
