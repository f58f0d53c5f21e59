//! The keys of v1 and the table a server keeps of them (`docs/wire.md`, "v1, hardened").
//!
//! Identity is the key that verifies: a v1 frame has no key id, therefore every provisioned key is tried,
//! and no two may be the same key. Key files and rotation are the owner's and deliberately not here.

use super::handshake::can_tell;
use super::is_id;
use crate::crypto::mac::MacKey;
use crate::error::{Code, Error, Result};
use crate::time::Time;
use core::fmt;
use std::sync::Arc;

/// A key for v1 sessions. The key itself is not kept, only what HMAC made of it.
pub struct Key {
    mac: MacKey,
    is_short: bool,
}

/// The shortest key of a session. The original's are text of any length.
const MIN_LEN: usize = 16;
/// Keys below this deserve a warning.
const RECOMMENDED_LEN: usize = 32;
/// What two keys are compared by. It cannot be a frame or a nonce: it has 24 bytes and no version.
const PROBE: &[u8; 24] = b"EIPC v1: the same key? \0";

impl Key {
    /// Prepares a key.
    ///
    /// # Errors
    /// [`Code::Key`] below 16 bytes.
    pub fn new(key: &[u8]) -> Result<Self> {
        if key.len() < MIN_LEN {
            return Err(Error::with(Code::Key, format!("{} bytes, at least 16 are needed", key.len())));
        }
        Ok(Self { mac: MacKey::new(key), is_short: key.len() < RECOMMENDED_LEN })
    }

    /// Tells whether the key is shorter than the 32 bytes everybody should use; the owner warns.
    #[must_use]
    pub const fn is_short(&self) -> bool {
        self.is_short
    }

    /// Tells whether `key` makes the same tags: equal bytes, or bytes that HMAC takes for equal because it
    /// pads a key with zeros to 64 bytes and hashes a longer one.
    #[must_use]
    pub fn has_bytes(&self, key: &[u8]) -> bool {
        self.mac.verify(PROBE, &MacKey::new(key).sign(PROBE))
    }

    /// Tells whether `other` makes the same tags, as [`Key::has_bytes`] does for bytes.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.mac.verify(PROBE, &other.mac.sign(PROBE))
    }

    pub(in crate::session) const fn mac(&self) -> &MacKey {
        &self.mac
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("v1::Key")
    }
}

/// What belongs to a key: one service's identity and capabilities.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The key.
    pub key: Arc<Key>,
    /// Whose key it is.
    pub service_id: String,
    /// What the service may do, as the server tells it.
    pub capabilities: Arc<[String]>,
}

/// The keys a server tries, at most 64.
#[derive(Clone, Debug, Default)]
pub struct KeyTable(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    credential: Credential,
    /// The first moment at which the key is refused.
    ends: Option<Time>,
}

/// A frame of a stranger costs one HMAC per key.
const MAX_KEYS: usize = 64;

impl KeyTable {
    /// Makes an empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service's key. A service may have several, for rotation.
    ///
    /// # Errors
    /// [`Code::Key`] when the service id is not an id, the same key is in the table, or 64 others are;
    /// [`Code::MessageTooLarge`] for more capabilities than the handshake can tell, some 3 000 bytes.
    pub fn insert(&mut self, service_id: &str, key: Arc<Key>, capabilities: &[String]) -> Result<()> {
        let refused = |why| Err(Error::new(Code::Key, why));
        if !is_id(service_id) {
            return refused("a v1 service id is 1..=64 bytes without control characters");
        }
        if self.0.len() >= MAX_KEYS {
            return refused("more than 64 keys for v1");
        }
        if self.has(&key) {
            return refused("the same key twice, perhaps padded with zeros or hashed");
        }
        check_capabilities(capabilities)?;
        let credential =
            Credential { key, service_id: service_id.to_owned(), capabilities: capabilities.into() };
        self.0.push(Entry { credential, ends: None });
        Ok(())
    }

