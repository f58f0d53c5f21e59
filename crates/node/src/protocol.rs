//! The session of a stream in whichever protocol it speaks: what [`StreamSession`](crate::stream_session) drives.
//!
//! A client's protocol is known from the start. A server that also serves v1 has both in hand until the first frame says which it
//! is (docs/wire.md, "Two protocols, no negotiation"); until then nothing else of that frame is looked at, and limit and deadline
//! are the same in both.

use std::sync::Arc;

use eipc_core::crypto::random::Random;
use eipc_core::v1::{self, StreamEnd};
use eipc_core::wire::preamble::claims_v1;
use eipc_core::{CloseFrame, CloseReason, Code, Connection, Error, Received, State, Time};

use crate::batch::{Delivery, PREFIX, RECORD_HEAD, Record};
use crate::clock;
use crate::key::NativeKey;
use crate::options::{NativeAddress, SessionInfo};

/// A session of either protocol.
pub(crate) enum Protocol {
    Eipc2 { connection: Box<Connection>, alternative: Option<Alternative> },
    V1(Box<v1::Connection>),
}

/// What a server needs to go on in v1.
pub(crate) struct Alternative {
    config: Arc<v1::ServerConfig>,
    unix_ns: i64,
    since: Time,
}

impl Protocol {
    /// A session of EIPC/2.
    pub(crate) fn eipc2(connection: Connection) -> Self {
        Self::Eipc2 { connection: Box::new(connection), alternative: None }
    }

    /// A session of v1.
    pub(crate) fn v1(connection: v1::Connection) -> Self {
        Self::V1(Box::new(connection))
    }

    /// A server's session, whose first frame decides where the address serves both.
    pub(crate) fn server(address: &NativeAddress, now: Time) -> Self {
        let alternative =
            address.v1().map(|config| Alternative { config, unix_ns: clock::unix_nanoseconds(), since: now });
        Self::Eipc2 { connection: Box::new(Connection::server(address.config(), now)), alternative }
    }

    /// The connection of EIPC/2, for the vectors.
    #[cfg(feature = "vectors")]
    pub(crate) fn eipc2_connection(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Eipc2 { connection, .. } => Some(connection),
            Self::V1(_) => None,
        }
    }

    /// Opens the frame of `length` bytes that lies in `delivery`; returns the peer's close frame if it was one.
    pub(crate) fn receive(
        &mut self,
        delivery: &mut Delivery<'_>,
        length: usize,
        random: &Random,
        now: Time,
    ) -> Result<Option<CloseFrame>, Error> {
        self.choose(delivery.frame(length));
        let mut close = None;
        match self {
            Self::Eipc2 { connection, .. } => {
                delivery.describe(length, |frame| match connection.handle_frame(frame, random, now)? {
                    Received::Message(envelope) => Ok(Some(envelope)),
                    Received::Progress | Received::Established => Ok(None),
                    // Everything before the peer's X was on the stream before it, so it is described already.
                    Received::Close(frame) => {
                        close = Some(frame);
                        Ok(None)
                    }
                    Received::Segment(_) => {
                        Err(Error::new(Code::Protocol, "an S frame outside shared memory"))
                    }
                })?;
            }
            Self::V1(connection) => {
                delivery.describe_v1(length, |frame| {
                    match connection.handle_frame(frame, random, now)? {
                        v1::Received::Message(envelope) => Ok(Some(envelope)),
                        v1::Received::Progress | v1::Received::Established => Ok(None),
                    }
                })?;
            }
        }
        Ok(close)
    }

    /// The first frame chooses, once.
    fn choose(&mut self, frame: &[u8]) {
        if let Self::Eipc2 { alternative, .. } = self
            && let Some(Alternative { config, unix_ns, since }) = alternative.take()
            && claims_v1(frame)
        {
            *self = Self::v1(v1::Connection::server(config, unix_ns, since));
        }
    }

    /// Seals every record of `batch`. Returns how many bytes at its front go on the wire.
    pub(crate) fn seal_batch(&mut self, batch: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::Eipc2 { connection, .. } => seal_eipc2(connection, batch),
            Self::V1(connection) => seal_v1(connection, batch),
        }
    }

    pub(crate) fn state(&self) -> State {
        match self {
            Self::Eipc2 { connection, .. } => connection.state(),
            Self::V1(connection) => connection.state(),
        }
    }

    pub(crate) fn frame_limit(&self) -> usize {
        match self {
            Self::Eipc2 { connection, .. } => connection.frame_limit(),
            Self::V1(connection) => connection.frame_limit(),
        }
    }

    pub(crate) fn is_hello_forged(&self) -> bool {
        match self {
            Self::Eipc2 { connection, .. } => connection.is_hello_forged(),
            Self::V1(connection) => connection.is_hello_forged(),
        }
    }

    /// Whether the answer to a good hello is ready: the peer holds a key, and the hello was none that had been seen before. The
    /// first frame of v1 is no such proof: whoever has recorded one can send it again.
    pub(crate) fn has_answered_hello(&self) -> bool {
        match self {
            Self::Eipc2 { connection, .. } => {
                connection.state() == State::Handshaking && connection.has_transmit()
            }
            Self::V1(_) => false,
        }
    }

    /// Whether an open session knows who its peer is: not yet in v1 without a handshake.
    pub(crate) fn knows_peer(&self) -> bool {
        match self {
            Self::Eipc2 { .. } => true,
            Self::V1(connection) => connection.session().is_some_and(|session| session.peer_id.is_some()),
        }
    }

    /// Whether the peer said goodbye first, where no close frame says so.
    pub(crate) fn has_peer_closed(&self) -> bool {
        match self {
            Self::Eipc2 { .. } => false,
            Self::V1(connection) => connection.has_peer_closed(),
        }
    }

    /// Whether an open session is under `key`.
    pub(crate) fn uses_key(&self, key: &NativeKey) -> bool {
        match self {
            Self::Eipc2 { connection, .. } => {
                connection.session().is_some_and(|session| key.has_id(session.key_id))
            }
            Self::V1(connection) => connection.uses_key(key.v1_ref()),
        }
    }

    pub(crate) fn info(&self) -> Option<SessionInfo> {
        match self {
            Self::Eipc2 { connection, .. } => connection.session().map(SessionInfo::new),
            Self::V1(connection) => {
                let room = connection.header_room().unwrap_or_default();
                connection.session().map(|session| SessionInfo::of_v1(session, room))
            }
        }
    }

    pub(crate) fn has_transmit(&self) -> bool {
        match self {
            Self::Eipc2 { connection, .. } => connection.has_transmit(),
            Self::V1(connection) => connection.has_transmit(),
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Eipc2 { connection, .. } => connection.poll_transmit(),
            Self::V1(connection) => connection.poll_transmit(),
        }
    }

    pub(crate) fn poll_deadline(&self) -> Option<Time> {
        match self {
            Self::Eipc2 { connection, .. } => connection.poll_deadline(),
            Self::V1(connection) => connection.poll_deadline(),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) -> Result<(), Error> {
        match self {
            Self::Eipc2 { connection, .. } => connection.handle_timeout(now),
            Self::V1(connection) => connection.handle_timeout(now),
        }
    }

    /// Takes the end of the stream; in EIPC/2 it does not matter how it came.
    pub(crate) fn handle_end(&mut self, end: StreamEnd, now: Time) -> Result<(), Error> {
        match self {
            Self::Eipc2 { connection, .. } => connection.handle_end(now),
            Self::V1(connection) => connection.handle_end(end, now),
        }
    }

    /// Says goodbye; in v1 there is nothing to say it with, and no reason.
    pub(crate) fn close(&mut self, reason: CloseReason, now: Time) -> Result<(), Error> {
        match self {
            Self::Eipc2 { connection, .. } => connection.close(reason, None, now),
            Self::V1(connection) => {
                connection.close(now);
                Ok(())
            }
        }
    }

    /// Answers the peer's goodbye.
    pub(crate) fn finish_close(&mut self, now: Time) -> Result<(), Error> {
        match self {
            Self::Eipc2 { connection, .. } => connection.finish_close(None, now),
            Self::V1(connection) => {
                connection.finish_close();
                Ok(())
            }
        }
    }

    /// Gives this side another id, before it has sent anything; v1 without a handshake only.
    pub(crate) fn rename(&mut self, own_id: &str) -> Result<(), Error> {
        match self {
            Self::Eipc2 { .. } => Err(Error::new(Code::BadHeader, "the handshake says who this is")),
            Self::V1(connection) => connection.rename(own_id),
        }
    }

    pub(crate) fn abort(&mut self, error: Error, now: Time) -> Error {
        match self {
            Self::Eipc2 { connection, .. } => connection.abort(error, now),
            Self::V1(connection) => connection.abort(error),
        }
    }
}

