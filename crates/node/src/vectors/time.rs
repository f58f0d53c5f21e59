//! A clock that stands where the vector says, so that a lane moves to its next epoch when the vector does.

use std::cell::Cell;

use eipc_core::Time;
use napi_derive::napi;

thread_local! {
    static FIXED: Cell<Option<Time>> = const { Cell::new(None) };
}

/// What the monotonic clock says on this thread, if that was fixed.
pub(crate) fn fixed_time() -> Option<Time> {
    FIXED.get()
}

/// Stops the monotonic clock of this thread at so many milliseconds.
#[napi(namespace = "vectors")]
pub fn set_time(milliseconds: u32) {
    FIXED.set(Some(Time(u64::from(milliseconds) * 1_000_000)));
}
