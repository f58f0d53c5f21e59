//! What Linux and macOS do differently about Unix sockets: one file each, with the same names in both.
//!
//! Only [`crate::doorbell`] uses it. A file says what its system lacks and what stands in for it; nothing is decided
//! here.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(target_os = "macos")]
pub(crate) use macos::*;
