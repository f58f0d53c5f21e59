//! The same for v1: vectors, and two connections against each other on a virtual clock.

mod pair;
mod vectors;

pub use pair::{End, Pair, Seen};
pub use vectors::{Frame, Reject, Replay, frames, rejects, replays};
