//! The name of a segment: where it comes from, and that it goes.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use ring::rand::{SecureRandom, SystemRandom};

use super::system;

/// A name, which goes at the latest when this value does, if we made what it leads to.
#[derive(Debug)]
pub(super) struct Name {
    name: String,
    is_ours: AtomicBool,
}

impl Name {
    /// The name of something that we made.
    pub(super) const fn linked(name: String) -> Self {
        Self { name, is_ours: AtomicBool::new(true) }
    }

    /// The name of something that a peer made.
    pub(super) const fn foreign(name: String) -> Self {
        Self { name, is_ours: AtomicBool::new(false) }
    }

    /// Takes the name away; that it is gone already is no fault, because both sides do it.
    pub(super) fn unlink(&self) {
        self.is_ours.store(false, Ordering::Relaxed);
        system::unlink(&self.name);
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if *self.is_ours.get_mut() {
            system::unlink(&self.name);
        }
    }
}

/// Returns "/e" and 26 lower-case base32 characters: 128 bits of the system's generator.
pub(super) fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system has no random numbers"))?;
    Ok(encode(bytes))
}

fn encode(bytes: [u8; 16]) -> String {
    let bits = u128::from_be_bytes(bytes);
    // 25 characters of five bits from the top, and one of the three that are left.
    let characters = (0..26_u32).map(|at| match 123_u32.checked_sub(5 * at) {
        Some(shift) => (bits >> shift) & 31,
        None => (bits << 2) & 31,
    });
    let base32 = characters.map(|five| match u8::try_from(five) {
        Ok(five @ 0..26) => char::from(b'a' + five),
        Ok(five) => char::from(b'2' + (five - 26)),
        Err(_) => 'a', // five bits fit
    });
    "/e".chars().chain(base32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Capacities, Offer};

    #[test]
    fn a_name_spells_its_bits() {
        // RFC 4648: base32 of these bytes, in small letters and without padding.
        assert_eq!(encode([0; 16]), "/eaaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_eq!(encode([0xff; 16]), "/e77777777777777777777777774");
        assert_eq!(encode(*b"0123456789abcdef"), "/egaytemzugu3doobzmfrggzdfmy");
    }

    #[test]
    fn random_names_are_names_and_differ() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert_ne!(one, other);
        assert!(Offer::named(Capacities::DEFAULT, 1, &one).is_some(), "{one}");
    }
}
