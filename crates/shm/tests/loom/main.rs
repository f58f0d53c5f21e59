//! Every interleaving of two processes, and every stale value that the memory model lets them read, over the rings and
//! lanes that ship (docs/decisions/0012). A lost wake-up is a deadlock, a record that is read too early a data race,
//! and loom reports both.
//!
//! `make check` explores all of each model but one, `make loom` that one too. Nothing is bounded, unless
//! LOOM_MAX_PREEMPTIONS says so. A model that fails is explained by LOOM_LOG=trace LOOM_LOCATION=1.
#![cfg(loom)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod ending;
mod order;
mod side;
mod socket;
mod waking;

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

/// Runs a model in every way it can run, and prints in how many.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let started = Instant::now();
    report("", executions(model), started);
}

/// Runs a model in every way it can run and returns in how many.
fn executions(model: impl Fn() + Send + Sync + 'static) -> u64 {
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    loom::model(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    count.load(Ordering::Relaxed)
}

fn report(what: &str, executions: u64, started: Instant) {
    let name = thread::current().name().unwrap_or_default().to_owned();
    let bounds = env::vars().filter(|(name, _)| name.starts_with("LOOM_MAX_"));
    let bounds: Vec<_> = bounds.map(|(name, value)| format!("{name}={value}")).collect();
    let extent = if bounds.is_empty() { "complete".into() } else { bounds.join(" ") };
    println!("{name}: {what}{executions} executions, {extent}, in {:.1} s", started.elapsed().as_secs_f64());
}

/// The frame with a number, as long as a frame may be.
fn frame(number: u64) -> [u8; 8] {
    number.to_ne_bytes()
}
