//! The control words of a segment: what they are called and where they lie (docs/shm-abi.md, "Layout").
//!
//! Addresses follow from enums, so that a control word outside the direction pages cannot be expressed. The types
//! are `pub` in a private module because the sealed trait of [`crate::region`] speaks of them.

use crate::layout::{DATA_OFFSET, Direction, LANES, Lane, Slot};

/// A 64-bit control word of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Bytes published; written by the producer.
    Tail,
    /// Bytes released; written by the consumer.
    Head,
    /// Messages dropped; written by the producer.
    Dropped,
}

/// A 32-bit flag of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// The producer of a lane waits for room.
    ProducerWaiting(Lane),
    /// The consumer waits for data.
    ConsumerWaiting,
}

/// Returns the offset of a control word in the segment. The writers of two words never share a pair of cache lines
/// (128 bytes: adjacent lines are fetched together).
pub(crate) const fn word_offset(slot: Slot, word: Word) -> usize {
    let within = match word {
        Word::Tail => 0,
        Word::Head => 128,
        Word::Dropped => 384,
    };
    lane_offset(slot.direction, slot.lane) + within
}

/// Returns the offset of a flag in the segment.
pub(crate) const fn flag_offset(direction: Direction, flag: Flag) -> usize {
    match flag {
        Flag::ProducerWaiting(lane) => lane_offset(direction, lane) + 256,
        Flag::ConsumerWaiting => page_offset(direction) + 2_048,
    }
}

const fn page_offset(direction: Direction) -> usize {
    4_096 + 4_096 * direction.index()
}

const fn lane_offset(direction: Direction, lane: Lane) -> usize {
    page_offset(direction) + 512 * lane.index()
}

// The largest control offset ends inside the direction pages; the raw accesses in region/bytes.rs rest on it.
const _: () = {
    let last = Slot { direction: Direction::ServerToClient, lane: Lane::P3 };
    assert!(word_offset(last, Word::Dropped) + 8 <= DATA_OFFSET);
    assert!(flag_offset(Direction::ServerToClient, Flag::ConsumerWaiting) + 4 <= DATA_OFFSET);
};

/// Four values, one for each lane: indexing that cannot miss.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PerLane<T>(pub(crate) [T; LANES]);

impl<T> PerLane<T> {
    pub(crate) fn of(&self, lane: Lane) -> &T {
        let [p0, p1, p2, p3] = &self.0;
        match lane {
            Lane::P0 => p0,
            Lane::P1 => p1,
            Lane::P2 => p2,
            Lane::P3 => p3,
        }
    }

    pub(crate) fn of_mut(&mut self, lane: Lane) -> &mut T {
        let [p0, p1, p2, p3] = &mut self.0;
        match lane {
            Lane::P0 => p0,
            Lane::P1 => p1,
            Lane::P2 => p2,
            Lane::P3 => p3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_words_lie_where_the_abi_puts_them() {
        let slot = |direction, lane| Slot { direction, lane };
        assert_eq!(word_offset(slot(Direction::ClientToServer, Lane::P0), Word::Tail), 4_096);
        assert_eq!(word_offset(slot(Direction::ClientToServer, Lane::P2), Word::Head), 4_096 + 1_024 + 128);
        assert_eq!(
            word_offset(slot(Direction::ServerToClient, Lane::P3), Word::Dropped),
            8_192 + 1_536 + 384
        );
        assert_eq!(
            flag_offset(Direction::ServerToClient, Flag::ProducerWaiting(Lane::P1)),
            8_192 + 512 + 256
        );
        assert_eq!(flag_offset(Direction::ClientToServer, Flag::ConsumerWaiting), 4_096 + 2_048);
    }
}
