//! The four producers of one direction.

use crossbeam_utils::CachePadded;

use crate::control::{Flag, PerLane};
use crate::fault::{Fault, PushError, SeatTaken};
use crate::layout::{Direction, Lane, Slot};
use crate::region::{Region, Seat};
use crate::ring::producer::Producer;
use crate::sync::{Ordering, fence};

/// The writing end of one direction: pushes sealed frames into lanes and publishes them in batches.
///
/// A full lane is an outcome, not an error. To wait for room: [`wait_for_space`](Self::wait_for_space); if it
/// returns false, publish what was pushed, sleep until the doorbell, [`clear_wait`](Self::clear_wait), try again.
#[derive(Debug)]
pub struct Outbound<R: Region> {
    region: R,
    direction: Direction,
    fault: Option<Fault>,
    // Padded, so that in one process the private state of two ends never shares a cache line.
    lanes: CachePadded<Lanes>,
}

#[derive(Debug)]
struct Lanes {
    producers: PerLane<Producer>,
    /// Bit p: lane p has pushed records that were not published.
    touched: u8,
}

impl<R: Region> Outbound<R> {
    /// Takes the producer's seat of a direction.
    ///
    /// # Errors
    /// The seat was taken before; a region is never resumed.
    pub fn new(region: R, direction: Direction) -> Result<Self, SeatTaken> {
        if !region.claim(Seat { direction, producer: true }) {
            return Err(SeatTaken);
        }
        let producers =
            PerLane(Lane::ALL.map(|lane| Producer::new(region.layout(), Slot { direction, lane })));
        Ok(Self { region, direction, fault: None, lanes: CachePadded::new(Lanes { producers, touched: 0 }) })
    }

    /// Looks whether a frame of `frame_len` bytes fits into the lane now. After true a push of that length to that
    /// lane succeeds, whatever the peer does: ask before a sequence number is taken.
    ///
    /// # Errors
    /// [`PushError::TooLarge`] and [`PushError::Reserve`] leave everything as it was; a fault is final.
    pub fn try_reserve(&mut self, lane: Lane, frame_len: usize) -> Result<bool, PushError> {
        self.usable()?;
        let result = self.lanes.producers.of_mut(lane).try_reserve(&self.region, frame_len);
        result.map_err(|error| self.note(error))
    }

    /// Copies a frame into the lane without publishing it; false if the lane is full.
    ///
    /// # Errors
    /// As [`try_reserve`](Self::try_reserve).
    pub fn push(&mut self, lane: Lane, frame: &[u8]) -> Result<bool, PushError> {
        self.usable()?;
        match self.lanes.producers.of_mut(lane).push(&self.region, frame) {
            Ok(pushed) => {
                self.lanes.touched |= u8::from(pushed) << lane.index();
                Ok(pushed)
            }
            Err(error) => Err(self.note(error)),
        }
    }

    /// Publishes everything that was pushed. Returns true if the consumer sleeps: ring the doorbell.
    #[must_use = "a sleeping consumer must be woken"]
    pub fn publish(&mut self) -> bool {
        if self.lanes.touched == 0 || self.fault.is_some() {
            return false;
        }
        let touched = std::mem::take(&mut self.lanes.touched);
        for lane in Lane::ALL {
            if touched >> lane.index() & 1 == 1 {
                self.lanes.producers.of_mut(lane).publish(&self.region);
            }
        }
        // SeqCst: partner is the fence between the consumer's flag and its look at the tails (lanes/inbound.rs,
        // `begin_wait`). Either we see the flag below, or it sees the tails stored above.
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence. A hint from the peer: a lie costs one system call or the liar's own delay.
        self.region.flag(self.direction, Flag::ConsumerWaiting).load(Ordering::Relaxed) != 0
    }

    /// Looks whether there is room for what the lane refused last. Nobody is asked to ring: for who is awake and will look again.
    ///
    /// # Errors
    /// The head was refused; final.
    pub fn look_for_space(&mut self, lane: Lane) -> Result<bool, Fault> {
        self.usable()?;
        let result = self.lanes.producers.of_mut(lane).look_for_space(&self.region);
        result.inspect_err(|fault| self.poison(*fault))
    }

    /// Asks the consumer to ring when it makes room, then looks again. Returns true if there is room for what the
    /// lane refused last (the request is taken back), false if it is safe to sleep.
    ///
    /// Whatever was pushed must be published before sleeping, or the consumer has nothing to make room with.
    ///
    /// # Errors
    /// The head was refused; final.
    pub fn wait_for_space(&mut self, lane: Lane) -> Result<bool, Fault> {
        self.usable()?;
        let result = self.lanes.producers.of_mut(lane).wait_for_space(&self.region);
        result.inspect_err(|fault| self.poison(*fault))
    }

    /// Takes back the request of [`wait_for_space`](Self::wait_for_space): who set a flag clears it on waking.
    pub fn clear_wait(&mut self, lane: Lane) {
        if self.fault.is_none() {
            self.lanes.producers.of_mut(lane).clear_wait(&self.region);
        }
    }

    /// Counts messages that the full-lane policy dropped, visibly for the peer.
    pub fn note_dropped(&mut self, lane: Lane, count: u64) {
        if self.fault.is_none() {
            self.lanes.producers.of_mut(lane).note_dropped(&self.region, count);
        }
    }

    /// Returns how many messages were dropped on our side.
    #[must_use]
    pub fn dropped(&self, lane: Lane) -> u64 {
        self.lanes.producers.of(lane).dropped()
    }

    /// Returns the bytes in the lane as far as this side last looked: an upper bound.
    #[must_use]
    pub fn occupancy(&self, lane: Lane) -> u64 {
        self.lanes.producers.of(lane).occupancy()
    }

    /// Returns the capacity of the lane in bytes.
    #[must_use]
    pub fn capacity(&self, lane: Lane) -> u32 {
        self.lanes.producers.of(lane).capacity()
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

    fn usable(&self) -> Result<(), Fault> {
        self.fault.map_or(Ok(()), Err)
    }

    fn note(&mut self, error: PushError) -> PushError {
        if let PushError::Fault(fault) = error {
            self.poison(fault);
        }
        error
    }
}
