//! One process of a model: its two ends of the segment, its ends of the control socket, and how it sleeps.
//!
//! What is here does what crates/node/src/shared_link does with the lanes, in a straight line. Loom explores the lanes
//! and rings themselves.

use std::sync::Arc;

use eipc_shm::{ALL_LANES, Budget, Capacities, Direction, HeapRegion, Inbound, Lane, Layout, Outbound};

use crate::socket::{Read, Socket};

/// Bytes of a lane: two records of the longest kind.
const CAPACITY: u32 = 32;
/// Bytes of a record of a frame of eight bytes, the longest there may be.
pub(crate) const RECORD: u64 = 16;

/// Called before each step of a process that the other side can see: an access to the segment, or a ring.
pub(crate) type Step = Arc<dyn Fn() + Send + Sync>;

/// Both processes of a connection: client and server.
pub(crate) fn connection() -> (Side, Side) {
    connection_of(Arc::new(|| {}))
}

/// Both processes of a connection, of which the client is watched.
pub(crate) fn connection_of(before_step: Step) -> (Side, Side) {
    let region = HeapRegion::new(Layout::new(Capacities::new([CAPACITY; 8]).unwrap())).unwrap();
    let (to_server, to_client) = (Socket::new(), Socket::new());
    let watched = region.watched(Arc::clone(&before_step));
    (
        Side::new(watched, Direction::ClientToServer, before_step, to_server.clone(), to_client.clone()),
        Side::new(region, Direction::ServerToClient, Arc::new(|| {}), to_client, to_server),
    )
}

pub(crate) struct Side {
    pub(crate) outbound: Outbound<HeapRegion>,
    pub(crate) inbound: Inbound<HeapRegion>,
    before_step: Step,
    to_peer: Socket,
    from_peer: Socket,
    /// Whether the peer's end of stream was read.
    has_ended: bool,
}

impl Side {
    fn new(
        region: HeapRegion,
        sends: Direction,
        before_step: Step,
        to_peer: Socket,
        from_peer: Socket,
    ) -> Self {
        let outbound = Outbound::new(region.clone(), sends).unwrap();
        let inbound = Inbound::new(region, sends.reverse(), 0).unwrap();
        Self { outbound, inbound, before_step, to_peer, from_peer, has_ended: false }
    }

    /// Publishes what was pushed, and rings if the peer sleeps.
    pub(crate) fn publish(&mut self) {
        if self.outbound.publish() {
            self.ring();
        }
    }

    /// Sends a frame if there is room.
    pub(crate) fn try_send(&mut self, lane: Lane, frame: &[u8]) -> bool {
        let pushed = self.outbound.push(lane, frame).unwrap();
        self.publish();
        pushed
    }

    /// Sends a frame, sleeping until there is room; false at the end of stream.
    pub(crate) fn send(&mut self, lane: Lane, frame: &[u8]) -> bool {
        while !self.try_send(lane, frame) {
            while !self.outbound.wait_for_space(lane).unwrap() {
                if self.read() == Read::End {
                    return false;
                }
            }
        }
        true
    }

    /// Takes the next frame if there is one, without giving its room back.
    pub(crate) fn take(&mut self) -> Option<(Lane, Vec<u8>)> {
        self.take_among(ALL_LANES)
    }

    fn take_among(&mut self, lanes: u8) -> Option<(Lane, Vec<u8>)> {
        let mut budget = Budget::new(usize::MAX).only(lanes);
        let (lane, length) = self.inbound.next_by_priority(&mut budget).unwrap()?;
        let mut frame = vec![0; length];
        self.inbound.copy_next(lane, &mut frame).unwrap();
        Some((lane, frame))
    }

    /// Gives back the room of what was taken, and rings if the peer waits for it.
    pub(crate) fn release(&mut self) {
        if self.inbound.release() {
            self.ring();
        }
    }

    /// Receives a frame, sleeping until there is one; `None` at the end of stream, after everything was delivered.
    pub(crate) fn receive(&mut self) -> Option<(Lane, Vec<u8>)> {
        self.receive_among(ALL_LANES)
    }

    /// Receives as [`Side::receive`] does, but from these lanes only.
    pub(crate) fn receive_among(&mut self, lanes: u8) -> Option<(Lane, Vec<u8>)> {
        loop {
            if let Some(taken) = self.take_among(lanes) {
                self.release();
                return Some(taken);
            }
            if self.has_ended {
                return None;
            }
            if !self.inbound.begin_wait(lanes) {
                // A doorbell without data leaves the request as it stands.
                while self.read() != Read::End && !self.inbound.has_data_among(lanes) {}
                self.inbound.end_wait();
            }
        }
    }

    /// Sleeps until the peer says something.
    pub(crate) fn read(&mut self) -> Read {
        let read = self.from_peer.read();
        if read == Read::End {
            self.has_ended = true;
            self.inbound.end().unwrap();
        }
        read
    }

    fn ring(&self) {
        (self.before_step)();
        self.to_peer.ring();
    }

    /// Closes the control socket, as the kernel does at a death.
    pub(crate) fn close(&self) {
        self.to_peer.close();
    }
}
