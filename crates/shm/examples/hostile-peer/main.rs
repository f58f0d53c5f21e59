//! The attacker of test/security/hostile-peer.test.ts, not an example to follow: a peer that holds a key, the socket and
//! the mapping, completes a real handshake, and then does one of the things that a peer should not.
//!
//! `hostile-peer client|server SOCKET SERVICE CASE COUNT SEED`, the key (hex) as the first line of stdin. It says
//! `listening` (a server), `mapped` once its first session has the segment, and at its end one line of JSON with what it
//! did. What becomes of the victim is for the test to see. A case without an end of its own ends with stdin.
#![cfg_attr(
    all(target_os = "linux", not(loom)),
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "an attacker that cannot go on fails its test"
    )
)]

#[cfg(all(target_os = "linux", not(loom)))]
mod attack;
#[cfg(all(target_os = "linux", not(loom)))]
#[path = "../../tests/common/mod.rs"]
mod common;

fn main() {
    #[cfg(all(target_os = "linux", not(loom)))]
    attack::run();
}
