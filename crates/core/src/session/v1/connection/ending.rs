//! How a v1 session ends: the goodbye of either half of the stream, time, failure.

use super::{Connection, Open, Phase, expired, is_due, timed_out};
use crate::error::{Code, Error, Result};
use crate::session::v1::handshake::Denied;
use crate::time::Time;
use core::time::Duration;

/// How long the peer has to end its half of the stream after this side has ended its own.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How the peer's half of a stream ended; the deframer knows whether it was inside a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// Between two frames.
    Whole,
    /// Inside a frame.
    InsideFrame,
    /// By an error of the transport, between two frames as far as is known.
    Broken,
}

/// Which half of the stream ended first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goodbye {
    /// This side's; the peer's should follow until then.
    Own(Time),
    /// The peer's: what is sealed now is the last it reads.
    Peer,
}

impl Open {
    /// Returns when something has to happen.
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.goodbye {
            Some(Goodbye::Own(until)) => Some(self.ends.map_or(until, |ends| ends.min(until))),
            _ => self.ends,
        }
    }
}

impl Connection {
    /// Takes the end of the peer's half of the stream, which in v1 is its goodbye: seal what it should still
    /// read, then call [`Connection::finish_close`]. When this side has closed before, it is the end.
    ///
    /// # Errors
    /// [`Code::Transport`] during the handshake, [`Code::Truncation`] for an end that is no goodbye.
    pub fn handle_end(&mut self, end: StreamEnd, _now: Time) -> Result<()> {
        let error = match &mut self.phase {
            Phase::Closed => return Ok(()),
            Phase::Handshaking(_) => {
                Error::new(Code::Transport, "the peer ended the connection during the handshake")
            }
            Phase::Open(_) if end == StreamEnd::InsideFrame => {
                Error::new(Code::Truncation, "the stream ended inside a frame")
            }
            // A peer that closes while something of ours is on its way breaks the stream.
            Phase::Open(open) if open.goodbye.is_some() => {
                self.phase = Phase::Closed;
                return Ok(());
            }
            Phase::Open(_) if end == StreamEnd::Broken => Error::new(Code::Truncation, "the stream broke"),
            Phase::Open(open) => {
                open.goodbye = Some(Goodbye::Peer);
                self.has_peer_closed = true;
                return Ok(());
            }
        };
        Err(self.fail(error.into()))
    }

    /// Does what is due at `now`; nothing if nothing is. A peer that does not end its half of the stream is
    /// not waited for longer.
    ///
    /// # Errors
    /// [`Code::Timeout`] when the handshake took too long, [`Code::Expired`] at the end of the
    /// session's life. The connection is closed; v1 has no frame to say so.
    pub fn handle_timeout(&mut self, now: Time) -> Result<()> {
        let error = match &self.phase {
            Phase::Open(open) if is_due(open.ends, now) => expired(),
            Phase::Open(open) if is_due(open.deadline(), now) => {
                self.phase = Phase::Closed;
                return Ok(());
            }
            Phase::Handshaking(_) if now >= self.handshake_deadline => timed_out(),
            _ => return Ok(()),
        };
        Err(self.fail(error.into()))
    }

    /// Closes this side: nothing is sealed any more, and the owner ends its half of the stream when it has
    /// written what is left. The peer's messages still arrive, until it ends its half or two seconds are
    /// over. Without an open session, or when the peer has closed before, it is over at once. Idempotent.
    pub fn close(&mut self, now: Time) {
        match &mut self.phase {
            Phase::Open(open) if open.goodbye.is_none() => {
                open.goodbye = Some(Goodbye::Own(now.after(CLOSE_TIMEOUT)));
            }
            Phase::Open(open) if open.goodbye != Some(Goodbye::Peer) => {}
            _ => self.phase = Phase::Closed,
        }
    }

    /// Ends the session after the peer's goodbye; nothing if there was none.
    pub fn finish_close(&mut self) {
        if let Phase::Open(open) = &self.phase
            && open.goodbye == Some(Goodbye::Peer)
        {
            self.phase = Phase::Closed;
        }
    }

    /// Ends the connection because something outside found it broken: a refused length, a failed read.
    /// Returns the error unchanged.
    pub fn abort(&mut self, error: Error) -> Error {
        self.fail(error.into())
    }

    pub(super) fn fail(&mut self, denied: Denied) -> Error {
        if let Some(denial) = denied.denial {
            self.push(&denial);
        }
        self.is_hello_forged |= denied.is_forged;
        self.phase = Phase::Closed;
        denied.error
    }
}
