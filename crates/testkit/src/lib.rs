//! Vectors, pairs and scripted peers for the tests of EIPC; not published.
//!
//! Test code of every crate may use it; nothing that ships does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test kit that cannot go on fails its test"
)]

mod change;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod heap;
pub mod noise;
mod pair;
pub mod v1;
pub mod vectors;

pub use change::{changes, pieces};
pub use pair::{End, Pair, Seen, meta, record};
