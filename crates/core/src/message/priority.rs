//! Priorities P0..P3 and the lanes they travel in.
//!
//! A lane is where the counters live: shared memory has one per priority, a stream has only lane 0
//! (`docs/wire.md`, "EIPC/2 data frames").

/// How urgent a message is; P0 is delivered first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Priority {
    /// Control: stop, move, confirm.
    P0 = 0,
    /// Ordinary messages.
    #[default]
    P1 = 1,
    /// Telemetry and housekeeping.
    P2 = 2,
    /// Bulk.
    P3 = 3,
}

/// One of the four counters of a plane and direction.
pub type Lane = Priority;

impl Priority {
    /// Every priority, most urgent first.
    pub const ALL: [Self; 4] = [Self::P0, Self::P1, Self::P2, Self::P3];

    /// Finds a priority by its number.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::P0),
            1 => Some(Self::P1),
            2 => Some(Self::P2),
            3 => Some(Self::P3),
            _ => None,
        }
    }

    /// Returns its number.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self as u8
    }
}

/// One value per lane, reachable without an index that could be out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct PerLane<T>([T; 4]);

impl<T: Copy> PerLane<T> {
    pub(crate) const fn of(&self, lane: Lane) -> T {
        let [p0, p1, p2, p3] = self.0;
        match lane {
            Lane::P0 => p0,
            Lane::P1 => p1,
            Lane::P2 => p2,
            Lane::P3 => p3,
        }
    }

    pub(crate) fn set(&mut self, lane: Lane, value: T) {
        let [p0, p1, p2, p3] = &mut self.0;
        *match lane {
            Lane::P0 => p0,
            Lane::P1 => p1,
            Lane::P2 => p2,
            Lane::P3 => p3,
        } = value;
    }
}
