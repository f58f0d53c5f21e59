//! One shared-memory connection without the event loop: control socket, handshake, hand-over, rings, end.
//!
//! The owner (`shm_session`) says when the socket is readable, when time has passed, and what to send; this type answers with
//! state. The protocol's rules are the core's and `eipc-shm`'s; this is where both meet. It never calls JavaScript.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use eipc_core::crypto::random::Random;
use eipc_core::wire::{Deframed, Deframer};
use eipc_core::{
    ClientConfig, CloseFrame, CloseReason, Code, Connection, Error, Lane, Received, Role, ServerConfig,
    Session, State, Time,
};
use eipc_shm::doorbell;
use eipc_shm::{ALL_LANES, Segment, SystemSegment};

use crate::batch::Delivery;
use crate::control_socket::ControlSocket;
use crate::ended::Ended;
use crate::shared_plane::{Drained, Pushed, SharedPlane};
use crate::unix::Connected;

/// One read of the control socket (docs/shm-abi.md, "Waking").
const READ: usize = 4_096;

mod ending;
mod handover;
mod waiting;

use ending::Parting;

/// A connection whose messages travel through shared memory.
pub(crate) struct SharedLink {
    socket: ControlSocket,
    peer_uid: u32,
    connection: Connection,
    deframer: Deframer,
    frame: Vec<u8>,
    random: Random,
    /// What the server offered, until the client is ready.
    offered: Option<SystemSegment>,
    /// The descriptor that came with the first byte of the offer; never one where segments have names.
    handed_over: Option<OwnedFd>,
    max_segment: u64,
    /// When the segment must be in use: handshake and hand-over share one time limit.
    in_use_by: Time,
    plane: Option<SharedPlane>,
    /// The peer's X, once it came.
    peer_close: Option<CloseFrame>,
    is_parked: bool,
    /// Lanes the owner takes now: the others hold up their sender and wake nobody (bit mask).
    taken: u8,
    /// Lanes that wait for room, and those that got it since last asked (bit masks).
    wanted: u8,
    space: u8,
    /// It is over, but the socket has not taken the last bytes yet.
    parting: Option<Parting>,
    ended: Option<Ended>,
    has_news: bool,
}

impl SharedLink {
    /// The client's side; its hello is queued.
    pub(crate) fn client(
        socket: Connected,
        config: ClientConfig,
        max_segment: u64,
        now: Time,
    ) -> Result<Self, Error> {
        let random = Random::system();
        let in_use_by = now.after(config.handshake_timeout);
        let connection = Connection::client(config, &random, now)?;
        Ok(Self::new(socket, connection, random, max_segment, in_use_by))
    }

    /// The server's side.
    pub(crate) fn server(socket: Connected, config: Arc<ServerConfig>, now: Time) -> Self {
        let in_use_by = now.after(config.handshake_timeout);
        Self::new(socket, Connection::server(config, now), Random::system(), 0, in_use_by)
    }

    fn new(
        socket: Connected,
        connection: Connection,
        random: Random,
        max_segment: u64,
        in_use_by: Time,
    ) -> Self {
        let mut link = Self {
            socket: ControlSocket::new(socket.descriptor),
            peer_uid: socket.uid,
            deframer: Deframer::new(connection.frame_limit()),
            connection,
            frame: vec![0; READ],
            random,
            offered: None,
            handed_over: None,
            max_segment,
            in_use_by,
            plane: None,
            peer_close: None,
            is_parked: false,
            taken: ALL_LANES,
            wanted: 0,
            space: 0,
            parting: None,
            ended: None,
            has_news: false,
        };
        link.queue_transmit();
        link
    }

    pub(crate) fn descriptor(&self) -> i32 {
        self.socket.descriptor()
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        self.connection.session()
    }

    /// 0 handshaking (hand-over included), 1 open, 2 closing.
    pub(crate) fn state(&self) -> u32 {
        if let Some(parting) = &self.parting {
            return if parting.was_in_use { 2 } else { 0 };
        }
        match self.connection.state() {
            State::Open if self.plane.is_none() => 0,
            State::Handshaking => 0,
            State::Open => 1,
            State::Closing | State::Closed => 2,
        }
    }

    /// How it ended, if it did.
    pub(crate) const fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    pub(crate) fn into_ended(self) -> Option<Ended> {
        self.ended
    }

    /// Whether something changed since last asked.
    pub(crate) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// Lanes that got room since last asked.
    pub(crate) fn take_space(&mut self) -> u32 {
        std::mem::take(&mut self.space).into()
    }

    // ── the control socket ──────────────────────────────────────────────────────────────────────────────────────────────

    /// Reads once and handles what came. True: the owner has something to look at.
    pub(crate) fn read_control(&mut self, now: Time) -> bool {
        if self.ended.is_some() {
            return true;
        }
        self.unpark();
        let mut buffer = [0; READ];
        if self.parting.is_some() {
            return self.read_on_parting(&mut buffer);
        }
        let expects_descriptor = self.expects_descriptor();
        let limit = self.read_limit();
        let received = buffer.get_mut(..limit).map(|part| self.socket.read(part, expects_descriptor));
        let result = match received {
            None => Err(Error::from(Code::Internal)),
            Some(Ok(doorbell::Received::WouldBlock)) => Ok(()),
            Some(Ok(doorbell::Received::End)) => self.handle_end(now),
            Some(Ok(doorbell::Received::Bytes(length, descriptor))) => {
                if descriptor.is_some() {
                    self.handed_over = descriptor;
                }
                self.handle_input(buffer.get(..length).unwrap_or_default(), now)
            }
            Some(Err(doorbell::ReceiveError::Descriptors)) => {
                Err(Error::new(Code::Protocol, "descriptors on the control socket that were not due"))
            }
            Some(Err(doorbell::ReceiveError::System(error))) => {
                Err(Error::with(Code::Transport, error.to_string()))
            }
        };
        if let Err(error) = result {
            self.fail(&error);
        }
        self.flush();
        self.look()
    }

