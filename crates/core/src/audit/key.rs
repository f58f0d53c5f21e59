//! The keys of lines: each makes the next, and none leads back.

use super::line::Line;
use crate::crypto::CryptoError;
use crate::crypto::digest::sha256;
use crate::crypto::kdf::{expand, extract};
use crate::crypto::mac::MacKey;
use crate::crypto::secret::Secret;
use crate::error::{Code, Error, Result};
use core::fmt;

/// The shortest key.
const MIN_LEN: usize = 32;
/// What every hash begins with, so that it is none of anything else.
const LABEL: &[u8] = b"EIPC/2 audit\0";

/// The key of a whole chain: that of its first line. Whoever keeps it elsewhere can verify; where lines are
/// written only that of the next one is needed.
pub struct AuditKey {
    first: LineKey,
    id: u64,
}

impl AuditKey {
    /// Derives the key of the first line from the bytes of a key.
    ///
    /// # Errors
    /// [`Code::Key`] below 32 bytes.
    pub fn new(key: &[u8]) -> Result<Self> {
        if key.len() < MIN_LEN {
            return Err(Error::with(Code::Key, format!("{} bytes, at least 32 are needed", key.len())));
        }
        Self::derive(key).map_err(internal)
    }

    fn derive(key: &[u8]) -> core::result::Result<Self, CryptoError> {
        let first = extract(b"EIPC/2 audit key", key)?;
        let id = expand::<8>(&first, &[b"EIPC/2 audit key id"])?;
        Ok(Self { first: LineKey(first), id: u64::from_be_bytes(*id.expose()) })
    }

    /// Returns the public name of the key, which the first line of a chain tells.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn first(&self) -> LineKey {
        self.first.duplicate()
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AuditKey({:016x})", self.id)
    }
}

/// The key of one line.
pub(super) struct LineKey(pub(super) Secret<32>);

impl LineKey {
    /// Derives the key of the next line.
    pub(super) fn next(&self) -> Result<Self> {
        expand(&self.0, &[b"EIPC/2 audit evolve"]).map(Self).map_err(internal)
    }

    pub(super) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }
}

impl fmt::Debug for LineKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LineKey")
    }
}

/// Writes what the hash of a line covers to `out`. `covered` is the line up to its last `prev` digit's quote.
fn message(prev: &[u8; 32], covered: &[u8], out: &mut Vec<u8>) {
    out.clear();
    for part in [LABEL, prev, covered, b"}"] {
        out.extend_from_slice(part);
    }
}

/// Makes the hash of a line. `scratch` saves an allocation per line.
pub(super) fn hash(
    key: Option<&LineKey>,
    prev: &[u8; 32],
    covered: &[u8],
    scratch: &mut Vec<u8>,
) -> [u8; 32] {
    message(prev, covered, scratch);
    match key {
        Some(LineKey(key)) => MacKey::new(key.expose()).sign(scratch),
        None => sha256(&[scratch]),
    }
}

/// Tells whether a line has the hash that is made of it and of the `prev` it names.
pub(super) fn has_its_hash(key: Option<&LineKey>, line: &Line<'_>, scratch: &mut Vec<u8>) -> bool {
    message(&line.prev, line.covered, scratch);
    match key {
        Some(LineKey(key)) => MacKey::new(key.expose()).verify(scratch, &line.hash),
        None => sha256(&[scratch]) == line.hash,
    }
}

fn internal(_: CryptoError) -> Error {
    Error::new(Code::Internal, "a key could not be derived")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_text() {
        // python: hmac(b"EIPC/2 audit key", bytes([0x81] * 32)), then HKDF-Expand with the labels of docs/audit.md
        let key = AuditKey::new(&[0x81; 32]).unwrap();
        assert_eq!(key.first.0.expose()[..8], [0xa4, 0x76, 0x59, 0x9a, 0xd5, 0x45, 0xcd, 0x23]);
        assert_eq!(key.id(), 0xd878_a356_c6cd_7b43);
        let second = key.first().next().unwrap();
        assert_eq!(second.0.expose()[..8], [0x19, 0x5f, 0xbe, 0xa0, 0x54, 0x50, 0x18, 0xaa]);
        assert!(!format!("{key:?} {:?}", key.first()).contains("81818181"));
    }

    #[test]
    fn short_keys_are_refused() {
        assert_eq!(AuditKey::new(&[0x81; 31]).unwrap_err().code, Code::Key);
        assert_eq!(AuditKey::new(&[]).unwrap_err().code, Code::Key);
        assert_ne!(AuditKey::new(&[0x82; 32]).unwrap().id(), AuditKey::new(&[0x83; 32]).unwrap().id());
    }
}
