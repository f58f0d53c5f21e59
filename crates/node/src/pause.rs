//! How a loop passes the time that looks at shared memory and finds nothing.

/// Pauses between two yields of the core: about a microsecond, so that a peer on the same core gets it soon.
const PAUSES_PER_YIELD: u32 = 64;
/// Pauses between two looks at the clock, which costs more than a pause.
const PAUSES_PER_CLOCK: u32 = 8;

/// The pauses of one wait.
#[derive(Default)]
pub(crate) struct Pauses {
    taken: u32,
}

impl Pauses {
    /// Whether it is time to see how long this has gone on.
    pub(crate) const fn is_clock_due(&self) -> bool {
        self.taken.is_multiple_of(PAUSES_PER_CLOCK)
    }

    /// Takes one.
    pub(crate) fn take(&mut self) {
        self.taken = self.taken.wrapping_add(1);
        if self.taken.is_multiple_of(PAUSES_PER_YIELD) {
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}
