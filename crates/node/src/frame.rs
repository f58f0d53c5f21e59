//! Single frames of v1 and their tags, for users who handle frames themselves: the core's functions with JavaScript's types.

use eipc_core::v1::{self, FrameKey};
use eipc_core::wire::FrameV1;
use eipc_core::wire::limits::MAC_LEN;
use eipc_core::{Code, Error as Fault};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::bytes;
use crate::error::{exception, internal};
use crate::key::NativeKey;

/// The parts of a frame that was taken apart.
#[napi(object, object_from_js = false)]
pub struct NativeFrame<'a> {
    /// The type byte.
    pub kind: u8,
    /// The header's bytes.
    #[napi(ts_type = "Uint8Array")]
    pub header: Unknown<'a>,
    /// The payload's bytes.
    #[napi(ts_type = "Uint8Array")]
    pub payload: Unknown<'a>,
    /// The tag, if there is one.
    #[napi(ts_type = "Uint8Array")]
    pub mac: Option<Unknown<'a>>,
}

/// A key, or bytes of any length from 1.
type SigningKey<'a> = Either<ClassInstance<'a, NativeKey>, Uint8Array>;

fn frame_key<'a>(key: &'a SigningKey<'_>) -> FrameKey<'a> {
    match key {
        Either::A(key) => FrameKey::Session(key.v1_ref()),
        Either::B(bytes) => FrameKey::Bytes(bytes),
    }
}

/// Encodes a frame: with the given tag, with that of the given key, or without one.
#[napi(ts_return_type = "Uint8Array")]
pub fn encode_frame<'a>(
    env: &'a Env,
    kind: u8,
    header: &[u8],
    payload: &[u8],
    mac: Option<Uint8Array>,
    #[napi(ts_arg_type = "NativeKey | Uint8Array | undefined | null")] key: Option<SigningKey<'_>>,
) -> Result<Unknown<'a>, String> {
    let encoded = match key {
        Some(key) => v1::encode_frame(kind, header, payload, Some(frame_key(&key))),
        None => parts(kind, header, payload, mac.as_deref()).and_then(|frame| frame.encode()),
    };
    bytes::copied(env, &encoded.map_err(|error| exception(&error))?).map_err(internal)
}

/// Takes a frame apart; with a key demands and verifies its tag.
#[napi]
pub fn decode_frame<'a>(
    env: &'a Env,
    frame: &[u8],
    #[napi(ts_arg_type = "NativeKey | Uint8Array | undefined | null")] key: Option<SigningKey<'_>>,
) -> Result<NativeFrame<'a>, String> {
    let mut frame = frame.to_vec();
    let decoded =
        v1::decode_frame(&mut frame, key.as_ref().map(frame_key)).map_err(|error| exception(&error))?;
    let copied = |part: &[u8]| bytes::copied(env, part).map_err(internal);
    Ok(NativeFrame {
        kind: decoded.kind,
        header: copied(decoded.header)?,
        payload: copied(decoded.payload)?,
        mac: decoded.mac.map(|mac| copied(&mac)).transpose()?,
    })
}

/// Returns what the tag of a frame covers.
#[napi(ts_return_type = "Uint8Array")]
pub fn signable_bytes<'a>(
    env: &'a Env,
    kind: u8,
    header: &[u8],
    payload: &[u8],
    is_signed: bool,
) -> Result<Unknown<'a>, String> {
    let frame = FrameV1 { kind, header, payload, mac: is_signed.then_some([0; MAC_LEN]) };
    let signable = frame.signable_bytes().map_err(|error| exception(&error))?;
    bytes::copied(env, &signable).map_err(internal)
}

/// Returns the tag of bytes.
#[napi(ts_return_type = "Uint8Array")]
pub fn sign<'a>(
    env: &'a Env,
    #[napi(ts_arg_type = "NativeKey | Uint8Array")] key: SigningKey<'_>,
    data: &[u8],
) -> Result<Unknown<'a>, String> {
    let tag = v1::sign(frame_key(&key), data).map_err(|error| exception(&error))?;
    bytes::copied(env, &tag).map_err(internal)
}

/// Tells in constant time whether `mac` is the tag of bytes.
#[napi]
pub fn verify(
    #[napi(ts_arg_type = "NativeKey | Uint8Array")] key: SigningKey<'_>,
    data: &[u8],
    mac: &[u8],
) -> Result<bool, String> {
    v1::verify(frame_key(&key), data, mac).map_err(|error| exception(&error))
}

fn parts<'a>(
    kind: u8,
    header: &'a [u8],
    payload: &'a [u8],
    mac: Option<&[u8]>,
) -> eipc_core::error::Result<FrameV1<'a>> {
    let wrong = || Fault::new(Code::Internal, "a tag of v1 has 32 bytes");
    let mac = mac.map(|mac| mac.try_into().map_err(|_| wrong())).transpose()?;
    Ok(FrameV1 { kind, header, payload, mac })
}