    /// Says anew what a service may do, for sessions that begin from now on.
    ///
    /// # Errors
    /// [`Code::MessageTooLarge`] for more capabilities than the handshake can tell; nothing is changed then.
    pub fn grant(&mut self, service_id: &str, capabilities: &[String]) -> Result<()> {
        check_capabilities(capabilities)?;
        for entry in self.0.iter_mut().filter(|entry| entry.credential.service_id == service_id) {
            entry.credential.capabilities = capabilities.into();
        }
        Ok(())
    }

    /// Has a key refused from `ends` on; `None` keeps it. Live sessions go on.
    pub fn end(&mut self, key: &Key, ends: Option<Time>) {
        for entry in self.0.iter_mut().filter(|entry| entry.credential.key.is_same(key)) {
            entry.ends = ends;
        }
    }

    /// Removes a key. Live sessions are the owner's to close.
    pub fn remove(&mut self, key: &Key) {
        self.0.retain(|entry| !entry.credential.key.is_same(key));
    }

    /// Removes the keys whose end has come.
    pub(super) fn forget_ended(&mut self, now: Time) {
        self.0.retain(|entry| entry.ends.is_none_or(|ends| now < ends));
    }

    /// Tells whether a key is in the table.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.0.iter().any(|entry| entry.credential.key.is_same(key))
    }

    /// Finds the key that made `tag`.
    pub(super) fn find(&self, signed: &[u8], tag: &[u8]) -> Option<Credential> {
        let entry = self.0.iter().find(|entry| entry.credential.key.mac.verify(signed, tag))?;
        Some(entry.credential.clone())
    }
}

