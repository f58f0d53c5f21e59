//! Randomness, handed in so that a test can replay a handshake.
//!
//! `Random::fixed` exists only under the cargo feature `deterministic`, which no shipped binary enables.

use super::CryptoError;
use core::fmt;
use ring::rand::{SecureRandom, SystemRandom};

/// Where nonces, session ids and ephemeral keys come from.
pub struct Random(Source);

enum Source {
    System(SystemRandom),
    #[cfg(feature = "deterministic")]
    Fixed(std::sync::Mutex<std::collections::VecDeque<u8>>),
}

impl Random {
    /// Uses the operating system's generator.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System(SystemRandom::new()))
    }

    /// Hands out `bytes` in order and fails when fewer are left than a draw needs. For vectors only.
    #[cfg(feature = "deterministic")]
    #[must_use]
    pub fn fixed(bytes: &[u8]) -> Self {
        Self(Source::Fixed(std::sync::Mutex::new(bytes.iter().copied().collect())))
    }

    /// Fills `out`.
    ///
    /// # Errors
    /// [`CryptoError`] when the generator fails; nothing may go on without it.
    pub fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        match &self.0 {
            Source::System(system) => system.fill(out).map_err(|_| CryptoError),
            #[cfg(feature = "deterministic")]
            Source::Fixed(bytes) => {
                let mut bytes = bytes.lock().map_err(|_| CryptoError)?;
                // What is not enough stays for a smaller draw: so a caller that goes on is found out.
                if bytes.len() < out.len() {
                    return Err(CryptoError);
                }
                let drawn = ..out.len();
                out.iter_mut().zip(bytes.drain(drawn)).for_each(|(slot, byte)| *slot = byte);
                Ok(())
            }
        }
    }

    /// Returns `N` random bytes.
    ///
    /// # Errors
    /// As [`Random::fill`].
    pub fn array<const N: usize>(&self) -> Result<[u8; N], CryptoError> {
        let mut out = [0; N];
        self.fill(&mut out)?;
        Ok(out)
    }

    /// Calls `use_source` with a generator ring accepts, good for one draw of `N` bytes.
    pub(super) fn with_source<const N: usize, T>(
        &self,
        use_source: impl FnOnce(&dyn SecureRandom) -> Result<T, CryptoError>,
    ) -> Result<T, CryptoError> {
        match &self.0 {
            Source::System(system) => use_source(system),
            #[cfg(feature = "deterministic")]
            Source::Fixed(_) => {
                let bytes = self.array::<N>()?;
                #[allow(deprecated, reason = "ring has no other way to fix an ephemeral key; vectors only")]
                use_source(&ring::test::rand::FixedSliceRandom { bytes: &bytes })
            }
        }
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Random")
    }
}
