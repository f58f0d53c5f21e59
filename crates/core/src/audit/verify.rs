//! Reads a log as it comes, in chunks of any size, and finds the first bad line (`docs/audit.md`, "Verifying").

use super::checkpoints::Checkpoints;
use super::key::AuditKey;
use super::line::{ACTION_RECOVERED, Line, MAX_LINE};
use super::proof::{First, Proof};
use super::suspect::{Expected, Suspect};
use super::verdict::{Reason, Verdict};
use std::sync::Arc;

/// Verifies one chain, in one file or in several that follow one another.
pub struct Verifier {
    key: Option<Arc<AuditKey>>,
    checkpoints: Checkpoints,
    /// The last good line; none before the first.
    tip: Option<Tip>,
    suspect: Option<Suspect>,
    file: usize,
    /// Lines of this file so far, and of the one before.
    line: u64,
    ended_line: u64,
    /// The beginning of a line whose end has not come; at most one byte more than a line has.
    carry: Vec<u8>,
    scratch: Vec<u8>,
    verdict: Verdict,
}

struct Tip {
    number: u64,
    hash: [u8; 32],
    /// What the next line is checked with.
    proof: Proof,
}

impl Verifier {
    /// Makes a verifier. Without the key of a chain that has one, only its structure can be checked.
    #[must_use]
    pub fn new(key: Option<Arc<AuditKey>>, checkpoints: Checkpoints) -> Self {
        Self {
            key,
            checkpoints,
            tip: None,
            suspect: None,
            file: 0,
            line: 0,
            ended_line: 0,
            carry: Vec::new(),
            scratch: Vec::with_capacity(MAX_LINE),
            verdict: Verdict {
                lines: 0,
                first: 0,
                last: 0,
                hash: [0; 32],
                check: None,
                key_id: None,
                recoveries: 0,
                checkpoints: 0,
                fault: None,
            },
        }
    }

    /// Takes the next bytes of the file.
    pub fn feed(&mut self, chunk: &[u8]) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            match (part.strip_suffix(b"\n"), self.carry.is_empty()) {
                (Some(line), true) => self.take(line),
                (Some(end), false) => {
                    let mut line = core::mem::take(&mut self.carry);
                    keep(&mut line, end);
                    self.take(&line);
                    line.clear();
                    self.carry = line;
                }
                (None, _) => keep(&mut self.carry, part),
            }
        }
    }

    /// Ends a file. What is fed next is another one, which goes on where this one ended.
    pub fn end_file(&mut self) {
        if !self.carry.is_empty() {
            self.line += 1;
            self.carry.clear();
            let detail = "it does not end: it was being written when the machine stopped, or it was cut";
            self.settle(self.line, Reason::Torn, detail.to_owned());
        }
        self.file += 1;
        self.ended_line = core::mem::take(&mut self.line);
    }

    /// Returns what was found. Call it after the last [`Verifier::end_file`].
    #[must_use]
    pub fn finish(mut self) -> Verdict {
        let (file, line) = (self.file.saturating_sub(1), self.ended_line + 1);
        if self.suspect.is_none() {
            let last = self.verdict.last;
            let reached = self.checkpoints.last().filter(|checkpoint| *checkpoint > last);
            let detail = match reached {
                Some(checkpoint) => Some(format!(
                    "a checkpoint says that there were {checkpoint} lines, and {last} are there"
                )),
                None if last == 0 => {
                    Some("the log has no line, not even the one a chain begins with".to_owned())
                }
                None => None,
            };
            if let Some(detail) = detail {
                self.suspect =
                    Some(Suspect::settled((file, line), self.expected(), Reason::Truncated, detail));
            }
        }
        Verdict { fault: self.suspect.map(Suspect::into_fault), ..self.verdict }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.line += 1;
        if let Some(suspect) = &mut self.suspect {
            suspect.see(bytes, self.key.as_deref(), &mut self.scratch);
            return;
        }
        let Ok(line) = Line::parse(bytes) else { return self.suspect(bytes) };
        let proof = match &self.tip {
            None => match First::check(&line, self.key.as_deref(), &mut self.scratch) {
                Ok(First { next, key_id }) => {
                    self.verdict.first = line.number;
                    self.verdict.key_id = key_id;
                    self.verdict.check = Some(next.check());
                    next
                }
                Err(_) => return self.suspect(bytes),
            },
            Some(Tip { number, hash, proof }) => {
                let is_next = line.number == number + 1 && line.prev == *hash;
                if !is_next || !proof.holds(&line, &mut self.scratch) {
                    return self.suspect(bytes);
                }
                let Some(proof) = proof.ahead(1) else { return self.suspect(bytes) };
                proof
            }
        };
        if let Some(hash) = self.checkpoints.hash(line.number) {
            self.verdict.checkpoints += 1;
            if *hash != line.hash {
                let detail =
                    "its checkpoint has another hash: the log up to it was made anew, or the checkpoint";
                return self.settle(self.line, Reason::Rewritten, detail.to_owned());
            }
        }
        self.verdict.lines += 1;
        self.verdict.last = line.number;
        self.verdict.hash = line.hash;
        self.verdict.recoveries += u64::from(line.action == ACTION_RECOVERED);
        self.tip = Some(Tip { number: line.number, hash: line.hash, proof });
    }

    fn expected(&mut self) -> Expected {
        match self.tip.take() {
            None => Expected::First,
            Some(Tip { number, hash, proof }) => Expected::Line { number: number + 1, prev: hash, proof },
        }
    }

    fn suspect(&mut self, bytes: &[u8]) {
        let expected = self.expected();
        let place = (self.file, self.line);
        self.suspect = Some(Suspect::new(place, bytes, expected, self.key.as_deref(), &mut self.scratch));
    }

    fn settle(&mut self, line: u64, reason: Reason, detail: String) {
        if self.suspect.is_none() {
            let expected = self.expected();
            self.suspect = Some(Suspect::settled((self.file, line), expected, reason, detail));
        }
    }
}

/// Adds to a line whose end has not come, up to the byte that makes it too long.
fn keep(line: &mut Vec<u8>, part: &[u8]) {
    let room = (MAX_LINE + 1).saturating_sub(line.len()).min(part.len());
    line.extend_from_slice(part.get(..room).unwrap_or_default());
}

#[cfg(test)]
mod tests;
