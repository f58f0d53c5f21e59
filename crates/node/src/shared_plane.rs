//! The message plane in shared memory: sealed frames into rings, frames out of rings verified.
//!
//! Joins the core's sealing with the rings of `eipc-shm`, and nothing else: who may use it and when is `shared_link`'s business.
//! A frame is sealed in private memory before a byte of it is shared, and copied to private memory before a byte of it is
//! believed.

use std::time::Duration;

use eipc_core::{Code, Error, Kind, Lane, MetaKind, Opener, Sealer, Time};
use eipc_shm::{Budget, Direction, Inbound, Lane as RingLane, Outbound, PushError, SystemSegment};

use crate::batch::{Delivery, PREFIX, Record, flag};

/// Bytes of P2 and P3 one receive call takes: a flood of bulk delays a P0 message by at most this much copying and verifying, some
/// 45 µs. Four times as much costs a single sender as many cycles a
/// message, and the P0 message four times the delay; 64 senders at once are woken more often (docs/security-evidence.md, row 14).
const BULK_PER_CALL: usize = 64 * 1024;

/// The same in a thread to which P0 messages come: one message, or two of them if they are as short as 64 bytes.
const BULK_BESIDE_URGENT: usize = 1024;

/// What a record costs besides its bytes, counted in bytes: half a microsecond.
const RECORD_COST: usize = 768;

/// How long a heartbeat waits that found its lane full: the lane is busy, so its own traffic may move it meanwhile.
const HEARTBEAT_RETRY: Duration = Duration::from_secs(60);

/// What became of one push.
pub(crate) struct Pushed {
    /// Bytes of the records that were taken.
    pub(crate) accepted: usize,
    /// Whether the peer must be woken.
    pub(crate) rings: bool,
    /// Whether a P0 message was among them.
    pub(crate) has_urgent: bool,
    pub(crate) result: Result<(), Error>,
}

/// What became of one drain.
pub(crate) struct Drained {
    /// Whether the peer must be woken.
    pub(crate) rings: bool,
    /// Whether a P0 message was delivered.
    pub(crate) has_urgent: bool,
    pub(crate) result: Result<(), Error>,
}

/// Both directions of one segment, with their keys.
pub(crate) struct SharedPlane {
    sealer: Sealer,
    opener: Opener,
    outbound: Outbound<SystemSegment>,
    inbound: Inbound<SystemSegment>,
    /// Not before this time is a heartbeat tried.
    heartbeats_from: Time,
    /// Whether the last call left bulk where it was for the sake of a P0 message.
    owes_bulk: bool,
}

impl SharedPlane {
    /// Takes the producer's seat of `sends` and the consumer's seat of the other direction.
    pub(crate) fn new(
        region: SystemSegment,
        sends: Direction,
        keys: (Sealer, Opener),
    ) -> Result<Self, Error> {
        let (sealer, opener) = keys;
        let taken = |_| Error::new(Code::Internal, "a segment was used twice");
        let shortest = u32::try_from(16 + 24 + sealer.tag_len()).unwrap_or(u32::MAX);
        let outbound = Outbound::new(region.clone(), sends).map_err(taken)?;
        let inbound = Inbound::new(region, sends.reverse(), shortest).map_err(taken)?;
        Ok(Self { sealer, opener, outbound, inbound, heartbeats_from: Time(0), owes_bulk: false })
    }

