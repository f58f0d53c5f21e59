//! Memory that two sides share: one trait for the mapping of another process and for its twin on the heap.
//!
//! A region knows its layout and performs single accesses: an atomic word, a record header, one copy in or out. It
//! decides nothing about what the values mean; that is `ring/`. All raw access lies below this module, in
//! `bytes.rs` and in the mappings of [`crate::map`], so that the rings above contain no `unsafe`.
//!
//! The trait is sealed, because safe code outside could otherwise race with itself through it. For the same reason a
//! region has four seats (producer and consumer of each direction) and gives each away once in its life.

use std::io;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU8, Ordering};

use crate::control::{Flag, Word};
use crate::layout::{Direction, Layout, Slot};
use crate::sync::{AtomicU32, AtomicU64};

#[cfg(not(loom))]
pub(crate) mod backed;
#[cfg(not(loom))]
pub(crate) mod bytes;
#[cfg(not(loom))]
mod heap;
#[cfg(loom)]
mod model;

#[cfg(not(loom))]
pub use heap::HeapRegion;
#[cfg(loom)]
pub use model::HeapRegion;

/// Memory laid out as a segment. Cloning is cheap; the memory goes when the last clone is dropped.
pub trait Region: access::Access + Clone {}

impl<R: access::Access + Clone> Region for R {}

/// Says that an access would have left the data of the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange;

/// One end of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    pub(crate) direction: Direction,
    pub(crate) producer: bool,
}

/// Which seats of a region were given away. Private to this process: it keeps safe code from racing with itself, and
/// says nothing about the peer.
#[cfg(not(loom))]
#[derive(Debug, Default)]
pub(crate) struct Seats(AtomicU8);

#[cfg(not(loom))]
impl Seats {
    /// Returns whether the seat was free; it is not any more.
    pub(crate) fn claim(&self, seat: Seat) -> bool {
        let bit = 1_u8 << (2 * seat.direction.index() + usize::from(seat.producer));
        // Relaxed: the bit itself is all that the callers agree on.
        self.0.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }
}

pub(crate) mod access {
    //! The sealed half of [`Region`](super::Region): `pub` in a private module, so nobody outside can call it.

    use super::*;

    /// Single accesses to a segment. Data offsets count from the end of the direction pages.
    #[allow(unnameable_types, reason = "sealed on purpose")]
    pub trait Access {
        /// Returns the layout this region was made with.
        fn layout(&self) -> &Layout;

        /// Returns a control word.
        #[doc(hidden)]
        fn word(&self, slot: Slot, word: Word) -> &AtomicU64;

        /// Returns a flag.
        #[doc(hidden)]
        fn flag(&self, direction: Direction, flag: Flag) -> &AtomicU32;

        /// Reads the eight bytes of a record header by exactly one load.
        #[doc(hidden)]
        fn header(&self, offset: usize) -> Result<[u8; 8], OutOfRange>;

        /// Writes the eight bytes of a record header.
        #[doc(hidden)]
        fn set_header(&self, offset: usize, header: [u8; 8]) -> Result<(), OutOfRange>;

        /// Copies shared bytes to private memory; what was read is what `out` says afterwards, whoever else writes.
        #[doc(hidden)]
        fn copy_out(&self, offset: usize, out: &mut [u8]) -> Result<(), OutOfRange>;

        /// Copies private bytes into the segment.
        #[doc(hidden)]
        fn copy_in(&self, offset: usize, bytes: &[u8]) -> Result<(), OutOfRange>;

        /// Makes the pages of a range of the data exist, so that lack of memory is an error here and not a signal later.
        #[doc(hidden)]
        fn reserve(&self, offset: usize, len: usize) -> io::Result<()>;

        /// Takes a seat; false if it was ever taken.
        #[doc(hidden)]
        fn claim(&self, seat: Seat) -> bool;
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::access::Access as _;
    use super::*;
    use crate::layout::Capacities;

    /// Every region of ours, by the same rules.
    fn keeps_to_its_data(region: &impl Region) {
        let end = region.layout().data_len();
        assert_eq!(region.set_header(end - 8, [1; 8]), Ok(()));
        assert_eq!(region.header(end - 8), Ok([1; 8]));
        assert_eq!(region.copy_in(end - 8, &[2; 8]), Ok(()));
        let mut out = [0; 8];
        assert_eq!((region.copy_out(end - 8, &mut out), out), (Ok(()), [2; 8]));
        for beyond in [end - 7, end, usize::MAX] {
            assert_eq!(region.set_header(beyond, [1; 8]), Err(OutOfRange));
            assert_eq!(region.header(beyond), Err(OutOfRange));
            assert_eq!(region.copy_in(beyond, &[2; 8]), Err(OutOfRange));
            assert_eq!(region.copy_out(beyond, &mut out), Err(OutOfRange));
        }
        for direction in Direction::ALL {
            for producer in [false, true] {
                let seat = Seat { direction, producer };
                assert!(region.claim(seat) && !region.claim(seat), "{seat:?}");
            }
        }
    }

    #[test]
    fn a_region_on_the_heap_keeps_to_its_data() {
        let layout = Layout::new(Capacities::new([4_096; 8]).unwrap());
        let region = HeapRegion::new(layout).unwrap();
        keeps_to_its_data(&region);
        assert!(region.reserve(0, layout.data_len()).is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_region_in_a_memory_file_keeps_to_its_data() {
        use crate::map::Segment;
        let created = crate::map::memfd::MemfdRegion::create(Capacities::new([4_096; 8]).unwrap(), 7);
        let region = created.unwrap().region;
        keeps_to_its_data(&region);
        let end = region.layout().data_len();
        assert!(region.reserve(0, end).is_ok());
        assert!(region.reserve(end - 1, 2).is_err(), "the file is sealed against growing");
    }
}
