//! SHA-256 (FIPS 180-4) over parts that need not lie together.

use ring::digest;

/// Returns the SHA-256 of the concatenation of `parts`.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    // ring's SHA-256 has exactly this length.
    if let Some(bytes) = context.finish().as_ref().first_chunk() {
        out = *bytes;
    }
    out
}
