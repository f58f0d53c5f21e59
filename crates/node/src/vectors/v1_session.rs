//! A session of v1 without a handshake, which takes the frames of the vectors one by one.

use std::sync::Arc;

use eipc_core::crypto::random::Random;
use eipc_core::v1::{Connection, Envelope, Key, MacConfig, Received};
use eipc_core::{Code, Error as Fault};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::clock;
use crate::error::exception;

/// A message that was received.
#[napi(object, namespace = "vectors", object_from_js = false)]
pub struct Message {
    /// The type byte.
    pub kind: u8,
    /// The sequence number.
    pub sequence: BigInt,
    /// The session id of the frame.
    pub session_id: String,
    /// Who sent it.
    pub source: String,
    /// Joins a request and its reply.
    pub request_id: String,
    /// The sender's claim.
    pub capability: String,
    /// Where a broker is to deliver it.
    pub route: String,
    /// 0 to 3.
    pub priority: u8,
    /// Number of the format.
    pub payload_format: u8,
    /// Unix nanoseconds.
    pub timestamp: BigInt,
    /// The payload's bytes.
    pub payload: Uint8Array,
}

impl Message {
    fn new(envelope: &Envelope<'_>) -> Self {
        let meta = envelope.meta();
        Self {
            kind: envelope.kind().byte(),
            sequence: envelope.sequence().into(),
            session_id: envelope.session_id().to_owned(),
            source: meta.source.to_string(),
            request_id: meta.request_id.to_string(),
            capability: meta.capability.to_string(),
            route: meta.route.to_string(),
            priority: meta.priority.byte(),
            payload_format: meta.payload_format.byte(),
            timestamp: meta.timestamp_ns.into(),
            payload: envelope.payload().into(),
        }
    }
}

/// One side of a session without a handshake.
#[napi(namespace = "vectors")]
pub struct MacSession {
    connection: Connection,
}

#[napi(namespace = "vectors")]
impl MacSession {
    /// Begins with the key both sides have.
    #[napi(constructor)]
    pub fn new(key: &[u8], service_id: String, peer_id: String) -> Result<Self, String> {
        let begin = || {
            let mut config = MacConfig::new(Arc::new(Key::new(key)?), &service_id);
            config.peer_id = Some(peer_id);
            Connection::mac_only(config, clock::now())
        };
        Ok(Self { connection: begin().map_err(|error| exception(&error))? })
    }

    /// Takes one frame; throws what it is refused for.
    #[napi]
    pub fn receive(&mut self, frame: &[u8]) -> Result<Message, String> {
        let mut frame = frame.to_vec();
        match self.connection.handle_frame(&mut frame, &Random::system(), clock::now()) {
            Ok(Received::Message(envelope)) => Ok(Message::new(&envelope)),
            Ok(_) => {
                Err(exception(&Fault::new(Code::Internal, "a session without a handshake has no steps")))
            }
            Err(error) => Err(exception(&error)),
        }
    }

    /// 0 handshaking, 1 open, 2 closing, 3 closed.
    #[napi]
    #[must_use]
    pub fn state(&self) -> u32 {
        self.connection.state() as u32
    }
}
