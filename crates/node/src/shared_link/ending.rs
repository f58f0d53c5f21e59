//! How a shared-memory connection ends: authenticated close, end of stream, poison, faults, time.
//!
//! Everything the peer published before its end is delivered first; nothing read after a fault is. The goodbye or alert is the last that
//! goes out, and a socket full of doorbells does not swallow it.

use core::time::Duration;

use eipc_core::{CloseReason, Code, Error, State, Time};
use eipc_shm::ALL_LANES;
use eipc_shm::doorbell::Received;

use super::SharedLink;
use crate::clock;
use crate::ended::Ended;
use crate::shared_plane::SharedPlane;

/// How long the last bytes may wait for a peer that reads nothing.
const PARTING_TIME: Duration = Duration::from_secs(2);

/// How it ended, until the socket has taken the last bytes.
pub(super) struct Parting {
    ended: Ended,
    until: Time,
    /// Whether the segment was in use.
    pub(super) was_in_use: bool,
}

impl Parting {
    /// What a call fails with that comes meanwhile.
    pub(super) fn code(&self) -> Code {
        self.ended.code()
    }
}

impl SharedLink {
    /// The session is over once everything the peer sent before its X, or before its death, was delivered.
    pub(super) fn finish_if_drained(&mut self, now: Time) {
        let Some(plane) = &self.plane else { return };
        if let Some(close) = &self.peer_close {
            let (expected, received) = (close.lanes.unwrap_or_default(), plane.received());
            if received.iter().zip(expected).any(|(have, said)| *have > said) {
                let error = Error::new(Code::Sequence, "more messages than the peer's close counted");
                self.poison(&error);
                return;
            }
            if received == expected {
                let sent = plane.sent();
                let ended = Ended::by_agreement(self.peer_close.as_ref());
                let finished = self.connection.finish_close(Some(sent), now);
                self.queue_transmit();
                self.flush();
                self.end(finished.map_or_else(|error| Ended::by_fault(&error), |()| ended));
                return;
            }
        }
        if self.socket.has_ended() && !plane.has_data_among(ALL_LANES) {
            // Also after our own X: without the peer's, messages of its may be missing.
            self.end(Ended::by_fault(&Error::from(Code::PeerDown)));
        }
    }

    /// When `handle_timeout` is due.
    pub(crate) fn deadline(&self) -> Option<Time> {
        if let Some(parting) = &self.parting {
            return Some(parting.until);
        }
        let heartbeats = self.heartbeating().map(SharedPlane::deadline);
        let in_use_by = self.plane.is_none().then_some(self.in_use_by);
        [self.connection.poll_deadline(), heartbeats, in_use_by].into_iter().flatten().min()
    }

    /// The rings, while this side may still send through them.
    fn heartbeating(&self) -> Option<&SharedPlane> {
        self.plane.as_ref().filter(|_| self.connection.state() == State::Open)
    }

