//! Random writes of a hostile peer to a segment: anywhere, or where it hurts.

use std::sync::atomic::Ordering;

use eipc_shm::{Direction, Lane};

use super::{Dice, Raw, tail_at};

/// Where the data of the lanes begin.
pub(crate) const DATA: usize = 12_288;

/// A segment under attack.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) raw: Raw,
    /// As in the offer: client to server P0 to P3, server to client P0 to P3.
    pub(crate) capacities: [u32; 8],
}

impl Target {
    /// Size of the segment in bytes.
    pub(crate) fn len(&self) -> usize {
        DATA + self.capacities.iter().sum::<u32>() as usize
    }

    /// Where the data of a lane begin, and how many bytes there are.
    pub(crate) fn lane(&self, direction: Direction, lane: Lane) -> (usize, usize) {
        let at = 4 * direction.index() + lane.index();
        let before: u32 = self.capacities[..at].iter().sum();
        (DATA + before as usize, self.capacities[at] as usize)
    }

    /// Writes nonsense to one place.
    pub(crate) fn strike(&self, dice: &mut Dice) {
        let (raw, direction, lane) = (self.raw, Direction::ALL[dice.below(2)], Lane::ALL[dice.below(4)]);
        let (data, capacity) = self.lane(direction, lane);
        let near = |dice: &mut Dice, word: usize| {
            let position = raw.u64_at(word).load(Ordering::Relaxed) as usize;
            data + (position.wrapping_add(dice.below(64) * 8).wrapping_sub(256) & (capacity - 8) & !7)
        };
        let (tail, head) = (tail_at(direction, lane), tail_at(direction, lane) + 128);
        let small = dice.next() % (4 * capacity as u64);
        match dice.below(11) {
            0 => raw.set_tail(direction, lane, small & !7),
            1 => raw.set_tail(direction, lane, small),
            2 => raw.set_head(direction, lane, small & !7),
            3 => raw.set_head(direction, lane, dice.next()),
            4 => raw.set_header(near(dice, tail), dice.next() as u32 % 9_000, dice.next() as u32 % 4),
            5 => raw.set_header(near(dice, head), dice.next() as u32, 1),
            6 => raw.u64_at(near(dice, head)).store(dice.next(), Ordering::Relaxed),
            7 => raw.set_producer_waiting(direction, lane, dice.next() as u32 % 3),
            8 => raw.set_consumer_waiting(direction, dice.next() as u32 % 3),
            9 => raw.u32_at(dice.below(self.len() / 4) * 4).store(dice.next() as u32, Ordering::Relaxed),
            _ => raw.u64_at(dice.below(self.len() / 8) * 8).store(dice.next(), Ordering::Relaxed),
        }
    }

    /// Picks one value that a victim reads, and what to flip it to: what is published in `sends`, what is released in `takes`.
    pub(crate) fn flip(&self, dice: &mut Dice, sends: Direction, takes: Direction) -> Flip {
        let lane = Lane::ALL[dice.below(4)];
        let (data, capacity) = self.lane(sends, lane);
        let (tail, head) = (tail_at(sends, lane), tail_at(sends, lane) + 128);
        let (place, lie) = match dice.below(4) {
            0 => (Place::At(tail), dice.next() % (2 * capacity as u64)),
            1 => (Place::At(tail_at(takes, lane) + 128), dice.next() % (2 * capacity as u64)),
            2 => (Place::Next { head, data, capacity }, (1 << 32) | (dice.next() % capacity as u64)),
            _ => (Place::Next { head, data, capacity }, dice.next()),
        };
        Flip { raw: self.raw, place, lie }
    }
}

/// A value that is now true and now a lie.
pub(crate) struct Flip {
    raw: Raw,
    place: Place,
    lie: u64,
}

enum Place {
    /// One word.
    At(usize),
    /// The header of the record that the consumer reads next, wherever it is by then.
    Next { head: usize, data: usize, capacity: usize },
}

impl Flip {
    /// Lies for as long as `meanwhile` takes; the truth comes back, unless the victim wrote something new.
    pub(crate) fn once(&self, meanwhile: impl FnOnce()) {
        let offset = match self.place {
            Place::At(offset) => offset,
            Place::Next { head, data, capacity } => {
                data + (self.raw.u64_at(head).load(Ordering::Relaxed) as usize & (capacity - 8) & !7)
            }
        };
        let word = self.raw.u64_at(offset);
        let truth = word.swap(self.lie, Ordering::Relaxed);
        meanwhile();
        let _ = word.compare_exchange(self.lie, truth, Ordering::Relaxed, Ordering::Relaxed);
    }
}
