//! One frame looked at outside of any session: its fields with their places, and the first fault that shows
//! without a session's keys. For people who look at recorded bytes; nothing on a message's way passes here.
//!
//! Everything is read by the readers that sessions use. What only a session knows (its keys, ids, counters)
//! is not judged: a frame without a fault here may still be refused there.

mod data;
mod handshake;
mod v1;

use super::control::Alert;
use super::keys::Psk;
use super::v1::Key;
use crate::error::{Code, Error};
use crate::message::{Kind, Meta};
use crate::wire::limits::{MAC_LEN, MAX_FRAME_SIZE, MAX_HEADER_LEN, PREAMBLE_LEN};
use crate::wire::preamble::{FLAG_AEAD, FLAG_MAC, MAGIC, VERSION_1, VERSION_2};
use crate::wire::{Expect, Preamble, RawFrame};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Inspection {
    /// What could be read, in the order of the bytes. Text in it is the peer's.
    pub fields: Vec<Field>,
    /// What is known about the tag.
    pub tag: Tag,
    /// The first thing that is wrong, in the order of a receiver's checks.
    pub fault: Option<Fault>,
}

/// A field and where it stands in the frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in `docs/wire.md`.
    pub name: &'static str,
    /// Its first byte. Fields of a JSON text have the place of the text.
    pub at: usize,
    /// Its bytes.
    pub len: usize,
    /// What it says.
    pub value: Value,
}

/// What a field says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(u64),
    /// A text.
    Text(String),
    /// Nothing but its bytes.
    Bytes,
}

/// What is known about a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Tag {
    /// There is none, or no whole frame.
    #[default]
    Absent,
    /// Not verified: there is no key, or it takes keys that only the session has.
    Unverified,
    /// Of the given key.
    Verified,
    /// Not of the given key.
    Wrong,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The first byte of what is wrong.
    pub at: usize,
    /// Why it is refused.
    pub error: Error,
}

/// Keys to verify with.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectionKeys<'a> {
    /// For frames of v1.
    pub v1: Option<&'a Key>,
    /// For ClientHello of EIPC/2. Every later tag takes keys that only the two ends have.
    pub psk: Option<&'a Psk>,
}

/// Looks at `frame`, one frame without the stream's length. It is not changed.
#[must_use]
pub fn inspect(frame: &mut [u8], keys: InspectionKeys<'_>) -> Inspection {
    let mut found = Inspection::default();
    found.fault = look(frame, keys, &mut found).err();
    found
}

fn look(frame: &mut [u8], keys: InspectionKeys<'_>, found: &mut Inspection) -> Result<(), Fault> {
    let preamble = frame.first_chunk().and_then(Preamble::from_bytes);
    if let Some(preamble) = preamble {
        found.preamble(preamble);
    }
    if Alert::is_unprotected(frame) {
        found.number("alert.code", PREAMBLE_LEN, 1, frame.get(PREAMBLE_LEN).copied().unwrap_or_default());
        return Ok(());
    }
    let version =
        if preamble.is_some_and(|preamble| preamble.version == VERSION_1) { VERSION_1 } else { VERSION_2 };
    // What sessions demand. Which of the two an EIPC/2 frame belongs to, here only its flags can say.
    let is_sealed = version == VERSION_2 && preamble.is_some_and(|preamble| preamble.flags & FLAG_AEAD != 0);
    let (flags, tag_len) =
        if is_sealed { (FLAG_AEAD, crate::crypto::aead::TAG_LEN) } else { (FLAG_MAC, MAC_LEN) };
    let expect = Expect { version, flags, tag_len, max_frame: MAX_FRAME_SIZE };
    let raw = parse(frame, &expect, preamble)?;
    found.tag = Tag::Unverified;
    if version == VERSION_1 {
        return v1::look(&raw, keys.v1, found);
    }
    let is_handshake = Kind::from_byte(raw.kind()).is_some_and(Kind::is_handshake);
    if raw.header_len() == 0 && is_handshake && !is_sealed {
        handshake::look(&raw, keys.psk, found)
    } else {
        data::look(&raw, is_sealed, found)
    }
}

/// Parses as a session does, and finds the place of what it refuses.
fn parse<'a>(
    frame: &'a mut [u8],
    expect: &Expect,
    preamble: Option<Preamble>,
) -> Result<RawFrame<'a>, Fault> {
    let len = frame.len();
    let other_magic = MAGIC.iter().zip(frame.iter()).position(|(right, byte)| right != byte).unwrap_or(0);
    RawFrame::parse(frame, expect).map_err(|error| {
        let (header_len, payload_len) =
            preamble.map_or((0, 0), |preamble| (preamble.header_len as usize, preamble.payload_len as usize));
        let at = match error.code {
            Code::BadMagic => other_magic,
            Code::BadVersion => VERSION_AT,
            Code::UnsupportedFlags | Code::Integrity => FLAGS_AT,
            Code::FrameTooLarge if header_len > MAX_HEADER_LEN => HEADER_LEN_AT,
            Code::FrameTooLarge => PAYLOAD_LEN_AT,
            Code::TrailingBytes => PREAMBLE_LEN + header_len + payload_len + expect.tag_len,
            _ => len,
        };
        Fault { at, error }
    })
}

