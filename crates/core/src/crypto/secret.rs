//! Memory for secrets: wiped on drop, silent in Debug.
//!
//! A secret lives on the heap, so that moving it leaves no copy on the stack. Deliberately no `Clone`, no
//! comparison, no conversion to text. Keys that ring has prepared are in `crypto::prepared`.

use core::fmt;
use zeroize::{Zeroize, Zeroizing};

/// A secret of a fixed length.
pub struct Secret<const N: usize>(Box<Zeroizing<[u8; N]>>);

impl<const N: usize> Secret<N> {
    /// Fills a new secret in place.
    pub(crate) fn fill<E>(fill: impl FnOnce(&mut [u8; N]) -> Result<(), E>) -> Result<Self, E> {
        let mut secret = Self(Box::new(Zeroizing::new([0; N])));
        fill(&mut secret.0)?;
        Ok(secret)
    }

    /// Makes another copy, which is wiped on its own: for an owner that outlives this one.
    pub(crate) fn duplicate(&self) -> Self {
        let mut copy = Self(Box::new(Zeroizing::new([0; N])));
        copy.0.copy_from_slice(self.expose());
        copy
    }

    /// Returns the bytes, to be handed to a primitive and nobody else.
    pub(crate) fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// A secret of any length, such as the content of a key file.
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes the bytes over; they are wiped when this is dropped.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, for the loader that makes a key of them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretBytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_nothing_of_a_secret() {
        let secret = Secret::<32>::fill(|out| {
            out.fill(0xab);
            Ok::<(), ()>(())
        });
        assert_eq!(format!("{secret:?}"), "Ok(Secret)");
        assert_eq!(format!("{:?}", SecretBytes::new(vec![0xab; 3])), "SecretBytes");
    }

    #[test]
    fn what_could_not_be_filled_is_no_secret() {
        assert!(Secret::<4>::fill(|_| Err(())).is_err());
        let filled = Secret::<4>::fill(|out| {
            out.fill(7);
            Ok::<(), ()>(())
        });
        assert_eq!(filled.unwrap().expose(), &[7; 4]);
    }
}
