//! How the hashes of a log can be checked: with the key of each line, without any, or not at all.

use super::key::{AuditKey, LineKey, has_its_hash};
use super::line::{ACTION_BEGIN, ACTION_ROTATE, Line};
use super::verdict::Check;

/// What the hash of the next line is checked with.
#[derive(Debug)]
pub(super) enum Proof {
    Keyed(LineKey),
    Plain,
    /// The chain has a key that is not here.
    Structure,
}

/// The first line of a chain, or of a file that goes on with one.
pub(super) struct First {
    /// What the line behind it is checked with.
    pub(super) next: Proof,
    /// The key it says it was made with.
    pub(super) key_id: Option<u64>,
}

/// Why a line is not good as the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotFirst {
    /// It is a line from inside of a file.
    Place,
    /// It names another key than the one given.
    Key,
    /// Its hash does not fit.
    Hash,
    /// It does not say whether there is a key.
    Claim,
}

/// How far a first line may be from the chain's: more than anybody writes into one chain, and a bound for what
/// a made-up number can cost.
const MAX_FIRST: u64 = 1 << 27;

impl Proof {
    /// Tells whether a line has the hash that is made of it and of the `prev` it names.
    pub(super) fn holds(&self, line: &Line<'_>, scratch: &mut Vec<u8>) -> bool {
        match self {
            Self::Keyed(key) => has_its_hash(Some(key), line, scratch),
            Self::Plain => has_its_hash(None, line, scratch),
            Self::Structure => true,
        }
    }

    /// Returns the proof of the line `steps` further.
    pub(super) fn ahead(&self, steps: u64) -> Option<Self> {
        let Self::Keyed(key) = self else { return Some(self.duplicate()) };
        let mut key = key.duplicate();
        for _ in 0..steps {
            key = key.next().ok()?;
        }
        Some(Self::Keyed(key))
    }

    fn duplicate(&self) -> Self {
        match self {
            Self::Keyed(key) => Self::Keyed(key.duplicate()),
            Self::Plain => Self::Plain,
            Self::Structure => Self::Structure,
        }
    }

    pub(super) const fn check(&self) -> Check {
        match self {
            Self::Keyed(_) => Check::Key,
            Self::Plain => Check::Hash,
            Self::Structure => Check::Structure,
        }
    }
}

impl First {
    /// Checks a line as the first one of a log. Without a key, its own word decides whether there is one.
    pub(super) fn check(
        line: &Line<'_>,
        key: Option<&AuditKey>,
        scratch: &mut Vec<u8>,
    ) -> Result<Self, NotFirst> {
        let is_begin = line.number == 1 && line.prev == [0; 32] && line.action == ACTION_BEGIN;
        let is_rotate = (2..=MAX_FIRST).contains(&line.number) && line.action == ACTION_ROTATE;
        if !is_begin && !is_rotate {
            return Err(NotFirst::Place);
        }
        let claim = claim(line.result).ok_or(NotFirst::Claim)?;
        let proof = match (key, claim) {
            (Some(key), _) => {
                let proof = Proof::Keyed(key.first()).ahead(line.number - 1).ok_or(NotFirst::Hash)?;
                if !proof.holds(line, scratch) {
                    return Err(if claim == Some(key.id()) { NotFirst::Hash } else { NotFirst::Key });
                }
                proof
            }
            (None, None) => Proof::Plain,
            // A chain without a key that says it has one would be checked less.
            (None, Some(_)) if has_its_hash(None, line, scratch) => return Err(NotFirst::Claim),
            (None, Some(_)) => Proof::Structure,
        };
        if !proof.holds(line, scratch) {
            return Err(NotFirst::Hash);
        }
        let next = proof.ahead(1).ok_or(NotFirst::Hash)?;
        Ok(Self { next, key_id: claim })
    }
}

/// Reads `no key` or `key 0123456789abcdef`, alone or before a semicolon.
fn claim(result: &str) -> Option<Option<u64>> {
    let (word, _) = result.split_once(';').unwrap_or((result, ""));
    if word == "no key" {
        return Some(None);
    }
    let digits = word.strip_prefix("key ")?;
    let is_plain =
        digits.len() == 16 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    u64::from_str_radix(digits, 16).ok().filter(|_| is_plain).map(Some)
}

#[cfg(test)]
mod tests;
