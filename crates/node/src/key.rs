//! Secrets: they enter native code once and never come back out (invariant 8).

use std::sync::Arc;

use eipc_core::audit::AuditKey;
use eipc_core::{Code, Psk, v1};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::error::exception;

/// A pre-shared key inside native code.
#[napi]
pub struct NativeKey {
    /// Absent for a key that only v1 takes.
    psk: Option<Arc<Psk>>,
    /// What an audit chain begins with; absent as `psk` is.
    audit: Option<Arc<AuditKey>>,
    /// What v1 signs with. Also what two keys are compared by.
    v1: Arc<v1::Key>,
}

impl NativeKey {
    pub(crate) fn psk(&self) -> Result<Arc<Psk>, String> {
        self.psk
            .clone()
            .ok_or_else(|| Error::new(Code::Key.name().to_owned(), "this key is for v1 only".to_owned()))
    }

    /// Whether it is the key of EIPC/2 with this id.
    pub(crate) fn has_id(&self, key_id: u64) -> bool {
        self.psk.as_ref().is_some_and(|psk| psk.key_id() == key_id)
    }

    /// The key of an audit chain.
    pub(crate) fn audit(&self) -> Result<Arc<AuditKey>, String> {
        self.audit
            .clone()
            .ok_or_else(|| Error::new(Code::Key.name().to_owned(), "this key is for v1 only".to_owned()))
    }

    pub(crate) fn v1(&self) -> Arc<v1::Key> {
        Arc::clone(&self.v1)
    }

    /// The same for a call that does not keep it.
    pub(crate) fn v1_ref(&self) -> &v1::Key {
        &self.v1
    }
}

#[napi]
impl NativeKey {
    /// Copies a key of at least 32 bytes in; the caller wipes its own copy. Throws `EIPC_KEY` for a shorter one, and for one of
    /// printable characters only unless `dangerousPassphrase`.
    #[napi(factory)]
    pub fn from_bytes(bytes: &[u8], dangerous_passphrase: bool) -> Result<Self, String> {
        let made = if dangerous_passphrase { Psk::dangerous_passphrase(bytes) } else { Psk::new(bytes) };
        let psk = Some(Arc::new(made.map_err(|error| exception(&error))?));
        let audit = Some(Arc::new(AuditKey::new(bytes).map_err(|error| exception(&error))?));
        Ok(Self { psk, audit, ..Self::for_v1(bytes)? })
    }

    /// Copies a key in that only v1 takes: at least 16 bytes of any kind. Throws `EIPC_KEY` for a shorter one.
    #[napi(factory)]
    pub fn for_v1(bytes: &[u8]) -> Result<Self, String> {
        let key = v1::Key::new(bytes).map_err(|error| exception(&error))?;
        Ok(Self { psk: None, audit: None, v1: Arc::new(key) })
    }

    /// The key id of EIPC/2, 16 hexadecimal digits: not secret. Empty for a key of v1, which may be a phrase that could be
    /// guessed by it.
    #[napi(getter)]
    #[must_use]
    pub fn id(&self) -> String {
        self.psk.as_ref().map_or_else(String::new, |psk| format!("{:016x}", psk.key_id()))
    }

    /// Whether it has fewer than 32 bytes.
    #[napi(getter)]
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.v1.is_short()
    }

    /// Tells whether another key makes the same v1 tags: the same bytes, or bytes that HMAC takes for the same.
    #[napi]
    #[must_use]
    pub fn is_same(&self, other: &NativeKey) -> bool {
        self.v1.is_same(&other.v1)
    }
}
