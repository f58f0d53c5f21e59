//! Signing and whole signed frames, with keys of any length, for users who handle frames themselves.
//!
//! Pure functions; sessions have their own [`Sealer`](super::Sealer) and [`Opener`](super::Opener), which
//! keep a prepared key and a sequence.

use super::Key;
use crate::crypto::mac::{MacKey, TAG_LEN};
use crate::error::{Code, Error, Result};
use crate::wire::RawFrame;
use crate::wire::frame_v1::{FrameV1, expect};
use crate::wire::limits::MAX_FRAME_SIZE;

/// What signs and verifies single frames.
#[derive(Clone, Copy, Debug)]
pub enum FrameKey<'a> {
    /// Bytes of any length from 1.
    Bytes(&'a [u8]),
    /// The key of a session.
    Session(&'a Key),
}

impl<'a, B: AsRef<[u8]> + ?Sized> From<&'a B> for FrameKey<'a> {
    fn from(bytes: &'a B) -> Self {
        Self::Bytes(bytes.as_ref())
    }
}

impl<'a> From<&'a Key> for FrameKey<'a> {
    fn from(key: &'a Key) -> Self {
        Self::Session(key)
    }
}

/// Returns the tag of `data`: HMAC-SHA256.
///
/// # Errors
/// [`Code::Key`] when the key is empty.
pub fn sign<'k>(key: impl Into<FrameKey<'k>>, data: &[u8]) -> Result<[u8; TAG_LEN]> {
    with_mac_key(key.into(), |key| key.sign(data))
}

/// Tells in constant time whether `mac` is the tag of `data`.
///
/// # Errors
/// [`Code::Key`] when the key is empty.
pub fn verify<'k>(key: impl Into<FrameKey<'k>>, data: &[u8], mac: &[u8]) -> Result<bool> {
    with_mac_key(key.into(), |key| key.verify(data, mac))
}

/// Returns the bytes of a frame without the stream's length: with a tag if there is a key.
///
/// # Errors
/// [`Code::Key`] when the key is empty, [`Code::FrameTooLarge`] above a limit.
pub fn encode_frame<'k>(
    kind: u8,
    header: &[u8],
    payload: &[u8],
    key: Option<impl Into<FrameKey<'k>>>,
) -> Result<Vec<u8>> {
    // The tag's flag is among the bytes it covers, therefore it is there before the tag is known.
    let mac = key.is_some().then_some([0; TAG_LEN]);
    let mut bytes = FrameV1 { kind, header, payload, mac }.signable_bytes()?;
    if let Some(key) = key {
        let mac = sign(key, &bytes)?;
        bytes.extend_from_slice(&mac);
    }
    Ok(bytes)
}

/// Takes a frame apart, and with a key demands and verifies its tag. `bytes` are not changed.
///
/// # Errors
/// Those of [`FrameV1::decode`]; with a key [`Code::Key`] when it is empty, and [`Code::Integrity`] when
/// there is no tag or another key's.
pub fn decode_frame<'a, 'k>(
    bytes: &'a mut [u8],
    key: Option<impl Into<FrameKey<'k>>>,
) -> Result<FrameV1<'a>> {
    let Some(key) = key else { return FrameV1::decode(bytes) };
    with_mac_key(key.into(), |key| {
        let raw = RawFrame::parse(bytes, &expect(MAX_FRAME_SIZE))?;
        if !key.verify(raw.signed(), raw.tag()) {
            return Err(Error::new(Code::Integrity, "tag does not verify"));
        }
        FrameV1::of_raw(raw)
    })?
}

fn with_mac_key<T>(key: FrameKey<'_>, work: impl FnOnce(&MacKey) -> T) -> Result<T> {
    match key {
        FrameKey::Bytes([]) => Err(Error::new(Code::Key, "the key is empty")),
        FrameKey::Bytes(bytes) => Ok(work(&MacKey::new(bytes))),
        FrameKey::Session(key) => Ok(work(key.mac())),
    }
}
