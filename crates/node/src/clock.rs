//! The clocks of the host, read here and handed to the core, which never asks what time it is (invariant 1).

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use eipc_core::Time;

/// Monotonic time since the first call in this process: decides every deadline.
pub(crate) fn now() -> Time {
    since_start(monotonic())
}

/// The same as the kernel last noted it, at most some milliseconds ago, for a fraction of the price: what each batch of messages is measured
/// by, whose deadlines are an hour away.
pub(crate) fn recently() -> Time {
    since_start(monotonic_at_last_tick())
}

fn since_start(nanoseconds: u64) -> Time {
    #[cfg(feature = "vectors")]
    if let Some(time) = crate::vectors::fixed_time() {
        return time;
    }
    static START: OnceLock<u64> = OnceLock::new();
    Time(nanoseconds.saturating_sub(*START.get_or_init(|| nanoseconds)))
}

#[cfg(target_os = "linux")]
fn monotonic() -> u64 {
    nanoseconds_of(rustix::time::clock_gettime(rustix::time::ClockId::Monotonic))
}

#[cfg(target_os = "linux")]
fn monotonic_at_last_tick() -> u64 {
    nanoseconds_of(rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse))
}

#[cfg(target_os = "linux")]
fn nanoseconds_of(time: rustix::time::Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::disallowed_methods, reason = "this file is the clock")]
fn monotonic() -> u64 {
    use std::time::Instant;
    static FIRST: OnceLock<Instant> = OnceLock::new();
    u64::try_from(FIRST.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// No other system has a cheaper clock that every version of it answers.
#[cfg(not(target_os = "linux"))]
fn monotonic_at_last_tick() -> u64 {
    monotonic()
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
