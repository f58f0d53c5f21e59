//! First step behind the shape: the tag, then that the frame belongs to this session.
//!
//! [`RawFrame`] → [`Authentic`]. Before the tag only the epoch and the lane are looked at, because they
//! choose the key; whether there is a tag comes from the session, never from the frame. Suites 2 and 3
//! decrypt in the same step. Order of checks: `docs/wire.md`, "Receiver". Order of frames is deliberately
//! not here (`sequence`).

use super::epoch::LaneKeys;
use super::lanes::Lanes;
use super::sec_header::SecHeader;
use super::suite::Suite;
use crate::error::{Code, Error, Result};
use crate::wire::RawFrame;
use crate::wire::limits::{PREAMBLE_LEN, SEC_HEADER_LEN};

/// A frame whose sender holds the key of this session, plane and direction.
pub(crate) struct Authentic<'a> {
    signed: &'a [u8],
    kind: u8,
    header: SecHeader,
    header_len: usize,
}

impl<'a> Authentic<'a> {
    pub(crate) const fn kind(&self) -> u8 {
        self.kind
    }

    pub(crate) const fn header(&self) -> &SecHeader {
        &self.header
    }

    pub(crate) const fn header_len(&self) -> usize {
        self.header_len
    }

    /// The frame without its tag.
    pub(crate) const fn signed(&self) -> &'a [u8] {
        self.signed
    }
}

/// Verifies the tag of `frame` with the key its lane and epoch name.
#[inline]
pub(crate) fn verify<'a>(
    mut frame: RawFrame<'a>,
    keys: &mut Lanes<LaneKeys>,
    session_id: u64,
    suite: Suite,
) -> Result<Authentic<'a>> {
    let header = header_of(&frame).ok_or(Error::new(Code::Integrity, "header shorter than 24 bytes"))?;
    let (signed, tag) = frame.parts_mut();
    keys.of_mut(header.sequence.lane()).open(header.epoch, header.sequence, signed, tag)?;
    if header.session_id != session_id {
        return Err(Error::new(Code::BadHeader, "another session id"));
    }
    if header.suite != suite.byte() {
        return Err(Error::new(Code::BadHeader, "another suite"));
    }
    if header.reserved != 0 {
        return Err(Error::new(Code::BadHeader, "reserved field set"));
    }
    let (kind, header_len) = (frame.kind(), frame.header_len());
    Ok(Authentic { signed: frame.into_signed(), kind, header, header_len })
}

fn header_of(frame: &RawFrame<'_>) -> Option<SecHeader> {
    if frame.header_len() < SEC_HEADER_LEN {
        return None;
    }
    let bytes = frame.signed().get(PREAMBLE_LEN..)?.first_chunk::<SEC_HEADER_LEN>()?;
    Some(SecHeader::from_bytes(bytes))
}
