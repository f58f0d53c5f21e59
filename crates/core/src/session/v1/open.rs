//! The receiving direction of a v1 connection: bytes → a verified message.
//!
//! ```text
//! RawFrame ─verify→ Authentic ─read→ Headed ─attribute→ Attributed ─admit→ Envelope
//! ```
//!
//! The order of checks of `docs/wire.md` ("Receiver") is the order of these types. Nothing changes before
//! the last of them, and the first refused frame is the last.

use super::key::Key;
use super::options::{Options, SessionIdRule, SourceRule};
use super::replay::ReplayWindow;
use super::{MAX_TOKEN_LEN, is_id};
use crate::error::{Code, Error, Result};
use crate::message::{Kind, MAX_STRING_LEN, Meta};
use crate::wire::frame_v1::expect;
use crate::wire::header_v1::{self, HeaderV1, TimestampRule};
use crate::wire::limits::{PREAMBLE_LEN, UNAUTHENTICATED_FRAME_LIMIT};
use crate::wire::{Expect, RawFrame};
use core::fmt;
use core::ops::Range;
use std::borrow::Cow;
use std::sync::Arc;

/// Opens the peer's frames.
pub struct Opener {
    key: Arc<Key>,
    expect: Expect,
    timestamp: TimestampRule,
    names: Names,
    window: ReplayWindow,
    /// The limit once the peer has proved itself.
    max_frame: usize,
    is_poisoned: bool,
}

/// Whose frames are taken, of which session.
struct Names {
    own_id: String,
    /// `None` until a first frame says it, where nobody has said it before.
    peer_id: Option<String>,
    source: SourceRule,
    /// The token, where there is one.
    token: Option<String>,
    session_id: SessionIdRule,
}

/// A verified message, borrowed from the buffer it was received in.
#[derive(Debug)]
pub struct Envelope<'a> {
    signed: &'a [u8],
    kind: Kind,
    header_len: usize,
    sequence: u64,
    session_id: Cow<'a, str>,
    meta: Meta<'a>,
}

impl<'a> Envelope<'a> {
    /// Returns the kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the sequence number.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns the session id the frame carries.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// Returns the routing fields, as EIPC/2 has them: the source is the header's `service_id`, there is
    /// no age limit, and a time before 1970 (Go's unset one) is none.
    #[must_use]
    pub const fn meta(&self) -> &Meta<'a> {
        &self.meta
    }

    /// Returns the payload.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.signed.get(self.payload_range()).unwrap_or_default()
    }

    /// Returns where the payload lies in the frame.
    #[must_use]
    pub const fn payload_range(&self) -> Range<usize> {
        PREAMBLE_LEN + self.header_len..self.signed.len()
    }
}

impl Opener {
    pub(super) fn new(key: Arc<Key>, own_id: &str, peer_id: Option<String>, options: &Options) -> Self {
        Self {
            key,
            expect: expect(UNAUTHENTICATED_FRAME_LIMIT),
            timestamp: options.timestamp,
            names: Names {
                own_id: own_id.to_owned(),
                peer_id,
                source: options.source,
                token: None,
                session_id: options.session_id,
            },
            window: ReplayWindow::new(options.replay_window),
            max_frame: options.max_frame(),
            is_poisoned: false,
        }
    }

