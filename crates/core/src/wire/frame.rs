//! One whole frame as received: the checks that need no key, in the order of `docs/wire.md`
//! ("Receiver: order of checks and codes").
//!
//! Follows the deframer or the shared-memory reader and comes before `session::verify`. A [`RawFrame`]
//! is nothing but well-shaped: nobody may act on its bytes yet.

use super::limits::{MAX_HEADER_LEN, PREAMBLE_LEN};
use super::preamble::Preamble;
use crate::error::{Code, Error, Result};

/// What the session's state demands of the next frame. Never taken from the frame itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expect {
    /// The version of the session.
    pub version: u16,
    /// Exactly these flags: others are unsupported, a missing one is a removed protection.
    pub flags: u8,
    /// Bytes of the tag.
    pub tag_len: usize,
    /// The largest whole frame.
    pub max_frame: usize,
}

/// A frame whose shape is right and whose content nobody has verified.
///
/// It borrows the bytes mutably, because suites 2 and 3 decrypt in place.
#[derive(Debug)]
pub struct RawFrame<'a> {
    signed: &'a mut [u8],
    tag: &'a [u8],
    kind: u8,
    header_len: usize,
}

impl<'a> RawFrame<'a> {
    /// Checks the shape of `bytes`, which are one frame without the stream's length.
    ///
    /// # Errors
    /// In this order: [`Code::Truncated`] below 16 bytes, [`Code::BadMagic`], [`Code::BadVersion`],
    /// [`Code::UnsupportedFlags`], [`Code::Integrity`] for a required flag that is clear,
    /// [`Code::FrameTooLarge`], [`Code::Truncated`] for fewer bytes than the lengths say,
    /// [`Code::TrailingBytes`] for more.
    pub fn parse(bytes: &'a mut [u8], expect: &Expect) -> Result<Self> {
        let Some(first) = bytes.first_chunk::<PREAMBLE_LEN>() else {
            return Err(Error::new(Code::Truncated, "no whole preamble"));
        };
        let Some(preamble) = Preamble::from_bytes(first) else {
            return Err(Code::BadMagic.into());
        };
        if preamble.version != expect.version {
            return Err(Error::with(
                Code::BadVersion,
                format!("expected version {}, got {}", expect.version, preamble.version),
            ));
        }
        if preamble.flags & !expect.flags != 0 {
            return Err(Error::with(Code::UnsupportedFlags, format!("flags {:#04x}", preamble.flags)));
        }
        if preamble.flags != expect.flags {
            return Err(Error::new(Code::Integrity, "a required flag is clear"));
        }
        let (header_len, signed_len, frame_len) = lengths(&preamble, expect)?;
        if bytes.len() < frame_len {
            return Err(Error::with(Code::Truncated, format!("{} of {frame_len} bytes", bytes.len())));
        }
        if bytes.len() > frame_len {
            return Err(Error::with(Code::TrailingBytes, format!("{} behind", bytes.len() - frame_len)));
        }
        let Some((signed, tag)) = bytes.split_at_mut_checked(signed_len) else {
            return Err(Code::Truncated.into());
        };
        Ok(Self { signed, tag, kind: preamble.kind, header_len })
    }

    /// Returns the type byte, unverified.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        self.kind
    }

    /// Returns the length of the header.
    #[must_use]
    pub const fn header_len(&self) -> usize {
        self.header_len
    }

    /// Returns everything the tag covers: preamble, header and payload.
    #[must_use]
    pub const fn signed(&self) -> &[u8] {
        self.signed
    }

    /// Returns the tag.
    #[must_use]
    pub const fn tag(&self) -> &[u8] {
        self.tag
    }

    /// Returns the bytes behind preamble and header, unverified.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.signed.get(PREAMBLE_LEN.saturating_add(self.header_len)..).unwrap_or_default()
    }

    /// Returns what the tag covers, to be decrypted in place, and the tag.
    pub(crate) const fn parts_mut(&mut self) -> (&mut [u8], &[u8]) {
        (self.signed, self.tag)
    }

    /// Gives up the frame for its signed bytes, which are as old as the receive buffer.
    pub(crate) const fn into_signed(self) -> &'a mut [u8] {
        self.signed
    }
}