fn check_capabilities(capabilities: &[String]) -> Result<()> {
    if can_tell(capabilities) {
        return Ok(());
    }
    Err(Error::new(Code::MessageTooLarge, "more capabilities than the handshake can tell"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::digest::sha256;

    fn key(bytes: &[u8]) -> Arc<Key> {
        Arc::new(Key::new(bytes).unwrap())
    }

    #[test]
    fn short_keys_are_refused_or_marked() {
        assert_eq!(Key::new(&[7; 15]).unwrap_err().code, Code::Key);
        assert!(key(&[7; 16]).is_short() && key(&[7; 31]).is_short());
        assert!(!key(&[7; 32]).is_short() && !key(&[7; 200]).is_short());
        assert_eq!(format!("{:?}", key(&[7; 16])), "v1::Key");
    }

    #[test]
    fn a_key_is_in_the_table_once_however_it_is_spelled() {
        let short = [7; 20];
        let long = [9; 65];
        let exactly_one_block = [5; 64];
        let mut table = KeyTable::new();
        for (service, bytes) in [("short", &short[..]), ("long", &long), ("block", &exactly_one_block)] {
            table.insert(service, key(bytes), &[]).unwrap();
        }
        let zeros = |bytes: &[u8], count| [bytes, &vec![0; count]].concat();
        for same in [
            short.to_vec(),
            zeros(&short, 1),
            zeros(&short, 44),
            long.to_vec(),
            sha256(&[&long]).to_vec(),
            zeros(&sha256(&[&long]), 32),
            exactly_one_block.to_vec(),
        ] {
            for service in ["other", "short"] {
                assert_eq!(table.insert(service, key(&same), &[]).unwrap_err().code, Code::Key, "{same:?}");
            }
            assert_eq!(["short", "long", "block"].len(), table.0.len());
        }
        // Another key, or another once HMAC has hashed it.
        for other in [zeros(&short, 45), zeros(&exactly_one_block, 1), vec![7; 21], [0; 16].to_vec()] {
            table.insert("other", key(&other), &[]).unwrap();
        }
        assert!(table.insert("rotated", key(&[1; 32]), &[]).is_ok());
        assert!(table.insert("rotated", key(&[2; 32]), &[]).is_ok());
    }

    #[test]
    fn capabilities_fit_into_the_handshake() {
        let insert = |length| KeyTable::new().insert("a", key(&[1; 16]), &["c".repeat(length)]);
        assert_eq!(insert(200), Ok(()));
        // 3 072 bytes with everything around them.
        let token = "0".repeat(64);
        let around = format!(r#"{{"status":"ok","session_token":"{token}","capabilities":[""]}}"#).len();
        assert_eq!(insert(3_072 - around), Ok(()));
        assert_eq!(insert(3_072 - around + 1).unwrap_err().code, Code::MessageTooLarge);
    }

    #[test]
    fn a_key_knows_its_own_bytes() {
        assert!(key(&[7; 20]).has_bytes(&[7; 20]) && !key(&[7; 20]).has_bytes(&[7; 21]));
        assert!(key(&[7; 20]).has_bytes(&[&[7; 20][..], &[0]].concat()));
    }

    #[test]
    fn a_key_can_be_given_an_end_and_taken_away() {
        let [one, two] = [key(&[1; 32]), key(&[2; 32])];
        let tags = [&one, &two].map(|key| key.mac().sign(b"frame"));
        let mut table = KeyTable::new();
        table.insert("a", Arc::clone(&one), &[]).unwrap();
        table.insert("a", Arc::clone(&two), &[]).unwrap();
        let found = |table: &KeyTable| tags.each_ref().map(|tag| table.find(b"frame", tag).is_some());
        table.end(&one, Some(Time(10)));
        table.forget_ended(Time(9));
        assert_eq!(found(&table), [true, true]);
        table.forget_ended(Time(10));
        assert_eq!((found(&table), table.has(&one), table.has(&two)), ([false, true], false, true));
        table.insert("a", Arc::clone(&one), &[]).unwrap();
        table.end(&one, Some(Time(20)));
        table.end(&one, None);
        table.forget_ended(Time(20));
        assert_eq!(found(&table), [true, true], "an end can be taken back");
        table.remove(&two);
        assert_eq!(found(&table), [true, false]);
        table.remove(&two);
        table.end(&two, Some(Time(0)));
        table.forget_ended(Time(0));
        assert_eq!(found(&table), [true, false], "what is not there has no end");
    }

    #[test]
    fn a_table_has_ids_and_64_keys_and_finds_the_one_that_signed() {
        let mut table = KeyTable::new();
        for wrong in ["", "a\nb", "a\0", "\u{7f}", &"x".repeat(65)] {
            assert_eq!(table.insert(wrong, key(&[1; 16]), &[]).unwrap_err().code, Code::Key);
        }
        assert_eq!(KeyTable::new().insert(&"x".repeat(64), key(&[1; 16]), &[]), Ok(()));
        for number in 1..=64 {
            table.insert(&format!("service.{number}"), key(&[number; 16]), &[]).unwrap();
        }
        assert_eq!(table.insert("more", key(&[65; 16]), &[]).unwrap_err().code, Code::Key);
        for number in 1..=64 {
            let tag = key(&[number; 16]).mac().sign(b"frame");
            assert_eq!(table.find(b"frame", &tag).unwrap().service_id, format!("service.{number}"));
        }
        assert!(table.find(b"frame", &key(&[65; 16]).mac().sign(b"frame")).is_none());
        assert!(table.find(b"frame", &[]).is_none());
    }

    #[test]
    fn a_grant_is_for_every_key_of_one_service_and_for_no_more_than_the_handshake_can_tell() {
        let mut table = KeyTable::new();
        for (service, byte) in [("a", 1), ("a", 2), ("b", 3)] {
            table.insert(service, key(&[byte; 32]), &["ui:control".into()]).unwrap();
        }
        let told = |table: &KeyTable, byte| {
            let tag = key(&[byte; 32]).mac.sign(b"signed");
            table.find(b"signed", tag.as_ref()).unwrap().capabilities
        };
        table.grant("a", &["device:write".into()]).unwrap();
        assert_eq!(
            (&*told(&table, 1), &*told(&table, 2)),
            (&["device:write".to_owned()][..], &["device:write".to_owned()][..])
        );
        assert_eq!(*told(&table, 3), ["ui:control"]);
        let many = vec!["c".repeat(255); 20];
        assert_eq!(table.grant("a", &many).unwrap_err().code, Code::MessageTooLarge);
        assert_eq!(*told(&table, 1), ["device:write"]);
    }
}
