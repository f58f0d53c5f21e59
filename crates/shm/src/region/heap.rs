//! A segment on the heap of one process: the twin of a mapping, for the in-process ring, unit tests and sanitizers.
//!
//! It has no header page to speak of (nobody hands it over) and no pages to reserve: the allocation is the memory.
#![allow(
    unsafe_code,
    reason = "owns one allocation by its address, because no reference to shared bytes may exist"
)]

use std::alloc;
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;

use super::Seats;
use super::backed::Backed;
use super::bytes::Bytes;
use crate::layout::{DATA_OFFSET, Layout};

/// A segment on the heap.
#[derive(Debug, Clone)]
pub struct HeapRegion(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes: Bytes,
    layout: Layout,
    allocation: alloc::Layout,
    seats: Seats,
}

impl HeapRegion {
    /// Allocates a zeroed segment.
    ///
    /// # Errors
    /// `OutOfMemory` if the allocator refuses.
    pub fn new(layout: Layout) -> io::Result<Self> {
        let data_len = layout.data_len();
        // A page of alignment, as a mapping has it: control words then fall into the cache lines the ABI means.
        let allocation = alloc::Layout::from_size_align(DATA_OFFSET + data_len, 4_096)
            .map_err(|_| io::ErrorKind::OutOfMemory)?;
        // SAFETY: the size is at least DATA_OFFSET, so not zero.
        let base = unsafe { alloc::alloc_zeroed(allocation) };
        let base = NonNull::new(base).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: a fresh allocation of exactly that size, aligned to 4 096, zeroed; it is freed in the drop of the
        // `Inner` that owns these `Bytes`, and nobody else has its address except through `as_ptr`.
        let bytes = unsafe { Bytes::new(base, data_len) };
        Ok(Self(Arc::new(Inner { bytes, layout, allocation, seats: Seats::default() })))
    }

    /// Returns the address of the segment's first byte, for tests that play a hostile peer. Valid while a clone of
    /// the region lives; whoever writes there answers for the race.
    #[doc(hidden)]
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.0.bytes.base().as_ptr()
    }
}

impl Backed for HeapRegion {
    fn layout(&self) -> &Layout {
        &self.0.layout
    }

    fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    fn seats(&self) -> &Seats {
        &self.0.seats
    }

    fn reserve(&self, _offset: usize, _len: usize) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this very layout, freed only here, and the last clone is gone.
        unsafe { alloc::dealloc(self.bytes.base().as_ptr(), self.allocation) };
    }
}
