//! Bytes encrypted and decrypted outside of sessions: `nonce ‖ ciphertext ‖ tag`.

use eipc_core::crypto::random::Random;
use eipc_core::{Code, Error as Fault, v1};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::bytes;
use crate::error::{exception, internal};

/// Encrypts bytes with AES-256-GCM under a new random nonce; the key has 32 bytes.
#[napi(ts_return_type = "Uint8Array")]
pub fn encrypt<'a>(env: &'a Env, key: &[u8], plaintext: &[u8]) -> Result<Unknown<'a>, String> {
    let made = v1::encrypt(whole(key)?, plaintext, &Random::system());
    bytes::copied(env, &made.map_err(|error| exception(&error))?).map_err(internal)
}

/// Verifies and decrypts what `encrypt` made.
#[napi(ts_return_type = "Uint8Array")]
pub fn decrypt<'a>(env: &'a Env, key: &[u8], ciphertext: &[u8]) -> Result<Unknown<'a>, String> {
    let made = v1::decrypt(whole(key)?, ciphertext);
    bytes::copied(env, &made.map_err(|error| exception(&error))?).map_err(internal)
}

fn whole(key: &[u8]) -> Result<&[u8; 32], String> {
    key.try_into().map_err(|_| exception(&Fault::new(Code::Key, "a key for AES-256 has 32 bytes")))
}
