//! The time as the core knows it: a number somebody hands in.
//!
//! Used for deadlines only (handshake, close, session life). The clock itself is deliberately not here:
//! the owner reads its monotonic clock once per turn and passes the result (architecture, invariant 1).

use core::time::Duration;

/// A moment on the owner's monotonic clock, in nanoseconds since a point of the owner's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub u64);

impl Time {
    /// Returns the moment `duration` later; the last moment there is, if the sum does not fit.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanoseconds))
    }

    /// Returns how long ago `earlier` was; zero if it is in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
