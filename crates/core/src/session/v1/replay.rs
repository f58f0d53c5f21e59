//! The replay window of v1 (`docs/wire.md`, "v1, hardened"; RFC 6479): which sequence numbers were seen.
//!
//! Changed only behind the tag and the ids, as the last check of a frame. The original accepts `max - 128`
//! too; this window does not.

/// How many numbers a window spans: a multiple of 64, 64..=4 096; 128 unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowSize(usize);

impl WindowSize {
    /// Checks a size.
    #[must_use]
    pub const fn new(size: usize) -> Option<Self> {
        if size >= 64 && size <= 4_096 && size.is_multiple_of(64) { Some(Self(size)) } else { None }
    }

    /// Returns the size.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

impl Default for WindowSize {
    fn default() -> Self {
        Self(128)
    }
}

/// Remembers the sequence numbers of one direction of one connection.
#[derive(Clone, Debug)]
pub struct ReplayWindow {
    size: u64,
    max: u64,
    /// One bit per number, in a ring of blocks. One block more than the window spans, so that a window
    /// which begins inside a block keeps all of its numbers.
    blocks: Box<[u64]>,
}

/// Numbers per block.
const BLOCK: u64 = 64;

impl ReplayWindow {
    /// Makes a window that has seen nothing.
    #[must_use]
    pub fn new(size: WindowSize) -> Self {
        let size = size.get() as u64;
        Self { size, max: 0, blocks: (0..=size / BLOCK).map(|_| 0).collect() }
    }

    /// Returns the largest number accepted; 0 before the first.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// Accepts `sequence` iff it is above 0 and either above the largest one so far, or less than the
    /// window below it and unseen. From then on it is seen.
    pub fn accept(&mut self, sequence: u64) -> bool {
        if sequence == 0 || self.max.saturating_sub(sequence) >= self.size {
            return false;
        }
        self.clear_up_to(sequence);
        self.max = self.max.max(sequence);
        let bit = 1 << (sequence % BLOCK);
        match self.block(sequence / BLOCK) {
            Some(block) if *block & bit == 0 => {
                *block |= bit;
                true
            }
            _ => false,
        }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.max = 0;
        self.blocks.fill(0);
    }

    /// Empties the blocks between the largest number so far and a larger one: what they hold is older than
    /// the window.
    fn clear_up_to(&mut self, sequence: u64) {
        let (last, next) = (self.max / BLOCK, sequence / BLOCK);
        let entered = next.saturating_sub(last).min(self.blocks.len() as u64);
        for number in 0..entered {
            if let Some(block) = self.block(next - number) {
                *block = 0;
            }
        }
    }

    fn block(&mut self, number: u64) -> Option<&mut u64> {
        let place = number % self.blocks.len() as u64;
        self.blocks.get_mut(usize::try_from(place).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn window(size: usize) -> ReplayWindow {
        ReplayWindow::new(WindowSize::new(size).unwrap())
    }

    #[test]
    fn sizes_are_multiples_of_64_up_to_4096() {
        for size in [64, 128, 192, 4_096] {
            assert_eq!(WindowSize::new(size).unwrap().get(), size);
        }
        for size in [0, 1, 63, 65, 100, 4_097, 4_160, usize::MAX] {
            assert_eq!(WindowSize::new(size), None);
        }
        assert_eq!(WindowSize::default().get(), 128);
    }

    #[test]
    fn the_edges_of_the_window_are_exact_wherever_it_stands() {
        for size in [64, 128, 4_096] {
            for max in (4_096..4_300).chain([u64::MAX - 63, u64::MAX]) {
                let mut window = window(size);
                assert!(window.accept(max) && !window.accept(max));
                assert!(!window.accept(max - size as u64), "{size} {max}");
                assert!(window.accept(max - (size as u64 - 1)), "{size} {max}");
                assert!(!window.accept(max - (size as u64 - 1)), "{size} {max}");
                assert!(!window.accept(0));
            }
        }
    }

    #[test]
    fn a_jump_of_any_width_forgets_what_it_leaves_and_nothing_else() {
        for jump in 1..400 {
            let mut window = window(128);
            for sequence in 1..=300 {
                assert!(window.accept(sequence));
            }
            assert!(window.accept(300 + jump));
            for sequence in 1..=300 + jump {
                let is_new = sequence > 300 && sequence != 300 + jump && jump + 300 - sequence < 128;
                assert_eq!(window.accept(sequence), is_new, "{jump} {sequence}");
            }
        }
    }

    #[test]
    fn it_decides_as_a_set_of_all_numbers_does_a_million_times() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for (size, steps) in [(64, 250_000), (128, 500_000), (1_024, 200_000), (4_096, 50_000)] {
            let (mut window, mut seen, mut max) = (window(size), HashSet::new(), 0_u64);
            for step in 0..steps {
                let choice = random() % 100;
                let sequence = match choice {
                    0..60 => max + 1,
                    60..90 => max.saturating_sub(random() % (2 * size as u64)),
                    90..98 => max + random() % 100,
                    98 => max + random() % (3 * size as u64),
                    _ => random() % (max + 2),
                };
                let is_fresh = sequence > 0
                    && (sequence > max || (max - sequence < size as u64 && !seen.contains(&sequence)));
                assert_eq!(window.accept(sequence), is_fresh, "step {step}: {sequence} after {max}");
                if is_fresh {
                    seen.insert(sequence);
                    max = max.max(sequence);
                }
                assert_eq!(window.max(), max);
            }
        }
    }

    #[test]
    fn a_reset_window_has_seen_nothing() {
        let mut window = window(64);
        assert!(window.accept(7) && !window.accept(7));
        window.reset();
        assert!(window.max() == 0 && window.accept(7));
    }
}
