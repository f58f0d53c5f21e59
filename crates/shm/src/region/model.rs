//! The heap twin as loom sees it: control words are loom's atomics, data are cells that loom watches for races.
//!
//! A data word that one side writes while the other may still touch it makes the model fail, which is how a missing
//! acquire or release shows. A side may be watched access by access, so that a model can let it die at any of them. Only
//! compiled under `cfg(loom)`.
#![allow(unsafe_code, reason = "loom hands out raw pointers to the contents of its cells")]

use std::io;
use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU32, AtomicU64};

use super::access::Access;
use super::{OutOfRange, Seat};
use crate::control::{Flag, PerLane, Word};
use crate::layout::{Direction, LANES, Layout, Slot};

/// A segment that loom can explore, as one side has it.
#[derive(Clone)]
pub struct HeapRegion {
    // The standard library's: when the memory goes is no part of the protocol, and loom would explore that too.
    memory: Arc<Memory>,
    before_access: Option<Arc<dyn Fn() + Send + Sync>>,
}

struct Memory {
    layout: Layout,
    client_to_server: Page,
    server_to_client: Page,
    data: Vec<UnsafeCell<[u8; 8]>>,
}

struct Page {
    lanes: PerLane<Control>,
    consumer_waiting: AtomicU32,
}

struct Control {
    tail: AtomicU64,
    head: AtomicU64,
    dropped: AtomicU64,
    producer_waiting: AtomicU32,
}

// SAFETY: the cells are reached through `with` and `with_mut` only, and loom fails the model when two threads race.
unsafe impl Send for Memory {}
// SAFETY: as for Send.
unsafe impl Sync for Memory {}

impl HeapRegion {
    /// Makes a zeroed segment; call it inside of `loom::model`.
    ///
    /// # Errors
    /// Never; the signature is that of the region it stands for.
    pub fn new(layout: Layout) -> io::Result<Self> {
        let data = (0..layout.data_len() / 8).map(|_| UnsafeCell::new([0; 8])).collect();
        let page = || Page {
            lanes: PerLane([(); LANES].map(|()| Control {
                tail: AtomicU64::new(0),
                head: AtomicU64::new(0),
                dropped: AtomicU64::new(0),
                producer_waiting: AtomicU32::new(0),
            })),
            consumer_waiting: AtomicU32::new(0),
        };
        let memory = Memory { layout, client_to_server: page(), server_to_client: page(), data };
        Ok(Self { memory: Arc::new(memory), before_access: None })
    }

    /// Returns the same segment for a side that calls `before_access` before each of its accesses.
    #[must_use]
    pub fn watched(&self, before_access: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self { memory: Arc::clone(&self.memory), before_access: Some(before_access) }
    }

    fn accessed(&self) -> &Memory {
        if let Some(before_access) = &self.before_access {
            before_access();
        }
        &self.memory
    }
}

impl Memory {
    fn page(&self, direction: Direction) -> &Page {
        match direction {
            Direction::ClientToServer => &self.client_to_server,
            Direction::ServerToClient => &self.server_to_client,
        }
    }

    /// Returns the words that a range touches; every record starts at a multiple of 8.
    fn words(&self, offset: usize, len: usize) -> Result<&[UnsafeCell<[u8; 8]>], OutOfRange> {
        if !offset.is_multiple_of(8) {
            return Err(OutOfRange);
        }
        self.data.get(offset / 8..(offset + len).div_ceil(8)).ok_or(OutOfRange)
    }
}

impl Access for HeapRegion {
    fn layout(&self) -> &Layout {
        &self.memory.layout
    }

    fn word(&self, slot: Slot, word: Word) -> &AtomicU64 {
        let control = self.accessed().page(slot.direction).lanes.of(slot.lane);
        match word {
            Word::Tail => &control.tail,
            Word::Head => &control.head,
            Word::Dropped => &control.dropped,
        }
    }

    fn flag(&self, direction: Direction, flag: Flag) -> &AtomicU32 {
        match flag {
            Flag::ProducerWaiting(lane) => &self.accessed().page(direction).lanes.of(lane).producer_waiting,
            Flag::ConsumerWaiting => &self.accessed().page(direction).consumer_waiting,
        }
    }

    fn header(&self, offset: usize) -> Result<[u8; 8], OutOfRange> {
        let mut header = [0; 8];
        self.copy_out(offset, &mut header)?;
        Ok(header)
    }

    fn set_header(&self, offset: usize, header: [u8; 8]) -> Result<(), OutOfRange> {
        self.copy_in(offset, &header)
    }

    fn copy_out(&self, offset: usize, out: &mut [u8]) -> Result<(), OutOfRange> {
        for (word, out) in self.accessed().words(offset, out.len())?.iter().zip(out.chunks_mut(8)) {
            // SAFETY: loom has just checked that no other thread writes this cell concurrently.
            let bytes = word.with(|at| unsafe { *at });
            out.iter_mut().zip(bytes).for_each(|(out, byte)| *out = byte);
        }
        Ok(())
    }

    fn copy_in(&self, offset: usize, bytes: &[u8]) -> Result<(), OutOfRange> {
        for (word, bytes) in self.accessed().words(offset, bytes.len())?.iter().zip(bytes.chunks(8)) {
            // SAFETY: loom has just checked that no other thread touches this cell concurrently.
            word.with_mut(|at| unsafe { (*at).iter_mut().zip(bytes).for_each(|(to, from)| *to = *from) });
        }
        Ok(())
    }

    fn reserve(&self, _offset: usize, _len: usize) -> io::Result<()> {
        Ok(())
    }

    /// A model makes its own two ends and no more.
    fn claim(&self, _seat: Seat) -> bool {
        true
    }
}
