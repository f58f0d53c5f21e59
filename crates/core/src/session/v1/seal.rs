//! The sending direction of a v1 connection: routing fields and payload → a signed frame.
//!
//! A frame is appended to the caller's buffer, which can be used again, or takes the place of the message it
//! is made of: nothing else is allocated. The sequence number is taken only on success.

use super::key::Key;
use crate::error::{Code, Error, Result};
use crate::message::PayloadFormat;
use crate::message::{Kind, Meta, Priority};
use crate::wire::Preamble;
use crate::wire::header_binary;
use crate::wire::header_v1::{self, HeaderV1, Timestamp};
use crate::wire::limits::{MAC_LEN, PREAMBLE_LEN};
use crate::wire::preamble::{FLAG_MAC, VERSION_1};
use core::fmt;
use core::ops::Range;
use std::borrow::Cow;
use std::sync::Arc;

/// Seals this side's frames.
pub struct Sealer {
    key: Arc<Key>,
    own_id: String,
    session_id: String,
    max_frame: usize,
    sent: u64,
    /// The header being written, while the message it belongs to still lies where it goes.
    header: Vec<u8>,
}

impl Sealer {
    pub(super) fn new(key: Arc<Key>, own_id: &str, session_id: &str, max_frame: usize) -> Self {
        let (own_id, session_id) = (own_id.to_owned(), session_id.to_owned());
        Self { key, own_id, session_id, max_frame, sent: 0, header: Vec::new() }
    }

