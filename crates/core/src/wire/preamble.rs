//! The sixteen bytes in front of every frame, both versions (`docs/wire.md`, "Preamble").
//!
//! Bytes ↔ fields only. The checks and their order are in `wire::frame`.

use super::limits::PREAMBLE_LEN;

/// The first four bytes of every frame.
pub const MAGIC: [u8; 4] = *b"EIPC";
/// The frame version of v1.
pub const VERSION_1: u16 = 1;
/// The frame version of EIPC/2.
pub const VERSION_2: u16 = 2;
/// The flag "an HMAC-SHA256 tag follows": handshake frames and suite 1.
pub const FLAG_MAC: u8 = 0x01;
/// The flag "the meta and payload are encrypted": suites 2 and 3.
pub const FLAG_AEAD: u8 = 0x04;

/// The fields of a preamble behind the magic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preamble {
    /// Frame version.
    pub version: u16,
    /// Type byte; see [`Kind`](crate::Kind).
    pub kind: u8,
    /// Flag bits.
    pub flags: u8,
    /// Bytes of the header.
    pub header_len: u32,
    /// Bytes of the payload.
    pub payload_len: u32,
}

impl Preamble {
    /// Returns the sixteen bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; PREAMBLE_LEN] {
        let [m0, m1, m2, m3] = MAGIC;
        let [v0, v1] = self.version.to_be_bytes();
        let [h0, h1, h2, h3] = self.header_len.to_be_bytes();
        let [p0, p1, p2, p3] = self.payload_len.to_be_bytes();
        [m0, m1, m2, m3, v0, v1, self.kind, self.flags, h0, h1, h2, h3, p0, p1, p2, p3]
    }

    /// Reads the fields; `None` when the magic is not there.
    #[must_use]
    pub const fn from_bytes(bytes: &[u8; PREAMBLE_LEN]) -> Option<Self> {
        let [b'E', b'I', b'P', b'C', v0, v1, kind, flags, h0, h1, h2, h3, p0, p1, p2, p3] = *bytes else {
            return None;
        };
        Some(Self {
            version: u16::from_be_bytes([v0, v1]),
            kind,
            flags,
            header_len: u32::from_be_bytes([h0, h1, h2, h3]),
            payload_len: u32::from_be_bytes([p0, p1, p2, p3]),
        })
    }
}

/// Tells whether a frame says of itself that it is of v1, which is all a server that speaks both protocols
/// looks at before it has chosen one (`docs/wire.md`, "Two protocols, no negotiation").
#[must_use]
pub fn claims_v1(frame: &[u8]) -> bool {
    frame.first_chunk().and_then(Preamble::from_bytes).is_some_and(|preamble| preamble.version == VERSION_1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_claims_v1_by_magic_and_version_alone() {
        let frame = |version| {
            let fields = Preamble { version, kind: b'?', flags: 0xff, header_len: u32::MAX, payload_len: 7 };
            fields.to_bytes()
        };
        assert!(claims_v1(&frame(1)) && claims_v1(&[&frame(1)[..], b"more"].concat()));
        for version in [0, 2, 0x0100, 0x0101, u16::MAX] {
            assert!(!claims_v1(&frame(version)), "{version}");
        }
        let mut other = frame(1);
        other[3] ^= 1;
        assert!(!claims_v1(&other) && !claims_v1(&frame(1)[..15]) && !claims_v1(&[]));
    }
}
