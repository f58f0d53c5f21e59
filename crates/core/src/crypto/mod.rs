//! The cryptographic building blocks. Only the files of this folder name a crypto crate.
//!
//! Which key is used for what is deliberately not here: that is `session::keys`.

pub mod aead;
pub mod agreement;
pub mod digest;
pub mod kdf;
pub mod mac;
mod prepared;
pub mod random;
pub mod secret;

/// A primitive refused: no randomness, a key of a bad form, an all-zero agreement. Says no more on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CryptoError;
