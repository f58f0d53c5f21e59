//! Signing and whole signed frames, with keys of any length, for users who handle frames themselves.
//!
//! Pure functions; sessions have their own [`Sealer`](super::Sealer) and [`Opener`](super::Opener), which
//! keep a prepared key and a sequence.

use crate::crypto::mac::{MacKey, TAG_LEN};
use crate::error::{Code, Error, Result};
use crate::wire::RawFrame;
use crate::wire::frame_v1::{FrameV1, expect};
use crate::wire::limits::MAX_FRAME_SIZE;

/// Returns the tag of `data`: HMAC-SHA256.
///
/// # Errors
/// [`Code::Key`] when the key is empty.
pub fn sign(key: &[u8], data: &[u8]) -> Result<[u8; TAG_LEN]> {
    Ok(mac_key(key)?.sign(data))
}

/// Tells in constant time whether `mac` is the tag of `data`.
///
/// # Errors
/// [`Code::Key`] when the key is empty.
pub fn verify(key: &[u8], data: &[u8], mac: &[u8]) -> Result<bool> {
    Ok(mac_key(key)?.verify(data, mac))
}

/// Returns the bytes of a frame without the stream's length: with a tag if there is a key.
///
/// # Errors
/// [`Code::Key`] when the key is empty, [`Code::FrameTooLarge`] above a limit.
pub fn encode_frame(kind: u8, header: &[u8], payload: &[u8], key: Option<&[u8]>) -> Result<Vec<u8>> {
    // The tag's flag is among the bytes it covers, therefore it is there before the tag is known.
    let mac = key.map(|_| [0; TAG_LEN]);
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
pub fn decode_frame<'a>(bytes: &'a mut [u8], key: Option<&[u8]>) -> Result<FrameV1<'a>> {
    let Some(key) = key else { return FrameV1::decode(bytes) };
    let key = mac_key(key)?;
    let raw = RawFrame::parse(bytes, &expect(MAX_FRAME_SIZE))?;
    if !key.verify(raw.signed(), raw.tag()) {
        return Err(Error::new(Code::Integrity, "tag does not verify"));
    }
    FrameV1::of_raw(raw)
}

fn mac_key(key: &[u8]) -> Result<MacKey> {
    if key.is_empty() { Err(Error::new(Code::Key, "the key is empty")) } else { Ok(MacKey::new(key)) }
}
