//! The receiving direction of one plane: bytes of a frame → [`Envelope`].
//!
//! Runs the steps in the one order of `docs/wire.md` ("Receiver: order of checks and codes"): shape,
//! tag, session, order, type, meta. The types of the steps make any other order impossible to write.

use super::envelope::{Envelope, Rules, Stage, open};
use super::epoch::{LaneKeys, Scope};
use super::keys::Master;
use super::lanes::Lanes;
use super::sequence::Counters;
use super::suite::Suite;
use super::verify::verify;
use crate::error::{Code, Error, Result};
use crate::message::Lane;
use crate::wire::preamble::VERSION_2;
use crate::wire::{Expect, RawFrame};
use core::fmt;

/// Opens the frames of one direction of one plane. The first refused frame is the last.
pub struct Opener {
    keys: Lanes<LaneKeys>,
    session_id: u64,
    suite: Suite,
    counters: Counters,
    expect: Expect,
    rules: Rules,
    poisoned: bool,
}

impl Opener {
    /// Every lane begins in epoch 0, with its own copy of `master`.
    pub(crate) fn new(
        master: &Master,
        scope: Scope,
        session_id: u64,
        binary_meta: bool,
        max_frame: usize,
    ) -> Result<Self> {
        let Scope { suite, plane, .. } = scope;
        Ok(Self {
            keys: Lanes::new(plane, || LaneKeys::new(master.duplicate(), scope))?,
            session_id,
            suite,
            counters: Counters::new(plane),
            expect: Expect { version: VERSION_2, flags: suite.flags(), tag_len: suite.tag_len(), max_frame },
            rules: Rules { plane, stage: Stage::Session, binary_meta },
            poisoned: false,
        })
    }

    /// Verifies `bytes`, one frame without the stream's length, and reads its meta.
    ///
    /// # Errors
    /// The first failed check in the order of the wire text. Every failure is final: from then on the
    /// opener answers [`Code::Poisoned`].
    pub fn receive<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Envelope<'a>> {
        if self.poisoned {
            return Err(Error::new(Code::Poisoned, "a frame was refused before"));
        }
        let result = self.steps(bytes);
        self.poisoned = result.is_err();
        result
    }

    #[inline]
    fn steps<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Envelope<'a>> {
        let raw = RawFrame::parse(bytes, &self.expect)?;
        let authentic = verify(raw, &mut self.keys, self.session_id, self.suite)?;
        let fresh = self.counters.admit(authentic)?;
        open(&fresh, self.rules)
    }

    /// Returns the last counter of a lane; 0 before its first frame.
    #[must_use]
    pub const fn last(&self, lane: Lane) -> u64 {
        self.counters.last(lane)
    }

    /// Returns the epoch of a lane's keys; frames of it and of the next one are accepted.
    #[must_use]
    pub fn epoch(&self, lane: Lane) -> u16 {
        self.keys.find(lane).map_or(0, LaneKeys::epoch)
    }

    /// Returns the bytes of a tag.
    #[must_use]
    pub const fn tag_len(&self) -> usize {
        self.expect.tag_len
    }

    /// Returns the largest frame accepted.
    #[must_use]
    pub const fn max_frame(&self) -> usize {
        self.expect.max_frame
    }

    pub(crate) const fn set_stage(&mut self, stage: Stage) {
        self.rules.stage = stage;
    }

    pub(crate) const fn set_max_frame(&mut self, max_frame: usize) {
        self.expect.max_frame = max_frame;
    }

    /// Keeps one more move for each lane and wipes what leads further.
    pub(crate) fn forget_master(&mut self) {
        self.keys.iter_mut().for_each(LaneKeys::forget_master);
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Opener({:?}, {:?})", self.rules.plane, self.suite)
    }
}

#[cfg(test)]
mod tests;
