//! Bytes handed to JavaScript, in memory that JavaScript made.
//!
//! napi-rs would lend native memory instead (`napi_create_external_arraybuffer`), which runtimes that keep all such memory in a cage
//! of their own refuse: Electron, and Node built with pointer compression. Copying what is rarely more than a handshake is cheaper
//! than the finalizer, too.

use std::ptr;

use napi::bindgen_prelude::*;
use napi::sys;

/// Copies `bytes` into a new `Uint8Array`.
pub(crate) fn copied<'a>(env: &'a Env, bytes: &[u8]) -> Result<Unknown<'a>> {
    let (mut memory, mut buffer, mut array) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: the environment is the running one; the out-pointers are locals. Node made `memory` with `bytes.len()` bytes, of which
    // nobody else knows yet; it is not written to when there are none, where Node may leave the pointer null.
    unsafe {
        check_status!(sys::napi_create_arraybuffer(env.raw(), bytes.len(), &mut memory, &mut buffer))?;
        if !bytes.is_empty() {
            ptr::copy_nonoverlapping(bytes.as_ptr(), memory.cast(), bytes.len());
        }
        let kind = sys::TypedarrayType::uint8_array;
        check_status!(sys::napi_create_typedarray(env.raw(), kind, bytes.len(), buffer, 0, &mut array))?;
        Unknown::from_napi_value(env.raw(), array)
    }
}
