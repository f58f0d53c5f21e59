//! The one timer that JavaScript keeps for a session, and what it was told of it.

use std::cell::Cell;

use eipc_core::Time;

use crate::clock;

/// A deadline that comes no sooner than the one JavaScript waits for is not told: its timer fires, and then it asks again.
pub(crate) struct Timer {
    told: Cell<Time>,
}

impl Timer {
    pub(crate) const fn new() -> Self {
        Self { told: Cell::new(Time(u64::MAX)) }
    }

    /// For each batch: milliseconds until `deadline` if that is news.
    pub(crate) fn news(&self, deadline: Option<Time>) -> Option<u32> {
        deadline.filter(|deadline| *deadline < self.told.get()).map(|deadline| self.tell(deadline))
    }

    /// For whoever asks: milliseconds until `deadline`.
    pub(crate) fn answer(&self, deadline: Option<Time>) -> Option<u32> {
        self.told.set(Time(u64::MAX));
        deadline.map(|deadline| self.tell(deadline))
    }

    fn tell(&self, deadline: Time) -> u32 {
        self.told.set(deadline);
        clock::milliseconds_between(clock::now(), deadline)
    }
}