    /// Verifies `bytes`, one frame without the stream's length, and reads its header.
    ///
    /// # Errors
    /// The first failed check in the order of the wire text. Every failure is final: from then on the
    /// opener answers [`Code::Poisoned`].
    pub fn receive<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Envelope<'a>> {
        let envelope = self.receive_kind(bytes, Kind::is_application)?;
        self.expect.max_frame = self.max_frame;
        Ok(envelope)
    }

    /// As [`Opener::receive`], for the kinds that have a place now.
    pub(super) fn receive_kind<'a>(
        &mut self,
        bytes: &'a mut [u8],
        allows: impl FnOnce(Kind) -> bool,
    ) -> Result<Envelope<'a>> {
        if self.is_poisoned {
            return Err(Error::new(Code::Poisoned, "a frame was refused before"));
        }
        let result = self.steps(bytes, allows);
        self.is_poisoned = result.is_err();
        result
    }

    #[inline]
    fn steps<'a>(&mut self, bytes: &'a mut [u8], allows: impl FnOnce(Kind) -> bool) -> Result<Envelope<'a>> {
        let raw = RawFrame::parse(bytes, &self.expect)?;
        let headed = verify(raw, &self.key)?.read(allows, self.timestamp)?;
        let envelope = self.names.attribute(headed)?.admit(&mut self.window)?;
        if self.names.peer_id.is_none() && is_id(&envelope.meta.source) {
            self.names.peer_id = Some(envelope.meta.source.clone().into_owned());
        }
        Ok(envelope)
    }

    /// From now on this is the own id.
    pub(super) fn rename(&mut self, own_id: &str) {
        own_id.clone_into(&mut self.names.own_id);
    }

    /// From now on frames belong to a session with this token, and may be as large as agreed.
    pub(super) fn begin_session(&mut self, token: &str) {
        self.names.token = Some(token.to_owned());
        self.expect.max_frame = self.max_frame;
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Returns the peer's id, once it is known.
    #[must_use]
    pub fn peer_id(&self) -> Option<&str> {
        self.names.peer_id.as_deref()
    }

    /// Returns the largest frame accepted now: 4 096 bytes until the peer has proved itself.
    #[must_use]
    pub const fn max_frame(&self) -> usize {
        self.expect.max_frame
    }

    /// Returns the largest sequence number accepted; 0 before the first.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.window.max()
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "v1::Opener(from {:?})", self.names.peer_id)
    }
}

/// A frame whose sender holds the key.
struct Authentic<'a> {
    signed: &'a [u8],
    kind: u8,
    header_len: usize,
}

/// An authentic frame with a type that has a place, and a header.
struct Headed<'a> {
    signed: &'a [u8],
    kind: Kind,
    header_len: usize,
    header: HeaderV1<'a>,
}

/// A frame of the peer and of this session.
struct Attributed<'a>(Headed<'a>);

fn verify<'a>(raw: RawFrame<'a>, key: &Key) -> Result<Authentic<'a>> {
    if !key.mac().verify(raw.signed(), raw.tag()) {
        return Err(Error::new(Code::Integrity, "tag does not verify"));
    }
    let (kind, header_len) = (raw.kind(), raw.header_len());
    Ok(Authentic { signed: raw.into_signed(), kind, header_len })
}

impl<'a> Authentic<'a> {
    fn read(self, allows: impl FnOnce(Kind) -> bool, timestamp: TimestampRule) -> Result<Headed<'a>> {
        let Self { signed, kind, header_len } = self;
        let kind = Kind::from_byte(kind)
            .filter(|kind| allows(*kind))
            .ok_or_else(|| Error::with(Code::UnsupportedType, format!("type {kind:#04x}")))?;
        let header = signed
            .get(PREAMBLE_LEN..PREAMBLE_LEN + header_len)
            .ok_or(Error::new(Code::BadHeader, "no header"))?;
        let header = header_v1::parse(header, timestamp)?;
        if kind.is_application() {
            check_lengths(&header)?;
        }
        Ok(Headed { signed, kind, header_len, header })
    }
}

/// Refuses text that is longer than a message can keep. Control characters are the printer's to escape.
fn check_lengths(header: &HeaderV1<'_>) -> Result<()> {
    let strings = [&header.service_id, &header.request_id, &header.capability, &header.route];
    if strings.iter().any(|text| text.len() > MAX_STRING_LEN) || header.session_id.len() > MAX_TOKEN_LEN {
        return Err(Error::new(Code::BadHeader, "a string of the header is too long"));
    }
    Ok(())
}

impl Names {
    fn attribute<'a>(&self, frame: Headed<'a>) -> Result<Attributed<'a>> {
        let header = &frame.header;
        if header.service_id == self.own_id {
            return Err(Error::new(Code::Reflection, "a frame under the own service id"));
        }
        let is_peer = match &self.peer_id {
            Some(peer_id) => header.service_id == *peer_id,
            None => is_id(&header.service_id),
        };
        if !is_peer && self.source == SourceRule::Peer {
            return Err(Error::new(Code::Identity, "another service id than the key's"));
        }
        // No secret is compared: the token is in clear in every frame, behind a tag of the same key.
        let is_session = self.token.as_ref().is_none_or(|token| header.session_id == *token);
        let is_absent = header.session_id.is_empty() && self.session_id == SessionIdRule::WhenPresent;
        if !(is_session || is_absent) {
            return Err(Error::new(Code::Identity, "another session id than the token"));
        }
        Ok(Attributed(frame))
    }
}

