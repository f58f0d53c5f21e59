//! Third step: type and meta of a fresh frame.
//!
//! [`Fresh`] → [`Envelope`], the verified message the owner gets. Nothing is copied: the envelope borrows
//! the receive buffer. What the message means, and whether its sender may send it, is decided elsewhere.

use super::sec_header::MetaKind;
use super::sequence::Fresh;
use super::suite::Plane;
use crate::error::{Code, Error, Result};
use crate::message::{Kind, Lane, Meta, Priority};
use crate::wire::limits::{PREAMBLE_LEN, SEC_HEADER_LEN};
use crate::wire::{header_binary, header_json};
use core::ops::Range;

/// A verified message, borrowed from the buffer it was received in.
#[derive(Debug)]
pub struct Envelope<'a> {
    signed: &'a [u8],
    kind: Kind,
    lane: Lane,
    sequence: u64,
    meta_kind: MetaKind,
    header_len: usize,
    meta: Meta<'a>,
}

impl<'a> Envelope<'a> {
    /// Returns the kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the lane the frame was counted in; always 0 on a stream.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        self.lane
    }

    /// Returns the whole sequence number, `lane << 62 | counter`.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns how the meta was encoded.
    #[must_use]
    pub const fn meta_kind(&self) -> MetaKind {
        self.meta_kind
    }

    /// Returns the routing fields.
    #[must_use]
    pub const fn meta(&self) -> &Meta<'a> {
        &self.meta
    }

    /// Returns the payload.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.signed.get(self.payload_range()).unwrap_or_default()
    }

    /// Returns where the meta lies in the frame.
    #[must_use]
    pub const fn meta_range(&self) -> Range<usize> {
        PREAMBLE_LEN + SEC_HEADER_LEN..PREAMBLE_LEN + self.header_len
    }

    /// Returns where the payload lies in the frame.
    #[must_use]
    pub const fn payload_range(&self) -> Range<usize> {
        PREAMBLE_LEN + self.header_len..self.signed.len()
    }
}

/// Which types have a place in the next frame. Comes from the state of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The client waits for SessionAccept.
    Accept,
    /// The session is open.
    Session,
}

/// What the session demands of a frame's type and meta.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) plane: Plane,
    pub(crate) stage: Stage,
    pub(crate) binary_meta: bool,
}

impl Rules {
    fn allows(self, kind: Kind) -> bool {
        match self.stage {
            Stage::Accept => kind == Kind::AuthResponse,
            Stage::Session => kind.is_application() || (kind.is_control() && self.plane == Plane::Stream),
        }
    }
}

/// Reads type and meta.
#[inline]
pub(crate) fn open<'a>(frame: &Fresh<'a>, rules: Rules) -> Result<Envelope<'a>> {
    let frame = frame.authentic();
    let kind = Kind::from_byte(frame.kind())
        .filter(|kind| rules.allows(*kind))
        .ok_or_else(|| Error::with(Code::UnsupportedType, format!("type {:#04x}", frame.kind())))?;
    let header = frame.header();
    let (signed, header_len) = (frame.signed(), frame.header_len());
    let meta = signed
        .get(PREAMBLE_LEN + SEC_HEADER_LEN..PREAMBLE_LEN + header_len)
        .ok_or(Error::new(Code::BadHeader, "no meta"))?;
    let (meta_kind, meta) = read_meta(kind, header.meta_kind, meta, rules.binary_meta)?;
    let lane = header.sequence.lane();
    if rules.plane == Plane::SharedMemory && meta.priority != lane {
        return Err(Error::new(Code::BadHeader, "the priority is not the lane's"));
    }
    Ok(Envelope { signed, kind, lane, sequence: header.sequence.0, meta_kind, header_len, meta })
}

/// Reads the meta of a received frame.
#[inline]
fn read_meta(kind: Kind, meta_kind: u8, meta: &[u8], binary_meta: bool) -> Result<(MetaKind, Meta<'_>)> {
    let meta_kind = meta_kind_of(kind, meta_kind, meta, binary_meta)?;
    let meta = match meta_kind {
        MetaKind::Json => header_json::parse(meta)?,
        MetaKind::Binary => header_binary::parse(meta)?,
    };
    Ok((meta_kind, meta))
}

/// Checks the meta of a frame about to be sealed as its receiver will, and returns its priority: nothing
/// leaves that would end the session over there.
#[inline]
pub(super) fn check_meta(
    kind: Kind,
    meta_kind: MetaKind,
    meta: &[u8],
    binary_meta: bool,
) -> Result<Priority> {
    match meta_kind_of(kind, meta_kind as u8, meta, binary_meta)? {
        MetaKind::Json => header_json::parse(meta).map(|meta| meta.priority),
        MetaKind::Binary => header_binary::check(meta),
    }
}

/// Finds out how the meta of this kind of frame is to be read.
#[inline]
fn meta_kind_of(kind: Kind, meta_kind: u8, meta: &[u8], binary_meta: bool) -> Result<MetaKind> {
    let refused = |why| Err(Error::new(Code::BadHeader, why));
    if !kind.is_application() && (meta_kind != MetaKind::Json as u8 || meta != header_json::EMPTY) {
        return refused("a control frame has the meta {}");
    }
    match MetaKind::from_byte(meta_kind) {
        Some(MetaKind::Binary) if !binary_meta => refused("binary meta was not agreed on"),
        Some(meta_kind) => Ok(meta_kind),
        None => refused("unknown kind of meta"),
    }
}
