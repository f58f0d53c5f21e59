//! The four consumers of one direction.

use crossbeam_utils::CachePadded;

use crate::control::{Flag, PerLane};
use crate::fault::{Fault, SeatTaken};
use crate::layout::{ALL_LANES, Direction, Lane, Slot};
use crate::region::{Region, Seat};
use crate::ring::consumer::Consumer;
use crate::sync::{Ordering, fence};

/// The reading end of one direction: announces records, copies them out, releases them per drain.
///
/// To sleep: [`begin_wait`](Self::begin_wait); if it returns false, sleep until the doorbell, then
/// [`end_wait`](Self::end_wait) and drain.
#[derive(Debug)]
pub struct Inbound<R: Region> {
    region: R,
    direction: Direction,
    fault: Option<Fault>,
    ended: bool,
    // Padded, so that in one process the private state of two ends never shares a cache line.
    lanes: CachePadded<PerLane<Consumer>>,
}

impl<R: Region> Inbound<R> {
    /// Takes the consumer's seat of a direction. `shortest_frame` is the length below which no frame can be
    /// authentic (40 bytes and the tag).
    ///
    /// # Errors
    /// The seat was taken before; a region is never resumed.
    pub fn new(region: R, direction: Direction, shortest_frame: u32) -> Result<Self, SeatTaken> {
        if !region.claim(Seat { direction, producer: false }) {
            return Err(SeatTaken);
        }
        let consumer = |lane| Consumer::new(region.layout(), Slot { direction, lane }, shortest_frame);
        let lanes = CachePadded::new(PerLane(Lane::ALL.map(consumer)));
        Ok(Self { region, direction, fault: None, ended: false, lanes })
    }

    /// Looks at the four tails, cheaply. True also after a fault, so that the caller meets it in
    /// [`next`](Self::next) instead of sleeping.
    #[must_use]
    pub fn has_data(&self) -> bool {
        self.fault.is_some() || Lane::ALL.iter().any(|lane| self.has_data_in(*lane))
    }

    /// Looks at the tails of these lanes only (bit p: lane p). True also after a fault.
    #[must_use]
    pub fn has_data_among(&self, lanes: u8) -> bool {
        let is_among = |lane: &&Lane| lanes >> lane.index() & 1 == 1;
        self.fault.is_some() || Lane::ALL.iter().filter(is_among).any(|lane| self.has_data_in(*lane))
    }

    /// Returns the length of the lane's next record after all checks, `None` if the lane is empty.
    ///
    /// # Errors
    /// The tail or the record was refused; final.
    pub fn next(&mut self, lane: Lane) -> Result<Option<usize>, Fault> {
        self.usable()?;
        let look = !self.ended;
        let result = self.lanes.of_mut(lane).next(&self.region, look);
        result.inspect_err(|fault| self.poison(*fault))
    }

    /// Returns lane and length of the record that comes next in priority order. Bulk lanes are passed over once the
    /// budget of the drain is spent; that they still have data is then seen by [`has_data`](Self::has_data).
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn next_by_priority(&mut self, budget: &mut Budget) -> Result<Option<(Lane, usize)>, Fault> {
        for lane in Lane::ALL {
            if budget.admits(lane)
                && let Some(length) = self.next(lane)?
            {
                return Ok(Some((lane, length)));
            }
        }
        Ok(None)
    }

    /// Copies the record that [`next`](Self::next) announced into `out`, which has exactly its length, and steps
    /// over it. Its room goes back to the producer with [`release`](Self::release).
    ///
    /// # Errors
    /// [`Fault::Misuse`] if no record of that length was announced; final.
    pub fn copy_next(&mut self, lane: Lane, out: &mut [u8]) -> Result<(), Fault> {
        self.usable()?;
        let result = self.lanes.of_mut(lane).copy_next(&self.region, out);
        result.inspect_err(|fault| self.poison(*fault))
    }

    /// Gives back the room of all records that were copied. Returns true if a producer waits for it: ring the
    /// doorbell.
    #[must_use = "a producer that waits for room must be woken"]
    pub fn release(&mut self) -> bool {
        if self.fault.is_some() {
            return false;
        }
        let released = Lane::ALL.map(|lane| self.lanes.of_mut(lane).release(&self.region));
        if released == [false; 4] {
            return false;
        }
        // SeqCst: partner is the fence between a producer's flag and its look at the head (ring/producer.rs,
        // `wait_for_space`). Either we see the flag below, or it sees the head stored above.
        fence(Ordering::SeqCst);
        Lane::ALL.iter().zip(released).any(|(lane, released)| {
            // Relaxed: ordered by the fence. A hint from the peer: a lie costs one system call.
            let flag = Flag::ProducerWaiting(*lane);
            released && self.region.flag(self.direction, flag).load(Ordering::Relaxed) != 0
        })
    }

