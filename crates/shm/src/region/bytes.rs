//! The raw accesses to a segment in memory, each in one place with its argument.
//!
//! Used by the heap twin and by the mappings alike. Sits below [`crate::ring`], which has checked every value it
//! passes; the range is checked here all the same, so that the safety of this file rests on this file.
#![allow(
    unsafe_code,
    reason = "the raw accesses of the crate; every other module of rings and lanes has none"
)]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence};

use super::OutOfRange;
use crate::control::{Flag, Word, flag_offset, word_offset};
use crate::layout::{DATA_OFFSET, Direction, Slot};

/// A segment's memory by address: direction pages and data. Not the owner of the memory.
#[derive(Debug)]
pub(crate) struct Bytes {
    base: NonNull<u8>,
    data_len: usize,
}

// SAFETY: the memory belongs to no thread (`Bytes::new`), and every access is an atomic or a copy whose exclusiveness
// the rings establish through those atomics (see `copy_in`, `copy_out`).
unsafe impl Send for Bytes {}
// SAFETY: as for Send; `Bytes` has no state of its own that changes.
unsafe impl Sync for Bytes {}

impl Bytes {
    /// Wraps the memory of a segment.
    ///
    /// # Safety
    /// `base` is aligned to 8 and valid for reads and writes of `DATA_OFFSET + data_len` bytes for as long as the
    /// value lives, also when it is moved to another thread. The memory is initialised, and while the value lives no
    /// Rust reference to any of its bytes exists other than to the atomics that are made here.
    pub(crate) unsafe fn new(base: NonNull<u8>, data_len: usize) -> Self {
        Self { base, data_len }
    }

    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    pub(crate) fn word(&self, slot: Slot, word: Word) -> &AtomicU64 {
        // SAFETY: layout.rs proves at compile time that every `word_offset` + 8 is at most DATA_OFFSET, which
        // `Bytes::new` made valid for as long as `self`, thus for the lifetime of the reference; the offsets are
        // multiples of 8 and so is the base. These eight bytes are only ever accessed as this atomic by us. A peer
        // process may write them at any time: an atomic load then sees some value, and every value is a valid u64.
        unsafe { AtomicU64::from_ptr(self.base.as_ptr().add(word_offset(slot, word)).cast()) }
    }

    pub(crate) fn flag(&self, direction: Direction, flag: Flag) -> &AtomicU32 {
        // SAFETY: as in `word`, with four bytes and an alignment of 4.
        unsafe { AtomicU32::from_ptr(self.base.as_ptr().add(flag_offset(direction, flag)).cast()) }
    }

    pub(crate) fn header(&self, offset: usize) -> Result<[u8; 8], OutOfRange> {
        // Relaxed: ordered by the acquire load of the tail that published this record (ring/consumer.rs). Atomic, so
        // that the compiler cannot read it twice and check one value, then use another.
        Ok(self.header_word(offset)?.load(Ordering::Relaxed).to_ne_bytes())
    }

    pub(crate) fn set_header(&self, offset: usize, header: [u8; 8]) -> Result<(), OutOfRange> {
        // Relaxed: published by the release store of the tail (ring/producer.rs).
        self.header_word(offset)?.store(u64::from_ne_bytes(header), Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn copy_out(&self, offset: usize, out: &mut [u8]) -> Result<(), OutOfRange> {
        let from = self.data(offset, out.len())?;
        // SAFETY: `data` checked that the range lies in the memory of `Bytes::new`, valid for reads; `out` is a
        // private, exclusive reference and so valid for writes and no part of the segment. An honest producer does
        // not touch the range before the head passed it (that release store comes after this copy). A hostile peer
        // may write it meanwhile, from another process, outside of what this program's memory model orders: the copy
        // has then arbitrary bytes, which u8 allows, and nothing was concluded from them yet; they are
        // authenticated in `out`.
        unsafe { from.copy_to_nonoverlapping(NonNull::from(&mut *out).cast(), out.len()) };
        // The compiler may not look at the shared bytes again in place of the copy: after a fence they may differ.
        compiler_fence(Ordering::SeqCst);
        Ok(())
    }

    pub(crate) fn copy_in(&self, offset: usize, bytes: &[u8]) -> Result<(), OutOfRange> {
        let to = self.data(offset, bytes.len())?;
        // SAFETY: `data` checked that the range lies in the memory of `Bytes::new`, valid for writes; `bytes` is a
        // private slice and no part of the segment. An honest consumer reads the range only after the release store
        // of the tail that follows this copy, and we are the only producer of this process (its seat). What a
        // hostile peer writes there meanwhile harms only what it receives.
        unsafe { to.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        Ok(())
    }

    fn header_word(&self, offset: usize) -> Result<&AtomicU64, OutOfRange> {
        let at = self.data(offset, 8)?;
        if offset & 7 != 0 {
            return Err(OutOfRange);
        }
        // SAFETY: eight bytes inside the memory of `Bytes::new` (`data`), aligned to 8 because the base, DATA_OFFSET
        // and `offset` are multiples of 8; valid as long as `self`. The copies touch the same bytes at other times
        // of the lane's life; head and tail order those times, as in `copy_in` and `copy_out`.
        Ok(unsafe { AtomicU64::from_ptr(at.cast().as_ptr()) })
    }

    /// Returns the address of a range of the data.
    fn data(&self, offset: usize, len: usize) -> Result<NonNull<u8>, OutOfRange> {
        match offset.checked_add(len) {
            // SAFETY: DATA_OFFSET + offset + len ≤ DATA_OFFSET + data_len, the size of the one object at `base`.
            Some(end) if end <= self.data_len => Ok(unsafe { self.base.add(DATA_OFFSET + offset) }),
            _ => Err(OutOfRange),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_that_leaves_the_data_is_refused() {
        let mut memory = vec![0_u64; (DATA_OFFSET + 64) / 8];
        let base = NonNull::from(memory.as_mut_slice()).cast();
        // SAFETY: the vector is aligned to 8, outlives `bytes` and is not used while it lives.
        let bytes = unsafe { Bytes::new(base, 64) };
        assert!(bytes.copy_in(56, &[1; 8]).is_ok());
        assert!(bytes.copy_in(57, &[1; 8]).is_err());
        assert!(bytes.copy_out(0, &mut [0; 65]).is_err());
        assert!(bytes.copy_out(usize::MAX, &mut [0; 2]).is_err());
        assert_eq!(bytes.header(56), Ok([1; 8]));
        assert!(bytes.header(64).is_err());
        assert!(bytes.header(4).is_err(), "misaligned");
        assert!(bytes.set_header(usize::MAX - 7, [0; 8]).is_err());
    }
}
