//! The attacker here is the kernel: SIGKILL takes a process away at each kill point of docs/shm-abi.md, in either role, at its first, second
//! and hundredth pass and when a lane wraps. This process survives them all and checks what a survivor is promised.
//!
//! `cargo test -p eipc-shm --features kill-points --test kill_points` is one round; `EIPC_CRASH_ROUNDS=36` is `make crash`. Not a test harness
//! but a program, so that the survivor is alone in its process and can count what it holds.
#![cfg(all(target_os = "linux", not(loom)))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
mod orders;
mod report;
mod survivor;
mod victim;

use std::env;

use report::Report;
use survivor::Survivor;

fn main() {
    if let Some(task) = victim::task() {
        return victim::obey(&task);
    }
    let rounds = env::var("EIPC_CRASH_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    let mut survivor = Survivor::new();
    let mut report = Report::default();
    for round in 0..rounds {
        for order in orders::of_round(round) {
            let latency = survivor.survive(&order, round);
            report.add(&order, latency);
        }
    }
    report.print();
}
