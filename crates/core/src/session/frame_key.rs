//! The key of one lane in one epoch, and what a suite does with a frame under it
//! (`docs/wire.md`, "EIPC/2 data frames").
//!
//! Where keys come from is in `keys`, which lane uses which in `epoch`.

use super::keys::Traffic;
use super::sec_header::Sequence;
use super::suite::Suite;
use crate::crypto::CryptoError;
use crate::crypto::aead::{AeadKey, Cipher};
use crate::crypto::mac::MacKey;
use crate::wire::limits::{PREAMBLE_LEN, SEC_HEADER_LEN};

/// The key of a suite.
pub(crate) enum FrameKey {
    Mac(MacKey),
    Aead(AeadKey),
}

impl FrameKey {
    /// Prepares the key of `suite`.
    pub(crate) fn new(suite: Suite, traffic: &Traffic) -> Result<Self, CryptoError> {
        let aead = |cipher| AeadKey::new(cipher, traffic.key.expose(), traffic.iv.expose()).map(Self::Aead);
        match suite {
            Suite::HmacSha256 => Ok(Self::Mac(MacKey::new(traffic.key.expose()))),
            Suite::ChaCha20Poly1305 => aead(Cipher::ChaCha20Poly1305),
            Suite::Aes256Gcm => aead(Cipher::Aes256Gcm),
        }
    }

    /// Protects a frame: writes the tag of `signed`, whose meta and payload suites 2 and 3 encrypt.
    #[inline]
    pub(crate) fn seal(
        &self,
        sequence: Sequence,
        signed: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), CryptoError> {
        match self {
            Self::Mac(key) => {
                key.sign_into(signed, tag.try_into().map_err(|_| CryptoError)?);
                Ok(())
            }
            Self::Aead(key) => {
                let (aad, text) = signed.split_at_mut_checked(AAD_LEN).ok_or(CryptoError)?;
                key.seal_in_place(sequence.0, aad, text, tag.try_into().map_err(|_| CryptoError)?)
            }
        }
    }

    /// Verifies the tag of `signed`, whose meta and payload suites 2 and 3 decrypt.
    #[inline]
    pub(crate) fn open(&self, sequence: Sequence, signed: &mut [u8], tag: &[u8]) -> Result<(), CryptoError> {
        match self {
            Self::Mac(key) if key.verify(signed, tag) => Ok(()),
            Self::Mac(_) => Err(CryptoError),
            Self::Aead(key) => {
                let (aad, text) = signed.split_at_mut_checked(AAD_LEN).ok_or(CryptoError)?;
                key.open_in_place(sequence.0, aad, text, tag)
            }
        }
    }
}

/// What suites 2 and 3 sign and leave readable: preamble and security header.
const AAD_LEN: usize = PREAMBLE_LEN + SEC_HEADER_LEN;
