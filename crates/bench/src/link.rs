//! Messages through the segment: sealed in private memory, copied to private memory before they are opened.
//!
//! The same calls in the same order as `crates/node/src/shared_plane.rs`, with a spinning thread in place of an event loop.

use std::error::Error;
use std::hint;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use eipc_core::wire::header_binary;
use eipc_core::{Kind, Meta, MetaKind, Opener, PayloadFormat, Priority, Role, Sealer, Time};
use eipc_shm::doorbell::{self, receive};
use eipc_shm::{Budget, Direction, Inbound, Lane, Outbound, SystemSegment};

use crate::exchange::Established;

/// Features travel there.
const PRIORITY: Priority = Priority::P2;
const LANE: Lane = Lane::P2;
/// Bytes that are taken before their room is given back, as the addon has it.
const DRAIN_BYTES: usize = 64 * 1024;
/// Spins before the control socket is looked at: the end of the other process shows there.
const LOOK_EVERY: u32 = 1 << 16;
/// Messages between two looks at the clock, which tells the session how old its keys are.
const CLOCK_EVERY: u32 = 1 << 10;

/// One side of a connection.
pub(crate) struct Link {
    socket: OwnedFd,
    sealer: Sealer,
    opener: Opener,
    outbound: Outbound<SystemSegment>,
    inbound: Inbound<SystemSegment>,
    /// The frame that is sealed; an AEAD leaves nothing in it as it was.
    frame: Vec<u8>,
    meta: Vec<u8>,
    incoming: Vec<u8>,
    unpublished: u32,
    budget: Budget,
    begun: Instant,
    now: Time,
    sent: u32,
}

impl Link {
    /// Takes both seats of this side, for payloads of `size` bytes.
    pub(crate) fn new(established: Established, size: usize) -> Result<Self, Box<dyn Error>> {
        let Established { socket, region, sealer, opener, role } = established;
        let sends = match role {
            Role::Client => Direction::ClientToServer,
            Role::Server => Direction::ServerToClient,
        };
        let meta = Meta { priority: PRIORITY, payload_format: PayloadFormat::Bytes, ..Meta::default() };
        let meta_len = header_binary::encoded_len(&meta)?;
        let mut binary_meta = vec![0; meta_len];
        header_binary::write(&meta, &mut binary_meta)?;
        let frame = vec![0; sealer.frame_len(meta_len, size)?];
        let shortest = u32::try_from(Sealer::META_OFFSET + sealer.tag_len())?;
        Ok(Self {
            outbound: Outbound::new(region.clone(), sends)?,
            inbound: Inbound::new(region, sends.reverse(), shortest)?,
            incoming: vec![0; frame.len()],
            socket,
            sealer,
            opener,
            frame,
            meta: binary_meta,
            unpublished: 0,
            budget: Budget::new(DRAIN_BYTES),
            begun: Instant::now(),
            now: Time(0),
            sent: 0,
        })
    }

    /// Sends a payload, and publishes once `batch` were sent; waits while the lane is full.
    pub(crate) fn send(&mut self, payload: &[u8], batch: u32) -> Result<(), Box<dyn Error>> {
        if self.sent.is_multiple_of(CLOCK_EVERY) {
            self.now = Time(0).after(self.begun.elapsed());
        }
        self.sent = self.sent.wrapping_add(1);
        // Room first: a counter is taken only by a frame that will be seen.
        if !self.outbound.try_reserve(LANE, self.frame.len())? {
            self.flush()?; // or the other side has nothing to make room with
            let mut spins = 0;
            while !self.outbound.try_reserve(LANE, self.frame.len())? {
                self.spin(&mut spins)?;
            }
        }
        self.lay_out(payload).ok_or("a payload of another size")?;
        self.sealer.seal(
            Kind::Features,
            PRIORITY,
            MetaKind::Binary,
            self.meta.len(),
            &mut self.frame,
            self.now,
        )?;
        if !self.outbound.push(LANE, &self.frame)? {
            return Err("the lane lost the room it had".into());
        }
        self.unpublished += 1;
        if self.unpublished >= batch { self.flush() } else { Ok(()) }
    }

    /// Publishes what was sent.
    pub(crate) fn flush(&mut self) -> Result<(), Box<dyn Error>> {
        self.unpublished = 0;
        if self.outbound.publish() {
            doorbell::ring(self.socket.as_fd())?;
        }
        Ok(())
    }

    /// Spins until a message is there.
    pub(crate) fn wait(&mut self) -> Result<(), Box<dyn Error>> {
        let mut spins = 0;
        while !self.inbound.has_data() {
            self.spin(&mut spins)?;
        }
        Ok(())
    }

    /// Takes the next message and hands its payload to `read`; `None` when no more is taken before the room of those
    /// before is given back with [`Link::release`].
    pub(crate) fn take<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Box<dyn Error>> {
        let Some((lane, length)) = self.inbound.next_by_priority(&mut self.budget)? else { return Ok(None) };
        let frame = self.incoming.get_mut(..length).ok_or("a message of another size")?;
        self.inbound.copy_next(lane, frame)?;
        self.budget.spend(lane, length);
        Ok(Some(read(self.opener.receive(frame)?.payload())))
    }

    /// Gives the room of what was taken back.
    pub(crate) fn release(&mut self) -> Result<(), Box<dyn Error>> {
        self.budget = Budget::new(DRAIN_BYTES);
        if self.inbound.release() {
            doorbell::ring(self.socket.as_fd())?;
        }
        Ok(())
    }

    fn lay_out(&mut self, payload: &[u8]) -> Option<()> {
        let room = self.frame.get_mut(Sealer::META_OFFSET..)?;
        let (meta, room) = room.split_at_mut_checked(self.meta.len())?;
        meta.copy_from_slice(&self.meta);
        room.get_mut(..payload.len())?.copy_from_slice(payload);
        Some(())
    }

    fn spin(&mut self, spins: &mut u32) -> Result<(), Box<dyn Error>> {
        hint::spin_loop();
        *spins = spins.wrapping_add(1);
        if spins.is_multiple_of(LOOK_EVERY)
            && matches!(receive(self.socket.as_fd(), &mut [0; 64], false)?, doorbell::Received::End)
        {
            return Err("the other process ended".into());
        }
        Ok(())
    }
}