impl Inspection {
    fn preamble(&mut self, preamble: Preamble) {
        self.number("version", VERSION_AT, 2, preamble.version);
        match Kind::from_byte(preamble.kind) {
            Some(kind) => self.text("type", TYPE_AT, 1, kind.name()),
            None => self.number("type", TYPE_AT, 1, preamble.kind),
        }
        self.number("flags", FLAGS_AT, 1, preamble.flags);
        self.number("header_len", HEADER_LEN_AT, 4, preamble.header_len);
        self.number("payload_len", PAYLOAD_LEN_AT, 4, preamble.payload_len);
    }

    /// The fields that a message's meta has in every encoding.
    fn meta(&mut self, at: usize, len: usize, meta: &Meta<'_>) {
        self.number("priority", at, len, meta.priority.byte());
        self.number("payload_format", at, len, meta.payload_format.byte());
        self.number("timestamp_ns", at, len, meta.timestamp_ns.unsigned_abs());
        self.number("max_age_ms", at, len, meta.max_age_ms);
        self.text("source", at, len, &meta.source);
        self.text("request_id", at, len, &meta.request_id);
        self.text("capability", at, len, &meta.capability);
        self.text("route", at, len, &meta.route);
    }

    fn number(&mut self, name: &'static str, at: usize, len: usize, value: impl Into<u64>) {
        self.fields.push(Field { name, at, len, value: Value::Number(value.into()) });
    }

    fn text(&mut self, name: &'static str, at: usize, len: usize, value: &str) {
        self.fields.push(Field { name, at, len, value: Value::Text(value.to_owned()) });
    }

    fn bytes(&mut self, name: &'static str, at: usize, len: usize) {
        self.fields.push(Field { name, at, len, value: Value::Bytes });
    }
}

fn fault(at: usize, code: Code, why: &'static str) -> Fault {
    Fault { at, error: Error::new(code, why) }
}

/// Where the fields of a preamble stand.
const VERSION_AT: usize = 4;
const TYPE_AT: usize = 6;
const FLAGS_AT: usize = 7;
const HEADER_LEN_AT: usize = 8;
const PAYLOAD_LEN_AT: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(frame: &[u8]) -> Inspection {
        inspect(&mut frame.to_vec(), InspectionKeys::default())
    }

    fn place(frame: &[u8]) -> Option<(Code, usize)> {
        found(frame).fault.map(|fault| (fault.error.code, fault.at))
    }

    fn frame(version: u16, flags: u8, header_len: u32, payload_len: u32, total: usize) -> Vec<u8> {
        let mut bytes = Preamble { version, kind: b'i', flags, header_len, payload_len }.to_bytes().to_vec();
        bytes.resize(total, 0);
        bytes
    }

    #[test]
    fn each_fault_of_the_shape_has_its_place() {
        for (bytes, expected) in [
            (b"EIPC".to_vec(), (Code::Truncated, 4)),
            (Vec::new(), (Code::Truncated, 0)),
            (b"EIXC............".to_vec(), (Code::BadMagic, 2)),
            (frame(3, 1, 0, 0, 48), (Code::BadVersion, 4)),
            (frame(1, 4, 0, 0, 48), (Code::UnsupportedFlags, 7)),
            (frame(2, 5, 24, 0, 72), (Code::UnsupportedFlags, 7)),
            (frame(1, 0, 0, 0, 16), (Code::Integrity, 7)),
            (frame(2, 0, 24, 0, 40), (Code::Integrity, 7)),
            (frame(1, 1, 4_097, 0, 48), (Code::FrameTooLarge, 8)),
            (frame(1, 1, 0, 1 << 20, 48), (Code::FrameTooLarge, 12)),
            (frame(2, 4, 24, 10, 65), (Code::Truncated, 65)),
            (frame(2, 4, 24, 10, 68), (Code::TrailingBytes, 66)),
            (frame(2, 1, 23, 0, 71), (Code::Integrity, 8)),
        ] {
            assert_eq!(place(&bytes), Some(expected), "{bytes:02x?}");
        }
    }

    #[test]
    fn the_alert_without_a_tag_is_no_fault() {
        let found = found(&Alert::HandshakeRefused.unprotected_frame());
        assert_eq!((found.fault, found.tag), (None, Tag::Absent));
        assert_eq!(
            found.fields.last().map(|field| (field.name, &field.value)),
            Some(("alert.code", &Value::Number(1)))
        );
    }

    #[test]
    fn random_bytes_are_looked_at_without_a_panic_and_left_as_they_are() {
        for sample in [frame(1, 1, 2, 3, 53), frame(2, 1, 60, 10, 118), frame(2, 4, 24, 10, 66)] {
            eipc_testkit::noise::feed(&sample, |bytes| {
                let before = bytes.to_vec();
                let found = inspect(bytes, InspectionKeys::default());
                assert_eq!(before, bytes);
                let is_inside = |field: &Field| field.at + field.len <= bytes.len();
                assert!(found.fields.iter().all(is_inside), "{found:?}");
                assert!(found.fault.as_ref().is_none_or(|fault| fault.at <= bytes.len()), "{found:?}");
                found.fault.is_none()
            });
        }
    }
}