impl<'a> Attributed<'a> {
    fn admit(self, window: &mut ReplayWindow) -> Result<Envelope<'a>> {
        let Headed { signed, kind, header_len, header } = self.0;
        if !window.accept(header.sequence) {
            let context = format!("sequence {}, newest {}", header.sequence, window.max());
            return Err(Error::with(Code::Replay, context));
        }
        let meta = Meta {
            priority: header.priority,
            payload_format: header.payload_format,
            source: header.service_id,
            request_id: header.request_id,
            capability: header.capability,
            route: header.route,
            timestamp_ns: header.timestamp.unix_ns().max(0),
            max_age_ms: 0,
        };
        let (sequence, session_id) = (header.sequence, header.session_id);
        Ok(Envelope { signed, kind, header_len, sequence, session_id, meta })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::v1::encode_frame;

    const KEY: &[u8] = b"secret-key-32bytes!!";

    fn opener() -> Opener {
        Opener::new(Arc::new(Key::new(KEY).unwrap()), "own", None, &Options::default())
    }

    fn frame(sequence: u64, timestamp: &str) -> Vec<u8> {
        let header = format!(
            r#"{{"service_id":"peer","sequence":{sequence},"timestamp":"{timestamp}","priority":0}}"#
        );
        encode_frame(b'c', header.as_bytes(), b"{}", Some(KEY)).unwrap()
    }

    #[test]
    fn the_first_refused_frame_is_the_last_and_changes_nothing() {
        let mut opener = opener();
        opener.receive(&mut frame(7, "0")).unwrap();
        let mut forged = frame(9, "0");
        forged[60] ^= 1;
        assert_eq!(opener.receive(&mut forged).unwrap_err().code, Code::Integrity);
        assert_eq!(opener.last(), 7);
        assert_eq!(opener.receive(&mut frame(8, "0")).unwrap_err().code, Code::Poisoned);
    }

    #[test]
    fn a_time_before_1970_is_none() {
        for (text, timestamp_ns) in
            [("0001-01-01T00:00:00Z", 0), ("1969-12-31T23:59:59Z", 0), ("1", 1_000_000_000)]
        {
            let mut bytes = frame(1, text);
            assert_eq!(opener().receive(&mut bytes).unwrap().meta().timestamp_ns, timestamp_ns, "{text}");
        }
    }

    #[test]
    fn the_first_source_stays_the_peer_where_any_is_taken() {
        let options = Options { source: SourceRule::Any, ..Options::default() };
        let mut opener = Opener::new(Arc::new(Key::new(KEY).unwrap()), "own", None, &options);
        let from = |source: &str, sequence: u64| {
            let header =
                format!(r#"{{"service_id":"{source}","sequence":{sequence},"timestamp":"0","priority":0}}"#);
            encode_frame(b'c', header.as_bytes(), b"{}", Some(KEY)).unwrap()
        };
        for (sequence, source) in [(1, "first"), (2, "second"), (3, "")] {
            opener.receive(&mut from(source, sequence)).unwrap();
            assert_eq!(opener.peer_id(), Some("first"));
        }
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic() {
        // Whole frames: nothing but the untouched one is accepted.
        let good = frame(1, "0");
        let mut opener = opener();
        eipc_testkit::noise::feed(&good, |bytes| {
            let is_good = bytes == good;
            opener.window.reset();
            let is_accepted = opener.steps(bytes, Kind::is_application).is_ok();
            assert!(is_good || !is_accepted);
            is_accepted
        });
    }

    #[test]
    fn random_bytes_behind_a_good_tag_are_refused_without_a_panic() {
        // The attacker holds the key and signs whatever it likes: type, header and payload.
        let header = br#"{"service_id":"peer","sequence":1,"timestamp":"0","priority":0}"#;
        let header_len = u8::try_from(header.len()).unwrap();
        let sample = [&[b'c', header_len], &header[..], b"payload"].concat();
        let mut opener = opener();
        let accepted = eipc_testkit::noise::feed(&sample, |bytes| {
            let Some(([kind, header_len], rest)) = bytes.split_first_chunk() else { return false };
            let Some((header, payload)) = rest.split_at_checked((*header_len).into()) else { return false };
            let mut frame = encode_frame(*kind, header, payload, Some(KEY)).unwrap();
            opener.window.reset();
            opener.steps(&mut frame, Kind::is_application).is_ok()
        });
        assert!(accepted > 0);
    }
}
