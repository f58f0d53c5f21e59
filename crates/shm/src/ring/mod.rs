//! One lane's ring: a producer and a consumer with private positions and cached copies of the other side's index.
//!
//! Records go in through [`producer`] and come out through [`consumer`]; [`record`] is their shared format. Both
//! sides live in different processes and trust nothing they read: every index and length from the segment is read
//! once into a local, checked, then used. Which lane comes first, when to publish and whom to wake is
//! [`crate::lanes`]. There is no `unsafe` here: a region checks the range of each access it performs.

pub(crate) mod consumer;
pub(crate) mod producer;
mod record;

use crate::control::Span;

/// Returns where a position of a lane lies in the data of the segment.
fn offset_of(span: Span, position: u64) -> usize {
    span.offset + index_of(span, position) as usize
}

/// Returns the bytes from a position to the end of the lane's memory, 1 … capacity.
fn room_to_end(span: Span, position: u64) -> u64 {
    u64::from(span.capacity - index_of(span, position))
}

/// index = position & (capacity − 1): positions only grow.
#[allow(clippy::cast_possible_truncation, reason = "the mask is below 2^28: only low bits are kept anyway")]
fn index_of(span: Span, position: u64) -> u32 {
    (position as u32) & (span.capacity - 1)
}
