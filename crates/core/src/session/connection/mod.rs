//! One session's stream plane, both roles, sans-IO: handshake, messages, control frames, close, timers.
//!
//! The owner cuts frames with a [`Deframer`](crate::wire::Deframer), hands each to
//! [`Connection::handle_frame`], writes what [`Connection::poll_transmit`] returns and keeps the one
//! deadline. Frames in shared memory do not pass here: their [`Sealer`] and [`Opener`] are handed out by
//! [`Connection::use_segment`]. The handshake's steps are in `handshaking`, the open session's rules in
//! `open_session`, how things end in `ending`; this file moves between them.

mod ending;
mod failure;
mod handshaking;
mod open_session;
mod received;

use self::failure::Failure;
use self::handshaking::{Handshaking, Next};
use self::open_session::OpenSession;
pub use self::received::{Received, State};
use super::config::{ClientConfig, ServerConfig, Session};
#[cfg(feature = "deterministic")]
use super::handshake_v2::Planes;
use super::handshake_v2::{ClientStart, ServerStart};
use super::open::Opener;
use super::seal::Sealer;
use super::sec_header::MetaKind;
use crate::crypto::random::Random;
use crate::error::{Code, Error, Result};
use crate::message::{Kind, Priority};
use crate::time::Time;
use crate::wire::limits::UNAUTHENTICATED_FRAME_LIMIT;
use crate::wire::prefixed;
use std::collections::VecDeque;
use std::sync::Arc;

/// The stream plane of one session; see the module.
#[derive(Debug)]
pub struct Connection {
    phase: Phase,
    session: Option<Session>,
    outgoing: VecDeque<Vec<u8>>,
    handshake_deadline: Time,
    is_hello_forged: bool,
}

#[derive(Debug)]
enum Phase {
    Handshaking(Handshaking),
    Open(Box<OpenSession>),
    Closed,
}

impl Connection {
    /// Begins as a client; ClientHello is ready to be transmitted.
    ///
    /// # Errors
    /// [`Code::HandshakeFailed`] for a configuration no server could accept, [`Code::Internal`] when the
    /// random generator fails.
    pub fn client(config: ClientConfig, random: &Random, now: Time) -> Result<Self> {
        let deadline = now.after(config.handshake_timeout);
        let (hello, next) = ClientStart::new(config)?.hello(random)?;
        let mut connection = Self::new(Handshaking::ServerHello(Box::new(next)), deadline);
        connection.push(&hello);
        Ok(connection)
    }

    /// Begins as a server that waits for ClientHello.
    #[must_use]
    pub fn server(config: Arc<ServerConfig>, now: Time) -> Self {
        let deadline = now.after(config.handshake_timeout);
        Self::new(Handshaking::ClientHello(ServerStart::new(config)), deadline)
    }

    const fn new(first: Handshaking, handshake_deadline: Time) -> Self {
        Self {
            phase: Phase::Handshaking(first),
            session: None,
            outgoing: VecDeque::new(),
            handshake_deadline,
            is_hello_forged: false,
        }
    }

    /// Returns where the connection stands.
    #[must_use]
    pub fn state(&self) -> State {
        match &self.phase {
            Phase::Open(open) if open.is_closing() => State::Closing,
            Phase::Open(_) => State::Open,
            Phase::Closed => State::Closed,
            Phase::Handshaking(_) => State::Handshaking,
        }
    }

    /// Returns the largest frame the peer may send now: 4 096 bytes until it has proved itself. Hand it
    /// to the deframer after every frame.
    #[must_use]
    pub fn frame_limit(&self) -> usize {
        match &self.phase {
            Phase::Handshaking(step) => step.frame_limit(),
            Phase::Open(open) => open.max_frame(),
            Phase::Closed => UNAUTHENTICATED_FRAME_LIMIT,
        }
    }

    /// Returns what both sides know, once the handshake is done; also after the end.
    #[must_use]
    pub const fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Tells whether the handshake failed because the ClientHello was malformed or its tag did not
    /// verify. Only that counts against the source address (`docs/wire.md`, "Server order of work").
    #[must_use]
    pub const fn is_hello_forged(&self) -> bool {
        self.is_hello_forged
    }

