//! HMAC-SHA256 (RFC 2104, FIPS 198-1): handshake proofs and the tags of suite 1.
//!
//! The two key blocks are hashed once, when the key is made; a frame costs only its own bytes.

use super::prepared::Prepared;
use core::convert::Infallible;
use core::fmt;
use ring::hmac;

/// Bytes of a tag.
pub const TAG_LEN: usize = 32;

/// A key for HMAC-SHA256.
pub struct MacKey(Prepared<hmac::Key>);

impl MacKey {
    /// Prepares a key.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        let Ok(prepared) = Prepared::new(|| Ok::<_, Infallible>(hmac::Key::new(hmac::HMAC_SHA256, key)));
        Self(prepared)
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
        let made = self.0.key().map(|key| hmac::sign(key, message));
        // ring's tag of SHA-256 has exactly this length.
        if let Some(bytes) = made.as_ref().and_then(|made| made.as_ref().first_chunk()) {
            *tag = *bytes;
        }
    }

    /// Tells in constant time whether `tag` is the tag of `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        self.0.key().is_some_and(|key| hmac::verify(key, message, tag).is_ok())
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
