//! Keys that ring has prepared, kept where every byte of them can be wiped.
//!
//! ring's types are enums of very different sizes, wipe nothing and are moved by value. Two things follow. What lies
//! behind the smaller variants is copied along, and that is whatever the stack held: keys that other calls of ring
//! left there, as was seen on armv7. And a key of zeros written over an old one need not reach all of it. So the stack
//! is overwritten before ring prepares a key, and the whole place is when the key is dropped.

use core::hint::black_box;
use zeroize::Zeroize;

/// A key of one of ring's types. On the heap, so that moving its owner leaves no copy behind.
pub(super) struct Prepared<T>(Vec<T>);

impl<T> Prepared<T> {
    /// Keeps the key that `prepare` makes.
    pub(super) fn new<E>(prepare: impl FnOnce() -> Result<T, E>) -> Result<Self, E> {
        overwrite_stack();
        place(prepare)
    }

    /// Returns the key; there always is one.
    #[inline]
    pub(super) fn key(&self) -> Option<&T> {
        self.0.first()
    }
}

impl<T> Drop for Prepared<T> {
    fn drop(&mut self) {
        self.0.clear();
        self.0.spare_capacity_mut().zeroize();
    }
}

/// Takes a frame of its own, inside of what was overwritten.
#[inline(never)]
fn place<T, E>(prepare: impl FnOnce() -> Result<T, E>) -> Result<Prepared<T>, E> {
    Ok(Prepared(vec![prepare()?]))
}

/// Overwrites what earlier calls left below the caller's frame, deeper than preparing a key goes.
#[inline(never)]
fn overwrite_stack() {
    black_box(&mut [0_u8; 8_192]);
}
