//! How a loop passes the time that looks at shared memory and finds nothing.
//!
//! On a core of its own it pauses, and yields now and then; a yield takes some 300 ns there. Where the peer shares the core, nothing comes
//! before the core is given away, so that every pause is a yield. Which of the two it is shows in how long the last yields took.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Pauses between two yields of a core that nobody else wants: a microsecond or two, the price of finding out that somebody does.
const PAUSES_PER_YIELD: u32 = 64;
/// Pauses between two looks at the clock, which costs more than a pause.
const PAUSES_PER_CLOCK: u32 = 8;
/// A yield that takes longer has let somebody else run.
const SHORT_YIELD: Duration = Duration::from_micros(2);

/// What a thread knows of its core from one wait to the next.
#[derive(Default)]
pub(crate) struct Core {
    is_shared: Cell<bool>,
}

/// The pauses of one wait.
pub(crate) struct Pauses<'a> {
    core: &'a Core,
    taken: u32,
}

impl<'a> Pauses<'a> {
    pub(crate) const fn on(core: &'a Core) -> Self {
        Self { core, taken: 0 }
    }

    /// Whether it is time to see how long this has gone on.
    pub(crate) fn is_clock_due(&self) -> bool {
        self.core.is_shared.get() || self.taken.is_multiple_of(PAUSES_PER_CLOCK)
    }

    /// Takes one.
    pub(crate) fn take(&mut self) {
        self.taken = self.taken.wrapping_add(1);
        if self.core.is_shared.get() || self.taken.is_multiple_of(PAUSES_PER_YIELD) {
            let begun = Instant::now();
            std::thread::yield_now();
            self.core.is_shared.set(begun.elapsed() > SHORT_YIELD);
        } else {
            std::hint::spin_loop();
        }
    }
}