    /// Returns the sequence number of the last sealed frame; 0 before the first.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sent
    }

    /// Appends a message to `out`, without the stream's length. v1 carries neither a source other than
    /// the own id nor an age limit: the former is refused, the latter not written.
    ///
    /// # Errors
    /// Nothing that the peer would refuse is sealed: [`Code::UnsupportedType`] for a kind that is no
    /// message, [`Code::BadHeader`] for fields v1 cannot carry, [`Code::MessageTooLarge`] above the
    /// session's `max_frame`, [`Code::Expired`] when no sequence number is left. `out` is then as it
    /// was, and the caller may go on.
    pub fn seal(&mut self, kind: Kind, meta: &Meta<'_>, payload: &[u8], out: &mut Vec<u8>) -> Result<()> {
        self.check(kind, meta)?;
        self.append(kind, meta, payload, out)
    }

    /// Turns a message that lies in `room`, as a binary meta and a payload, into its frame, which takes its
    /// place at the front of `room`. Returns the frame's length. The room is wide enough if behind `payload`
    /// there is what [`Sealer::header_room`] and the tag need.
    ///
    /// # Errors
    /// Those of [`Sealer::seal`] and of `header_binary::parse_any_text`; [`Code::Internal`] for ranges outside of
    /// `room` or a room that is too narrow. The message may then be overwritten in part.
    pub fn seal_in_place(
        &mut self,
        kind: Kind,
        meta: Range<usize>,
        payload: Range<usize>,
        room: &mut [u8],
    ) -> Result<usize> {
        const OUTSIDE: Error = Error::new(Code::Internal, "a message outside of its room");
        let meta = header_binary::parse_any_text(room.get(meta).ok_or(OUTSIDE)?)?;
        self.check(kind, &meta)?;
        let sequence = self.next()?;
        let mut header = core::mem::take(&mut self.header);
        header.clear();
        let written = header_v1::write(&self.header(&meta, sequence), &mut header);
        let sealed = written.and_then(|()| self.place(kind, &header, payload, room));
        self.header = header;
        self.sent = if sealed.is_ok() { sequence } else { self.sent };
        sealed
    }

    /// Returns the length of the longest header of this session, without the bytes of the message's own
    /// strings.
    #[must_use]
    pub fn header_room(&self) -> usize {
        let meta = Meta {
            payload_format: PayloadFormat::MessagePack,
            capability: Cow::Borrowed("c"),
            route: Cow::Borrowed("r"),
            timestamp_ns: i64::MAX,
            ..Meta::default()
        };
        let mut header = Vec::new();
        // Ids and tokens are far from filling a header.
        let written = header_v1::write(&self.header(&meta, u64::MAX), &mut header);
        debug_assert_eq!(written, Ok(()), "an id and a token fit into a header");
        header.len().saturating_sub(2)
    }

    fn check(&self, kind: Kind, meta: &Meta<'_>) -> Result<()> {
        if !kind.is_application() {
            return Err(Error::with(Code::UnsupportedType, format!("{} is no message", kind.name())));
        }
        if !meta.source.is_empty() && meta.source != self.own_id {
            return Err(Error::new(Code::BadHeader, "v1 has no source other than the sender"));
        }
        if meta.timestamp_ns < 0 {
            return Err(Error::new(Code::BadHeader, "negative timestamp"));
        }
        Ok(())
    }

    fn next(&self) -> Result<u64> {
        const LAST: Error = Error::new(Code::Expired, "all sequence numbers are used");
        self.sent.checked_add(1).ok_or(LAST)
    }

    fn header<'a>(&'a self, meta: &'a Meta<'_>, sequence: u64) -> HeaderV1<'a> {
        HeaderV1 {
            service_id: Cow::Borrowed(&self.own_id),
            session_id: Cow::Borrowed(&self.session_id),
            request_id: Cow::Borrowed(&meta.request_id),
            sequence,
            timestamp: Timestamp::from_unix_ns(meta.timestamp_ns),
            priority: meta.priority,
            capability: Cow::Borrowed(&meta.capability),
            route: Cow::Borrowed(&meta.route),
            payload_format: meta.payload_format,
        }
    }

    /// Makes the preamble of a frame that is not larger than this session's.
    fn preamble(&self, kind: Kind, header_len: usize, payload_len: usize) -> Result<Preamble> {
        let frame_len = (PREAMBLE_LEN + header_len + MAC_LEN).saturating_add(payload_len);
        if frame_len > self.max_frame {
            let context = format!("frame of {frame_len} bytes, limit {}", self.max_frame);
            return Err(Error::with(Code::MessageTooLarge, context));
        }
        let length = |length: usize| u32::try_from(length).map_err(|_| Error::from(Code::MessageTooLarge));
        let (header_len, payload_len) = (length(header_len)?, length(payload_len)?);
        Ok(Preamble { version: VERSION_1, kind: kind.byte(), flags: FLAG_MAC, header_len, payload_len })
    }

    /// Puts a frame together out of its header and a payload that lies in `room` already.
    fn place(&self, kind: Kind, header: &[u8], payload: Range<usize>, room: &mut [u8]) -> Result<usize> {
        const NARROW: Error = Error::new(Code::Internal, "a frame outgrew its room");
        let preamble = self.preamble(kind, header.len(), payload.len())?;
        let payload_at = PREAMBLE_LEN + header.len();
        let tag_at = payload_at + payload.len();
        if payload.end > room.len() || tag_at + MAC_LEN > room.len() {
            return Err(NARROW);
        }
        room.copy_within(payload, payload_at);
        let (signed, behind) = room.split_at_mut_checked(tag_at).ok_or(NARROW)?;
        let (front, rest) = signed.split_first_chunk_mut().ok_or(NARROW)?;
        *front = preamble.to_bytes();
        rest.get_mut(..header.len()).ok_or(NARROW)?.copy_from_slice(header);
        *behind.first_chunk_mut().ok_or(NARROW)? = self.key.mac().sign(signed);
        Ok(tag_at + MAC_LEN)
    }

    /// Returns a frame of the handshake.
    pub(super) fn seal_step(
        &mut self,
        kind: Kind,
        request_id: &str,
        unix_ns: i64,
        payload: &[u8],
    ) -> Result<Vec<u8>> {
        let meta = Meta {
            priority: Priority::P0,
            request_id: request_id.into(),
            timestamp_ns: unix_ns,
            ..Meta::default()
        };
        let mut frame = Vec::new();
        self.append(kind, &meta, payload, &mut frame)?;
        Ok(frame)
    }

    fn append(&mut self, kind: Kind, meta: &Meta<'_>, payload: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let sequence = self.next()?;
        let start = out.len();
        let result = self.write(kind, meta, sequence, payload, out);
        match result {
            Ok(()) => self.sent = sequence,
            Err(_) => out.truncate(start),
        }
        result
    }

    fn write(
        &self,
        kind: Kind,
        meta: &Meta<'_>,
        sequence: u64,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        out.extend_from_slice(&[0; PREAMBLE_LEN]);
        header_v1::write(&self.header(meta, sequence), out)?;
        let preamble = self.preamble(kind, out.len() - start - PREAMBLE_LEN, payload.len())?;
        out.extend_from_slice(payload);
        let signed = out.get_mut(start..).ok_or(Code::Internal)?;
        if let Some(front) = signed.first_chunk_mut() {
            *front = preamble.to_bytes();
        }
        let tag = self.key.mac().sign(signed);
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// From now on frames carry this id.
    pub(super) fn rename(&mut self, own_id: &str) {
        own_id.clone_into(&mut self.own_id);
    }

    /// From now on frames carry this token.
    pub(super) fn begin_session(&mut self, token: &str) {
        token.clone_into(&mut self.session_id);
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "v1::Sealer(as {:?})", self.own_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealer_without_sequence_numbers_seals_nothing_more() {
        let key = Arc::new(Key::new(&[7; 16]).unwrap());
        let mut sealer = Sealer::new(key, "own", "", 4_096);
        sealer.sent = u64::MAX - 1;
        let mut out = Vec::new();
        assert_eq!(sealer.seal(Kind::Chat, &Meta::default(), b"", &mut out), Ok(()));
        let length = out.len();
        let error = sealer.seal(Kind::Chat, &Meta::default(), b"", &mut out).unwrap_err();
        assert_eq!((error.code, sealer.sequence(), out.len()), (Code::Expired, u64::MAX, length));
    }
}
