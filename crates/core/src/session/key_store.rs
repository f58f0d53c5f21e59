//! Where a server finds the key of a ClientHello: by service id and key id.
//!
//! Identity comes from the key that verifies; the store says which service and rights belong to it. Key
//! files, rotation and revocation are the owner's and deliberately not here.

use super::keys::Psk;
use crate::error::{Code, Error, Result};
use crate::wire::limits::is_id;
use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What belongs to a key: proof of one service's identity, and that service's capabilities.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The key.
    pub psk: Arc<Psk>,
    /// What the service may do, as SessionAccept tells it.
    pub capabilities: Arc<[String]>,
}

/// Finds keys. A lookup should take the same time whether or not it finds one.
pub trait KeyStore: Send + Sync + fmt::Debug {
    /// Finds the key `key_id` of the service `service_id`.
    fn find(&self, service_id: &str, key_id: u64) -> Option<Credential>;
}

/// The keys of a server, in memory. A service may have several, for rotation.
#[derive(Debug, Default)]
pub struct KeyTable {
    keys: BTreeMap<u64, (String, Credential)>,
}

impl KeyTable {
    /// Makes an empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key of a service.
    ///
    /// # Errors
    /// [`Code::Key`] when the service id is not an id, or another service already has this key: a key is
    /// an identity.
    pub fn insert(&mut self, service_id: &str, psk: Arc<Psk>, capabilities: &[String]) -> Result<()> {
        if !is_id(service_id) {
            return Err(Error::new(Code::Key, "a service id is 1..64 of [a-z0-9._-]"));
        }
        if self.keys.get(&psk.key_id()).is_some_and(|(owner, _)| owner != service_id) {
            return Err(Error::new(Code::Key, "two services have the same key"));
        }
        let credential = Credential { capabilities: capabilities.into(), psk };
        self.keys.insert(credential.psk.key_id(), (service_id.to_owned(), credential));
        Ok(())
    }

    /// Removes a key. Live sessions are the owner's to close.
    pub fn remove(&mut self, key_id: u64) {
        self.keys.remove(&key_id);
    }
}

impl KeyStore for KeyTable {
    fn find(&self, service_id: &str, key_id: u64) -> Option<Credential> {
        let (owner, credential) = self.keys.get(&key_id)?;
        (owner == service_id).then(|| credential.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_one_service() {
        let psk = Arc::new(Psk::new(&[0x81; 32]).unwrap());
        let mut table = KeyTable::new();
        table.insert("a", Arc::clone(&psk), &[]).unwrap();
        assert_eq!(table.insert("b", Arc::clone(&psk), &[]).unwrap_err().code, Code::Key);
        for wrong in ["", "B", "a b", &"x".repeat(65)] {
            let unused = Arc::new(Psk::new(&[0x82; 32]).unwrap());
            assert_eq!(table.insert(wrong, unused, &[]).unwrap_err().code, Code::Key, "{wrong:?}");
        }
        table.insert("a", Arc::clone(&psk), &["ui:control".into()]).unwrap();
        let capabilities = table.find("a", psk.key_id()).unwrap().capabilities;
        assert_eq!(*capabilities, ["ui:control"], "the same service may say so again");
        assert!(table.find("a", psk.key_id()).is_some());
        assert!(table.find("b", psk.key_id()).is_none());
        table.remove(psk.key_id());
        assert!(table.find("a", psk.key_id()).is_none());
    }

    #[test]
    fn short_keys_and_phrases_are_refused() {
        let made = |key: &[u8]| Psk::new(key).map(drop);
        let short = |length| Err(Error::with(Code::Key, format!("{length} bytes, at least 32 are needed")));
        let phrase = Err(Error::new(Code::Key, crate::session::keys::PHRASE));
        assert_eq!((made(&[0x81; 31]), made(&[]), made(&[b'a'; 31])), (short(31), short(0), short(31)));
        assert_eq!(made(b"correct horse battery staple, and more\n"), phrase);
        assert_eq!(made(&[b'a'; 32]), phrase);
        assert_eq!(made(&[0x81; 32]), Ok(()));
        assert!(Psk::dangerous_passphrase(b"correct horse battery staple, and more").is_ok());
        assert!(Psk::dangerous_passphrase(b"correct horse").is_err());
    }
}
