//! The security header in front of every EIPC/2 data frame's meta (`docs/wire.md`, "EIPC/2 data frames").
//!
//! Bytes ↔ fields only; `verify` and `sequence` judge them.

use crate::message::Lane;
use crate::wire::limits::SEC_HEADER_LEN;

/// How the meta is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MetaKind {
    /// A JSON object.
    Json = 0,
    /// 24 bytes and four strings; only if the session has [`Features::BINARY_META`](super::Features).
    Binary = 1,
}

impl MetaKind {
    /// Finds an encoding by its number.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Json),
            1 => Some(Self::Binary),
            _ => None,
        }
    }
}

/// The 24 bytes, as fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SecHeader {
    pub(crate) session_id: u64,
    pub(crate) sequence: Sequence,
    pub(crate) epoch: u16,
    pub(crate) suite: u8,
    pub(crate) meta_kind: u8,
    pub(crate) reserved: u32,
}

/// Lane and counter as one number: `lane << 62 | counter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sequence(pub(crate) u64);

/// The largest counter.
pub(crate) const MAX_COUNTER: u64 = (1 << 62) - 1;

impl Sequence {
    pub(crate) const fn new(lane: Lane, counter: u64) -> Self {
        Self(((lane.byte() as u64) << 62) | (counter & MAX_COUNTER))
    }

    pub(crate) const fn lane(self) -> Lane {
        match self.0 >> 62 {
            0 => Lane::P0,
            1 => Lane::P1,
            2 => Lane::P2,
            _ => Lane::P3,
        }
    }

    pub(crate) const fn counter(self) -> u64 {
        self.0 & MAX_COUNTER
    }
}

impl SecHeader {
    pub(crate) const fn to_bytes(self) -> [u8; SEC_HEADER_LEN] {
        let [i0, i1, i2, i3, i4, i5, i6, i7] = self.session_id.to_be_bytes();
        let [s0, s1, s2, s3, s4, s5, s6, s7] = self.sequence.0.to_be_bytes();
        let [e0, e1] = self.epoch.to_be_bytes();
        let [r0, r1, r2, r3] = self.reserved.to_be_bytes();
        [
            i0,
            i1,
            i2,
            i3,
            i4,
            i5,
            i6,
            i7,
            s0,
            s1,
            s2,
            s3,
            s4,
            s5,
            s6,
            s7,
            e0,
            e1,
            self.suite,
            self.meta_kind,
            r0,
            r1,
            r2,
            r3,
        ]
    }

    pub(crate) const fn from_bytes(bytes: &[u8; SEC_HEADER_LEN]) -> Self {
        let [
            i0,
            i1,
            i2,
            i3,
            i4,
            i5,
            i6,
            i7,
            s0,
            s1,
            s2,
            s3,
            s4,
            s5,
            s6,
            s7,
            e0,
            e1,
            suite,
            meta_kind,
            r0,
            r1,
            r2,
            r3,
        ] = *bytes;
        Self {
            session_id: u64::from_be_bytes([i0, i1, i2, i3, i4, i5, i6, i7]),
            sequence: Sequence(u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7])),
            epoch: u16::from_be_bytes([e0, e1]),
            suite,
            meta_kind,
            reserved: u32::from_be_bytes([r0, r1, r2, r3]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_bytes_lead_back_to_each_other() {
        let header = SecHeader {
            session_id: 0x0102_0304_0506_0708,
            sequence: Sequence::new(Lane::P3, MAX_COUNTER),
            epoch: 0x090a,
            suite: 1,
            meta_kind: 1,
            reserved: 0x0b0c_0d0e,
        };
        assert_eq!(SecHeader::from_bytes(&header.to_bytes()), header);
        assert_eq!(header.to_bytes()[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
        for lane in Lane::ALL {
            let sequence = Sequence::new(lane, 5);
            assert_eq!((sequence.lane(), sequence.counter()), (lane, 5));
        }
    }

    #[test]
    fn there_are_two_kinds_of_meta() {
        let known = (0..=255).filter_map(MetaKind::from_byte).collect::<Vec<_>>();
        assert_eq!(known, [MetaKind::Json, MetaKind::Binary]);
        assert_eq!(MetaKind::from_byte(2), None);
    }
}