    /// Seals and pushes the records of `batch` in order until one finds its lane full.
    pub(crate) fn push(&mut self, batch: &mut [u8], now: Time) -> Pushed {
        let (mut accepted, mut has_urgent) = (0, false);
        let mut stamp = None;
        let mut result = Ok(());
        while let Some(rest) = batch.get_mut(accepted..).filter(|rest| !rest.is_empty()) {
            match self.push_one(rest, &mut stamp, now) {
                Ok(Some(record)) => {
                    accepted += record.length;
                    has_urgent |= record.lane == Lane::P0;
                }
                Ok(None) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        Pushed { accepted, rings: self.outbound.publish(), has_urgent, result }
    }

    fn push_one(
        &mut self,
        batch: &mut [u8],
        stamp: &mut Option<i64>,
        now: Time,
    ) -> Result<Option<Record>, Error> {
        let record = Record::read(batch, self.sealer.tag_len())?;
        // Room first: a counter is taken only by a frame that will be seen (docs/wire.md, "EIPC/2 data frames").
        if !self.outbound.try_reserve(ring_lane(record.lane), record.length - PREFIX).map_err(push_error)? {
            return Ok(None);
        }
        let bytes = batch.get_mut(..record.length).ok_or(Error::from(Code::Internal))?;
        record.stamp(bytes, stamp);
        let frame = bytes.get_mut(PREFIX..).ok_or(Error::from(Code::Internal))?;
        self.sealer.seal(record.kind, record.lane, record.meta_kind, record.meta_length, frame, now)?;
        self.push_sealed(record.lane, frame)?;
        Ok(Some(record))
    }

    /// Pushes a frame for which the lane has room.
    fn push_sealed(&mut self, lane: Lane, frame: &[u8]) -> Result<(), Error> {
        match self.outbound.push(ring_lane(lane), frame).map_err(push_error)? {
            true => Ok(()),
            // A counter was taken for a frame the peer will never see: the session cannot go on.
            false => Err(Error::new(Code::Poisoned, "a lane lost the room it had")),
        }
    }

    /// When `push_heartbeats` is due.
    pub(crate) fn deadline(&self) -> Time {
        self.sealer.poll_deadline().max(self.heartbeats_from)
    }

    /// Sends a heartbeat in every lane that has been silent for an hour, so that it changes its keys (docs/wire.md, "Epochs").
    /// Returns whether the peer must be woken.
    pub(crate) fn push_heartbeats(&mut self, now: Time) -> (bool, Result<(), Error>) {
        if now < self.deadline() {
            return (false, Ok(()));
        }
        self.heartbeats_from = now.after(HEARTBEAT_RETRY);
        let lanes: Vec<Lane> = self.sealer.due_lanes(now).collect();
        let result = lanes.into_iter().try_for_each(|lane| self.push_heartbeat(lane, now));
        (self.outbound.publish(), result)
    }

    fn push_heartbeat(&mut self, lane: Lane, now: Time) -> Result<(), Error> {
        let (meta_length, mut frame) = self.sealer.heartbeat(lane)?;
        if self.outbound.try_reserve(ring_lane(lane), frame.len()).map_err(push_error)? {
            self.sealer.seal(Kind::Heartbeat, lane, MetaKind::Json, meta_length, &mut frame, now)?;
            self.push_sealed(lane, &frame)?;
        }
        Ok(())
    }

    /// Drains the lanes of `lanes` (bit mask) in priority order into `delivery`. What was delivered before an error stays delivered.
    ///
    /// `is_urgent`: P0 messages have come to this thread lately, so that bulk is taken in small portions.
    pub(crate) fn receive(&mut self, delivery: &mut Delivery<'_>, lanes: u8, is_urgent: bool) -> Drained {
        let mut budget = Budget::new(if is_urgent { BULK_BESIDE_URGENT } else { BULK_PER_CALL }).only(lanes);
        let mut has_urgent = false;
        let result = loop {
            if !delivery.has_words() {
                break Ok(());
            }
            match self.receive_one(delivery, &mut budget) {
                Ok(Some(RingLane::P0)) => {
                    has_urgent = true;
                    // The message is handled once this call returns, and not behind the verification of bulk; but no flood of P0 may
                    // keep bulk from ever coming.
                    budget.limit(if self.owes_bulk { BULK_BESIDE_URGENT } else { 0 });
                }
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let has_more = result.is_ok() && self.has_data_among(lanes);
        self.owes_bulk = has_urgent && has_more && !self.owes_bulk;
        if has_more {
            delivery.raise(flag::MORE);
        }
        Drained { rings: self.inbound.release(), has_urgent, result }
    }

    /// Returns the lane of the record that was delivered.
    fn receive_one(
        &mut self,
        delivery: &mut Delivery<'_>,
        budget: &mut Budget,
    ) -> Result<Option<RingLane>, Error> {
        let Some((lane, length)) = self.inbound.next_by_priority(budget).map_err(fault)? else {
            return Ok(None);
        };
        let Some(frame) = delivery.room(length).and_then(|room| room.get_mut(..length)) else {
            return Ok(None); // the flag asks for a fresh slab
        };
        self.inbound.copy_next(lane, frame).map_err(fault)?;
        budget.spend(lane, length + RECORD_COST);
        let opener = &mut self.opener;
        delivery.describe(length, |frame| {
            let envelope = opener.receive(frame)?;
            // The sequence says one lane, the ring it came through is another: the peer bends priorities.
            if ring_lane(envelope.lane()) != lane {
                return Err(Error::new(Code::Sequence, "a frame came through another lane than its own"));
            }
            Ok(Some(envelope))
        })?;
        Ok(Some(lane))
    }

    /// Whether one of these lanes has a record waiting; true also after a fault, so that it is met.
    pub(crate) fn has_data_among(&self, lanes: u8) -> bool {
        self.inbound.has_data_among(lanes)
    }

    /// Announces sleep; true = one of these lanes has data after all.
    pub(crate) fn begin_wait(&mut self, lanes: u8) -> bool {
        self.inbound.begin_wait(lanes)
    }

    /// Takes the announcement back.
    pub(crate) fn end_wait(&mut self) {
        self.inbound.end_wait();
    }

    /// The peer's end of stream: what is published now may still be read, nothing later.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        self.inbound.end().map_err(fault)
    }

    /// Whether the lane has room for what it refused last.
    pub(crate) fn look_for_space(&mut self, lane: Lane) -> Result<bool, Error> {
        self.outbound.look_for_space(ring_lane(lane)).map_err(fault)
    }

    /// Asks for a doorbell when the lane has room; true = it has room now.
    pub(crate) fn wait_for_space(&mut self, lane: Lane) -> Result<bool, Error> {
        self.outbound.wait_for_space(ring_lane(lane)).map_err(fault)
    }

    /// Takes that back.
    pub(crate) fn end_wait_for_space(&mut self, lane: Lane) {
        self.outbound.clear_wait(ring_lane(lane));
    }

    pub(crate) fn note_dropped(&mut self, lane: Lane, count: u32) {
        self.outbound.note_dropped(ring_lane(lane), count.into());
    }

    pub(crate) fn dropped_by_peer(&self, lane: Lane) -> u64 {
        self.inbound.dropped(ring_lane(lane))
    }

    /// The last counter sent in each lane: what our X says.
    pub(crate) fn sent(&self) -> [u64; 4] {
        Lane::ALL.map(|lane| self.sealer.counter(lane))
    }

    /// The last counter received in each lane: what the peer's X is compared with.
    pub(crate) fn received(&self) -> [u64; 4] {
        Lane::ALL.map(|lane| self.opener.last(lane))
    }
}

const fn ring_lane(lane: Lane) -> eipc_shm::Lane {
    match lane {
        Lane::P0 => eipc_shm::Lane::P0,
        Lane::P1 => eipc_shm::Lane::P1,
        Lane::P2 => eipc_shm::Lane::P2,
        Lane::P3 => eipc_shm::Lane::P3,
    }
}

fn fault(fault: eipc_shm::Fault) -> Error {
    Error::with(Code::Poisoned, fault.to_string())
}

fn push_error(error: PushError) -> Error {
    match error {
        PushError::TooLarge { .. } => Error::with(Code::MessageTooLarge, error.to_string()),
        PushError::Reserve(_) => Error::with(Code::Transport, error.to_string()),
        PushError::Fault(inner) => fault(inner),
    }
}
