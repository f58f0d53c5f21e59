//! Secrets: they enter native code once and never come back out (invariant 8).

use std::sync::Arc;

use eipc_core::Psk;
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::error::exception;

/// A pre-shared key inside native code.
#[napi]
pub struct NativeKey {
    psk: Arc<Psk>,
}

impl NativeKey {
    pub(crate) fn psk(&self) -> Arc<Psk> {
        Arc::clone(&self.psk)
    }
}

#[napi]
impl NativeKey {
    /// Copies a key of at least 32 bytes in; the caller wipes its own copy. Throws `EIPC_KEY` for a shorter one, and for one of
    /// printable characters only unless `dangerousPassphrase`.
    #[napi(factory)]
    pub fn from_bytes(bytes: &[u8], dangerous_passphrase: bool) -> Result<Self, String> {
        let made = if dangerous_passphrase { Psk::dangerous_passphrase(bytes) } else { Psk::new(bytes) };
        Ok(Self { psk: Arc::new(made.map_err(|error| exception(&error))?) })
    }

    /// The key id of EIPC/2, 16 hexadecimal digits: not secret.
    #[napi(getter)]
    #[must_use]
    pub fn id(&self) -> String {
        format!("{:016x}", self.psk.key_id())
    }
}
