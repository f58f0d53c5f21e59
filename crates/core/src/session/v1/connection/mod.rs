//! One v1 session of a stream, both roles, sans-IO: handshake, messages, end, timers.
//!
//! The owner drives it as it does an EIPC/2 [`Connection`](crate::Connection): it cuts frames with a
//! [`Deframer`](crate::wire::Deframer), hands each to [`Connection::handle_frame`], writes what
//! [`Connection::poll_transmit`] returns and keeps the one deadline. v1 has no close frame: the end of the
//! stream is the goodbye, and who cuts a stream between two frames is not noticed. Whoever closes first ends
//! its half of the stream and goes on reading until the other half ends too.

mod ending;
mod wall_clock;

use self::ending::Goodbye;
pub use self::ending::StreamEnd;
use self::wall_clock::WallClock;
use super::handshake::{
    AwaitChallenge, AwaitResponse, AwaitResult, ClientStart, Denied, Established, ServerStart,
};
use super::open::{Envelope, Opener};
use super::options::{Authentication, ClientConfig, MacConfig, ServerConfig, Session};
use super::seal::Sealer;
use super::{Key, MAX_TOKEN_LEN, check_ids};
use crate::crypto::random::Random;
use crate::error::{Code, Error, Result};
use crate::message::{Kind, Meta};
use crate::session::State;
use crate::time::Time;
use crate::wire::limits::UNAUTHENTICATED_FRAME_LIMIT;
use crate::wire::prefixed;
use core::ops::Range;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

/// One v1 session; see the module.
#[derive(Debug)]
pub struct Connection {
    phase: Phase,
    session: Option<Session>,
    outgoing: VecDeque<Vec<u8>>,
    handshake_deadline: Time,
    clock: WallClock,
    is_hello_forged: bool,
    has_peer_closed: bool,
}

/// What a frame of the peer meant.
#[derive(Debug)]
pub enum Received<'a> {
    /// A step of the handshake; look at [`Connection::poll_transmit`].
    Progress,
    /// The handshake is done; look at [`Connection::session`].
    Established,
    /// A message. On a server without handshake the first one also establishes the session.
    Message(Envelope<'a>),
}

#[derive(Debug)]
enum Phase {
    Handshaking(Handshaking),
    Open(Box<Open>),
    Closed,
}

/// The frame that is awaited.
#[derive(Debug)]
enum Handshaking {
    Hello(ServerStart),
    FirstMessage(ServerStart),
    Response(Box<AwaitResponse>),
    Challenge(Box<AwaitChallenge>),
    Result(Box<AwaitResult>),
}

#[derive(Debug)]
struct Open {
    sealer: Sealer,
    opener: Opener,
    /// When the session's life ends.
    ends: Option<Time>,
    goodbye: Option<Goodbye>,
}

impl Connection {
    /// Begins as a client; its first frame is ready to be transmitted. `unix_ns` is the wall clock's time
    /// at `now`, for the headers of the handshake.
    ///
    /// # Errors
    /// [`Code::HandshakeFailed`] for an id that is none, [`Code::Reflection`] when both sides have the
    /// same.
    pub fn client(config: ClientConfig, unix_ns: i64, now: Time) -> Result<Self> {
        let deadline = now.after(config.options.handshake_timeout);
        let (hello, next) = ClientStart::new(config)?.hello(unix_ns)?;
        let phase = Phase::Handshaking(Handshaking::Challenge(Box::new(next)));
        let mut connection = Self::new(phase, deadline, unix_ns, now);
        connection.push(&hello);
        Ok(connection)
    }

    /// Begins as a server that waits for its client's first frame. `unix_ns` is the wall clock's time at
    /// `now`, for the headers of the handshake.
    #[must_use]
    pub fn server(config: Arc<ServerConfig>, unix_ns: i64, now: Time) -> Self {
        let deadline = now.after(config.options.handshake_timeout);
        let authentication = config.authentication;
        let start = ServerStart::new(config);
        let first = match authentication {
            Authentication::Challenge => Handshaking::Hello(start),
            Authentication::MacOnly => Handshaking::FirstMessage(start),
        };
        Self::new(Phase::Handshaking(first), deadline, unix_ns, now)
    }

