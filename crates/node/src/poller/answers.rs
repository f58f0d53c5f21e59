//! How long the other work of a thread waits for the answer to a P0 message.
//!
//! A program that is busy looks at shared memory once a turn of its loop. Who asked something urgent would get the answer a turn or two
//! late, however fast the peer is; so the turn after such a message looks on for a moment. Where nothing is answered that soon, only now and
//! then a message finds out whether it is by now.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The longest that other work waits for one message's answer: a peer that is awake answers in a few microseconds, one that has bulk to verify
/// and to handle first in some ten more.
const ANSWER: Duration = Duration::from_micros(20);
/// Waits in vain, one after the other, after which it is taken that nobody answers.
const MISSES: u32 = 3;
/// Messages sent then until one is waited for again: it costs each of them a twelfth of a microsecond.
const UNTIL_RETRY: u32 = 256;

#[derive(Clone, Copy)]
enum Awaited {
    Nothing,
    /// A message was sent, and nobody has looked yet.
    Answer,
    AnswerUntil(Instant),
}

/// What one thread knows of the answers to its P0 messages.
pub(crate) struct Answers {
    awaited: Cell<Awaited>,
    misses: Cell<u32>,
    /// Messages not to be waited for.
    to_skip: Cell<u32>,
}

impl Answers {
    pub(crate) const fn new() -> Self {
        Self { awaited: Cell::new(Awaited::Nothing), misses: Cell::new(0), to_skip: Cell::new(0) }
    }

    /// A P0 message was sent.
    pub(crate) fn asked(&self) {
        if matches!(self.awaited.get(), Awaited::Nothing) {
            match self.to_skip.get().checked_sub(1) {
                Some(rest) => self.to_skip.set(rest),
                None => self.awaited.set(Awaited::Answer),
            }
        }
    }

    /// A P0 message was received.
    pub(crate) fn came(&self) {
        if !matches!(self.awaited.replace(Awaited::Nothing), Awaited::Nothing) {
            self.misses.set(0);
        }
    }

    /// Whether an answer is worth waiting for now. The time runs from the first call after a message.
    pub(crate) fn are_due(&self, now: Instant) -> bool {
        let until = match self.awaited.get() {
            Awaited::Nothing => return false,
            Awaited::Answer => now + ANSWER,
            Awaited::AnswerUntil(until) => until,
        };
        let is_due = now < until;
        self.awaited.set(if is_due { Awaited::AnswerUntil(until) } else { Awaited::Nothing });
        if !is_due {
            self.misses.set(self.misses.get().saturating_add(1));
            self.to_skip.set(if self.misses.get() < MISSES { 0 } else { UNTIL_RETRY });
        }
        is_due
    }
}
