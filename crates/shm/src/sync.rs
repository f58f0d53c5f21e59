//! Chooses the atomics: the standard library's, or loom's when a model is checked (`RUSTFLAGS="--cfg loom"`).
//!
//! Only what both sides of a ring share goes through here. Private flags of a mapping (its seats) use the standard
//! library directly: they are no part of the protocol that loom explores.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
