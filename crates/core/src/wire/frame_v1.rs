//! Whole v1 frames from and to their parts, for users who handle frames themselves.
//!
//! Sessions do not pass here: they build frames in place and demand a tag. The tag itself is made and
//! verified in `session::v1`; here it is 32 bytes.

use super::frame::{Expect, RawFrame};
use super::limits::{MAC_LEN, MAX_FRAME_SIZE, MAX_HEADER_LEN, PREAMBLE_LEN};
use super::preamble::{FLAG_MAC, Preamble, VERSION_1};
use crate::error::{Code, Error, Result};

/// The parts of a v1 frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameV1<'a> {
    /// The type byte.
    pub kind: u8,
    /// The header's bytes, for [`header_v1`](super::header_v1).
    pub header: &'a [u8],
    /// The payload's bytes.
    pub payload: &'a [u8],
    /// The tag; its flag is set if and only if it is there. Not verified by being here.
    pub mac: Option<[u8; MAC_LEN]>,
}

impl<'a> FrameV1<'a> {
    /// Returns the flags byte.
    #[must_use]
    pub const fn flags(&self) -> u8 {
        if self.mac.is_some() { FLAG_MAC } else { 0 }
    }

    /// Takes `bytes`, one frame without the stream's length, apart. They are not changed; the one decoder
    /// of all frames asks for a mutable borrow because others decrypt in place.
    ///
    /// # Errors
    /// Those of [`RawFrame::parse`], where a frame without a tag passes as one that has none.
    pub fn decode(bytes: &'a mut [u8]) -> Result<Self> {
        let expect = if bytes.get(FLAGS_AT) == Some(&0) { UNSIGNED } else { expect(MAX_FRAME_SIZE) };
        Self::of_raw(RawFrame::parse(bytes, &expect)?)
    }

    /// Names the parts of a frame of which nothing but the shape, or also the tag, was checked.
    pub(crate) fn of_raw(raw: RawFrame<'a>) -> Result<Self> {
        let (kind, header_len) = (raw.kind(), raw.header_len());
        let mac = raw.tag().first_chunk().copied();
        let signed: &[u8] = raw.into_signed();
        let parts = signed.get(PREAMBLE_LEN..).and_then(|body| body.split_at_checked(header_len));
        let (header, payload) = parts.ok_or(Error::new(Code::Internal, "a parsed frame is shorter"))?;
        Ok(Self { kind, header, payload, mac })
    }

    /// Returns what a tag covers: everything in front of it.
    ///
    /// # Errors
    /// [`Code::FrameTooLarge`] above the limits of a header or frame.
    pub fn signable_bytes(&self) -> Result<Vec<u8>> {
        let too_large = || {
            let context = format!("header {} + payload {}", self.header.len(), self.payload.len());
            Error::with(Code::FrameTooLarge, context)
        };
        let tag_len = self.mac.map_or(0, |mac| mac.len());
        let signed_len = PREAMBLE_LEN.saturating_add(self.header.len()).saturating_add(self.payload.len());
        if self.header.len() > MAX_HEADER_LEN || signed_len.saturating_add(tag_len) > MAX_FRAME_SIZE {
            return Err(too_large());
        }
        let length = |part: &[u8]| u32::try_from(part.len()).map_err(|_| too_large());
        let preamble = Preamble {
            version: VERSION_1,
            kind: self.kind,
            flags: self.flags(),
            header_len: length(self.header)?,
            payload_len: length(self.payload)?,
        };
        let mut bytes = Vec::with_capacity(signed_len + tag_len);
        bytes.extend_from_slice(&preamble.to_bytes());
        bytes.extend_from_slice(self.header);
        bytes.extend_from_slice(self.payload);
        Ok(bytes)
    }

    /// Returns the frame's bytes, without the stream's length.
    ///
    /// # Errors
    /// Those of [`FrameV1::signable_bytes`].
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = self.signable_bytes()?;
        bytes.extend_from_slice(self.mac.as_ref().map_or(&[], |mac| mac.as_slice()));
        Ok(bytes)
    }
}

/// What a session demands of every v1 frame.
pub(crate) const fn expect(max_frame: usize) -> Expect {
    Expect { version: VERSION_1, flags: FLAG_MAC, tag_len: MAC_LEN, max_frame }
}

/// A frame that has no tag and says so.
const UNSIGNED: Expect = Expect { version: VERSION_1, flags: 0, tag_len: 0, max_frame: MAX_FRAME_SIZE };
/// Where the flags are in a frame.
const FLAGS_AT: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: FrameV1<'_> = FrameV1 { kind: b'i', header: b"{}", payload: b"xyz", mac: Some([7; 32]) };

    #[test]
    fn parts_survive_the_trip_with_and_without_a_tag() {
        for mac in [None, FRAME.mac] {
            let frame = FrameV1 { mac, ..FRAME };
            let mut bytes = frame.encode().unwrap();
            assert_eq!(bytes.len(), 16 + 5 + if mac.is_some() { 32 } else { 0 });
            assert_eq!(FrameV1::decode(&mut bytes), Ok(frame));
            for cut in 0..bytes.len() {
                assert_eq!(FrameV1::decode(&mut bytes.clone()[..cut]).unwrap_err().code, Code::Truncated);
            }
            bytes.push(0);
            assert_eq!(FrameV1::decode(&mut bytes).unwrap_err().code, Code::TrailingBytes);
        }
    }

    #[test]
    fn limits_hold_in_both_directions() {
        let code = |header: usize, payload: usize, mac| {
            let (header, payload) = (vec![0; header], vec![0; payload]);
            let frame = FrameV1 { header: &header, payload: &payload, mac, ..FRAME };
            frame.encode().map(drop).map_err(|error| error.code)
        };
        assert_eq!(code(4_096, MAX_FRAME_SIZE - 4_096 - 48, FRAME.mac), Ok(()));
        assert_eq!(code(4_096, MAX_FRAME_SIZE - 4_096 - 47, FRAME.mac), Err(Code::FrameTooLarge));
        assert_eq!(code(0, MAX_FRAME_SIZE - 16, None), Ok(()));
        assert_eq!(code(0, MAX_FRAME_SIZE - 15, None), Err(Code::FrameTooLarge));
        assert_eq!(code(4_097, 0, FRAME.mac), Err(Code::FrameTooLarge));
    }

    #[test]
    fn unknown_flags_are_refused() {
        for flags in 2..=255 {
            let mut bytes = FRAME.encode().unwrap();
            bytes[FLAGS_AT] = flags;
            assert_eq!(FrameV1::decode(&mut bytes).unwrap_err().code, Code::UnsupportedFlags, "{flags}");
        }
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic() {
        for mac in [None, FRAME.mac] {
            let sample = FrameV1 { mac, ..FRAME }.encode().unwrap();
            let accepted = eipc_testkit::noise::feed(&sample, |bytes| FrameV1::decode(bytes).is_ok());
            assert!(accepted > 0);
        }
    }
}
