//! Frames and headers of v1 by themselves, and the replay window: the core's functions, with JavaScript's types.

use eipc_core::v1::{self, TimestampRule, WindowSize};
use eipc_core::wire::header_v1::{self, HeaderV1, Timestamp};
use eipc_core::wire::{Deframed, Deframer, FrameV1, limits};
use eipc_core::{Code, Error as Fault, PayloadFormat, Priority};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::error::exception;

/// The parts of a frame.
#[napi(object, namespace = "vectors")]
pub struct Frame {
    /// The type byte.
    pub kind: u8,
    /// The header's bytes.
    pub header: Uint8Array,
    /// The payload's bytes.
    pub payload: Uint8Array,
    /// The tag, if there is one.
    pub mac: Option<Uint8Array>,
}

impl Frame {
    fn new(frame: &FrameV1<'_>) -> Self {
        Self {
            kind: frame.kind,
            header: frame.header.into(),
            payload: frame.payload.into(),
            mac: frame.mac.map(|mac| mac.into()),
        }
    }

    fn parts(&self) -> Result<FrameV1<'_>, String> {
        let tag = |mac: &Uint8Array| {
            let context = format!("a tag of v1 has 32 bytes, not {}", mac.len());
            mac.as_ref().try_into().map_err(|_| exception(&Fault::with(Code::Internal, context)))
        };
        let mac = self.mac.as_ref().map(tag).transpose()?;
        Ok(FrameV1 { kind: self.kind, header: &self.header, payload: &self.payload, mac })
    }
}

/// Encodes a frame, with a tag if there is a key.
#[napi(namespace = "vectors")]
pub fn encode_frame(frame: Frame, key: Option<Uint8Array>) -> Result<Uint8Array, String> {
    let encoded = v1::encode_frame(frame.kind, &frame.header, &frame.payload, key.as_deref());
    encoded.map(Uint8Array::from).map_err(|error| exception(&error))
}

/// Takes a frame apart; with a key demands and verifies its tag.
#[napi(namespace = "vectors")]
pub fn decode_frame(bytes: &[u8], key: Option<Uint8Array>) -> Result<Frame, String> {
    let mut bytes = bytes.to_vec();
    let decoded = v1::decode_frame(&mut bytes, key.as_deref());
    decoded.map(|frame| Frame::new(&frame)).map_err(|error| exception(&error))
}

/// Returns what the tag of a frame covers.
#[napi(namespace = "vectors")]
pub fn signable_bytes(frame: Frame) -> Result<Uint8Array, String> {
    frame.parts()?.signable_bytes().map(Uint8Array::from).map_err(|error| exception(&error))
}

/// Returns the tag of bytes.
#[napi(namespace = "vectors")]
pub fn sign(key: &[u8], bytes: &[u8]) -> Result<Uint8Array, String> {
    v1::sign(key, bytes).map(Uint8Array::from).map_err(|error| exception(&error))
}

/// Tells whether `mac` is the tag of bytes.
#[napi(namespace = "vectors")]
pub fn verify(key: &[u8], bytes: &[u8], mac: &[u8]) -> Result<bool, String> {
    v1::verify(key, bytes, mac).map_err(|error| exception(&error))
}

/// Cuts the first frame out of a stream.
#[napi(namespace = "vectors")]
pub fn deframe(mut stream: &[u8]) -> Result<Option<Uint8Array>, String> {
    let mut frame = vec![0; stream.len()];
    let found = Deframer::new(limits::MAX_FRAME_SIZE).poll(&mut stream, &mut frame);
    Ok(match found.map_err(|error| exception(&error))? {
        Deframed::Frame(length) => frame.get(..length).map(Uint8Array::from),
        _ => None,
    })
}

/// The fields of a header.
#[napi(object, namespace = "vectors")]
pub struct Header {
    /// Who sent the frame.
    pub service_id: String,
    /// The token of the session.
    pub session_id: String,
    /// Joins a request and its reply.
    pub request_id: String,
    /// Counts the frames.
    pub sequence: BigInt,
    /// RFC 3339 or seconds going in; Unix nanoseconds coming out.
    pub timestamp: Either<String, BigInt>,
    /// 0 to 3.
    pub priority: u8,
    /// The sender's claim.
    pub capability: String,
    /// Where a broker is to deliver the message.
    pub route: String,
    /// Number of the format.
    pub payload_format: u8,
}

impl Header {
    fn new(header: HeaderV1<'_>) -> Self {
        Self {
            service_id: header.service_id.into_owned(),
            session_id: header.session_id.into_owned(),
            request_id: header.request_id.into_owned(),
            sequence: header.sequence.into(),
            timestamp: Either::B(header.timestamp.unix_ns().into()),
            priority: header.priority.byte(),
            capability: header.capability.into_owned(),
            route: header.route.into_owned(),
            payload_format: header.payload_format.byte(),
        }
    }

    fn fields(&self) -> Option<HeaderV1<'_>> {
        let Either::A(timestamp) = &self.timestamp else { return None };
        Some(HeaderV1 {
            service_id: self.service_id.as_str().into(),
            session_id: self.session_id.as_str().into(),
            request_id: self.request_id.as_str().into(),
            sequence: unsigned(&self.sequence)?,
            timestamp: Timestamp::parse(timestamp)?,
            priority: Priority::from_byte(self.priority)?,
            capability: self.capability.as_str().into(),
            route: self.route.as_str().into(),
            payload_format: PayloadFormat::from_byte(self.payload_format)?,
        })
    }
}

/// Writes a header as JSON.
#[napi(namespace = "vectors")]
pub fn write_header(header: Header) -> Result<Uint8Array, String> {
    let fault = Fault::new(Code::Internal, "a header that cannot be expressed");
    let fields = header.fields().ok_or_else(|| exception(&fault))?;
    let mut json = Vec::new();
    header_v1::write(&fields, &mut json).map_err(|error| exception(&error))?;
    Ok(json.into())
}

/// Reads a header by the strict rules.
#[napi(namespace = "vectors")]
pub fn read_header(json: &[u8]) -> Result<Header, String> {
    header_v1::parse(json, TimestampRule::Strict).map(Header::new).map_err(|error| exception(&error))
}

/// Which sequence numbers were seen.
#[napi(namespace = "vectors")]
pub struct ReplayWindow {
    window: v1::ReplayWindow,
}

#[napi(namespace = "vectors")]
impl ReplayWindow {
    /// Makes a window of so many numbers.
    #[napi(constructor)]
    pub fn new(size: u32) -> Result<Self, String> {
        let size = usize::try_from(size).ok().and_then(WindowSize::new).ok_or_else(|| {
            let context = format!("a window spans a multiple of 64 up to 4096, not {size}");
            exception(&Fault::with(Code::Internal, context))
        })?;
        Ok(Self { window: v1::ReplayWindow::new(size) })
    }

    /// Accepts a number, or not.
    #[napi]
    pub fn accept(&mut self, sequence: BigInt) -> bool {
        unsigned(&sequence).is_some_and(|sequence| self.window.accept(sequence))
    }
}

fn unsigned(number: &BigInt) -> Option<u64> {
    let (is_negative, value, is_lossless) = number.get_u64();
    (!is_negative && is_lossless).then_some(value)
}
