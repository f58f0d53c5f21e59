//! What a wire can make of bytes: every small change of a frame, and any split of a stream.

/// A change of a frame's bytes.
type Change = Box<dyn Fn(&mut Vec<u8>)>;

/// Returns the changes of a frame of `length` bytes: every single bit flipped, every shorter length, and 1 to 64 bytes
/// more, once zeros and once the frame's own.
pub fn changes(length: usize) -> impl Iterator<Item = Change> {
    let flips =
        (0..length * 8).map(|bit| -> Change { Box::new(move |frame| frame[bit / 8] ^= 1 << (bit % 8)) });
    let cuts = (0..length).map(|at| -> Change { Box::new(move |frame| frame.truncate(at)) });
    let zeros = (1..=64).map(|more| -> Change { Box::new(move |frame| frame.resize(frame.len() + more, 0)) });
    let repeats = (1..=64)
        .map(|more| -> Change { Box::new(move |frame| frame.extend_from_within(..more.min(frame.len()))) });
    flips.chain(cuts).chain(zeros).chain(repeats)
}

/// Cuts a stream at places that any numbers choose; some pieces may be empty.
#[must_use]
pub fn pieces<'a>(stream: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    at.extend([0, stream.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
}
