//! The two clocks of the host, read here and handed to the core, which never asks what time it is (invariant 1).

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use eipc_core::Time;

/// Monotonic time since the first call in this process: decides every deadline.
#[allow(clippy::disallowed_methods, reason = "this file is the clock")]
pub(crate) fn now() -> Time {
    #[cfg(feature = "vectors")]
    if let Some(time) = crate::vectors::fixed_time() {
        return time;
    }
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed().as_nanos();
    Time(u64::try_from(elapsed).unwrap_or(u64::MAX))
}

/// Wall-clock time in Unix nanoseconds: decides nothing but the age of messages.
pub(crate) fn unix_nanoseconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    i64::try_from(since).unwrap_or(i64::MAX)
}

/// Whole milliseconds from `now` to `deadline`, rounded up, so that a timer set to it never fires early.
pub(crate) fn milliseconds_between(now: Time, deadline: Time) -> u32 {
    let nanoseconds = deadline.0.saturating_sub(now.0);
    u32::try_from(nanoseconds.div_ceil(1_000_000)).unwrap_or(u32::MAX - 1)
}
