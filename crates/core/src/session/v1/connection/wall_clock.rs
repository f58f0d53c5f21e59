//! What time it is for people, as told once and carried on by the monotonic clock: headers of v1 name it.

use crate::time::Time;

/// What the wall clock said at a moment of the owner's monotonic clock. Only headers of the handshake are
/// told it; nothing is decided by it.
#[derive(Clone, Copy, Debug)]
pub(super) struct WallClock {
    pub(super) unix_ns: i64,
    pub(super) at: Time,
}

impl WallClock {
    pub(super) fn unix_ns(self, now: Time) -> i64 {
        let passed = i64::try_from(now.since(self.at).as_nanos()).unwrap_or(i64::MAX);
        self.unix_ns.saturating_add(passed)
    }
}
