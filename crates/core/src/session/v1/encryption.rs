//! Encrypted bytes that belong to no frame: what the original's `Encrypt` makes, `nonce ‖ ciphertext ‖ tag`.
//!
//! AES-256-GCM with a random nonce and no associated data. Sessions do not pass here: EIPC/2 encrypts with
//! keys and numbers of its own, v1 does not encrypt.

use crate::crypto::aead::{AeadKey, Cipher, TAG_LEN};
use crate::crypto::random::Random;
use crate::error::{Code, Error, Result};

/// Bytes of the nonce.
const NONCE_LEN: usize = 12;
/// Every nonce is used once, so the number that the cipher of sessions mixes in stays the same.
const NUMBER: u64 = 0;

/// Encrypts `plaintext` under a new random nonce. One key is good for 2^32 calls (NIST SP 800-38D, 8.3).
///
/// # Errors
/// [`Code::Internal`] without randomness, or for a plaintext of 2^36 bytes.
pub fn encrypt(key: &[u8; 32], plaintext: &[u8], random: &Random) -> Result<Vec<u8>> {
    let sealed = || {
        let nonce = random.array::<NONCE_LEN>()?;
        let mut bytes = Vec::with_capacity(NONCE_LEN + plaintext.len() + TAG_LEN);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(plaintext);
        let mut tag = [0; TAG_LEN];
        let text = bytes.get_mut(NONCE_LEN..).unwrap_or_default();
        AeadKey::new(Cipher::Aes256Gcm, key, &nonce)?.seal_in_place(NUMBER, &[], text, &mut tag)?;
        bytes.extend_from_slice(&tag);
        Ok(bytes)
    };
    sealed().map_err(|_: crate::crypto::CryptoError| Error::new(Code::Internal, "cannot encrypt"))
}

/// Verifies and decrypts what [`encrypt`] made.
///
/// # Errors
/// [`Code::Integrity`] when it was made with another key, or changed, or is shorter than nonce and tag.
pub fn decrypt(key: &[u8; 32], bytes: &[u8]) -> Result<Vec<u8>> {
    let opened = || {
        let (nonce, rest) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let (text, tag) = rest.split_last_chunk::<TAG_LEN>()?;
        let mut text = text.to_vec();
        let key = AeadKey::new(Cipher::Aes256Gcm, key, nonce).ok()?;
        key.open_in_place(NUMBER, &[], &mut text, tag).ok()?;
        Some(text)
    };
    opened().ok_or(Error::new(Code::Integrity, "the ciphertext was made with another key, or changed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encrypted(plaintext: &[u8]) -> Vec<u8> {
        encrypt(&[7; 32], plaintext, &Random::system()).unwrap()
    }

    #[test]
    fn what_is_encrypted_is_decrypted_and_looks_different_every_time() {
        for plaintext in [&b""[..], b"x", &[9; 1_000]] {
            let bytes = encrypted(plaintext);
            assert_eq!(bytes.len(), 12 + plaintext.len() + 16);
            assert_ne!(bytes, encrypted(plaintext));
            assert_eq!(decrypt(&[7; 32], &bytes).unwrap(), plaintext);
        }
    }

    /// The attacker stores or carries the ciphertext and has no key.
    #[test]
    fn no_bit_of_it_can_be_changed_and_no_byte_left_out() {
        let bytes = encrypted(b"text");
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decrypt(&[7; 32], &changed).unwrap_err().code, Code::Integrity);
        }
        for length in 0..bytes.len() {
            assert_eq!(decrypt(&[7; 32], &bytes[..length]).unwrap_err().code, Code::Integrity);
        }
        assert_eq!(decrypt(&[7; 32], &[&bytes[..], &[0]].concat()).unwrap_err().code, Code::Integrity);
        assert_eq!(decrypt(&[8; 32], &bytes).unwrap_err().code, Code::Integrity);
    }

    /// Case 14 of the test vectors of McGrew and Viega, "The Galois/Counter Mode of Operation".
    #[test]
    fn the_cipher_is_aes_256_gcm() {
        let text = [
            0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18,
            0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19,
        ];
        assert_eq!(decrypt(&[0; 32], &[&[0; 12][..], &text].concat()).unwrap(), [0; 16]);
    }
}
