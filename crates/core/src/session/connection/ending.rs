//! How a session's stream plane ends: the close frame of either side, the end of the stream, time, failure.

use super::failure::Failure;
use super::{Connection, Phase, timed_out};
use crate::error::{Code, Error, Result};
use crate::session::control::CloseReason;
use crate::time::Time;

impl Connection {
    /// Takes the end of the peer's stream.
    ///
    /// # Errors
    /// [`Code::Transport`] during the handshake; [`Code::Truncation`] when the peer has not closed with
    /// `X`, whether or not this side has. After the peer's `X` it is the ordinary end.
    pub fn handle_end(&mut self, _now: Time) -> Result<()> {
        let error = match &self.phase {
            Phase::Closed => return Ok(()),
            Phase::Open(open) if open.has_peer_closed() => return Ok(()),
            Phase::Open(_) => Error::new(Code::Truncation, "end of stream without a close frame"),
            Phase::Handshaking(_) => {
                Error::new(Code::Transport, "the peer ended the connection during the handshake")
            }
        };
        Err(self.fail(Failure::silent(error)))
    }

    /// Does what is due at `now`; nothing if nothing is. A stream that has been in its epoch for an hour
    /// sends a heartbeat, so that it moves to the next (of lanes in shared memory see
    /// [`Sealer::due_lanes`]). At the end of the session's life the stream closes by itself; with shared memory in use [`Connection::is_expiring`] asks the owner to
    /// close, because only it knows the lanes' counters.
    ///
    /// # Errors
    /// [`Code::Timeout`] when the handshake took too long, [`Code::Truncation`] when the owner could not
    /// deliver up to the peer's counters in time, [`Code::Expired`] when an expiring session was
    /// not closed in time. A peer that does not answer `X` is no error: the connection is closed.
    pub fn handle_timeout(&mut self, now: Time) -> Result<()> {
        let outcome = match &mut self.phase {
            Phase::Closed => return Ok(()),
            Phase::Open(open) => open.handle_timeout(now),
            Phase::Handshaking(_) if now < self.handshake_deadline => return Ok(()),
            Phase::Handshaking(step) => {
                Err(Failure { alert: Some(step.alert(now)), ..Failure::silent(timed_out()) })
            }
        };
        match outcome {
            Ok(due) => {
                if let Some(frame) = due.transmit {
                    self.push(&frame);
                }
                if due.is_over {
                    self.phase = Phase::Closed;
                }
                Ok(())
            }
            Err(failure) => Err(self.fail(failure)),
        }
    }

    /// Tells whether the session's life is over and the owner has one second to call
    /// [`Connection::close`] with [`CloseReason::Time`] and the lanes' counters.
    #[must_use]
    pub fn is_expiring(&self) -> bool {
        matches!(&self.phase, Phase::Open(open) if open.is_expiring())
    }

    /// Closes: queues `X`, after which nothing is sent. Does nothing if it was queued before. During the
    /// handshake the connection is just given up. `lanes` are the counters of the last frames in shared
    /// memory, needed once the segment is in use.
    ///
    /// # Errors
    /// [`Code::Internal`] when the segment is in use and `lanes` is missing, or the other way round.
    pub fn close(&mut self, reason: CloseReason, lanes: Option<[u64; 4]>, now: Time) -> Result<()> {
        match &mut self.phase {
            Phase::Closed => Ok(()),
            Phase::Open(open) => {
                if let Some(frame) = open.close(reason, lanes, now)? {
                    self.push(&frame);
                }
                Ok(())
            }
            Phase::Handshaking(step) => {
                let alert = Some(step.alert(now));
                self.fail(Failure { alert, ..Failure::silent(Code::Closed.into()) });
                Ok(())
            }
        }
    }

    /// Ends the connection after the peer's `X`, when everything up to its counters is delivered: queues
    /// the own `X` if it was not yet. Does nothing when the connection is closed already.
    ///
    /// # Errors
    /// [`Code::Protocol`] when the peer has not closed; those of [`Connection::close`].
    pub fn finish_close(&mut self, lanes: Option<[u64; 4]>, now: Time) -> Result<()> {
        let Phase::Open(open) = &mut self.phase else { return Ok(()) };
        if !open.has_peer_closed() {
            return Err(Error::new(Code::Protocol, "the peer has not closed"));
        }
        if let Some(frame) = open.close(CloseReason::Normal, lanes, now)? {
            self.push(&frame);
        }
        self.phase = Phase::Closed;
        Ok(())
    }

    /// Ends the connection because something outside found it broken: a poisoned segment, a refused
    /// descriptor, a failed read. Queues the one alert and returns the error unchanged.
    pub fn abort(&mut self, error: Error, now: Time) -> Error {
        let alert = match &mut self.phase {
            Phase::Closed => None,
            Phase::Open(open) => open.alert(now),
            Phase::Handshaking(step) => Some(step.alert(now)),
        };
        self.fail(Failure { alert, ..Failure::silent(error) })
    }

    pub(super) fn fail(&mut self, failure: Failure) -> Error {
        if let Some(alert) = failure.alert {
            self.push(&alert);
        }
        self.is_hello_forged |= failure.is_hello_forged;
        self.phase = Phase::Closed;
        failure.error
    }
}
