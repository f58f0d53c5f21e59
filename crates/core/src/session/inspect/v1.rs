//! Frames of v1: everything is in clear text, and the one key verifies every tag.

use super::{Fault, Inspection, TYPE_AT, Tag, fault};
use crate::error::Code;
use crate::message::Kind;
use crate::session::v1::Key;
use crate::wire::RawFrame;
use crate::wire::header_v1::{self, TimestampRule};
use crate::wire::limits::PREAMBLE_LEN;

pub(super) fn look(raw: &RawFrame<'_>, key: Option<&Key>, found: &mut Inspection) -> Result<(), Fault> {
    let (header_len, signed) = (raw.header_len(), raw.signed());
    let header_at = PREAMBLE_LEN;
    let payload_at = header_at + header_len;
    let header = signed.get(header_at..payload_at).unwrap_or_default();
    let parsed = header_v1::parse(header, TimestampRule::Strict);
    if let Ok(header) = &parsed {
        found.text("service_id", header_at, header_len, &header.service_id);
        found.text("session_id", header_at, header_len, &header.session_id);
        found.text("request_id", header_at, header_len, &header.request_id);
        found.number("sequence", header_at, header_len, header.sequence);
        let mut time = Vec::new();
        let _ = header.timestamp.write(&mut time);
        found.text("timestamp", header_at, header_len, &String::from_utf8_lossy(&time));
        found.number("priority", header_at, header_len, header.priority.byte());
        found.text("capability", header_at, header_len, &header.capability);
        found.text("route", header_at, header_len, &header.route);
        found.number("payload_format", header_at, header_len, header.payload_format.byte());
    } else {
        found.bytes("header", header_at, header_len);
    }
    found.bytes("payload", payload_at, signed.len().saturating_sub(payload_at));
    found.bytes("tag", signed.len(), raw.tag().len());
    if let Some(key) = key {
        if !key.mac().verify(signed, raw.tag()) {
            found.tag = Tag::Wrong;
            return Err(fault(signed.len(), Code::Integrity, "not the tag that this key makes"));
        }
        found.tag = Tag::Verified;
    }
    if Kind::from_byte(raw.kind()).is_none_or(Kind::is_control) {
        return Err(fault(TYPE_AT, Code::UnsupportedType, "v1 has no such type"));
    }
    parsed.map(drop).map_err(|error| Fault { at: header_at, error })
}