/// Compares the claimed lengths with the limits, in 64 bits where nothing can wrap.
fn lengths(preamble: &Preamble, expect: &Expect) -> Result<(usize, usize, usize)> {
    let too_large = || {
        Error::with(
            Code::FrameTooLarge,
            format!(
                "header {} + payload {}, limit {}",
                preamble.header_len, preamble.payload_len, expect.max_frame
            ),
        )
    };
    let signed = PREAMBLE_LEN as u64 + u64::from(preamble.header_len) + u64::from(preamble.payload_len);
    let frame = signed + expect.tag_len as u64;
    if u64::from(preamble.header_len) > MAX_HEADER_LEN as u64 || frame > expect.max_frame as u64 {
        return Err(too_large());
    }
    let usize_of = |value: u64| usize::try_from(value).map_err(|_| too_large());
    Ok((usize_of(preamble.header_len.into())?, usize_of(signed)?, usize_of(frame)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::preamble::{FLAG_MAC, VERSION_2};

    const EXPECT: Expect = Expect { version: VERSION_2, flags: FLAG_MAC, tag_len: 32, max_frame: 1 << 20 };

    fn frame(header_len: u32, payload_len: u32, total: usize) -> Vec<u8> {
        let preamble = Preamble { version: 2, kind: b'i', flags: FLAG_MAC, header_len, payload_len };
        let mut bytes = preamble.to_bytes().to_vec();
        bytes.resize(total, 0);
        bytes
    }

    fn code(mut bytes: Vec<u8>) -> Option<Code> {
        RawFrame::parse(&mut bytes, &EXPECT).err().map(|error| error.code)
    }

    #[test]
    fn lengths_that_would_wrap_or_exceed_the_limit_are_too_large() {
        for (header, payload) in [
            (4097, 0),
            (u32::MAX, u32::MAX),
            (0, u32::MAX),
            (u32::MAX, 0),
            (0, 1 << 31),
            (0, (1 << 31) - 1),
            (0, (1 << 20) - 47),
            (4096, (1 << 20) - 4096 - 47),
        ] {
            assert_eq!(code(frame(header, payload, 64)), Some(Code::FrameTooLarge), "{header} {payload}");
        }
    }

    #[test]
    fn the_largest_frame_and_header_pass_and_the_length_is_exact() {
        assert_eq!(code(frame(4096, (1 << 20) - 4096 - 48, 1 << 20)), None);
        assert_eq!(code(frame(24, 10, 82)), None);
        assert_eq!(code(frame(24, 10, 81)), Some(Code::Truncated));
        assert_eq!(code(frame(24, 10, 83)), Some(Code::TrailingBytes));
        for short in 0..16 {
            assert_eq!(code(vec![b'E'; short]), Some(Code::Truncated));
        }
    }

    #[test]
    fn an_unknown_flag_is_named_before_a_missing_one() {
        for (flags, expected) in [
            (0x00, Some(Code::Integrity)),
            (0x01, None),
            (0x02, Some(Code::UnsupportedFlags)),
            (0x03, Some(Code::UnsupportedFlags)),
            (0x04, Some(Code::UnsupportedFlags)),
            (0x81, Some(Code::UnsupportedFlags)),
        ] {
            let mut bytes = frame(24, 10, 82);
            bytes[7] = flags;
            assert_eq!(code(bytes), expected, "{flags:#x}");
        }
    }

    #[test]
    fn earlier_faults_win_over_later_ones() {
        let mut bytes = frame(u32::MAX, 0, 20);
        bytes[7] = 0xff;
        bytes[5] = 1;
        bytes[0] = b'X';
        assert_eq!(code(bytes.clone()), Some(Code::BadMagic));
        bytes[0] = b'E';
        assert_eq!(code(bytes.clone()), Some(Code::BadVersion));
        bytes[5] = 2;
        assert_eq!(code(bytes.clone()), Some(Code::UnsupportedFlags));
        bytes[7] = 1;
        assert_eq!(code(bytes), Some(Code::FrameTooLarge));
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic() {
        let accepted = eipc_testkit::noise::feed(&frame(24, 10, 82), |bytes| {
            RawFrame::parse(bytes, &EXPECT).is_ok_and(|raw| raw.payload().len() <= 256)
        });
        assert!(accepted > 0);
    }
}