    /// Begins either side of a connection without handshake, with a key both have agreed on. It is open at
    /// once, for frames of 4 096 bytes until the peer's first one has verified.
    ///
    /// # Errors
    /// [`Code::HandshakeFailed`] for an id that is none, [`Code::Reflection`] when both sides have the
    /// same, [`Code::BadHeader`] for a session id of more than 256 bytes.
    pub fn mac_only(config: MacConfig, now: Time) -> Result<Self> {
        let MacConfig { role, key, service_id, peer_id, session_id, capabilities, options } = config;
        check_ids(&service_id, peer_id.as_deref())?;
        if session_id.len() > MAX_TOKEN_LEN {
            return Err(Error::with(Code::BadHeader, format!("a session id of {} bytes", session_id.len())));
        }
        let max_frame = options.max_frame();
        let sealer = Sealer::new(Arc::clone(&key), &service_id, &session_id, max_frame);
        let opener = Opener::new(key, &service_id, peer_id.clone(), &options);
        let mut connection = Self::new(Phase::Closed, now, 0, now);
        let session =
            Session { role, own_id: service_id, peer_id, session_id, capabilities, ttl_ms: 0, max_frame };
        connection.open(Established { session, sealer, opener }, now);
        Ok(connection)
    }

    /// Gives this side of a connection without handshake another id, before it has sent anything: the
    /// original takes it from the first message.
    ///
    /// # Errors
    /// [`Code::BadHeader`] once something was sent or when there is no session; those of
    /// [`Connection::mac_only`].
    pub fn rename(&mut self, own_id: &str) -> Result<()> {
        let (Phase::Open(open), Some(session)) = (&mut self.phase, &mut self.session) else {
            return Err(Error::new(Code::BadHeader, "there is no open session"));
        };
        if open.sealer.sequence() > 0 {
            return Err(Error::new(Code::BadHeader, "a frame went out under another id"));
        }
        check_ids(own_id, open.opener.peer_id())?;
        open.sealer.rename(own_id);
        open.opener.rename(own_id);
        own_id.clone_into(&mut session.own_id);
        Ok(())
    }

    const fn new(phase: Phase, handshake_deadline: Time, unix_ns: i64, now: Time) -> Self {
        Self {
            phase,
            session: None,
            outgoing: VecDeque::new(),
            handshake_deadline,
            clock: WallClock { unix_ns, at: now },
            is_hello_forged: false,
            has_peer_closed: false,
        }
    }

    /// Returns where the connection stands.
    #[must_use]
    pub const fn state(&self) -> State {
        match &self.phase {
            Phase::Open(open) if open.goodbye.is_some() => State::Closing,
            Phase::Open(_) => State::Open,
            Phase::Closed => State::Closed,
            Phase::Handshaking(_) => State::Handshaking,
        }
    }

    /// Tells whether the peer ended its half of the stream before this side ended its own.
    #[must_use]
    pub const fn has_peer_closed(&self) -> bool {
        self.has_peer_closed
    }

    /// Returns the largest frame the peer may send now: 4 096 bytes until it has proved itself. Hand it
    /// to the deframer after every frame.
    #[must_use]
    pub fn frame_limit(&self) -> usize {
        match &self.phase {
            Phase::Open(open) => open.opener.max_frame(),
            _ => UNAUTHENTICATED_FRAME_LIMIT,
        }
    }

    /// Returns what is known, once the client is; also after the end.
    #[must_use]
    pub const fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Tells whether an open session is one under `key`.
    #[must_use]
    pub fn uses_key(&self, key: &Key) -> bool {
        matches!(&self.phase, Phase::Open(open) if open.opener.key().is_same(key))
    }

    /// Tells whether a server found no key that verifies the first frame, or no frame. Only that counts
    /// against the source address.
    #[must_use]
    pub const fn is_hello_forged(&self) -> bool {
        self.is_hello_forged
    }

