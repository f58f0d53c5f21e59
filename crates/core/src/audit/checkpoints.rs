//! Checkpoints (`docs/audit.md`): a line's number and hash, in a file that is kept elsewhere. A tail that was
//! cut off shows against one, and so does a chain without a key that was made anew.

use super::MAX_NUMBER;
use crate::error::{Code, Error, Result};
use crate::hex;
use std::collections::BTreeMap;

/// The checkpoints of one chain.
#[derive(Clone, Debug, Default)]
pub struct Checkpoints(BTreeMap<u64, [u8; 32]>);

impl Checkpoints {
    /// Reads a checkpoint file. A last line without its end was being written and is no checkpoint yet.
    ///
    /// # Errors
    /// [`Code::AuditDamaged`] for a line that is none, and for two hashes of one line.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut found = BTreeMap::new();
        for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let Some(line) = line.strip_suffix(b"\n") else { break };
            let damaged = |what| Error::with(Code::AuditDamaged, format!("checkpoint {}: {what}", at + 1));
            let (number, hash) = parse(line).ok_or_else(|| damaged("it is not {\"n\":…,\"h\":…}"))?;
            if *found.entry(number).or_insert(hash) != hash {
                return Err(damaged("another one gives its line another hash"));
            }
        }
        Ok(Self(found))
    }

    /// Returns the hash of a line, if there is a checkpoint of it.
    pub(super) fn hash(&self, number: u64) -> Option<&[u8; 32]> {
        self.0.get(&number)
    }

    /// Returns the last line of which there is a checkpoint.
    pub(super) fn last(&self) -> Option<u64> {
        self.0.last_key_value().map(|(number, _)| *number)
    }
}

/// Writes one.
pub(super) fn write(number: u64, hash: &[u8; 32]) -> String {
    format!("{{\"n\":{number},\"h\":\"{}\"}}\n", hex::encode(hash))
}

fn parse(line: &[u8]) -> Option<(u64, [u8; 32])> {
    let text = core::str::from_utf8(line).ok()?;
    let (number, hash) = text.strip_prefix("{\"n\":")?.strip_suffix("\"}")?.split_once(",\"h\":\"")?;
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
    let number = number.parse().ok().filter(|number| is_plain && *number <= MAX_NUMBER)?;
    let is_small = hash.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    Some((number, hex::decode(hash).filter(|_| is_small)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(number: &str, hash: &str) -> String {
        format!("{{\"n\":{number},\"h\":\"{hash}\"}}\n")
    }

    #[test]
    fn what_is_written_is_read() {
        let text = write(17, &[0xa1; 32]);
        assert_eq!(text, checkpoint("17", &"a1".repeat(32)));
        assert_eq!(Checkpoints::parse(text.as_bytes()).unwrap().hash(17), Some(&[0xa1; 32]));
    }

    #[test]
    fn a_file_of_checkpoints_is_read() {
        let (one, two) = ("0a".repeat(32), "0b".repeat(32));
        let file = [checkpoint("1000", &one), checkpoint("2000", &two), checkpoint("2000", &two)].concat();
        let read = Checkpoints::parse(file.as_bytes()).unwrap();
        assert_eq!((read.hash(1_000), read.hash(2_000)), (Some(&[10; 32]), Some(&[11; 32])));
        assert_eq!((read.hash(1), read.last()), (None, Some(2_000)));
        let last = checkpoint("9007199254740991", &one);
        assert_eq!(Checkpoints::parse(last.as_bytes()).unwrap().last(), Some(MAX_NUMBER));
        let torn = &file.as_bytes()[..file.len() - 1];
        assert_eq!(Checkpoints::parse(torn).unwrap().last(), Some(2_000));
        assert_eq!(Checkpoints::parse(b"").unwrap().last(), None);
    }

    #[test]
    fn what_is_no_checkpoint_is_named() {
        let hash = "0a".repeat(32);
        for (number, hash) in [
            ("01", hash.as_str()),
            ("", &hash),
            ("+1", &hash),
            ("9007199254740992", &hash),
            ("1", &hash[1..]),
            ("1", &hash.to_uppercase()),
        ] {
            let error = Checkpoints::parse(checkpoint(number, hash).as_bytes()).unwrap_err();
            assert_eq!(error.code, Code::AuditDamaged, "{number} {hash}");
        }
        for wrong in ["\n", "{}\n", "{\"n\":1}\n"] {
            assert!(Checkpoints::parse(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        let twice = [checkpoint("1", &hash), checkpoint("1", &"0b".repeat(32))].concat();
        let error = Checkpoints::parse(twice.as_bytes()).unwrap_err();
        assert_eq!(error.context, "checkpoint 2: another one gives its line another hash");
    }
}