/// Seals records where they lie: each is exactly as long as its frame with its prefix.
fn seal_eipc2(connection: &mut Connection, batch: &mut [u8]) -> Result<usize, Error> {
    let (tag_length, _) = connection.record_limits().ok_or(Error::from(Code::Closed))?;
    let (length, now, mut stamp) = (batch.len(), clock::now(), None);
    let mut rest = batch;
    while !rest.is_empty() {
        let record = Record::read(rest, tag_length)?;
        let (bytes, behind) = rest.split_at_mut_checked(record.length).ok_or(Error::from(Code::Internal))?;
        record.stamp(bytes, &mut stamp);
        let (prefix, frame) = bytes.split_first_chunk_mut::<PREFIX>().ok_or(Error::from(Code::Internal))?;
        connection.seal_record(record.kind, record.lane, record.meta_kind, record.meta_length, frame, now)?;
        *prefix = u32::try_from(frame.len()).unwrap_or(u32::MAX).to_be_bytes();
        rest = behind;
    }
    Ok(length)
}

/// Seals records and moves their frames together: none is longer than its record.
fn seal_v1(connection: &mut v1::Connection, batch: &mut [u8]) -> Result<usize, Error> {
    let fault = || Error::from(Code::Internal);
    let (mut from, mut to, mut stamp) = (0, 0, None);
    while from < batch.len() {
        let bytes = batch.get_mut(from..).ok_or_else(fault)?;
        let record = Record::read_roomy(bytes)?;
        record.stamp(bytes, &mut stamp);
        let room = batch.get_mut(to..from + record.length).ok_or_else(fault)?;
        let (prefix, room) = room.split_first_chunk_mut::<PREFIX>().ok_or_else(fault)?;
        let meta_at = from + RECORD_HEAD - to - PREFIX;
        let payload_at = meta_at + record.meta_length;
        let payload = payload_at..payload_at + record.payload_length;
        let length = connection.seal_in_place(record.kind, meta_at..payload_at, payload, room)?;
        *prefix = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        to += PREFIX + length;
        from += record.length;
    }
    Ok(to)
}
