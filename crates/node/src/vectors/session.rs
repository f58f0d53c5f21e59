//! Sessions with the randomness of a vector. What they are made of, and every call after that, is what ships.

use std::sync::Arc;

use eipc_core::crypto::random::Random;
use eipc_core::{Code, Features, Suites};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::error::exception;
use crate::options::{NativeAddress, NativeClientOptions};
use crate::stream_session::StreamSession;

/// What a vector fixes of one side of a handshake, beside the ordinary options.
#[napi(object, namespace = "vectors", object_to_js = false)]
pub struct Fixed {
    /// What the random generator gives, in order: nonce, X25519 secret unless there is none, and on a server the session id.
    pub random: Uint8Array,
    /// Bits of the suites a client offers, those without a meaning included; a server has its list.
    pub suites: Option<u16>,
    /// Bits of the features offered or granted.
    pub features: u32,
    /// 32 bytes.
    pub channel_binding: Uint8Array,
}

impl Fixed {
    fn random(&self) -> Random {
        Random::fixed(&self.random)
    }

    fn channel_binding(&self) -> Result<[u8; 32], String> {
        self.channel_binding.as_ref().try_into().map_err(|_| {
            let context = format!("a channel binding has 32 bytes, not {}", self.channel_binding.len());
            exception(&eipc_core::Error::with(Code::Internal, context))
        })
    }
}

/// Starts the client's side with the randomness of a vector.
#[napi(namespace = "vectors")]
pub fn client_session(options: NativeClientOptions<'_>, fixed: Fixed) -> Result<StreamSession, String> {
    let mut config = options.config(false)?;
    if let Some(suites) = fixed.suites {
        config.suites = Suites(suites);
    }
    config.features = Features(fixed.features);
    config.channel_binding = fixed.channel_binding()?;
    StreamSession::begin_client(config, fixed.random()).map_err(|error| exception(&error))
}

/// Starts the server's side with the randomness of a vector.
#[napi(namespace = "vectors")]
pub fn server_session(address: &NativeAddress, fixed: Fixed) -> Result<StreamSession, String> {
    let mut config = (*address.config()).clone();
    config.features = Features(fixed.features);
    config.channel_binding = fixed.channel_binding()?;
    Ok(StreamSession::begin_server(Arc::new(config), fixed.random()))
}

/// Tells whether the open session exports `expected` under `label`.
#[napi(namespace = "vectors")]
pub fn exports(session: &StreamSession, label: String, expected: &[u8]) -> Result<bool, String> {
    let mut secret = vec![0; expected.len()];
    let mut protocol = session.protocol().borrow_mut();
    let connection = protocol.eipc2_connection().ok_or_else(|| exception(&Code::Closed.into()))?;
    connection.export(label.as_bytes(), &mut secret).map_err(|error| exception(&error))?;
    Ok(secret == expected)
}