    fn push_heartbeats(&mut self, now: Time) {
        if self.heartbeating().is_none() {
            return;
        }
        let Some(plane) = self.plane.as_mut() else { return };
        let (rings, result) = plane.push_heartbeats(now);
        if rings {
            self.socket.ring();
        }
        match result {
            Ok(()) => {}
            Err(error) if error.code == Code::Expired => self.close(CloseReason::Time, now),
            Err(error) => self.poison(&error),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        if let Some(parting) = &self.parting {
            if now >= parting.until {
                self.part();
            }
            return;
        }
        // After the peer's X the time limit is for records that are missing, not for a consumer that has not taken them yet.
        let has_records = self.plane.as_ref().is_some_and(|plane| plane.has_data_among(ALL_LANES));
        if self.peer_close.is_some() && has_records {
            return;
        }
        let handled = self.connection.handle_timeout(now);
        self.queue_transmit();
        self.flush();
        match handled {
            Err(error) => self.fail(&error),
            Ok(()) if self.plane.is_none() && now >= self.in_use_by => {
                self.fail(&Error::new(Code::Timeout, "the segment was not handed over in time"));
            }
            Ok(()) if self.connection.is_expiring() => self.close(CloseReason::Time, now),
            Ok(()) if self.connection.state() == State::Closed => {
                self.end(Ended::by_agreement(self.peer_close.as_ref()))
            }
            Ok(()) => self.push_heartbeats(now),
        }
    }

    /// Starts the authenticated close; without a session there is nothing to authenticate.
    pub(crate) fn close(&mut self, reason: CloseReason, now: Time) {
        if self.parting.is_some() {
            return;
        }
        match &self.plane {
            Some(plane) => {
                let sent = plane.sent();
                if let Err(error) = self.connection.close(reason, Some(sent), now) {
                    self.fail(&error);
                    return;
                }
                self.queue_transmit();
                self.flush();
                self.has_news = true;
                self.finish_if_drained(now);
            }
            None => {
                // Before the handshake is done this only gives the connection up.
                let _ = self.connection.close(reason, None, now);
                self.queue_transmit();
                self.flush();
                self.end(Ended::by_agreement(None));
            }
        }
    }

    /// The segment was refused: both sides say X and go (docs/shm-abi.md, "Hand-over").
    pub(super) fn give_up(&mut self, error: &Error) {
        let _ = self.connection.close(CloseReason::Normal, None, clock::now());
        self.queue_transmit();
        self.flush();
        self.end(Ended::by_fault(error));
    }

    /// The peer's X came before the segment was in use.
    pub(super) fn finish_before_use(&mut self, now: Time) {
        let finished = self.connection.finish_close(None, now);
        self.queue_transmit();
        self.flush();
        let ended = Ended::by_agreement(self.peer_close.as_ref());
        self.end(finished.map_or_else(|error| Ended::by_fault(&error), |()| ended));
    }

    /// Ends at once; `code` of the error table, 0 for a plain close.
    pub(crate) fn destroy(&mut self, code: i32) {
        let ended = Code::from_value(code)
            .map_or_else(|| Ended::by_agreement(None), |code| Ended::by_fault(&code.into()));
        self.end(ended);
        self.part();
    }

    /// The one way into the poisoned state (docs/shm-abi.md, "A hostile peer", 4): no further access to the segment, the alert,
    /// the reason kept for the audit.
    pub(super) fn poison(&mut self, error: &Error) {
        let _ = self.connection.abort(error.clone(), clock::now());
        self.queue_transmit();
        self.flush();
        self.end(Ended::by_poison(error));
    }

    /// A fault on the control socket. Where the core found it, it has queued its alert already.
    pub(super) fn fail(&mut self, error: &Error) {
        let _ = self.connection.abort(error.clone(), clock::now());
        self.queue_transmit();
        self.flush();
        self.end(Ended::by_fault(error));
    }

    /// From here on nothing is delivered and nothing is sent but what waits for the socket.
    pub(super) fn end(&mut self, ended: Ended) {
        if self.ended.is_some() || self.parting.is_some() {
            return;
        }
        let was_in_use = self.plane.take().is_some();
        let ended = ended.with_hello_forged(self.connection.is_hello_forged());
        self.parting = Some(Parting { ended, until: clock::now().after(PARTING_TIME), was_in_use });
        self.has_news = true;
        self.part_if_written();
    }

    /// Nothing is waited for any longer.
    fn part(&mut self) {
        if let Some(parting) = self.parting.take() {
            self.ended = Some(parting.ended);
            self.has_news = true;
        }
    }

    pub(super) fn part_if_written(&mut self) {
        if !self.socket.has_waiting() || self.socket.has_ended() {
            self.part();
        }
    }

    /// What the peer still writes is nothing to anybody, unless it is its end.
    pub(super) fn read_on_parting(&mut self, buffer: &mut [u8]) -> bool {
        if !matches!(self.socket.read(buffer, false), Ok(Received::Bytes(..) | Received::WouldBlock)) {
            self.part();
        }
        self.flush();
        self.has_news
    }
}