    /// Takes one frame of the peer, without its length prefix.
    ///
    /// # Errors
    /// The first failed check. Every error is final: the one alert is queued where there may be one, and
    /// the connection is closed.
    pub fn handle_frame<'a>(
        &mut self,
        frame: &'a mut [u8],
        random: &Random,
        now: Time,
    ) -> Result<Received<'a>> {
        let received = match &mut self.phase {
            Phase::Open(open) => open.handle_frame(frame, now),
            Phase::Closed => return Err(Error::new(Code::Closed, "a frame after the end")),
            Phase::Handshaking(_) => self.handshake(frame, random, now),
        };
        received.map_err(|failure| self.fail(failure))
    }

    /// Moves the handshake on. The step is taken out; on failure nothing takes its place.
    fn handshake<'a>(
        &mut self,
        frame: &mut [u8],
        random: &Random,
        now: Time,
    ) -> core::result::Result<Received<'a>, Failure> {
        let Phase::Handshaking(mut step) = core::mem::replace(&mut self.phase, Phase::Closed) else {
            return Err(Failure::silent(Error::new(Code::Internal, "no handshake to move on")));
        };
        if now >= self.handshake_deadline {
            return Err(Failure { alert: Some(step.alert(now)), ..Failure::silent(timed_out()) });
        }
        let step = step.handle_frame(frame, random, now)?;
        if let Some(answer) = step.transmit {
            self.push(&answer);
        }
        match step.next {
            Next::Step(next) => {
                self.phase = Phase::Handshaking(next);
                Ok(Received::Progress)
            }
            Next::Established(established) => {
                self.session = Some(established.session.clone());
                self.phase = Phase::Open(Box::new(OpenSession::new(*established, now)));
                Ok(Received::Established)
            }
        }
    }

    /// Returns the next bytes to write, one frame with its length prefix. Drain it before writing frames
    /// of [`Connection::seal_record`], and after every other call.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    /// Tells whether [`Connection::poll_transmit`] has something.
    #[must_use]
    pub fn has_transmit(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Returns when to call [`Connection::handle_timeout`]; may change with every call.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Time> {
        match &self.phase {
            Phase::Open(open) => open.deadline(),
            Phase::Closed => None,
            Phase::Handshaking(_) => Some(self.handshake_deadline),
        }
    }

    /// Seals an application frame for the stream; `frame` as for [`Sealer::seal`], without length prefix.
    /// Frames must be written in the order they were sealed, and every sealed frame must be written.
    ///
    /// # Errors
    /// [`Code::Closed`] when the session is not open or closing, [`Code::Protocol`] when messages travel
    /// in shared memory, [`Code::Backpressure`] while [`Connection::poll_transmit`] has something to be
    /// written before, and those of [`Sealer::seal`]. None of them ends the connection, but after
    /// [`Code::Expired`] [`Connection::handle_timeout`] is due and closes it.
    pub fn seal_record(
        &mut self,
        kind: Kind,
        priority: Priority,
        meta_kind: MetaKind,
        meta_len: usize,
        frame: &mut [u8],
        now: Time,
    ) -> Result<()> {
        let open = open_of(&mut self.phase)?;
        open.accepts_records()?;
        if !self.outgoing.is_empty() {
            return Err(Error::new(Code::Backpressure, "control frames are to be written first"));
        }
        open.seal_record(kind, priority, meta_kind, meta_len, frame, now)
    }

    /// Returns the bytes of a tag and the largest frame of the open session, for laying out records.
    #[must_use]
    pub fn record_limits(&self) -> Option<(usize, usize)> {
        match &self.phase {
            Phase::Open(open) => Some((open.tag_len(), open.max_frame())),
            _ => None,
        }
    }

    /// Queues an `S` frame: the server's offer, or the client's one answer to it.
    ///
    /// # Errors
    /// [`Code::Protocol`] when the session has no shared memory or it is the other side's turn,
    /// [`Code::Closed`] when the session is not open.
    pub fn send_segment(&mut self, payload: &[u8], now: Time) -> Result<()> {
        let frame = open_of(&mut self.phase)?.send_segment(payload, now)?;
        self.push(&frame);
        Ok(())
    }

    /// Hands out both directions of the shared-memory plane, once: the client after it has queued
    /// "ready", the server after it has received it.
    ///
    /// # Errors
    /// [`Code::Protocol`] at any other time, [`Code::Closed`] when the session is not open.
    pub fn use_segment(&mut self) -> Result<(Sealer, Opener)> {
        open_of(&mut self.phase)?.use_segment()
    }

    /// Makes both planes move on after so many frames or bytes, or so long, as
    /// [`Sealer::limit_epochs`]; before the segment is in use. For tests only.
    #[cfg(feature = "deterministic")]
    pub fn limit_epochs(&mut self, frames: u64, bytes: u64, age: core::time::Duration) {
        if let Phase::Open(open) = &mut self.phase {
            open.limit_epochs(frames, bytes, age);
        }
    }

    /// Takes the keys of both planes out of the open session and ends it: what the vectors have on one plane, a
    /// session's own rules would refuse there. For tests only.
    #[cfg(feature = "deterministic")]
    pub fn take_planes(&mut self) -> Option<Planes> {
        match core::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Open(open) => Some(open.into_planes()),
            _ => None,
        }
    }

    /// Fills `out` with a secret of this session named `label`, for purposes outside EIPC.
    ///
    /// # Errors
    /// [`Code::Closed`] when the session is not open, [`Code::Internal`] for more than 8 160 bytes.
    pub fn export(&self, label: &[u8], out: &mut [u8]) -> Result<()> {
        match &self.phase {
            Phase::Open(open) => open.export(label, out),
            _ => Err(Error::new(Code::Closed, "there is no open session")),
        }
    }

    fn push(&mut self, frame: &[u8]) {
        self.outgoing.push_back(prefixed(frame));
    }
}

const fn timed_out() -> Error {
    Error::new(Code::Timeout, "the handshake took too long")
}

fn open_of(phase: &mut Phase) -> Result<&mut OpenSession> {
    match phase {
        Phase::Open(open) => Ok(open),
        _ => Err(Error::new(Code::Closed, "there is no open session")),
    }
}
