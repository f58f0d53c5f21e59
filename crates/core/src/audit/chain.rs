//! The end of a chain that grows: bodies become lines, each with the hash of the one before.
//!
//! Sealing is in two steps, because writing can fail: lines are [sealed](Chain::seal) ahead, and become part
//! of the chain when the owner says that they are [durable](Chain::commit). Until then the key of the last
//! durable line's successor is kept, and [`Chain::rollback`] goes back to it.

use super::key::{AuditKey, LineKey, has_its_hash, hash};
use super::line::{Line, MAX_LINE, check_body};
use super::{CHECKPOINT_EVERY, MAX_NUMBER, checkpoints, state};
use crate::crypto::secret::SecretBytes;
use crate::error::{Code, Error, Result};
use crate::hex;

/// A chain at its end.
#[derive(Debug)]
pub struct Chain {
    id: [u8; 32],
    key_id: Option<u64>,
    base: u64,
    durable: Position,
    sealed: Option<Position>,
    /// Checkpoints that are due, as they are written.
    due: String,
    scratch: Vec<u8>,
}

/// Where a chain stands: its last line, and what the next one needs.
#[derive(Debug)]
pub(super) struct Position {
    pub(super) number: u64,
    pub(super) hash: [u8; 32],
    /// Bytes of the file with this line.
    pub(super) size: u64,
    /// The key of the next line; none in a chain without a key.
    pub(super) key: Option<LineKey>,
    /// Checkpoints passed on the way here.
    passed: String,
}

impl Chain {
    /// Begins a chain. `id` is random, and tells it from all others.
    #[must_use]
    pub fn begin(id: [u8; 32], key: Option<&AuditKey>) -> Self {
        let start = Position::new(0, [0; 32], 0, key.map(AuditKey::first));
        Self::restored(id, key.map(AuditKey::id), 0, start)
    }

    /// Goes on where a state file says.
    ///
    /// # Errors
    /// [`Code::AuditDamaged`] for bytes that are none.
    pub fn resume(state: &[u8]) -> Result<Self> {
        state::read(state)
    }

    pub(super) fn restored(id: [u8; 32], key_id: Option<u64>, base: u64, durable: Position) -> Self {
        let (due, scratch) = (String::new(), Vec::with_capacity(MAX_LINE));
        Self { id, key_id, base, durable, sealed: None, due, scratch }
    }

