//! One lane's ring: a producer and a consumer with private positions and cached copies of the other side's index.
//!
//! Records go in through [`producer`] and come out through [`consumer`]; [`record`] is their shared format. Both
//! sides live in different processes and trust nothing they read: every index and length from the segment is read
//! once into a local, checked, then used. Which lane comes first, when to publish and whom to wake is
//! [`crate::lanes`]. There is no `unsafe` here: a region checks the range of each access it performs.

pub(crate) mod consumer;
pub(crate) mod producer;
mod record;

use crate::layout::Span;

/// Returns where a position of a lane lies in the data of the segment.
fn offset_of(span: Span, position: u64) -> usize {
    span.offset + index_of(span, position) as usize
}

/// Returns the bytes from a position to the end of the lane's memory, 1 … capacity.
fn room_to_end(span: Span, position: u64) -> u64 {
    u64::from(span.capacity - index_of(span, position))
}

/// index = position & (capacity − 1): positions only grow.
#[allow(clippy::cast_possible_truncation, reason = "the mask is below 2^28: only low bits are kept anyway")]
fn index_of(span: Span, position: u64) -> u32 {
    (position as u32) & (span.capacity - 1)
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    use super::consumer::Consumer;
    use super::producer::Producer;
    use crate::control::{Flag, Word};
    use crate::fault::{Fault, PushError};
    use crate::layout::{Capacities, Direction, Lane, Layout, Slot};
    use crate::region::access::Access;
    use crate::region::{HeapRegion, OutOfRange, Seat};

    /// What a region may refuse.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Refused {
        Nothing,
        Header,
        Padding,
        Frame,
        Copy,
        Pages,
    }

    /// A region that refuses one kind of access.
    struct Refusing(HeapRegion, Refused);

    impl Refusing {
        fn unless(&self, refused: Refused) -> Result<(), OutOfRange> {
            if self.1 == refused { Err(OutOfRange) } else { Ok(()) }
        }
    }

    impl Access for Refusing {
        fn layout(&self) -> &Layout {
            self.0.layout()
        }
        fn word(&self, slot: Slot, word: Word) -> &AtomicU64 {
            self.0.word(slot, word)
        }
        fn flag(&self, direction: Direction, flag: Flag) -> &AtomicU32 {
            self.0.flag(direction, flag)
        }
        fn header(&self, offset: usize) -> Result<[u8; 8], OutOfRange> {
            self.0.header(offset)
        }
        fn set_header(&self, offset: usize, header: [u8; 8]) -> Result<(), OutOfRange> {
            let [.., a, b, c, d] = header;
            let kind = if u32::from_ne_bytes([a, b, c, d]) == 2 { Refused::Padding } else { Refused::Header };
            self.unless(kind).and_then(|()| self.0.set_header(offset, header))
        }
        fn copy_out(&self, offset: usize, out: &mut [u8]) -> Result<(), OutOfRange> {
            self.unless(Refused::Copy).and_then(|()| self.0.copy_out(offset, out))
        }
        fn copy_in(&self, offset: usize, bytes: &[u8]) -> Result<(), OutOfRange> {
            self.unless(Refused::Frame).and_then(|()| self.0.copy_in(offset, bytes))
        }
        fn reserve(&self, offset: usize, len: usize) -> io::Result<()> {
            self.unless(Refused::Pages).map_err(|_| io::ErrorKind::OutOfMemory)?;
            self.0.reserve(offset, len)
        }
        fn claim(&self, seat: Seat) -> bool {
            self.0.claim(seat)
        }
    }

    const SLOT: Slot = Slot { direction: Direction::ClientToServer, lane: Lane::P0 };

    fn region() -> HeapRegion {
        HeapRegion::new(Layout::new(Capacities::new([4_096; 8]).unwrap())).unwrap()
    }

    #[test]
    fn an_access_that_is_refused_is_neither_published_nor_stepped_over() {
        for refused in [Refused::Header, Refused::Frame] {
            let region = Refusing(region(), refused);
            let mut producer = Producer::new(region.layout(), SLOT);
            assert!(matches!(producer.push(&region, b"frame"), Err(PushError::Fault(Fault::Misuse))));
            assert_eq!(producer.occupancy(), 0, "{refused:?}");
        }
        let mut region = Refusing(region(), Refused::Nothing);
        let mut producer = Producer::new(region.layout(), SLOT);
        assert!(producer.push(&region, b"frame").unwrap());
        producer.publish(&region);
        region.1 = Refused::Copy;
        let mut consumer = Consumer::new(region.layout(), SLOT, 1);
        assert_eq!(consumer.next(&region, true), Ok(Some(5)));
        assert_eq!(consumer.copy_next(&region, &mut [0; 5]), Err(Fault::Misuse));
        assert!(!consumer.release(&region));
    }

    #[test]
    fn padding_that_is_refused_is_not_stepped_over() {
        let mut region = Refusing(region(), Refused::Nothing);
        let mut producer = Producer::new(region.layout(), SLOT);
        let mut consumer = Consumer::new(region.layout(), SLOT, 1);
        for length in [2_040, 1_016] {
            assert!(producer.push(&region, &vec![0; length]).unwrap());
            producer.publish(&region);
            assert_eq!(consumer.next(&region, true), Ok(Some(length)));
            consumer.copy_next(&region, &mut vec![0; length]).unwrap();
            assert!(consumer.release(&region));
        }
        // 1 024 bytes are left before the end: a record of twice that needs padding first.
        region.1 = Refused::Padding;
        assert!(matches!(producer.push(&region, &[0; 2_040]), Err(PushError::Fault(Fault::Misuse))));
        region.1 = Refused::Nothing;
        assert!(producer.push(&region, &[0; 2_040]).unwrap());
        assert_eq!(producer.occupancy(), 1_024 + 2_048);
    }

    #[test]
    fn without_pages_nothing_is_promised_and_nothing_changed() {
        let mut region = Refusing(region(), Refused::Pages);
        let mut producer = Producer::new(region.layout(), SLOT);
        assert!(matches!(producer.try_reserve(&region, 100), Err(PushError::Reserve(_))));
        assert!(matches!(producer.push(&region, &[0; 100]), Err(PushError::Reserve(_))));
        assert_eq!(producer.occupancy(), 0);
        region.1 = Refused::Nothing;
        assert!(producer.push(&region, &[0; 100]).unwrap(), "once there is memory again");
    }

    #[test]
    fn records_cross_the_position_that_32_bits_cannot_hold() {
        const BEFORE: u64 = (1 << 32) - 2_048;
        let region = region();
        let mut producer = Producer::new(region.layout(), SLOT);
        let mut consumer = Consumer::new(region.layout(), SLOT, 1);
        producer.set_position(BEFORE);
        consumer.set_position(BEFORE);
        for word in [Word::Tail, Word::Head] {
            region.word(SLOT, word).store(BEFORE, Ordering::Relaxed);
        }
        for round in 0..64_u8 {
            let frame = vec![round; 100 + 8 * usize::from(round)];
            assert!(producer.push(&region, &frame).unwrap());
            producer.publish(&region);
            let mut out = vec![0; consumer.next(&region, true).unwrap().unwrap()];
            consumer.copy_next(&region, &mut out).unwrap();
            assert_eq!(out, frame);
            consumer.release(&region);
        }
        assert!(region.word(SLOT, Word::Head).load(Ordering::Relaxed) > 1 << 32);
    }
}
