//! Authenticated encryption in place (RFC 8439, NIST SP 800-38D): the frames of suites 2 and 3.
//!
//! The nonce is the iv XOR the frame's number, as in TLS 1.3 (RFC 8446, 5.3): a number never occurs
//! twice under one key, so neither does a nonce. That it does not is `session`'s to keep.

use super::CryptoError;
use super::prepared::Prepared;
use core::fmt;
use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};

/// Bytes of a tag.
pub const TAG_LEN: usize = 16;

/// Which algorithm encrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305,
    /// AES-256-GCM.
    Aes256Gcm,
}

/// A key and iv for one direction of numbered frames.
pub struct AeadKey(Prepared<KeyAndIv>);

struct KeyAndIv {
    key: LessSafeKey,
    iv: [u8; 12],
}

impl AeadKey {
    /// Prepares a key.
    ///
    /// # Errors
    /// [`CryptoError`] is not expected: both algorithms take 32 bytes.
    pub fn new(cipher: Cipher, key: &[u8; 32], iv: &[u8; 12]) -> Result<Self, CryptoError> {
        let prepare = || {
            let key = UnboundKey::new(cipher.algorithm(), key).map_err(|_| CryptoError)?;
            Ok(KeyAndIv { key: LessSafeKey::new(key), iv: *iv })
        };
        Prepared::new(prepare).map(Self)
    }

    /// Encrypts `text` in place and writes the tag of it and `aad`.
    ///
    /// # Errors
    /// [`CryptoError`] for a text far above the largest frame; `text` is then of no use any more.
    pub fn seal_in_place(
        &self,
        number: u64,
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        let KeyAndIv { key, iv } = self.0.key().ok_or(CryptoError)?;
        let made = key.seal_in_place_separate_tag(nonce(iv, number), Aad::from(aad), text);
        *tag = *made.map_err(|_| CryptoError)?.as_ref().first_chunk().ok_or(CryptoError)?;
        Ok(())
    }

    /// Verifies the tag in constant time and decrypts `text` in place.
    ///
    /// # Errors
    /// [`CryptoError`] when `tag` is not the tag; `text` is then of no use any more.
    pub fn open_in_place(
        &self,
        number: u64,
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), CryptoError> {
        let KeyAndIv { key, iv } = self.0.key().ok_or(CryptoError)?;
        let tag = tag.try_into().map_err(|_| CryptoError)?;
        key.open_in_place_separate_tag(nonce(iv, number), Aad::from(aad), tag, text, 0..)
            .map(drop)
            .map_err(|_| CryptoError)
    }
}

impl fmt::Debug for AeadKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AeadKey")
    }
}

impl Cipher {
    fn algorithm(self) -> &'static aead::Algorithm {
        match self {
            Self::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
            Self::Aes256Gcm => &aead::AES_256_GCM,
        }
    }
}

fn nonce(iv: &[u8; 12], number: u64) -> Nonce {
    let [_, _, _, _, low @ ..] = *iv;
    let mut nonce = *iv;
    let [_, _, _, _, out @ ..] = &mut nonce;
    *out = (u64::from_be_bytes(low) ^ number).to_be_bytes();
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IV: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

    fn key(cipher: Cipher) -> AeadKey {
        AeadKey::new(cipher, &[0x5a; 32], &IV).unwrap()
    }

    #[test]
    fn what_is_sealed_is_opened_and_nothing_else_is() {
        for cipher in [Cipher::ChaCha20Poly1305, Cipher::Aes256Gcm] {
            let (mut text, mut tag) = (*b"text", [0; 16]);
            key(cipher).seal_in_place(7, b"aad", &mut text, &mut tag).unwrap();
            assert_ne!(&text, b"text");
            let open = |number, aad: &[u8], text: [u8; 4], tag: &[u8]| {
                let mut text = text;
                key(cipher).open_in_place(number, aad, &mut text, tag).map(|()| text)
            };
            assert_eq!(open(7, b"aad", text, &tag), Ok(*b"text"));
            let changed = [text[0] ^ 1, text[1], text[2], text[3]];
            assert!(open(6, b"aad", text, &tag).is_err(), "another number");
            assert!(open(7, b"aae", text, &tag).is_err());
            assert!(open(7, b"aad", changed, &tag).is_err());
            assert!(open(7, b"aad", text, &tag[..15]).is_err());
            assert!(open(7, b"aad", text, &[tag, tag].concat()).is_err());
            assert!(open(7, b"aad", text, &[]).is_err());
        }
        let sealed = |cipher| {
            let (mut text, mut tag) = (*b"text", [0; 16]);
            key(cipher).seal_in_place(7, b"aad", &mut text, &mut tag).unwrap();
            (text, tag)
        };
        assert_ne!(sealed(Cipher::ChaCha20Poly1305), sealed(Cipher::Aes256Gcm));
        assert_eq!(format!("{:?}", key(Cipher::Aes256Gcm)), "AeadKey");
    }

    #[test]
    fn the_number_fills_the_last_eight_bytes_of_the_nonce() {
        let filled = |number| *nonce(&IV, number).as_ref();
        assert_eq!(filled(0), IV);
        assert_eq!(filled(0x0506_0708_090a_0b0c), [1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(filled(3 << 62), [1, 2, 3, 4, 5 ^ 0xc0, 6, 7, 8, 9, 10, 11, 12]);
    }
}
