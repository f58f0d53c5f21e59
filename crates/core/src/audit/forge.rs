//! For tests: lines as somebody without a key makes them, whose hash is right and whose place need not be.

use super::key;
use crate::hex;

/// What a line says.
pub(super) fn body(action: &str, result: &str) -> String {
    format!(
        "\"t\":\"2026-11-05T12:34:56.789Z\",\"peer\":\"eni.min\",\"action\":\"{action}\",\"decision\":\"allow\",\
         \"result\":\"{result}\",\"request_id\":\"\",\"frame\":\"\""
    )
}

/// Seals a body under any number, behind any line.
pub(super) fn line(number: u64, prev: &[u8; 32], body: &str) -> String {
    let covered = format!("{{\"i\":{number},{body},\"prev\":\"{}\"", hex::encode(prev));
    let hash = key::hash(None, prev, covered.as_bytes(), &mut Vec::new());
    format!("{covered},\"h\":\"{}\"}}", hex::encode(&hash))
}
