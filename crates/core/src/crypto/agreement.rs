//! X25519 (RFC 7748) with ephemeral keys: used once, consumed by the agreement.

use super::CryptoError;
use super::random::Random;
use super::secret::Secret;
use core::fmt;
use ring::agreement;

/// A private key that can be used for exactly one agreement.
pub struct EphemeralKey {
    private: agreement::EphemeralPrivateKey,
    public: [u8; 32],
}

impl EphemeralKey {
    /// Makes a fresh key.
    ///
    /// # Errors
    /// [`CryptoError`] when the generator fails.
    pub fn generate(random: &Random) -> Result<Self, CryptoError> {
        let private = random.with_source::<32, _>(|source| {
            agreement::EphemeralPrivateKey::generate(&agreement::X25519, source).map_err(|_| CryptoError)
        })?;
        let public = private.compute_public_key().map_err(|_| CryptoError)?;
        let public = *public.as_ref().first_chunk().ok_or(CryptoError)?;
        Ok(Self { private, public })
    }

    /// Returns the public key.
    #[must_use]
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// Agrees on a secret with the owner of `peer`.
    ///
    /// # Errors
    /// [`CryptoError`] when the result is all zero: the peer sent a point of low order.
    pub fn agree(self, peer: &[u8; 32]) -> Result<Secret<32>, CryptoError> {
        let peer = agreement::UnparsedPublicKey::new(&agreement::X25519, peer);
        agreement::agree_ephemeral(self.private, &peer, |shared| {
            Secret::fill(|out| {
                *out = *shared.first_chunk().ok_or(CryptoError)?;
                Ok(())
            })
        })
        .map_err(|_| CryptoError)?
    }
}

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EphemeralKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree_and_low_order_points_are_refused() {
        let random = Random::system();
        let (a, b) = (EphemeralKey::generate(&random).unwrap(), EphemeralKey::generate(&random).unwrap());
        let (a_public, b_public) = (*a.public(), *b.public());
        assert_eq!(a.agree(&b_public).unwrap().expose(), b.agree(&a_public).unwrap().expose());
        let mut one = [0; 32];
        one[0] = 1;
        for low_order in [[0; 32], one] {
            assert!(EphemeralKey::generate(&random).unwrap().agree(&low_order).is_err());
        }
    }
}