    /// Takes one frame of the peer, without its length prefix.
    ///
    /// # Errors
    /// The first failed check. Every error is final: the one denial is queued where there may be one, and
    /// the connection is closed.
    pub fn handle_frame<'a>(
        &mut self,
        frame: &'a mut [u8],
        random: &Random,
        now: Time,
    ) -> Result<Received<'a>> {
        let received = match &mut self.phase {
            Phase::Closed => return Err(Error::new(Code::Closed, "a frame after the end")),
            Phase::Handshaking(_) => self.handshake(frame, random, now),
            Phase::Open(open) if is_due(open.ends, now) => Err(expired().into()),
            Phase::Open(open) if open.goodbye == Some(Goodbye::Peer) => {
                return Err(Error::new(Code::Closed, "a frame after the end"));
            }
            Phase::Open(open) => open.opener.receive(frame).map(Received::Message).map_err(Denied::from),
        };
        match received {
            Ok(received) => {
                self.learn_peer();
                Ok(received)
            }
            Err(denied) => Err(self.fail(denied)),
        }
    }

    /// Moves the handshake on. The step is taken out; on failure nothing takes its place.
    fn handshake<'a>(
        &mut self,
        frame: &'a mut [u8],
        random: &Random,
        now: Time,
    ) -> core::result::Result<Received<'a>, Denied> {
        if now >= self.handshake_deadline {
            return Err(timed_out().into());
        }
        let Phase::Handshaking(step) = core::mem::replace(&mut self.phase, Phase::Closed) else {
            return Err(Error::new(Code::Internal, "no handshake to move on").into());
        };
        let unix_ns = self.clock.unix_ns(now);
        let (answer, next) = match step {
            Handshaking::Hello(start) => {
                start.forget_ended(now);
                let (challenge, next) = start.receive(frame, random, unix_ns)?;
                (challenge, Handshaking::Response(Box::new(next)))
            }
            Handshaking::Challenge(step) => {
                let (response, next) = step.receive(frame, unix_ns)?;
                (response, Handshaking::Result(Box::new(next)))
            }
            Handshaking::Response(step) => {
                step.forget_ended(now);
                let (result, established) = step.receive(frame, random, unix_ns)?;
                self.push(&result);
                self.open(established, now);
                return Ok(Received::Established);
            }
            Handshaking::Result(step) => {
                self.open(step.receive(frame)?, now);
                return Ok(Received::Established);
            }
            Handshaking::FirstMessage(start) => {
                start.forget_ended(now);
                let (established, envelope) = start.receive_message(frame)?;
                self.open(established, now);
                return Ok(Received::Message(envelope));
            }
        };
        self.push(&answer);
        self.phase = Phase::Handshaking(next);
        Ok(Received::Progress)
    }

    fn open(&mut self, established: Established, now: Time) {
        let Established { session, sealer, opener } = established;
        let ends = (session.ttl_ms > 0).then(|| now.after(Duration::from_millis(session.ttl_ms)));
        self.session = Some(session);
        self.phase = Phase::Open(Box::new(Open { sealer, opener, ends, goodbye: None }));
    }

    /// Without a handshake the peer's first frame says who it is.
    fn learn_peer(&mut self) {
        if let (Some(session), Phase::Open(open)) = (&mut self.session, &self.phase)
            && session.peer_id.is_none()
        {
            session.peer_id = open.opener.peer_id().map(str::to_owned);
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

    /// Appends a message to `out` as [`Sealer::seal`] does, without length prefix. Frames should be written
    /// in the order they were sealed.
    ///
    /// # Errors
    /// [`Code::Closed`] when the session is not open, [`Code::Backpressure`] while
    /// [`Connection::poll_transmit`] has something to be written before, and those of [`Sealer::seal`].
    /// None of them ends the connection.
    pub fn seal_record(
        &mut self,
        kind: Kind,
        meta: &Meta<'_>,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        self.sealer()?.seal(kind, meta, payload, out)
    }

    /// Seals a message inside `room` as [`Sealer::seal_in_place`] does.
    ///
    /// # Errors
    /// Those of [`Connection::seal_record`], and of [`Sealer::seal_in_place`].
    pub fn seal_in_place(
        &mut self,
        kind: Kind,
        meta: Range<usize>,
        payload: Range<usize>,
        room: &mut [u8],
    ) -> Result<usize> {
        self.sealer()?.seal_in_place(kind, meta, payload, room)
    }

    /// Returns what [`Sealer::header_room`] says, while there is a session.
    #[must_use]
    pub fn header_room(&self) -> Option<usize> {
        if let Phase::Open(open) = &self.phase { Some(open.sealer.header_room()) } else { None }
    }

    fn sealer(&mut self) -> Result<&mut Sealer> {
        let Phase::Open(open) = &mut self.phase else {
            return Err(Error::new(Code::Closed, "there is no open session"));
        };
        if matches!(open.goodbye, Some(Goodbye::Own(_))) {
            return Err(Error::new(Code::Closed, "this side has closed"));
        }
        if !self.outgoing.is_empty() {
            return Err(Error::new(Code::Backpressure, "the handshake's last frame is to be written first"));
        }
        Ok(&mut open.sealer)
    }

    fn push(&mut self, frame: &[u8]) {
        self.outgoing.push_back(prefixed(frame));
    }
}

fn is_due(at: Option<Time>, now: Time) -> bool {
    at.is_some_and(|at| now >= at)
}

const fn timed_out() -> Error {
    Error::new(Code::Timeout, "the handshake took too long")
}

const fn expired() -> Error {
    Error::new(Code::Expired, "the session has reached the end of its life")
}