    /// Returns the number of the last durable line; 0 before the first.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.durable.number
    }

    /// Returns the hash of the last durable line; zeros before the first.
    #[must_use]
    pub const fn hash(&self) -> &[u8; 32] {
        &self.durable.hash
    }

    /// Returns the number of the last line in earlier files.
    #[must_use]
    pub const fn base(&self) -> u64 {
        self.base
    }

    /// Returns how many bytes of the file are durable lines.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.durable.size
    }

    /// Returns what tells this chain from others.
    #[must_use]
    pub const fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// Returns the id of the key; none in a chain without.
    #[must_use]
    pub const fn key_id(&self) -> Option<u64> {
        self.key_id
    }

    pub(super) const fn durable(&self) -> &Position {
        &self.durable
    }

    /// Makes lines of `bodies`, each of which ends with a line feed, and appends them to `out`.
    ///
    /// # Errors
    /// [`Code::Internal`] for a body that is not canonical, and at the end of all numbers. Nothing is sealed
    /// then, and `out` is of no use.
    pub fn seal(&mut self, bodies: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let last = self.sealed.as_ref().unwrap_or(&self.durable);
        let mut position = last.duplicate();
        for body in bodies.split_inclusive(|byte| *byte == b'\n') {
            let body = body.strip_suffix(b"\n").ok_or(Error::new(Code::Internal, "a body does not end"))?;
            check_body(body).map_err(|why| Error::new(Code::Internal, why))?;
            position.append(body, out, &mut self.scratch)?;
        }
        self.sealed = Some(position);
        Ok(())
    }

    /// What was sealed is durable now. The keys of its lines are gone.
    pub fn commit(&mut self) {
        if let Some(sealed) = self.sealed.take() {
            self.durable = sealed;
            self.due.push_str(&core::mem::take(&mut self.durable.passed));
        }
    }

    /// What was sealed could not be written: the next line takes the place of its first.
    pub fn rollback(&mut self) {
        self.sealed = None;
    }

    /// Takes lines that were written and of which the state file knows nothing yet. Returns how many bytes of
    /// `tail`, which begins behind what is durable, are lines of this chain.
    pub fn recover(&mut self, tail: &[u8]) -> usize {
        let mut taken = 0;
        for line in tail.split_inclusive(|byte| *byte == b'\n') {
            if !self.takes(line) {
                break;
            }
            taken += line.len();
        }
        taken
    }

    fn takes(&mut self, bytes: &[u8]) -> bool {
        let Some(Ok(line)) = bytes.strip_suffix(b"\n").map(Line::parse) else { return false };
        let Position { number, hash, key, .. } = &self.durable;
        if line.number != number + 1
            || line.prev != *hash
            || !has_its_hash(key.as_ref(), &line, &mut self.scratch)
        {
            return false;
        }
        let Ok(key) = key.as_ref().map(LineKey::next).transpose() else { return false };
        let size = self.durable.size.saturating_add(bytes.len() as u64);
        self.durable = Position::new(line.number, line.hash, size, key);
        if line.number.is_multiple_of(CHECKPOINT_EVERY) {
            self.due.push_str(&self.checkpoint());
        }
        true
    }

    /// Goes on in a new file: the lines so far are in earlier ones.
    pub const fn begin_file(&mut self) {
        self.base = self.durable.number;
        self.durable.size = 0;
    }

    /// Returns the checkpoint of the last durable line, as it is written.
    #[must_use]
    pub fn checkpoint(&self) -> String {
        checkpoints::write(self.durable.number, &self.durable.hash)
    }

    /// Hands over the checkpoints of durable lines that are due, as they are written: one every
    /// [`CHECKPOINT_EVERY`] lines.
    pub fn take_checkpoints(&mut self) -> String {
        core::mem::take(&mut self.due)
    }

    /// Returns what the state file has to say of what is durable.
    #[must_use]
    pub fn state(&self) -> SecretBytes {
        state::write(self)
    }
}

impl Position {
    pub(super) const fn new(number: u64, hash: [u8; 32], size: u64, key: Option<LineKey>) -> Self {
        Self { number, hash, size, key, passed: String::new() }
    }

    fn duplicate(&self) -> Self {
        let Self { number, hash, size, key, passed } = self;
        let key = key.as_ref().map(LineKey::duplicate);
        Self { passed: passed.clone(), ..Self::new(*number, *hash, *size, key) }
    }

    fn append(&mut self, body: &[u8], out: &mut Vec<u8>, scratch: &mut Vec<u8>) -> Result<()> {
        if self.number >= MAX_NUMBER {
            return Err(Error::new(Code::Internal, "a chain has no number left"));
        }
        let start = out.len();
        out.extend_from_slice(format!("{{\"i\":{},", self.number + 1).as_bytes());
        out.extend_from_slice(body);
        out.extend_from_slice(b",\"prev\":\"");
        out.extend_from_slice(hex::encode(&self.hash).as_bytes());
        out.push(b'"');
        let covered = out.get(start..).unwrap_or_default();
        let hash = hash(self.key.as_ref(), &self.hash, covered, scratch);
        out.extend_from_slice(b",\"h\":\"");
        out.extend_from_slice(hex::encode(&hash).as_bytes());
        out.extend_from_slice(b"\"}\n");
        // The old key is wiped where the new one takes its place.
        self.key = self.key.as_ref().map(LineKey::next).transpose()?;
        self.number += 1;
        self.hash = hash;
        self.size = self.size.saturating_add((out.len() - start) as u64);
        if self.number.is_multiple_of(CHECKPOINT_EVERY) {
            self.passed.push_str(&checkpoints::write(self.number, &hash));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