    /// Before the segment is in use nothing is read past the frame being read: its last byte may be followed by the one byte
    /// that carries the descriptor.
    fn read_limit(&self) -> usize {
        if self.plane.is_some() { READ } else { self.deframer.missing().clamp(1, READ) }
    }

    /// The client, between SessionAccept and the first byte of the offer.
    fn expects_descriptor(&self) -> bool {
        SystemSegment::PASSES_DESCRIPTOR
            && self.session().is_some_and(|session| session.role == Role::Client)
            && self.plane.is_none()
            && self.handed_over.is_none()
            && !self.deframer.is_mid_frame()
    }

    fn handle_input(&mut self, mut input: &[u8], now: Time) -> Result<(), Error> {
        loop {
            self.deframer.set_limit(self.connection.frame_limit());
            match self.deframer.poll(&mut input, &mut self.frame)? {
                Deframed::NeedInput => return Ok(()),
                // The look at the lanes that every read ends with is what a doorbell asks for.
                Deframed::Doorbell => {}
                Deframed::NeedRoom(length) => self.frame.resize(length, 0),
                Deframed::Frame(length) => {
                    let mut frame = std::mem::take(&mut self.frame);
                    let handled = match frame.get_mut(..length) {
                        Some(bytes) => self.handle_frame(bytes, now),
                        None => Err(Error::from(Code::Internal)),
                    };
                    self.frame = frame;
                    self.queue_transmit();
                    handled?;
                }
            }
        }
    }

    fn handle_frame(&mut self, frame: &mut [u8], now: Time) -> Result<(), Error> {
        match self.connection.handle_frame(frame, &self.random, now)? {
            Received::Progress => Ok(()),
            Received::Established => self.handle_established(),
            Received::Segment(payload) => {
                let payload = payload.to_vec();
                self.handle_segment(&payload)
            }
            Received::Close(close) => {
                self.peer_close = Some(close);
                self.has_news = true;
                if self.plane.is_none() {
                    self.finish_before_use(now); // nothing was published, so nothing is drained
                }
                Ok(())
            }
            Received::Message(_) => Err(Error::new(
                Code::Protocol,
                "a message on the control socket of a shared-memory connection",
            )),
        }
    }

    fn handle_end(&mut self, now: Time) -> Result<(), Error> {
        self.has_news = true;
        match &mut self.plane {
            // What was published before death is still delivered; `receive` ends the session when it has been.
            Some(plane) => plane.end(),
            None => self.connection.handle_end(now),
        }
    }

    // ── writing the control socket ──────────────────────────────────────────────────────────────────────────────────────

    fn take_transmit(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(frame) = self.connection.poll_transmit() {
            bytes.extend_from_slice(&frame);
        }
        bytes
    }

    fn queue_transmit(&mut self) {
        let bytes = self.take_transmit();
        self.socket.queue(bytes, None);
    }

    /// What to watch the socket for.
    pub(crate) fn interest(&self) -> i32 {
        self.socket.interest()
    }

    /// Writes what waits for the socket.
    pub(crate) fn flush(&mut self) {
        self.socket.flush();
        self.part_if_written();
    }

    // ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────

    /// Seals and pushes; see `push` in the boundary's description. Returns the bytes accepted, and whether a P0 message was among them.
    pub(crate) fn push(&mut self, batch: &mut [u8], now: Time) -> Result<(usize, bool), Error> {
        if self.connection.state() != State::Open {
            return Err(Error::from(self.parting.as_ref().map_or(Code::Closed, Parting::code)));
        }
        let Some(plane) = self.plane.as_mut() else {
            return Err(Error::new(Code::Protocol, "the session is not open yet"));
        };
        let Pushed { accepted, rings, has_urgent, result } = plane.push(batch, now);
        if rings {
            self.socket.ring();
        }
        match result {
            Ok(()) => Ok((accepted, has_urgent)),
            // What was accepted is on its way: the caller learns of the error with its next call.
            Err(_) if accepted > 0 => Ok((accepted, has_urgent)),
            Err(error) => {
                match error.code {
                    Code::Poisoned => self.poison(&error),
                    Code::Expired => self.close(CloseReason::Time, now), // the lane has used its last epoch
                    _ => {}
                }
                Err(error)
            }
        }
    }

    /// Drains into `delivery`, then finishes what has reached its end. Returns whether a P0 message came.
    ///
    /// `is_urgent`: see `SharedPlane::receive`.
    pub(crate) fn receive(
        &mut self,
        delivery: &mut Delivery<'_>,
        lanes: u8,
        is_urgent: bool,
        now: Time,
    ) -> bool {
        self.unpark();
        self.taken = lanes;
        let Some(plane) = self.plane.as_mut() else { return false };
        let Drained { rings, has_urgent, result } = plane.receive(delivery, lanes, is_urgent);
        if rings {
            self.socket.ring();
        }
        match result {
            Ok(()) => self.finish_if_drained(now),
            Err(error) => self.poison(&error),
        }
        self.look_for_space();
        has_urgent
    }

    pub(crate) fn note_dropped(&mut self, lane: Lane, count: u32) {
        if let Some(plane) = self.plane.as_mut() {
            plane.note_dropped(lane, count);
        }
    }

    pub(crate) fn dropped_by_peer(&self, lane: Lane) -> u64 {
        self.plane.as_ref().map_or(0, |plane| plane.dropped_by_peer(lane))
    }
}
