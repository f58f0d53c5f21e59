//! HMAC-SHA256 (RFC 2104, FIPS 198-1): handshake proofs and the tags of suite 1.
//!
//! The two key blocks are hashed once, when the key is made; a frame costs only its own bytes.

use core::fmt;
use core::hint::black_box;
use ring::hmac;

/// Bytes of a tag.
pub const TAG_LEN: usize = 32;

/// A key for HMAC-SHA256.
pub struct MacKey(hmac::Key);

impl MacKey {
    /// Prepares a key.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// Returns the tag of `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; TAG_LEN] {
        let mut tag = [0; TAG_LEN];
        self.sign_into(message, &mut tag);
        tag
    }

    /// Writes the tag of `message` to `tag`.
    pub fn sign_into(&self, message: &[u8], tag: &mut [u8; TAG_LEN]) {
        // ring's tag of SHA-256 has exactly this length.
        if let Some(bytes) = hmac::sign(&self.0, message).as_ref().first_chunk() {
            *tag = *bytes;
        }
    }

    /// Tells in constant time whether `tag` is the tag of `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0, message, tag).is_ok()
    }
}

impl Drop for MacKey {
    /// ring wipes nothing; a key of zeros in its place does (see `crypto::secret`).
    fn drop(&mut self) {
        self.0 = hmac::Key::new(hmac::HMAC_SHA256, &[0; TAG_LEN]);
        black_box(&self.0);
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MacKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_4231_case_2_and_a_wrong_tag() {
        let key = MacKey::new(b"Jefe");
        let tag = key.sign(b"what do ya want for nothing?");
        assert_eq!(tag[..8], [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]);
        assert_eq!(tag[28..], [0x64, 0xec, 0x38, 0x43]);
        assert!(key.verify(b"what do ya want for nothing?", &tag));
        assert!(!key.verify(b"what do ya want for nothing!", &tag));
        assert!(!key.verify(b"what do ya want for nothing?", &tag[..31]));
        assert!(!key.verify(b"what do ya want for nothing?", &[]));
        assert_eq!(format!("{key:?}"), "MacKey");
    }
}
