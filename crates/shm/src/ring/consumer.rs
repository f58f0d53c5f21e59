//! The reading end of one lane: the next record, its checks, the copy, and the refusals of a hostile tail.
//!
//! What comes out is bytes in private memory that were inside the published range; whether they are a frame is for
//! the caller to verify. A record is looked at once: its length is kept here between announcement and copy, so the
//! peer cannot change it in between. Draining order, wake-ups and poisoning are in [`crate::lanes`].

use super::record::{self, Header};
use super::{offset_of, room_to_end};
use crate::control::Word;
use crate::fault::Fault;
use crate::layout::{Layout, Slot, Span};
use crate::region::OutOfRange;
use crate::region::access::Access;
use crate::sync::Ordering;

/// The consumer of one lane.
#[derive(Debug)]
pub(crate) struct Consumer {
    slot: Slot,
    span: Span,
    /// Where the next record starts; ahead of `released` while a drain goes on.
    position: u64,
    /// What the producer was told.
    released: u64,
    /// The producer's tail as it was last read. Re-read only when it says "empty".
    tail: u64,
    /// Length of the frame at `position`, once it was announced.
    announced: Option<u32>,
    /// Shortest frame that can be authentic (header and tag).
    shortest: u32,
}

impl Consumer {
    pub(crate) fn new(layout: &Layout, slot: Slot, shortest: u32) -> Self {
        let span = layout.span(slot);
        Self { slot, span, position: 0, released: 0, tail: 0, announced: None, shortest }
    }

    /// Returns the length of the next frame. With `look` false the shared tail is not read again.
    pub(crate) fn next(&mut self, region: &impl Access, look: bool) -> Result<Option<usize>, Fault> {
        if let Some(length) = self.announced {
            return Ok(Some(length as usize));
        }
        if self.position == self.tail {
            if !look {
                return Ok(None);
            }
            self.refresh(region)?;
            if self.position == self.tail {
                return Ok(None);
            }
        }
        kill_point!("c-before-read");
        let length = match self.header(region)? {
            Header::Frame { length } => length,
            Header::Padding { length } => {
                self.skip_padding(length)?;
                kill_point!(wrap if true);
                kill_point!("c-before-read");
                match self.header(region)? {
                    Header::Frame { length } => length,
                    Header::Padding { .. } => return Err(Fault::PaddingRepeated),
                }
            }
        };
        self.check_frame(length)?;
        self.announced = Some(length);
        Ok(Some(length as usize))
    }

    /// Copies the announced frame to private memory of its length and steps over it.
    pub(crate) fn copy_next(&mut self, region: &impl Access, out: &mut [u8]) -> Result<(), Fault> {
        let Some(length) = self.announced.filter(|length| *length as usize == out.len()) else {
            return Err(Fault::Misuse);
        };
        let offset = offset_of(self.span, self.position) + record::HEADER;
        kill_point!("c-mid-copy", region.copy_out(offset, out.split_at_mut(out.len() / 2).0));
        region.copy_out(offset, out).map_err(|OutOfRange| Fault::Misuse)?;
        kill_point!("c-copied");
        self.announced = None;
        self.position += record::size(length);
        Ok(())
    }

    /// Gives the bytes of all records that were stepped over back to the producer; false if there were none.
    pub(crate) fn release(&mut self, region: &impl Access) -> bool {
        if self.position == self.released {
            return false;
        }
        self.released = self.position;
        // Release: partner is the producer's acquire load of the head (producer.rs, `refresh`); our copies are done
        // before it may overwrite their source.
        region.word(self.slot, Word::Head).store(self.released, Ordering::Release);
        kill_point!("c-released");
        true
    }

    /// Looks whether the shared tail says anything new. The value is only compared, so it need not be checked: a lie
    /// is met by [`Consumer::next`].
    pub(crate) fn has_data(&self, region: &impl Access) -> bool {
        // Relaxed: nothing is read on the strength of it. Who comes for the data loads the tail again (`refresh`), and a
        // later load of the same word never sees an older value. Before a sleep the fence of `begin_wait` orders it.
        self.has_cached_data() || region.word(self.slot, Word::Tail).load(Ordering::Relaxed) != self.position
    }

    /// The same without a look at the segment.
    pub(crate) fn has_cached_data(&self) -> bool {
        self.position != self.tail
    }

    /// Returns the producer's count of dropped messages: a claim of the peer's, for display.
    pub(crate) fn dropped(&self, region: &impl Access) -> u64 {
        // Relaxed: a statistic that orders nothing.
        region.word(self.slot, Word::Dropped).load(Ordering::Relaxed)
    }

    /// Reads the producer's tail again, once, and refuses what no honest producer stores.
    pub(crate) fn refresh(&mut self, region: &impl Access) -> Result<(), Fault> {
        // Acquire: partner is the producer's release store of the tail (producer.rs, `publish`); the records before
        // it are whole.
        let tail = region.word(self.slot, Word::Tail).load(Ordering::Acquire);
        if tail < self.tail {
            return Err(Fault::TailBackwards);
        }
        // No underflow: released ≤ position ≤ the cached tail ≤ tail.
        if tail - self.released > u64::from(self.span.capacity) {
            return Err(Fault::TailBeyondCapacity);
        }
        if tail & 7 != 0 {
            return Err(Fault::TailMisaligned);
        }
        self.tail = tail;
        Ok(())
    }

    /// Reads the header at the position, once, and checks that its record lies in what was published.
    fn header(&self, region: &impl Access) -> Result<Header, Fault> {
        let bytes = region.header(offset_of(self.span, self.position)).map_err(|OutOfRange| Fault::Misuse)?;
        let header = Header::decode(bytes).ok_or(Fault::RecordKind)?;
        let (Header::Frame { length } | Header::Padding { length }) = header;
        let size = record::size(length);
        // position < tail here, and both are multiples of 8: at least the header itself was published.
        if size > self.tail - self.position {
            return Err(Fault::RecordBeyondTail);
        }
        if size > room_to_end(self.span, self.position) {
            return Err(Fault::RecordBeyondEnd);
        }
        Ok(header)
    }

    fn check_frame(&self, length: u32) -> Result<(), Fault> {
        if length < self.shortest {
            return Err(Fault::RecordTooShort);
        }
        if record::size(length) > u64::from(self.span.capacity / 2) {
            return Err(Fault::RecordTooLong);
        }
        Ok(())
    }

    /// Steps over padding, which fills exactly to the end and never comes alone.
    fn skip_padding(&mut self, length: u32) -> Result<(), Fault> {
        let size = u64::from(length) + record::HEADER as u64;
        if size != room_to_end(self.span, self.position) {
            return Err(Fault::PaddingLength);
        }
        if self.position + size >= self.tail {
            return Err(Fault::PaddingAlone);
        }
        self.position += size;
        Ok(())
    }
}

#[cfg(test)]
impl Consumer {
    /// Pretends that the lane has come this far and is empty.
    pub(super) fn set_position(&mut self, position: u64) {
        (self.position, self.released, self.tail) = (position, position, position);
    }
}
