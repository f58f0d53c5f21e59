//! The payloads of the control frame `S`, and the header page they promise (docs/shm-abi.md, "Hand-over").
//!
//! Big-endian bytes in, checked values out, and back. The offer arrives authenticated and is what counts; the header
//! page of the segment is compared with it once and never read again. Sending, receiving and mapping are elsewhere
//! (`doorbell.rs`, `map/`).

mod offer;

use std::{error, fmt};

pub use offer::{HEADER_PAGE_LEN, Offer, SegmentKind};

use crate::layout::ABI;

/// Length in bytes of ready and refuse.
const REPLY_LEN: usize = 8;
const OP_READY: u8 = 2;
const OP_REFUSE: u8 = 3;

/// The most that a client maps unless it is configured otherwise, in bytes.
pub const DEFAULT_MAX_SEGMENT: u64 = 64 << 20;

/// A client's answer to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The segment is mapped; the client may publish from now on.
    Ready,
    /// The segment was refused; the connection is closed with `X`.
    Refuse(Reason),
}

impl Reply {
    /// Writes the payload of the `S` frame.
    #[must_use]
    pub fn encode(self) -> [u8; REPLY_LEN] {
        let (op, reason) = match self {
            Self::Ready => (OP_READY, 0),
            Self::Refuse(reason) => (OP_REFUSE, reason.number()),
        };
        let [abi_high, abi_low] = ABI.to_be_bytes();
        let [a, b, c, d] = u32::to_be_bytes(reason);
        [op, 0, abi_high, abi_low, a, b, c, d]
    }

    /// Reads and checks the payload of an `S` frame.
    ///
    /// # Errors
    /// [`OfferError::Malformed`] for anything but ready of this ABI and a refusal with a known reason. A refusal may
    /// carry another ABI: that can be its reason.
    pub fn decode(payload: &[u8]) -> Result<Self, OfferError> {
        let fixed: &[u8; REPLY_LEN] = payload.try_into().map_err(|_| OfferError::Malformed)?;
        let mut fields = Fields(fixed);
        let (op, zero, abi, reason) = (fields.u8(), fields.u8(), fields.u16(), fields.u32());
        match (op, zero, reason) {
            (OP_READY, 0, 0) if abi == ABI => Ok(Self::Ready),
            (OP_REFUSE, 0, _) => Reason::from_number(reason).map(Self::Refuse).ok_or(OfferError::Malformed),
            _ => Err(OfferError::Malformed),
        }
    }
}

/// Why a client refuses a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The layout has another version.
    Abi,
    /// The sizes are invalid or above the client's limit.
    Size,
    /// The descriptor is missing or not what it must be.
    Descriptor,
    /// The memory could not be mapped, or does not say what the offer says.
    Mapping,
}

impl Reason {
    const fn number(self) -> u32 {
        match self {
            Self::Abi => 1,
            Self::Size => 2,
            Self::Descriptor => 3,
            Self::Mapping => 4,
        }
    }

    const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Abi),
            2 => Some(Self::Size),
            3 => Some(Self::Descriptor),
            4 => Some(Self::Mapping),
            _ => None,
        }
    }
}

/// Says what is wrong with a hand-over payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferError {
    /// Not such a payload: a protocol error.
    Malformed,
    /// Another version of the layout.
    Abi,
    /// Sizes that are invalid or above the limit.
    Size,
    /// The offer belongs to another session: a protocol error.
    Generation,
}

impl OfferError {
    /// Returns the reason to refuse with, `None` where the payload is a protocol error.
    #[must_use]
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Malformed | Self::Generation => None,
            Self::Abi => Some(Reason::Abi),
            Self::Size => Some(Reason::Size),
        }
    }
}

impl fmt::Display for OfferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the hand-over payload is malformed",
            Self::Abi => "the segment has another layout version",
            Self::Size => "the sizes of the segment are invalid or above the limit",
            Self::Generation => "the segment was made for another session",
        })
    }
}

impl error::Error for OfferError {}

/// Big-endian fields of a payload whose length was checked. Beyond the end there are only zeros; no caller gets there.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((field, rest)) => {
                self.0 = rest;
                *field
            }
            None => [0; N],
        }
    }

    fn u8(&mut self) -> u8 {
        u8::from_be_bytes(self.take())
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_survive_the_wire() {
        let reasons = [Reason::Abi, Reason::Size, Reason::Descriptor, Reason::Mapping];
        for reply in reasons.map(Reply::Refuse).into_iter().chain([Reply::Ready]) {
            assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
        }
        assert_eq!(Reply::Ready.encode(), [2, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(Reply::Refuse(Reason::Descriptor).encode(), [3, 0, 0, 1, 0, 0, 0, 3]);
    }

    #[test]
    fn every_changed_byte_of_ready_is_refused() {
        for at in 0..REPLY_LEN {
            for value in 1..=255 {
                let mut payload = Reply::Ready.encode();
                payload[at] ^= value;
                assert_ne!(Reply::decode(&payload), Ok(Reply::Ready));
            }
        }
        for len in [0, 7, 9, 72] {
            assert_eq!(Reply::decode(&vec![2; len]), Err(OfferError::Malformed));
        }
    }

    #[test]
    fn a_refusal_needs_a_known_reason() {
        for reason in [0_u8, 5, 255] {
            assert_eq!(Reply::decode(&[3, 0, 0, 1, 0, 0, 0, reason]), Err(OfferError::Malformed));
        }
        assert_eq!(Reply::decode(&[3, 0, 0, 9, 0, 0, 0, 1]), Ok(Reply::Refuse(Reason::Abi)));
    }

    #[test]
    fn a_reply_that_is_neither_ready_nor_a_refusal_is_malformed() {
        for payload in [
            [0, 0, 0, 1, 0, 0, 0, 1],
            [1, 0, 0, 1, 0, 0, 0, 1],
            [4, 0, 0, 1, 0, 0, 0, 1],
            [3, 1, 0, 1, 0, 0, 0, 1],
            [2, 0, 0, 1, 0, 0, 0, 1],
            [2, 0, 0, 2, 0, 0, 0, 0],
        ] {
            assert_eq!(Reply::decode(&payload), Err(OfferError::Malformed), "{payload:?}");
        }
    }
}
