//! The payloads of `benches/harness/payload.js`: a counter at both ends, a flag on the last one, a pattern between.

/// Room for both counters and the flag.
pub(crate) const LEAST_BYTES: usize = 16;

const FLAG_AT: usize = 4;

/// Makes a payload with its pattern, to be stamped before each use.
pub(crate) fn make(size: usize) -> Vec<u8> {
    let pattern = (0..size).map(|at| (at * 31 + 7).to_le_bytes().first().copied().unwrap_or(0));
    let mut payload: Vec<u8> = pattern.collect();
    stamp(&mut payload, 0, false);
    payload
}

/// Writes the counter at both ends.
pub(crate) fn stamp(payload: &mut [u8], counter: u32, is_last: bool) {
    if let Some(front) = payload.first_chunk_mut() {
        *front = counter.to_le_bytes();
    }
    if let Some(back) = payload.last_chunk_mut() {
        *back = counter.to_le_bytes();
    }
    if let Some(flag) = payload.get_mut(FLAG_AT) {
        *flag = u8::from(is_last);
    }
}

/// The counter, `None` when its two copies differ.
pub(crate) fn counter_of(payload: &[u8]) -> Option<u32> {
    let front = payload.first_chunk().copied().map(u32::from_le_bytes)?;
    let back = payload.last_chunk().copied().map(u32::from_le_bytes)?;
    (front == back && payload.len() >= LEAST_BYTES).then_some(front)
}

pub(crate) fn is_last(payload: &[u8]) -> bool {
    payload.get(FLAG_AT) == Some(&1)
}
