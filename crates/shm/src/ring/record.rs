//! The format of a record: `u32 length | u32 kind | bytes | to a multiple of 8`, in host byte order.
//!
//! Numbers in, numbers out; what a header is allowed to say in its place is decided in `consumer.rs`.

/// Bytes before the frame.
pub(super) const HEADER: usize = 8;

/// A frame.
const FRAME: u32 = 1;
/// Bytes to step over, so that the next record lies in one piece.
const PADDING: u32 = 2;

/// A header as it was read, with a kind that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    Frame { length: u32 },
    Padding { length: u32 },
}

impl Header {
    /// Returns what eight bytes say, `None` for a kind that does not exist.
    pub(super) fn decode(bytes: [u8; HEADER]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h] = bytes;
        let length = u32::from_ne_bytes([a, b, c, d]);
        match u32::from_ne_bytes([e, f, g, h]) {
            FRAME => Some(Self::Frame { length }),
            PADDING => Some(Self::Padding { length }),
            _ => None,
        }
    }

    pub(super) fn encode(self) -> [u8; HEADER] {
        let (length, kind) = match self {
            Self::Frame { length } => (length, FRAME),
            Self::Padding { length } => (length, PADDING),
        };
        let [a, b, c, d] = length.to_ne_bytes();
        let [e, f, g, h] = kind.to_ne_bytes();
        [a, b, c, d, e, f, g, h]
    }
}

/// Returns the bytes a record of this length takes: header, frame, rounded up to a multiple of 8.
pub(super) fn size(length: u32) -> u64 {
    // At most 2^32 + 8: no overflow in 64 bits.
    (u64::from(length) + HEADER as u64 + 7) & !7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_to_eight() {
        let sizes = [(0, 8), (1, 16), (8, 16), (9, 24), (64, 72), (u32::MAX, (1 << 32) + 8)];
        for (length, expected) in sizes {
            assert_eq!(size(length), expected);
        }
    }

    #[test]
    fn only_two_kinds_exist() {
        for kind in [0_u32, 3, 0x0100_0000, u32::MAX] {
            let mut bytes = Header::Frame { length: 9 }.encode();
            bytes[4..].copy_from_slice(&kind.to_ne_bytes());
            assert_eq!(Header::decode(bytes), None);
        }
        for header in [Header::Frame { length: 7 }, Header::Padding { length: u32::MAX }] {
            assert_eq!(Header::decode(header.encode()), Some(header));
        }
    }
}