    /// Asks the producer to ring when it publishes, then looks at these lanes (bit p: lane p) again. Returns true if one
    /// has data (the request is taken back), false if it is safe to sleep. True also after a fault. Lanes the caller does
    /// not take now must be left out, or it would never sleep while they have data.
    #[must_use = "sleeping in spite of data loses a wake-up"]
    pub fn begin_wait(&mut self, lanes: u8) -> bool {
        if self.fault.is_some() {
            return true;
        }
        self.waiting(1);
        // SeqCst: partner is the fence between publication and the look at this flag (lanes/outbound.rs,
        // `publish`). Either that look sees the flag, or we see the tails below.
        fence(Ordering::SeqCst);
        let data = self.has_data_among(lanes);
        if data {
            self.waiting(0);
        }
        data
    }

    /// Takes back the request of [`begin_wait`](Self::begin_wait): who set a flag clears it on waking.
    pub fn end_wait(&mut self) {
        if self.fault.is_none() {
            self.waiting(0);
        }
    }

    /// Notes the peer's end of stream: reads each tail once more. What was published up to there can still be
    /// drained; the tails are never looked at again.
    ///
    /// # Errors
    /// A tail was refused; final.
    pub fn end(&mut self) -> Result<(), Fault> {
        self.usable()?;
        if !self.ended {
            self.ended = true;
            for lane in Lane::ALL {
                let result = self.lanes.of_mut(lane).refresh(&self.region);
                result.inspect_err(|fault| self.poison(*fault))?;
            }
        }
        Ok(())
    }

    /// Returns the peer's count of the messages it dropped: its claim, for display.
    #[must_use]
    pub fn dropped(&self, lane: Lane) -> u64 {
        if self.fault.is_some() { 0 } else { self.lanes.of(lane).dropped(&self.region) }
    }

    /// Gives the direction up for good: no method touches the segment after this. The first reason stays.
    pub fn poison(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// Returns why the direction was given up, if it was.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    fn has_data_in(&self, lane: Lane) -> bool {
        let consumer = self.lanes.of(lane);
        if self.ended { consumer.has_cached_data() } else { consumer.has_data(&self.region) }
    }

    fn usable(&self) -> Result<(), Fault> {
        self.fault.map_or(Ok(()), Err)
    }

    fn waiting(&self, value: u32) {
        // Relaxed: a hint; ordered by the fence in `begin_wait`, and clearing it needs no order.
        self.region.flag(self.direction, Flag::ConsumerWaiting).store(value, Ordering::Relaxed);
    }
}

/// How many bytes of bulk (P2, P3) one drain still takes, so that a flood of it cannot hold up P0 and P1.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    bulk_bytes: usize,
    lanes: u8,
}

impl Budget {
    /// Starts a drain that takes bulk records until `bulk_bytes` are spent; the last one may go over.
    #[must_use]
    pub const fn new(bulk_bytes: usize) -> Self {
        Self { bulk_bytes, lanes: ALL_LANES }
    }

    /// Takes records of these lanes only (bit p: lane p); the others stay where they are and hold up their producer.
    #[must_use]
    pub const fn only(self, lanes: u8) -> Self {
        Self { lanes, ..self }
    }

    /// Takes no more than `bulk_bytes` of bulk from here on: something urgent waits for the end of the drain.
    pub fn limit(&mut self, bulk_bytes: usize) {
        self.bulk_bytes = self.bulk_bytes.min(bulk_bytes);
    }

    /// Counts a record that was copied.
    pub fn spend(&mut self, lane: Lane, bytes: usize) {
        if is_bulk(lane) {
            self.bulk_bytes = self.bulk_bytes.saturating_sub(bytes);
        }
    }

    fn admits(&self, lane: Lane) -> bool {
        self.lanes >> lane.index() & 1 == 1 && (self.bulk_bytes > 0 || !is_bulk(lane))
    }
}

const fn is_bulk(lane: Lane) -> bool {
    matches!(lane, Lane::P2 | Lane::P3)
}
