//! The header of a v1 frame as JavaScript sees it, to and from the core's.

use eipc_core::v1::TimestampRule;
use eipc_core::wire::header_v1::{self, HeaderV1, Timestamp};
use eipc_core::{Code, Error as Fault, PayloadFormat, Priority};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::bytes;
use crate::error::{exception, internal};

/// The fields of a header.
#[napi(object)]
pub struct NativeHeader {
    /// Who sent the frame.
    pub service_id: String,
    /// The token of the session.
    pub session_id: String,
    /// Joins a request and its reply.
    pub request_id: String,
    /// Counts the frames, from 1.
    pub sequence: BigInt,
    /// Unix nanoseconds.
    pub timestamp: BigInt,
    /// 0 to 3.
    pub priority: u8,
    /// The sender's claim.
    pub capability: String,
    /// Where a broker is to deliver the message.
    pub route: String,
    /// Number of the format, 0 or 1.
    pub payload_format: u8,
}

impl NativeHeader {
    fn new(header: HeaderV1<'_>) -> Self {
        Self {
            service_id: header.service_id.into_owned(),
            session_id: header.session_id.into_owned(),
            request_id: header.request_id.into_owned(),
            sequence: header.sequence.into(),
            timestamp: header.timestamp.unix_ns().into(),
            priority: header.priority.byte(),
            capability: header.capability.into_owned(),
            route: header.route.into_owned(),
            payload_format: header.payload_format.byte(),
        }
    }

    fn fields(&self) -> Option<HeaderV1<'_>> {
        let (is_negative, sequence, is_u64) = self.sequence.get_u64();
        let (timestamp, is_i64) = self.timestamp.get_i64();
        if is_negative || !is_u64 || !is_i64 {
            return None;
        }
        Some(HeaderV1 {
            service_id: self.service_id.as_str().into(),
            session_id: self.session_id.as_str().into(),
            request_id: self.request_id.as_str().into(),
            sequence,
            timestamp: Timestamp::from_unix_ns(timestamp),
            priority: Priority::from_byte(self.priority)?,
            capability: self.capability.as_str().into(),
            route: self.route.as_str().into(),
            payload_format: PayloadFormat::from_byte(self.payload_format)?,
        })
    }
}

/// Writes a header as JSON.
#[napi(ts_return_type = "Uint8Array")]
pub fn encode_header(env: &Env, header: NativeHeader) -> Result<Unknown<'_>, String> {
    let fault = Fault::new(Code::BadHeader, "a header that cannot be expressed");
    let fields = header.fields().ok_or_else(|| exception(&fault))?;
    let mut json = Vec::new();
    header_v1::write(&fields, &mut json).map_err(|error| exception(&error))?;
    bytes::copied(env, &json).map_err(internal)
}

/// Reads a header by the strict rules.
#[napi]
pub fn decode_header(json: &[u8]) -> Result<NativeHeader, String> {
    header_v1::parse(json, TimestampRule::Strict).map(NativeHeader::new).map_err(|error| exception(&error))
}
