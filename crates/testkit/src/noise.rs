//! Random bytes for parsers: every one must survive a million of them and allocate no more than they are
//! worth.

use crate::heap;

/// How many inputs a parser must survive.
const INPUTS: usize = 1_000_000;
/// The longest input.
const MAX_LEN: usize = 256;
/// What one input may make a parser allocate; a claimed length would show as far more.
const MAX_BYTES: u64 = 4 * 1024;

/// Numbers that look random and are the same in every run (SplitMix64).
#[derive(Clone, Debug)]
pub struct Noise(pub u64);

impl Noise {
    /// Returns the next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % u64::try_from(end).unwrap()).unwrap()
    }

    /// Fills `out`.
    pub fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.number().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Feeds `parse` a million inputs: every other one random, the others a `sample` with changed, cut and
/// repeated bytes. Panics when one input makes it allocate more than 4 KiB; that is only seen where
/// [`heap::Counting`] is installed. Returns how many inputs `parse` took for good.
pub fn feed(sample: &[u8], mut parse: impl FnMut(&mut [u8]) -> bool) -> usize {
    let mut noise = Noise(0x6569_7063);
    let (mut buffer, mut accepted, mut largest) = ([0; MAX_LEN], 0, 0);
    for round in 0..INPUTS {
        let length = if round % 2 == 0 {
            let length = noise.below(MAX_LEN + 1);
            noise.fill(&mut buffer[..length]);
            length
        } else {
            mutate(sample, &mut buffer, &mut noise)
        };
        let (is_accepted, usage) = heap::measure(|| parse(&mut buffer[..length]));
        accepted += usize::from(is_accepted);
        largest = largest.max(usage.bytes);
        assert!(usage.bytes <= MAX_BYTES, "input {round}: {usage:?} for {length} bytes");
    }
    println!("{INPUTS} inputs, {accepted} accepted, at most {largest} bytes allocated");
    accepted
}

fn mutate(sample: &[u8], buffer: &mut [u8; MAX_LEN], noise: &mut Noise) -> usize {
    let mut length = sample.len().min(MAX_LEN);
    buffer[..length].copy_from_slice(&sample[..length]);
    for _ in 0..=noise.below(3) {
        let at = noise.below(length.max(1));
        match noise.below(6) {
            0 | 1 if length > 0 => buffer[at] ^= 1 << noise.below(8),
            2 if length > 0 => buffer[at] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b','][noise.below(8)],
            3 => length = at,
            4 => {
                let more = noise.below(MAX_LEN - length + 1);
                noise.fill(&mut buffer[length..length + more]);
                length += more;
            }
            _ => {
                let count = noise.below(MAX_LEN - length + 1).min(length - at.min(length));
                buffer.copy_within(at..at + count, length);
                length += count;
            }
        }
    }
    length
}
