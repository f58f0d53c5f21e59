//! Two sides exchange as many records as they can, in all lanes and both directions, in all sizes, over lanes so small
//! that both sleep for room and for data all the time. Every byte that arrives is checked.
//!
//! An ordinary test, and what `make tsan` and `make asan` run with EIPC_STRESS_RECORDS=500000. Two threads share one
//! mapping, so that ThreadSanitizer sees both sides; two processes have a mapping each, as in earnest. The doorbell is a
//! raw system call that sanitizers do not know: the rings have to order memory by themselves.
//!
//! There is no test harness, because ThreadSanitizer does not see inside of the standard library, which is not built for
//! it, and takes the harness's own channels and locks for races.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

#[cfg(all(unix, not(loom)))]
#[path = "../common/mod.rs"]
mod common;
#[cfg(all(unix, not(loom)))]
mod exchange;
#[cfg(all(unix, not(loom)))]
mod runs;

fn main() {
    #[cfg(all(unix, not(loom)))]
    runs::main();
}
