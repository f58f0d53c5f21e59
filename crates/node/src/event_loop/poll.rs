//! The one call of poll(2).

use std::ffi::c_int;

/// A time-out that never comes.
pub(crate) const FOR_EVER: c_int = -1;

/// Waits until a descriptor is ready, for so many milliseconds at the most, and notes in `revents` what each is ready for.
pub(crate) fn poll(polled: &mut [libc::pollfd], timeout: c_int) {
    let count = libc::nfds_t::try_from(polled.len()).unwrap_or(0);
    // SAFETY: pointer and length of a live slice of the C type, which the call writes `revents` of and does not keep. Descriptors are
    // numbers here: one that was closed meanwhile gives POLLNVAL or another file's events, which the callers find out by reading. A failed
    // call (EINTR, ENOMEM) leaves every `revents` 0, so the caller asks again.
    unsafe { libc::poll(polled.as_mut_ptr(), count, timeout) };
}
