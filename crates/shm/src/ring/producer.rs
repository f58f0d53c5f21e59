//! The writing end of one lane: room, padding, copy, publication, and the refusals of a hostile head.
//!
//! Private state is the truth; the segment receives copies of it. Nothing that was written into the segment is ever
//! read back. Batching over lanes, wake-ups and poisoning are in [`crate::lanes`].

use super::record::{self, Header};
use super::{offset_of, room_to_end};
use crate::control::{Flag, Word};
use crate::fault::{Fault, PushError};
use crate::layout::{Direction, Layout, Slot, Span};
use crate::region::OutOfRange;
use crate::region::access::Access;
use crate::sync::{Ordering, fence};

/// The producer of one lane.
#[derive(Debug)]
pub(crate) struct Producer {
    slot: Slot,
    span: Span,
    /// Where the next record goes; ahead of `published` while a batch is being written.
    tail: u64,
    /// What the consumer was told. A multiple of 8, as `tail` is.
    published: u64,
    /// The consumer's head as it was last read, at most `published`. Re-read only when it says "full".
    head: u64,
    /// The room that was last asked for in vain: what a wait waits for.
    wanted: u64,
    /// Messages dropped by the full-lane policy of our side.
    dropped: u64,
    /// Whether the lane's pages exist for certain.
    reserved: bool,
}

/// Room that was found.
#[derive(Debug, Clone, Copy)]
struct Room {
    length: u32,
    size: u64,
    /// Bytes of padding that come first; 0 for none.
    padding: u64,
}

impl Producer {
    pub(crate) fn new(layout: &Layout, slot: Slot) -> Self {
        let span = layout.span(slot);
        Self { slot, span, tail: 0, published: 0, head: 0, wanted: 0, dropped: 0, reserved: false }
    }

    /// Looks whether a frame fits now. After true, a push of that length succeeds whatever the peer does.
    pub(crate) fn try_reserve(&mut self, region: &impl Access, length: usize) -> Result<bool, PushError> {
        Ok(self.room(region, length)?.is_some())
    }

    /// Copies a frame in behind the published records; false if the lane is full.
    pub(crate) fn push(&mut self, region: &impl Access, frame: &[u8]) -> Result<bool, PushError> {
        let Some(room) = self.room(region, frame.len())? else { return Ok(false) };
        kill_point!("p-reserved");
        self.write(region, frame, room).map_err(|OutOfRange| Fault::Misuse)?;
        Ok(true)
    }

    /// Tells the consumer about everything pushed.
    pub(crate) fn publish(&mut self, region: &impl Access) {
        self.published = self.tail;
        // Release: partner is the consumer's acquire load of the tail (consumer.rs, `refresh`); records written
        // before are whole when it sees this.
        region.word(self.slot, Word::Tail).store(self.tail, Ordering::Release);
        kill_point!("p-published");
    }

    /// Looks whether there is room for what was refused last.
    pub(crate) fn look_for_space(&mut self, region: &impl Access) -> Result<bool, Fault> {
        self.refresh(region)?;
        Ok(self.free() >= self.wanted)
    }

    /// Announces that we wait for room, then looks again: true if there is room for what was refused last.
    pub(crate) fn wait_for_space(&mut self, region: &impl Access) -> Result<bool, Fault> {
        self.waiting(region, 1);
        // SeqCst: partner is the fence between release of the head and the look at this flag (lanes/inbound.rs,
        // `release`). Either that look sees the flag, or our look below sees the head.
        fence(Ordering::SeqCst);
        let room = self.look_for_space(region)?;
        if room {
            self.waiting(region, 0);
        }
        Ok(room)
    }

    /// Takes the announcement back.
    pub(crate) fn clear_wait(&mut self, region: &impl Access) {
        self.waiting(region, 0);
    }

    /// Counts dropped messages where the peer can see them.
    pub(crate) fn note_dropped(&mut self, region: &impl Access, count: u64) {
        self.dropped = self.dropped.saturating_add(count);
        // Relaxed: a statistic that orders nothing.
        region.word(self.slot, Word::Dropped).store(self.dropped, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.span.capacity
    }

    /// Returns the bytes that are in the lane as far as this side last looked.
    pub(crate) fn occupancy(&self) -> u64 {
        self.tail - self.head
    }

    fn room(&mut self, region: &impl Access, length: usize) -> Result<Option<Room>, PushError> {
        let limit = u64::from(self.span.capacity / 2);
        let too_large = |size| PushError::TooLarge { size, limit };
        let length = u32::try_from(length).map_err(|_| too_large(u64::MAX))?;
        let size = record::size(length);
        if size > limit {
            return Err(too_large(size));
        }
        let to_end = room_to_end(self.span, self.tail);
        let padding = if size > to_end { to_end } else { 0 };
        kill_point!(wrap if padding > 0);
        kill_point!("p-before-reserve");
        // At most capacity / 2 for each: an empty lane takes it always.
        let wanted = padding + size;
        if wanted > self.free() {
            self.refresh(region)?;
            if wanted > self.free() {
                self.wanted = wanted;
                return Ok(None);
            }
        }
        if !self.reserved {
            region.reserve(self.span.offset, self.span.capacity as usize).map_err(PushError::Reserve)?;
            self.reserved = true;
        }
        Ok(Some(Room { length, size, padding }))
    }

    fn write(&mut self, region: &impl Access, frame: &[u8], room: Room) -> Result<(), OutOfRange> {
        let mut at = self.tail;
        if room.padding > 0 {
            // Positions and sizes are multiples of 8, so there is room for its header.
            let length = u32::try_from(room.padding - record::HEADER as u64).map_err(|_| OutOfRange)?;
            region.set_header(offset_of(self.span, at), Header::Padding { length }.encode())?;
            at += room.padding;
        }
        let offset = offset_of(self.span, at);
        region.set_header(offset, Header::Frame { length: room.length }.encode())?;
        kill_point!("p-mid-copy", region.copy_in(offset + record::HEADER, frame.split_at(frame.len() / 2).0));
        region.copy_in(offset + record::HEADER, frame)?;
        self.tail = at + room.size;
        kill_point!("p-copied");
        Ok(())
    }

    fn free(&self) -> u64 {
        // head ≤ published ≤ tail ≤ head + capacity: `refresh` refuses every other head, `room` every other tail.
        u64::from(self.span.capacity) - (self.tail - self.head)
    }

    /// Reads the consumer's head again, once, and refuses what no honest consumer stores.
    fn refresh(&mut self, region: &impl Access) -> Result<(), Fault> {
        // Acquire: partner is the consumer's release store of the head (consumer.rs, `release`); it is done with
        // the bytes before it.
        let head = region.word(self.slot, Word::Head).load(Ordering::Acquire);
        if head < self.head {
            return Err(Fault::HeadBackwards);
        }
        if head > self.published {
            return Err(Fault::HeadBeyondTail);
        }
        if head & 7 != 0 {
            return Err(Fault::HeadMisaligned);
        }
        self.head = head;
        Ok(())
    }

    fn waiting(&self, region: &impl Access, value: u32) {
        let direction: Direction = self.slot.direction;
        // Relaxed: a hint; ordered by the fence in `wait_for_space`, and clearing it needs no order.
        region.flag(direction, Flag::ProducerWaiting(self.slot.lane)).store(value, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl Producer {
    /// Pretends that the lane has come this far and is empty.
    pub(super) fn set_position(&mut self, position: u64) {
        (self.tail, self.published, self.head) = (position, position, position);
    }
}
