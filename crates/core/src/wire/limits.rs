//! Every length the wire knows, in one place (`docs/wire.md`, "Preamble").

/// Bytes of the preamble.
pub const PREAMBLE_LEN: usize = 16;
/// Bytes of the length in front of every frame on a stream.
pub const PREFIX_LEN: usize = 4;
/// The largest frame: preamble, header, payload and tag together.
pub const MAX_FRAME_SIZE: usize = 1_048_576;
/// The largest header.
pub const MAX_HEADER_LEN: usize = 4_096;
/// The largest frame before authentication, and the least a server may announce as `max_frame`.
pub const UNAUTHENTICATED_FRAME_LIMIT: usize = 4_096;
/// Bytes of the security header at the front of every EIPC/2 data frame's header.
pub const SEC_HEADER_LEN: usize = 24;
/// The largest meta.
pub const MAX_META_LEN: usize = MAX_HEADER_LEN - SEC_HEADER_LEN;
/// Bytes of the fixed part of a binary meta.
pub const BINARY_META_LEN: usize = 24;
/// Bytes of an HMAC-SHA256 tag: handshake frames and suite 1.
pub const MAC_LEN: usize = 32;
/// The longest service or server id.
pub const MAX_ID_LEN: usize = 64;

/// Tells whether `text` is a service or server id: 1..=64 of `[a-z0-9._-]`.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=MAX_ID_LEN).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_lower_case_and_not_empty() {
        assert!(is_id("nia.min") && is_id(&"x".repeat(64)) && is_id("a_b-9."));
        for wrong in ["", "Nia", "nia min", "niä", "nia\0", &"x".repeat(65)] {
            assert!(!is_id(wrong), "{wrong:?}");
        }
    }
}
