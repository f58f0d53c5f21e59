//! The first bad line, and the rest of the log that tells what became of it: whether the line that belongs
//! there comes later, whether this one does again, and whether others that come after it are there.

use super::key::AuditKey;
use super::line::{ACTION_ROTATE, Line};
use super::proof::{First, NotFirst, Proof};
use super::verdict::{Fault, Reason};
use core::cmp::Ordering;

/// How far behind the expected line another one is compared with its key, and a bound for what numbers that
/// somebody made up can cost.
const FAR: u64 = 1 << 20;
const NEAR: u64 = 64;
const MAX_TRIES: u32 = 256;

/// What should have stood in the place of the bad line.
pub(super) enum Expected {
    /// The first line of a log.
    First,
    Line {
        number: u64,
        prev: [u8; 32],
        proof: Proof,
    },
}

/// What stands there, by its own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A line of before.
    Past,
    /// A line of later, with the hash it should have.
    Future,
    /// The line itself, or none.
    Other,
}

/// A line that is not the expected one.
pub(super) struct Suspect {
    file: usize,
    line: u64,
    expected: Expected,
    bytes: Vec<u8>,
    kind: Kind,
    detail: String,
    /// What it is whatever comes.
    settled: Option<Reason>,
    names_another_key: bool,
    is_expected_later: bool,
    is_here_again: bool,
    goes_on: bool,
    tries: u32,
}

impl Suspect {
    /// Looks at a line that was not good.
    pub(super) fn new(
        place: (usize, u64),
        bytes: &[u8],
        expected: Expected,
        key: Option<&AuditKey>,
        scratch: &mut Vec<u8>,
    ) -> Self {
        let mut suspect = Self { bytes: bytes.to_vec(), ..Self::at(place, expected) };
        suspect.detail = match Line::parse(bytes) {
            Err(why) => why.to_owned(),
            Ok(line) => suspect.judge(&line, key, scratch),
        };
        suspect
    }

    /// Makes one whose reason is known.
    pub(super) fn settled(place: (usize, u64), expected: Expected, reason: Reason, detail: String) -> Self {
        Self { settled: Some(reason), detail, ..Self::at(place, expected) }
    }

    const fn at((file, line): (usize, u64), expected: Expected) -> Self {
        Self {
            file,
            line,
            expected,
            bytes: Vec::new(),
            kind: Kind::Other,
            detail: String::new(),
            settled: None,
            names_another_key: false,
            is_expected_later: false,
            is_here_again: false,
            goes_on: false,
            tries: 0,
        }
    }

    fn number(&self) -> u64 {
        match &self.expected {
            Expected::First => 1,
            Expected::Line { number, .. } => *number,
        }
    }

    fn judge(&mut self, line: &Line<'_>, key: Option<&AuditKey>, scratch: &mut Vec<u8>) -> String {
        let expected = self.number();
        if let Expected::First = self.expected {
            match First::check(line, key, scratch).map(drop) {
                Err(NotFirst::Key) => {
                    self.names_another_key = true;
                    return "it was made with another key, or with none".to_owned();
                }
                Err(NotFirst::Claim) => {
                    return "it does not say rightly whether the chain has a key".to_owned();
                }
                Err(NotFirst::Hash) => return "its hash is not the one of its content".to_owned(),
                Err(NotFirst::Place) | Ok(()) => {}
            }
        }
        // A line that links to the one before stands where it was written, whatever its number says.
        let is_linked = matches!(&self.expected, Expected::Line { prev, .. } if *prev == line.prev);
        match line.number.cmp(&expected) {
            Ordering::Equal => {
                return match &self.expected {
                    Expected::Line { proof, .. } if proof.holds(line, scratch) => {
                        "it does not go on where the line before ends".to_owned()
                    }
                    _ => "its hash is not the one of its content".to_owned(),
                };
            }
            Ordering::Less if !is_linked => self.kind = Kind::Past,
            Ordering::Greater if !is_linked && self.is_of_chain(line, FAR, key, scratch) => {
                self.kind = Kind::Future;
            }
            Ordering::Less | Ordering::Greater => {}
        }
        format!("line number {} stands where {expected} belongs", line.number)
    }

    /// Takes a line that comes later.
    pub(super) fn see(&mut self, bytes: &[u8], key: Option<&AuditKey>, scratch: &mut Vec<u8>) {
        if self.settled.is_some() {
            return;
        }
        self.is_here_again |= bytes == self.bytes;
        let Ok(line) = Line::parse(bytes) else { return };
        if !self.is_expected_later {
            self.is_expected_later = self.is_expected(&line, key, scratch);
        }
        if !self.goes_on && line.number > self.number() {
            self.goes_on = self.is_of_chain(&line, NEAR, key, scratch);
        }
    }

    fn is_expected(&mut self, line: &Line<'_>, key: Option<&AuditKey>, scratch: &mut Vec<u8>) -> bool {
        match &self.expected {
            Expected::First => {
                // The key of a first line that is not the chain's is some way off.
                self.tries += u32::from(line.action == ACTION_ROTATE);
                self.tries <= MAX_TRIES && First::check(line, key, scratch).is_ok()
            }
            Expected::Line { number, prev, proof } => {
                line.number == *number && line.prev == *prev && proof.holds(line, scratch)
            }
        }
    }

    /// Tells whether a line of later has the hash that it should have, as far as can be told.
    fn is_of_chain(
        &mut self,
        line: &Line<'_>,
        most: u64,
        key: Option<&AuditKey>,
        scratch: &mut Vec<u8>,
    ) -> bool {
        let steps = line.number.saturating_sub(self.number());
        self.tries += u32::from(steps <= most);
        if steps > most || self.tries > MAX_TRIES {
            return most == FAR;
        }
        let proof = match (&self.expected, key) {
            (Expected::Line { proof, .. }, _) => proof.ahead(steps),
            (Expected::First, Some(key)) => Proof::Keyed(key.first()).ahead(steps),
            (Expected::First, None) => Some(Proof::Structure),
        };
        proof.is_some_and(|proof| proof.holds(line, scratch))
    }

    /// Says what became of the expected line, once everything was seen.
    pub(super) fn into_fault(self) -> Fault {
        let number = self.number();
        let (later, again) = (self.is_expected_later, self.is_here_again);
        let reason = self.settled.unwrap_or(match self.kind {
            Kind::Future if later && !again => Reason::Swapped,
            Kind::Future if !again => Reason::Deleted,
            Kind::Past if !self.goes_on => Reason::Inserted,
            _ if later => Reason::Inserted,
            _ if self.names_another_key && !self.goes_on => Reason::Key,
            _ => Reason::Changed,
        });
        let Self { file, line, detail, .. } = self;
        Fault { file, line, number, reason, detail }
    }
}

#[cfg(test)]
mod tests;
