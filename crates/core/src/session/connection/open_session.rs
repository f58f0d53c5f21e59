//! An authenticated session: what each frame of the stream may be, the close in both directions, and
//! the session's timers (`docs/wire.md`, "EIPC/2 data frames"; rules of shared memory: `docs/shm-abi.md`).
//!
//! Opening and sealing themselves are in `open` and `seal`. Draining shared memory to the counters of `X`
//! is deliberately not here: the owner holds the rings.

use super::{Failure, Received};
use crate::error::{Code, Error, Result};
use crate::message::{Kind, Lane, Priority};
use crate::session::admission::LiveSession;
use crate::session::config::Session;
use crate::session::control::{Alert, CloseFrame, CloseReason};
use crate::session::envelope::Envelope;
use crate::session::handover::Handover;
use crate::session::handshake_v2::Established;
#[cfg(feature = "deterministic")]
use crate::session::handshake_v2::Planes;
use crate::session::keys::Exporter;
use crate::session::open::Opener;
use crate::session::seal::Sealer;
use crate::session::sec_header::MetaKind;
use crate::session::suite::{Features, Role};
use crate::time::Time;
use core::time::Duration;

/// How long the peer may take to answer `X`.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long delivering up to the peer's counters may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The state of an authenticated session.
#[derive(Debug)]
pub(super) struct OpenSession {
    role: Role,
    shares_memory: bool,
    sealer: Sealer,
    opener: Opener,
    segment: Option<(Sealer, Opener)>,
    handover: Handover,
    exporter: Exporter,
    /// When the peer must have answered the `X` this side has sent.
    answer_due: Option<Time>,
    /// When everything up to the peer's `X` must have been delivered.
    drain_due: Option<Time>,
    /// When the session's life ends.
    ends: Option<Time>,
    /// When an expiring session must have been closed by the owner.
    expiry_due: Option<Time>,
    /// Held, never read: dropping it frees the session id.
    _live: Option<LiveSession>,
}

/// What a timer asks for.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) transmit: Option<Vec<u8>>,
    pub(super) is_over: bool,
}

impl OpenSession {
    pub(super) fn new(established: Established, now: Time) -> Self {
        let Established { session, planes, exporter, live } = established;
        let Session { role, features, ttl_ms, .. } = session;
        Self {
            role,
            shares_memory: features.contains(Features::SHARED_MEMORY),
            sealer: planes.sealer,
            opener: planes.opener,
            segment: planes.segment,
            handover: Handover::Idle,
            exporter,
            answer_due: None,
            drain_due: None,
            ends: (ttl_ms > 0).then(|| now.after(Duration::from_millis(ttl_ms))),
            expiry_due: None,
            _live: live,
        }
    }

    pub(super) const fn is_closing(&self) -> bool {
        self.answer_due.is_some() || self.drain_due.is_some()
    }

    pub(super) const fn has_peer_closed(&self) -> bool {
        self.drain_due.is_some()
    }

    pub(super) const fn is_expiring(&self) -> bool {
        self.expiry_due.is_some() && self.answer_due.is_none()
    }

    pub(super) const fn max_frame(&self) -> usize {
        self.opener.max_frame()
    }

    pub(super) const fn tag_len(&self) -> usize {
        self.opener.tag_len()
    }

    pub(super) fn export(&self, label: &[u8], out: &mut [u8]) -> Result<()> {
        self.exporter.export(label, out)
    }

