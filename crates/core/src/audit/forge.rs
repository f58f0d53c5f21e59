//! For tests: lines as somebody without a key makes them, whose hash is right and whose place need not be.

use super::key;

/// Seals `body` under any number, behind any line. The line has its end.
pub(super) fn line(number: u64, prev: &[u8; 32], body: &str) -> String {
    let covered = format!("{{\"i\":{number},{},\"prev\":\"{}\"", body.trim_end(), digits(prev));
    let hash = key::hash(None, prev, covered.as_bytes(), &mut Vec::new());
    format!("{covered},\"h\":\"{}\"}}\n", digits(&hash))
}

fn digits(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
