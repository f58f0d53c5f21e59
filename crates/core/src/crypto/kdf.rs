//! HKDF with SHA-256 (RFC 5869): `Ext` and `Exp` of `docs/wire.md`.
//!
//! `Ext` is spelled as the HMAC it is (RFC 5869, 2.2), because ring's own extract step keeps its result
//! to itself and could not wipe it; here every pseudo-random key is a [`Secret`].

use super::CryptoError;
use super::secret::Secret;
use ring::{hkdf, hmac};

/// Extracts a pseudo-random key from input key material.
///
/// # Errors
/// [`CryptoError`] is not expected: SHA-256 has 32 bytes.
pub fn extract(salt: &[u8], input: &[u8]) -> Result<Secret<32>, CryptoError> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), input);
    Secret::fill(|out| {
        *out = *tag.as_ref().first_chunk().ok_or(CryptoError)?;
        Ok(())
    })
}

/// Expands `key` with the concatenation of `label` to `N` bytes.
///
/// # Errors
/// [`CryptoError`] when `N` is above 255 × 32.
pub fn expand<const N: usize>(key: &Secret<32>, label: &[&[u8]]) -> Result<Secret<N>, CryptoError> {
    Secret::fill(|out| expand_into(key, label, out))
}

/// Fills `out` with the expansion of `key` with the concatenation of `label`.
///
/// # Errors
/// [`CryptoError`] when `out` is longer than 255 × 32 bytes.
pub fn expand_into(key: &Secret<32>, label: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
    let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, key.expose());
    prk.expand(label, Length(out.len())).and_then(|okm| okm.fill(out)).map_err(|_| CryptoError)
}

/// How ring wants to hear a length.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_5869_test_case_1() {
        let salt: Vec<u8> = (0..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let prk = extract(&salt, &[0x0b; 22]).unwrap();
        assert_eq!(prk.expose()[..4], [0x07, 0x77, 0x09, 0x36]);
        let okm = expand::<42>(&prk, &[&info]).unwrap();
        assert_eq!(okm.expose()[..4], [0x3c, 0xb2, 0x5f, 0x25]);
        assert_eq!(okm.expose()[38..], [0x87, 0x18, 0x58, 0x65]);
    }

    #[test]
    fn no_more_than_255_blocks_are_expanded() {
        let key = extract(b"salt", b"input").unwrap();
        assert_eq!(expand_into(&key, &[b"label"], &mut [0; 255 * 32]), Ok(()));
        assert_eq!(expand_into(&key, &[b"label"], &mut [0; 255 * 32 + 1]), Err(CryptoError));
    }
}