    pub(super) fn handle_frame<'a>(
        &mut self,
        frame: &'a mut [u8],
        now: Time,
    ) -> core::result::Result<Received<'a>, Failure> {
        if self.has_peer_closed() {
            let error = Error::new(Code::Protocol, "a frame after the peer's close frame");
            return Err(Failure { alert: self.alert(now), ..Failure::silent(error) });
        }
        let received = self.opener.receive(frame).and_then(|envelope| match envelope.kind() {
            Kind::Close => self.peer_closes(&envelope, now),
            Kind::Segment => self.segment_frame(&envelope),
            Kind::Alert => Alert::decode(envelope.payload()).map(Err),
            _ if self.shares_memory => {
                Err(Error::new(Code::Protocol, "a message on the stream of a session that shares memory"))
            }
            _ => Ok(Ok(Received::Message(envelope))),
        });
        match received {
            Ok(Ok(received)) => Ok(received),
            // An alert is never answered.
            Ok(Err(alert)) => Err(Failure::silent(alert_error(alert))),
            Err(error) => Err(Failure { alert: self.alert(now), ..Failure::silent(error) }),
        }
    }

    fn peer_closes<'a>(&mut self, envelope: &Envelope<'a>, now: Time) -> Outcome<'a> {
        let close = CloseFrame::decode(envelope.payload())?;
        if close.stream_last != envelope.sequence() - 1 {
            return Err(Error::new(Code::Sequence, "the close frame counts the stream differently"));
        }
        if close.lanes.is_some() && !self.shares_memory {
            return Err(Error::new(Code::BadPayload, "a close frame with lanes, but no shared memory"));
        }
        self.drain_due = Some(now.after(DRAIN_TIMEOUT));
        Ok(Ok(Received::Close(close)))
    }

    fn segment_frame<'a>(&mut self, envelope: &Envelope<'a>) -> Outcome<'a> {
        if !self.shares_memory {
            return Err(Error::new(Code::Protocol, "hand-over in a session without shared memory"));
        }
        let sender = match self.role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        self.handover.step(sender)?;
        // An answer that crossed the own X is of no use any more.
        let is_useful = self.answer_due.is_none();
        Ok(Ok(if is_useful { Received::Segment(envelope.payload()) } else { Received::Progress }))
    }

    /// Tells whether application frames may be sealed for the stream.
    pub(super) fn accepts_records(&self) -> Result<()> {
        self.refuse_when_closing()?;
        if self.shares_memory {
            return Err(Error::new(Code::Protocol, "this session's messages travel in shared memory"));
        }
        Ok(())
    }

    /// Seals a message for the stream. Call behind [`OpenSession::accepts_records`].
    pub(super) fn seal_record(
        &mut self,
        kind: Kind,
        priority: Priority,
        meta_kind: MetaKind,
        meta_len: usize,
        frame: &mut [u8],
        now: Time,
    ) -> Result<()> {
        if !kind.is_application() {
            return Err(Error::with(Code::UnsupportedType, format!("{} is no message", kind.name())));
        }
        let sealed = self.sealer.seal(kind, priority, meta_kind, meta_len, frame, now);
        if matches!(&sealed, Err(error) if error.code == Code::Expired) {
            self.ends = Some(now);
        }
        sealed
    }

    pub(super) fn send_segment(&mut self, payload: &[u8], now: Time) -> Result<Vec<u8>> {
        self.refuse_when_closing()?;
        if !self.shares_memory {
            return Err(Error::new(Code::Protocol, "this session has no shared memory"));
        }
        let mut handover = self.handover;
        handover.step(self.role)?;
        let frame = self.sealer.seal_control(Kind::Segment, payload, now)?;
        self.handover = handover;
        Ok(frame)
    }

    pub(super) fn use_segment(&mut self) -> Result<(Sealer, Opener)> {
        self.refuse_when_closing()?;
        self.handover.enter_use()?;
        // From here on each direction of the stream carries one frame more, X or E (docs/shm-abi.md). A
        // lane that silent would keep the session's first master secret to the end.
        self.sealer.forget_master();
        self.opener.forget_master();
        self.segment.take().ok_or(Error::new(Code::Internal, "no keys for shared memory"))
    }

    /// Seals `X` unless it was before.
    pub(super) fn close(
        &mut self,
        reason: CloseReason,
        lanes: Option<[u64; 4]>,
        now: Time,
    ) -> Result<Option<Vec<u8>>> {
        if self.answer_due.is_some() {
            return Ok(None);
        }
        if lanes.is_some() != (self.handover == Handover::InUse) {
            return Err(Error::new(Code::Internal, "lane counters are given iff a segment is in use"));
        }
        let stream_last = self.sealer.counter(Lane::P0);
        let payload = CloseFrame { reason, stream_last, lanes }.encode();
        let frame = self.sealer.seal_control(Kind::Close, &payload, now)?;
        self.answer_due = Some(now.after(ANSWER_TIMEOUT));
        Ok(Some(frame))
    }

    /// Seals the one alert, unless this side has promised to send nothing more or the peer has ended.
    pub(super) fn alert(&mut self, now: Time) -> Option<Vec<u8>> {
        if self.is_closing() {
            return None;
        }
        self.sealer.seal_control(Kind::Alert, &Alert::SessionError.payload(), now).ok()
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        if self.is_closing() {
            return [self.answer_due, self.drain_due].into_iter().flatten().min();
        }
        [self.expiry_due.or(self.ends), self.heartbeat_due()].into_iter().flatten().min()
    }

    /// When the stream is to carry a heartbeat, so that its lane moves to the next epoch. Where memory is
    /// shared no message may travel on the stream; its lane is provided for in `use_segment`.
    fn heartbeat_due(&self) -> Option<Time> {
        (!self.shares_memory).then(|| self.sealer.poll_deadline())
    }

    pub(super) fn handle_timeout(&mut self, now: Time) -> core::result::Result<Due, Failure> {
        let is_due = |at: Option<Time>| at.is_some_and(|at| now >= at);
        if is_due(self.drain_due) {
            let error = Error::new(Code::Truncation, "frames the peer has counted did not arrive in time");
            return Err(Failure::silent(error));
        }
        if is_due(self.answer_due) {
            return Ok(Due { transmit: None, is_over: true });
        }
        if self.is_closing() {
            return Ok(Due::default());
        }
        if is_due(self.expiry_due) {
            let error = Error::new(Code::Expired, "the session was not closed in time");
            return Err(Failure { alert: self.alert(now), ..Failure::silent(error) });
        }
        if self.expiry_due.is_none() && is_due(self.ends) {
            if self.handover == Handover::InUse {
                self.expiry_due = Some(now.after(DRAIN_TIMEOUT));
                return Ok(Due::default());
            }
            return self.close_for_time(now);
        }
        if is_due(self.heartbeat_due()) {
            return match self.seal_heartbeat(now) {
                Ok(frame) => Ok(Due { transmit: Some(frame), is_over: false }),
                // Nothing else refuses a heartbeat: the lane has used its last epoch.
                Err(_) => self.close_for_time(now),
            };
        }
        Ok(Due::default())
    }

    fn close_for_time(&mut self, now: Time) -> core::result::Result<Due, Failure> {
        let transmit = self.close(CloseReason::Time, None, now).map_err(Failure::silent)?;
        Ok(Due { transmit, is_over: false })
    }

    fn seal_heartbeat(&mut self, now: Time) -> Result<Vec<u8>> {
        let (meta_len, mut frame) = self.sealer.heartbeat(Lane::P2)?;
        self.sealer.seal(Kind::Heartbeat, Lane::P2, MetaKind::Json, meta_len, &mut frame, now)?;
        Ok(frame)
    }

    #[cfg(feature = "deterministic")]
    pub(super) fn limit_epochs(&mut self, frames: u64, bytes: u64, age: Duration) {
        let segment = self.segment.as_mut().map(|(sealer, _)| sealer);
        for sealer in segment.into_iter().chain([&mut self.sealer]) {
            sealer.limit_epochs(frames, bytes, age);
        }
    }

    #[cfg(feature = "deterministic")]
    pub(super) fn into_planes(self) -> Planes {
        Planes { sealer: self.sealer, opener: self.opener, segment: self.segment }
    }

    fn refuse_when_closing(&self) -> Result<()> {
        if self.is_closing() { Err(Error::new(Code::Closed, "the session is closing")) } else { Ok(()) }
    }
}

/// What a verified frame led to; the inner error is the peer's alert.
type Outcome<'a> = Result<core::result::Result<Received<'a>, Alert>>;

fn alert_error(alert: Alert) -> Error {
    match alert {
        Alert::HandshakeRefused => Error::new(Code::HandshakeFailed, "the peer refused the session"),
        Alert::SessionError => Error::new(Code::ClosedByPeer, "the peer reported a fault of this session"),
    }
}
