//! Second step: each lane counts 1, 2, 3, … without a gap.
//!
//! [`Authentic`] → [`Fresh`]. A repeat is a replay, a gap a deletion; both end the session
//! (`docs/wire.md`, "EIPC/2 data frames"). The counters change only here, behind the tag.

use super::suite::Plane;
use super::verify::Authentic;
use crate::error::{Code, Error, Result};
use crate::message::{Lane, PerLane};

/// An authentic frame that is exactly the next one of its lane.
pub(crate) struct Fresh<'a>(Authentic<'a>);

impl<'a> Fresh<'a> {
    pub(crate) const fn authentic(&self) -> &Authentic<'a> {
        &self.0
    }
}

/// The counters of one direction of one plane, as the receiver saw them.
pub(crate) struct Counters {
    plane: Plane,
    last: PerLane<u64>,
}

impl Counters {
    pub(crate) fn new(plane: Plane) -> Self {
        Self { plane, last: PerLane::default() }
    }

    /// Returns the last counter of a lane; 0 before its first frame.
    pub(crate) const fn last(&self, lane: Lane) -> u64 {
        self.last.of(lane)
    }

    /// Accepts the frame that is next in its lane.
    pub(crate) fn admit<'a>(&mut self, frame: Authentic<'a>) -> Result<Fresh<'a>> {
        let sequence = frame.header().sequence;
        let (lane, counter) = (sequence.lane(), sequence.counter());
        if self.plane == Plane::Stream && lane != Lane::P0 {
            return Err(Error::new(Code::Sequence, "a stream has lane 0 only"));
        }
        let expected = self.last.of(lane) + 1;
        if counter != expected {
            return Err(Error::with(
                Code::Sequence,
                format!("lane {}: expected {expected}, got {counter}", lane.byte()),
            ));
        }
        self.last.set(lane, counter);
        Ok(Fresh(frame))
    }
}

#[cfg(test)]
impl Counters {
    /// Pretends that a lane has come this far.
    pub(crate) fn set_last(&mut self, lane: Lane, counter: u64) {
        self.last.set(lane, counter);
    }
}
