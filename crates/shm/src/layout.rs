//! Where everything lies in a segment: directions, lanes, capacities, offsets (docs/shm-abi.md, "Layout").
//!
//! Pure arithmetic over values that were validated when they were made. The words that
//! both sides share are in `control.rs`, the encoding of the hand-over in
//! [`crate::handover`]; nothing here reads or writes memory.

use std::{error, fmt};

/// Number of priority lanes of a direction.
pub const LANES: usize = 4;
/// Mask of all lanes, bit p for lane p.
pub const ALL_LANES: u8 = 0b1111;
/// Version of the layout, in the offer and in the header page.
pub const ABI: u16 = 1;
/// Bytes before the lanes' data: the header page and one page for each direction.
pub const DATA_OFFSET: usize = 12_288;
/// Smallest capacity of a lane in bytes. A model needs a lane of two records to reach every wrap.
pub const MIN_CAPACITY: u32 = if cfg!(loom) { 16 } else { 4_096 };
/// Largest capacity of a lane in bytes.
pub const MAX_CAPACITY: u32 = 1 << 28;

/// One of the two directions of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Written by the client, page 0.
    ClientToServer,
    /// Written by the server, page 1.
    ServerToClient,
}

impl Direction {
    /// Both, in the order of the layout.
    pub const ALL: [Self; 2] = [Self::ClientToServer, Self::ServerToClient];

    /// Returns 0 for client to server, 1 for server to client.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::ClientToServer => 0,
            Self::ServerToClient => 1,
        }
    }

    /// Returns the other direction.
    #[must_use]
    pub const fn reverse(self) -> Self {
        match self {
            Self::ClientToServer => Self::ServerToClient,
            Self::ServerToClient => Self::ClientToServer,
        }
    }
}

/// A priority lane; `P0` is drained first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say all there is")]
pub enum Lane {
    P0,
    P1,
    P2,
    P3,
}

impl Lane {
    /// All, in the order in which they are drained.
    pub const ALL: [Self; LANES] = [Self::P0, Self::P1, Self::P2, Self::P3];

    /// Returns the lane of a number 0 … 3.
    #[must_use]
    pub const fn from_index(index: usize) -> Option<Self> {
        match index {
            0 => Some(Self::P0),
            1 => Some(Self::P1),
            2 => Some(Self::P2),
            3 => Some(Self::P3),
            _ => None,
        }
    }

    /// Returns the lane's number, 0 … 3.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::P0 => 0,
            Self::P1 => 1,
            Self::P2 => 2,
            Self::P3 => 3,
        }
    }
}

/// A lane of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Who writes.
    pub direction: Direction,
    /// With which priority.
    pub lane: Lane,
}

/// The data of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// From the first byte after the direction pages.
    pub(crate) offset: usize,
    /// A power of two.
    pub(crate) capacity: u32,
}

/// The capacities of all eight lanes in bytes: powers of two, 4 096 … 2^28.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacities([PerDirection; 2]);

type PerDirection = [u32; LANES];

impl Capacities {
    /// 256 KiB, 256 KiB, 1 MiB, 4 MiB in both directions.
    pub const DEFAULT: Self = Self([[1 << 18, 1 << 18, 1 << 20, 1 << 22]; 2]);

    /// Checks eight capacities in the order client to server P0 … P3, server to client P0 … P3.
    ///
    /// # Errors
    /// A capacity that is no power of two or outside 4 096 … 2^28.
    pub fn new(bytes: [u32; 2 * LANES]) -> Result<Self, InvalidCapacity> {
        for capacity in bytes {
            if !capacity.is_power_of_two() || !(MIN_CAPACITY..=MAX_CAPACITY).contains(&capacity) {
                return Err(InvalidCapacity(capacity));
            }
        }
        let [a, b, c, d, e, f, g, h] = bytes;
        Ok(Self([[a, b, c, d], [e, f, g, h]]))
    }

    /// Returns the eight capacities in the order of [`Capacities::new`].
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flatten().copied()
    }

    /// Returns the size in bytes of a segment with these capacities, at most 2^31 + 12 288.
    #[must_use]
    pub fn total(&self) -> u64 {
        DATA_OFFSET as u64 + self.iter().map(u64::from).sum::<u64>()
    }
}

/// Says which capacity is no power of two in 4 096 … 2^28.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidCapacity(pub u32);

impl fmt::Display for InvalidCapacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a lane of {} bytes: capacities are powers of two from {MIN_CAPACITY} to {MAX_CAPACITY}",
            self.0
        )
    }
}

impl error::Error for InvalidCapacity {}

/// The addresses of a segment with given capacities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    capacities: Capacities,
}

impl Layout {
    /// Lays out a segment.
    #[must_use]
    pub const fn new(capacities: Capacities) -> Self {
        Self { capacities }
    }

    /// Returns the capacities.
    #[must_use]
    pub const fn capacities(&self) -> &Capacities {
        &self.capacities
    }

    /// Returns the bytes of all lanes together.
    pub(crate) fn data_len(&self) -> usize {
        self.capacities.iter().map(|capacity| capacity as usize).sum()
    }

    /// Returns where the data of a lane lie.
    pub(crate) fn span(&self, slot: Slot) -> Span {
        let before = slot.direction.index() * LANES + slot.lane.index();
        let offset = self.capacities.iter().take(before).map(|capacity| capacity as usize).sum();
        let capacity = self.capacities.iter().nth(before).unwrap_or(MIN_CAPACITY);
        Span { offset, capacity }
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_lie_one_after_another() {
        let layout = Layout::new(Capacities::DEFAULT);
        let mut expected = 0;
        for direction in Direction::ALL {
            for lane in Lane::ALL {
                let span = layout.span(Slot { direction, lane });
                assert_eq!(span.offset, expected);
                expected += span.capacity as usize;
            }
        }
        assert_eq!(expected, layout.data_len());
        assert_eq!(layout.capacities().total(), 12_288 + 2 * ((256 + 256 + 1_024 + 4_096) << 10));
    }

    #[test]
    fn there_are_four_lanes() {
        assert!(Lane::ALL.into_iter().all(|lane| Lane::from_index(lane.index()) == Some(lane)));
        assert_eq!((Lane::from_index(4), Lane::from_index(usize::MAX)), (None, None));
    }

    #[test]
    fn a_capacity_must_be_a_power_of_two_in_range() {
        for (bad, good) in
            [(0, 4_096), (2_048, 4_096), (4_097, 8_192), (1 << 29, 1 << 28), (u32::MAX, 1 << 20)]
        {
            for at in 0..8 {
                let mut bytes = [good; 8];
                assert!(Capacities::new(bytes).is_ok());
                bytes[at] = bad;
                assert_eq!(Capacities::new(bytes), Err(InvalidCapacity(bad)));
            }
        }
    }
}
