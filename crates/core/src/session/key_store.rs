//! Where a server finds the key of a ClientHello: by service id and key id.
//!
//! Identity comes from the key that verifies; the store says which service and rights belong to it, and until
//! when. It can be changed while a server uses it ([`LiveKeys`]). Key files, who decides on a change and the
//! sessions of a key that was taken away are the owner's and deliberately not here.

use super::keys::Psk;
use crate::error::{Code, Error, Result};
use crate::time::Time;
use crate::wire::limits::is_id;
use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

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
    /// Finds the key `key_id` of the service `service_id`, if it is good at `now`. Asked when a handshake
    /// begins and once more when the client has proved itself, so that a key that was taken away in between
    /// opens no session.
    fn find(&self, service_id: &str, key_id: u64, now: Time) -> Option<Credential>;
}

impl<T: KeyStore + ?Sized> KeyStore for Arc<T> {
    fn find(&self, service_id: &str, key_id: u64, now: Time) -> Option<Credential> {
        T::find(self, service_id, key_id, now)
    }
}

/// A table of keys that can be changed while a server uses it.
#[derive(Debug, Default)]
pub struct LiveKeys<T = KeyTable>(RwLock<T>);

impl<T> LiveKeys<T> {
    /// Takes a table over.
    #[must_use]
    pub const fn new(table: T) -> Self {
        Self(RwLock::new(table))
    }

    /// Changes the table. Handshakes see it before or after the whole change.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        // A change that panicked half-way has at most left a key in or out.
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl KeyStore for LiveKeys {
    fn find(&self, service_id: &str, key_id: u64, now: Time) -> Option<Credential> {
        self.look(|table| table.find(service_id, key_id, now))
    }
}

/// The keys of a server, in memory. A service may have several, for rotation.
#[derive(Debug, Default)]
pub struct KeyTable {
    keys: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    owner: String,
    credential: Credential,
    /// The first moment at which the key is refused.
    ends: Option<Time>,
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
        if self.keys.get(&psk.key_id()).is_some_and(|entry| entry.owner != service_id) {
            return Err(Error::new(Code::Key, "two services have the same key"));
        }
        let credential = Credential { capabilities: capabilities.into(), psk };
        let key_id = credential.psk.key_id();
        self.keys.insert(key_id, Entry { owner: service_id.to_owned(), credential, ends: None });
        Ok(())
    }

    /// Says anew what a service may do, for sessions that begin from now on.
    pub fn grant(&mut self, service_id: &str, capabilities: &[String]) {
        for entry in self.keys.values_mut().filter(|entry| entry.owner == service_id) {
            entry.credential.capabilities = capabilities.into();
        }
    }

    /// Has a key refused from `ends` on; `None` keeps it. Live sessions go on.
    pub fn end(&mut self, key_id: u64, ends: Option<Time>) {
        if let Some(entry) = self.keys.get_mut(&key_id) {
            entry.ends = ends;
        }
    }

    /// Removes a key. Live sessions are the owner's to close.
    pub fn remove(&mut self, key_id: u64) {
        self.keys.remove(&key_id);
    }
}

impl KeyStore for KeyTable {
    fn find(&self, service_id: &str, key_id: u64, now: Time) -> Option<Credential> {
        let Entry { owner, credential, ends } = self.keys.get(&key_id)?;
        (owner == service_id && ends.is_none_or(|ends| now < ends)).then(|| credential.clone())
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
        let capabilities = table.find("a", psk.key_id(), Time(0)).unwrap().capabilities;
        assert_eq!(*capabilities, ["ui:control"], "the same service may say so again");
        assert!(table.find("a", psk.key_id(), Time(0)).is_some());
        assert!(table.find("b", psk.key_id(), Time(0)).is_none());
        table.remove(psk.key_id());
        assert!(table.find("a", psk.key_id(), Time(0)).is_none());
    }

    #[test]
    fn a_grant_is_for_every_key_of_one_service() {
        let psks = [0x81, 0x82, 0x83].map(|byte| Arc::new(Psk::new(&[byte; 32]).unwrap()));
        let mut table = KeyTable::new();
        for (owner, psk) in ["a", "a", "b"].iter().zip(&psks) {
            table.insert(owner, Arc::clone(psk), &["ui:control".into()]).unwrap();
        }
        table.grant("a", &["device:write".into()]);
        let told = |owner, psk: &Psk| table.find(owner, psk.key_id(), Time(0)).unwrap().capabilities;
        assert_eq!(*told("a", &psks[0]), ["device:write"]);
        assert_eq!(*told("a", &psks[1]), ["device:write"]);
        assert_eq!(*told("b", &psks[2]), ["ui:control"]);
    }

    #[test]
    fn a_key_is_good_until_its_end_and_an_end_can_be_moved() {
        let psk = Arc::new(Psk::new(&[0x81; 32]).unwrap());
        let mut table = KeyTable::new();
        table.insert("a", Arc::clone(&psk), &[]).unwrap();
        let id = psk.key_id();
        let is_good = |table: &KeyTable, now| table.find("a", id, Time(now)).is_some();
        assert!(is_good(&table, u64::MAX));
        table.end(id, Some(Time(10)));
        assert!(is_good(&table, 9) && !is_good(&table, 10) && !is_good(&table, 11));
        table.end(id, Some(Time(20)));
        assert!(is_good(&table, 19) && !is_good(&table, 20));
        table.end(id, None);
        assert!(is_good(&table, 20));
        table.end(1, Some(Time(0)));
        assert!(is_good(&table, 20), "of another key");
    }

    #[test]
    fn a_table_is_changed_while_it_is_used() {
        let psk = Arc::new(Psk::new(&[0x81; 32]).unwrap());
        let keys = Arc::new(LiveKeys::new(KeyTable::new()));
        let store: Box<dyn KeyStore> = Box::new(Arc::clone(&keys));
        let is_there = || store.find("a", psk.key_id(), Time(0)).is_some();
        assert!(!is_there());
        keys.change(|table| table.insert("a", Arc::clone(&psk), &[])).unwrap();
        assert!(is_there());
        keys.change(|table| table.remove(psk.key_id()));
        assert!(!is_there());
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
