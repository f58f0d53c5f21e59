//! Segments that another process maps too, one file for each way of passing them on.
//!
//! `memfd.rs` is Linux. The named segments of macOS and Windows belong into `named.rs` beside it, behind the same
//! [`Region`](crate::Region).

#[cfg(target_os = "linux")]
pub mod memfd;
