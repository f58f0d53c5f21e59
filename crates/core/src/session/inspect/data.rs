//! Data frames of EIPC/2: the security header is in clear text, with suite 1 also meta and payload.
//!
//! No tag is verified here: its key is the session's, and nobody else has it.

use super::{Fault, HEADER_LEN_AT, Inspection, TYPE_AT, fault};
use crate::error::Code;
use crate::message::Kind;
use crate::session::control::CloseFrame;
use crate::session::sec_header::{MetaKind, SecHeader};
use crate::session::suite::Suite;
use crate::wire::limits::{PREAMBLE_LEN, SEC_HEADER_LEN};
use crate::wire::preamble::{FLAG_AEAD, FLAG_MAC};
use crate::wire::{RawFrame, header_binary, header_json};

pub(super) fn look(raw: &RawFrame<'_>, is_sealed: bool, found: &mut Inspection) -> Result<(), Fault> {
    let signed = raw.signed();
    let header = signed.get(PREAMBLE_LEN..PREAMBLE_LEN + raw.header_len()).unwrap_or_default();
    let Some((sec_header, meta)) = header.split_first_chunk::<SEC_HEADER_LEN>() else {
        return Err(fault(HEADER_LEN_AT, Code::Integrity, "header shorter than 24 bytes"));
    };
    let header = SecHeader::from_bytes(sec_header);
    found.text("session_id", at(0), 8, &format!("{:016x}", header.session_id));
    found.number("lane", at(8), 8, header.sequence.lane().byte());
    found.number("counter", at(8), 8, header.sequence.counter());
    found.number("epoch", at(16), 2, header.epoch);
    found.number("suite", at(18), 1, header.suite);
    found.number("meta_kind", at(19), 1, header.meta_kind);
    found.number("reserved", at(20), 4, header.reserved);
    let meta_at = at(SEC_HEADER_LEN);
    let payload_at = meta_at + meta.len();
    let text_len = signed.len().saturating_sub(meta_at);
    let meta_fault = if is_sealed {
        found.bytes("encrypted", meta_at, text_len);
        None
    } else {
        read_meta(header.meta_kind, meta_at, meta, found)
    };
    if !is_sealed {
        found.bytes("payload", payload_at, signed.len().saturating_sub(payload_at));
        close(raw, payload_at, found);
    }
    found.bytes("tag", signed.len(), raw.tag().len());
    let flags = if is_sealed { FLAG_AEAD } else { FLAG_MAC };
    if header.session_id == 0 {
        return Err(fault(at(0), Code::BadHeader, "session id 0"));
    }
    if Suite::from_byte(header.suite).is_none_or(|suite| suite.flags() != flags) {
        return Err(fault(at(18), Code::BadHeader, "not the suite that the flags say"));
    }
    if header.reserved != 0 {
        return Err(fault(at(20), Code::BadHeader, "reserved field set"));
    }
    if header.sequence.counter() == 0 {
        return Err(fault(at(8), Code::Sequence, "counters begin with 1"));
    }
    if Kind::from_byte(raw.kind()).is_none_or(|kind| kind.is_handshake() && kind != Kind::AuthResponse) {
        return Err(fault(TYPE_AT, Code::UnsupportedType, "no session has this type"));
    }
    if MetaKind::from_byte(header.meta_kind).is_none() {
        return Err(fault(at(19), Code::BadHeader, "unknown kind of meta"));
    }
    meta_fault.map_or(Ok(()), Err)
}

fn read_meta(meta_kind: u8, meta_at: usize, meta: &[u8], found: &mut Inspection) -> Option<Fault> {
    let parsed = match MetaKind::from_byte(meta_kind)? {
        MetaKind::Json => header_json::parse(meta),
        MetaKind::Binary => header_binary::parse(meta),
    };
    match parsed {
        Ok(parsed) => {
            found.meta(meta_at, meta.len(), &parsed);
            None
        }
        Err(error) => {
            found.bytes("meta", meta_at, meta.len());
            Some(Fault { at: meta_at, error })
        }
    }
}

/// What an authenticated close says.
fn close(raw: &RawFrame<'_>, payload_at: usize, found: &mut Inspection) {
    let payload = raw.signed().get(payload_at..).unwrap_or_default();
    if Kind::from_byte(raw.kind()) != Some(Kind::Close) {
        return;
    }
    if let Ok(close) = CloseFrame::decode(payload) {
        found.number("close.reason", payload_at, 1, close.reason as u8);
        found.number("close.stream_last", payload_at + 8, 8, close.stream_last);
    }
}

/// The place of a byte of the header.
const fn at(offset: usize) -> usize {
    PREAMBLE_LEN + offset
}
