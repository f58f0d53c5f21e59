//! How long it pays to look at shared memory before sleeping: what the waits so far have taught.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The least a look lasts.
pub(crate) const SPIN: Duration = Duration::from_micros(50);
/// The most it lasts, and the longest wait that is worth one. Two parked peers answer each other in some 100 µs, two looking ones
/// in one: without the patience to outlast one parked round trip they would never get out of it.
const LONGEST: Duration = Duration::from_micros(200);
/// Fruitless looks in a row after which looking stops, until a doorbell shows that a wait was short again.
const MISSES: u32 = 3;

/// The patience of one thread.
pub(crate) struct Patience {
    misses: Cell<u32>,
    /// Grows with the waits that a doorbell ended, shrinks with those that looking ended.
    length: Cell<Duration>,
    /// Since when the sleeping sessions have had nothing.
    waiting_since: Cell<Option<Instant>>,
}

impl Patience {
    pub(crate) const fn new() -> Self {
        Self { misses: Cell::new(0), length: Cell::new(SPIN), waiting_since: Cell::new(None) }
    }

    /// How long to look now; nothing while looking does not pay.
    pub(crate) fn length(&self) -> Duration {
        if self.misses.get() >= MISSES { Duration::ZERO } else { self.length.get() }
    }

    /// A look found something.
    pub(crate) fn found(&self) {
        self.misses.set(0);
        self.length.set(self.length.get().mul_f32(0.9).max(SPIN));
    }

    /// Nothing has come since then. `looked`: although it was looked for.
    pub(crate) fn gave_up(&self, since: Instant, looked: bool) {
        if looked {
            self.misses.set(self.misses.get().saturating_add(1));
        }
        self.waiting_since.set(Some(since));
    }

    /// A doorbell rang. How long the wait was says whether looking for that long would have been better.
    pub(crate) fn woken(&self) {
        if let Some(wait) = self.waiting_since.take().map(|since| since.elapsed())
            && wait <= LONGEST
        {
            self.length.set((wait * 2).clamp(SPIN, LONGEST));
            self.misses.set(0);
        }
    }
}
